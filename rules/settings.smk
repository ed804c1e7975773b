# The lookups behind params: the parts of the config and of the raw data that jobs depend on.


def root_of(wildcards):
    """Folder of the raw (or drawn) data."""
    if STUDY.datasets[wildcards.dataset].phantom:
        return f"resources/phantoms/{STUDY.study}/{wildcards.dataset}"
    return str(STUDY.root(wildcards.dataset))


def drawn_of(wildcards):
    """The manifest of a drawn data set; nothing for a real one."""
    if STUDY.datasets[wildcards.dataset].phantom:
        return f"resources/phantoms/{STUDY.study}/{wildcards.dataset}/phantom.json"
    return []


def raw_fingerprint(wildcards):
    """Changes when a raw file is added, removed or replaced."""
    dataset = STUDY.datasets[wildcards.dataset]
    drawn = (
        f"{dataset.reader} {dataset.phantom.model_dump_json()}"
        if dataset.phantom
        else ""
    )
    return fingerprint.raw_folder(Path(root_of(wildcards)), drawn)


def reader_of(wildcards):
    return STUDY.datasets[wildcards.dataset].reader


def labels_of(wildcards):
    """What of the config says how masks are read."""
    declared = STUDY.datasets[wildcards.dataset].exceptions
    strays = any(exception.kind == "unknown_label" for exception in declared)
    settings = STUDY.dataset_settings(wildcards.dataset, "classes", "inverted")
    return settings | {"strays": strays}


def measures_of(wildcards):
    """What is measured of a data set beside counts of pixels, and the tolerance of the surface Dice in pixels."""
    return [STUDY.measures(wildcards.dataset), STUDY.evaluation.tolerance]


def reader_code(*modules):
    """Fingerprint of the modules and of the data set's own reader."""
    return lambda wildcards: fingerprint.code(
        *modules, f"segstudy.data.readers.{reader_of(wildcards)}"
    )


def readers_code(*modules):
    """Fingerprint of the modules and of the readers of the experiment's data sets."""

    def lookup(wildcards):
        datasets = STUDY.experiments[wildcards.experiment].datasets
        readers = sorted({STUDY.datasets[name].reader for name in datasets})
        return fingerprint.code(
            *modules, *(f"segstudy.data.readers.{r}" for r in readers)
        )

    return lookup


def network_of(wildcards):
    """The `network:` of the cell's model, which its model file must not replace by another module."""
    return STUDY.models[wildcards.model].kind


def network_code(*modules):
    """Fingerprint of the modules and of the cell's own network, its library's version included."""

    def lookup(wildcards):
        return fingerprint.network(network_of(wildcards), *modules)

    return lookup


def training_code(*modules):
    """The same with the functions of the cell's own loss: a changed formula retrains the cells that use it alone."""

    def lookup(wildcards):
        functions = loss_modules(settings_of(wildcards)["loss"])
        return network_code(*modules, *functions)(wildcards)

    return lookup


def dataset_block(*blocks):
    """The named blocks of the data set's config; one block comes alone."""

    def lookup(wildcards):
        settings = STUDY.dataset_settings(wildcards.dataset, *blocks)
        return settings[blocks[0]] if len(blocks) == 1 else settings

    return lookup


@cache
def training_settings(dataset, model, loss, recipe):
    return STUDY.training_settings(dataset, model, loss, recipe)


def settings_of(wildcards):
    """All config that a training depends on beside its data."""
    return training_settings(
        wildcards.dataset, wildcards.model, wildcards.loss, wildcards.recipe
    )


def samples_of(wildcards):
    """What of a recipe shapes the samples that a data set is trained on."""
    keys = {"batch_size", "crop", "augmentation", "balance"}
    keys |= {"crops_per_image", "crops_per_epoch"}
    recipe = STUDY.recipe(wildcards.dataset, wildcards.recipe)
    return recipe.model_dump(mode="json", include=keys)


def stopping_rules(experiment):
    """[data set, recipe, rule] of those of the experiment that stop early by the fitted curve."""
    used = dict.fromkeys((cell.dataset, cell.recipe) for cell in cells_of(experiment))
    rules = [(*pair, STUDY.recipe(*pair).early_stopping.curve) for pair in used]
    return [[*pair, rule.model_dump(mode="json")] for *pair, rule in rules if rule]


def index_if_needed(wildcards):
    """Strata or groups, where the recipe asks for them: no other training is redone because the index changed."""
    recipe = STUDY.recipe(wildcards.dataset, wildcards.recipe)
    needed = recipe.balance == "strata" or recipe.denoising or recipe.labels < 1
    path = f"{DATA}/index.csv".format(dataset=wildcards.dataset)
    return path if needed else []


def probabilities_in(folder):
    """An output: the folder of a prediction's probabilities, deleted after use if the config says so."""
    path = directory(f"{folder}/probabilities")
    return path if STUDY.evaluation.keep_predictions else temp(path)

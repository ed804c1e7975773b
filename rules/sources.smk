# What a cell is made of beside its own data set: weights, other cells, images without labels, seeds put together.
from types import SimpleNamespace

ENCODERS = "resources/encoders"


def encoder_of(wildcards):
    """The weights that the cell's network starts from; nothing where it starts from chance."""
    encoder = STUDY.encoder(wildcards.model)
    return f"{ENCODERS}/{encoder}.safetensors" if encoder else []


def cell_of(wildcards):
    """The cell that the wildcards name."""
    names = (wildcards.dataset, wildcards.model, wildcards.loss, wildcards.recipe)
    return Cell(*names, int(wildcards.seed))


@cache
def sources_of_cell(cell):
    return dependencies.sources(STUDY, cell)


def start_of(wildcards):
    """The model that the cell's weights start from; nothing where the recipe names none."""
    start = sources_of_cell(cell_of(wildcards)).get("start")
    return f"{CELL}/model.safetensors".format(**start._asdict()) if start else []


def teacher_model_of(wildcards):
    """The model that labels images for the cell, so that its record names it; nothing where there is none."""
    teacher = teacher_of(wildcards)
    return f"{CELL}/model.safetensors".format(**teacher._asdict()) if teacher else []


def sources_of(wildcards):
    """The cells that a cell builds on, by their role."""
    sources = sources_of_cell(cell_of(wildcards))
    return {role: source.path for role, source in sources.items()}


@cache
def seen_by_sources(cell):
    return dependencies.seen(STUDY, cell)


def seen_of(wildcards):
    """What the sources of a cell have seen, by data set and split."""
    return seen_by_sources(cell_of(wildcards))


def chain_of(wildcards):
    """The check that no source has seen what the cell is measured on; nothing for a cell that stands alone."""
    path = f"{RESULTS}/checks/chains/{NAMES}.json".format(**dict(wildcards.items()))
    return path if seen_of(wildcards) and not recipe_denoises(wildcards) else []


def recipe_denoises(wildcards):
    return bool(STUDY.recipe(wildcards.dataset, wildcards.recipe).denoising)


def chain_splits(wildcards):
    """[data set, seed] of every split that the check of a chain reads, the cell's own first."""
    seen = [(item.dataset, item.seed) for item in seen_of(wildcards)]
    own = (wildcards.dataset, int(wildcards.seed))
    return [list(pair) for pair in dict.fromkeys([own, *seen])]


def chain_datasets(wildcards):
    """Every data set that the check of a chain reads, the cell's own first."""
    return list(dict.fromkeys(name for name, _ in chain_splits(wildcards)))


def given_encoder(wildcards):
    """A state dict that somebody has put beside the place of the weights, for machines without internet."""
    name = re.compile(
        re.escape(wildcards.encoder) + r"(-[0-9a-f]{8,64})?\.(pth|pt|bin)"
    )
    found = sorted(p for p in Path(ENCODERS).glob("*") if name.fullmatch(p.name))
    return str(found[0]) if found else []


def members_of(wildcards):
    """The probabilities of every seed."""
    folder = f"{CELL}{wildcards.views}/probabilities"
    return [
        folder.format(**dict(wildcards.items()) | {"seed": seed})
        for seed in wildcards.seeds.split("-")
    ]


def common_split(wildcards):
    """The split, which is the same for all seeds: the config asks for it."""
    path = f"{DATA}/splits/seed{{seed}}.csv"
    return path.format(dataset=wildcards.dataset, seed=wildcards.seeds.split("-")[0])


def recipe_of(wildcards):
    """Its recipe, as its data set is trained with it."""
    return STUDY.recipe(wildcards.dataset, wildcards.recipe)


def teacher_of(wildcards):
    """The cell that labels images for it; None where it learns from masks alone."""
    return sources_of_cell(cell_of(wildcards)).get("teacher")


def unlabelled_of(wildcards):
    """The data set whose images are seen without their masks; None where there is none."""
    named = wildcards.get("unlabelled")
    return named or dependencies.unlabelled_of(STUDY, cell_of(wildcards))


def of_unlabelled(name):
    """Input function: a file of the data set whose images are seen without their masks; nothing where there is none."""

    def lookup(wildcards):
        dataset = unlabelled_of(wildcards)
        path = f"{DATA}/{name}"
        return path.format(dataset=dataset, seed=wildcards.seed) if dataset else []

    return lookup


def for_unlabelled(lookup):
    """The lookup, asked about the data set whose images are seen without their masks."""

    def asked(wildcards):
        names = dict(wildcards.items()) | {"dataset": unlabelled_of(wildcards)}
        return lookup(SimpleNamespace(**names))

    return asked


def of_teacher(name):
    """Input function: a file of what the cell's teacher made of the unlabelled images; nothing where it has none."""

    def lookup(wildcards):
        teacher = teacher_of(wildcards)
        if teacher is None:
            return []
        unlabelled = unlabelled_of(wildcards)
        path = PSEUDO.format(unlabelled=unlabelled, **teacher._asdict())
        return f"{path}/{name}"

    return lookup


def accept_of(wildcards):
    """Which of its teacher's labels a cell believes."""
    return recipe_of(wildcards).pseudo_labels.accept.model_dump(mode="json")


def accepted_of(wildcards):
    """The images whose pseudo-labels a cell learns from; nothing where it has no teacher."""
    path = f"{CELL}/pseudo/accepted.csv".format(**cell_of(wildcards)._asdict())
    return path if teacher_of(wildcards) else []


def believed_of(wildcards):
    """The check that there are some; nothing for a cell without a teacher."""
    path = f"{RESULTS}/checks/pseudo/{NAMES}.json".format(**dict(wildcards.items()))
    return path if teacher_of(wildcards) else []

# Helpers of rules: how they ask for a lookup of the package, and the outputs and resources that several have.
from inspect import signature


# Input and params functions: a lookup of the package, asked about what the job's wildcards name.
def of_dataset(lookup, *args):
    return lambda wildcards: lookup(STUDY, wildcards.dataset, *args)


def of_recipe(lookup):
    return lambda wildcards: lookup(STUDY, wildcards.dataset, wildcards.recipe)


def of_dataset_and_model(lookup):
    return lambda wildcards: lookup(STUDY, wildcards.dataset, wildcards.model)


def of_experiment(lookup, *args):
    return lambda wildcards: lookup(STUDY, wildcards.experiment, *args)


def cell_of(wildcards):
    names = (wildcards.dataset, wildcards.model, wildcards.loss, wildcards.recipe)
    return Cell(*names, int(wildcards.seed))


def of_cell(lookup, *args):
    return lambda wildcards: lookup(STUDY, cell_of(wildcards), *args)


def of_unlabelled(lookup, *args):
    """The lookup, asked about the data set whose images are seen without their masks."""

    def asked(wildcards):
        named = wildcards.get("unlabelled")
        named = named or cell_inputs.unlabelled(STUDY, cell_of(wildcards))
        return lookup(STUDY, named, *args)

    return asked


def of_external(lookup, *args):
    """The lookup, asked about the external test set."""
    return lambda wildcards: lookup(STUDY, wildcards.external, *args)


def of_external_cell(lookup, *args):
    """The lookup, asked about the cell and the external test set."""
    return lambda wildcards: lookup(
        STUDY, cell_of(wildcards), wildcards.external, *args
    )


def external_split(wildcards):
    """The split of an external test set of which the test images alone are measured; of an ensemble, the first seed's."""
    seed = wildcards.get("seed") or wildcards.seeds.split("-")[0]
    return external.own_split(STUDY, wildcards.external, int(seed))


def external_files(name):
    """A file of the data set that was trained on, and of the external one."""
    return [f"{DATA}/{name}", f"{DATA}/{name}".replace("{dataset}", "{external}")]


# Whether a training may wait for checks of external test sets: of no other is looked up what it had.
MAY_WAIT = external.tested_on(STUDY) or Path(RESULTS, paths.EXTERNAL_CHECKS).exists()


def external_checks(wildcards):
    """The checks of external test sets that a training waits for; of one that has been, those it had."""
    if not MAY_WAIT:
        return []
    cell = cell_of(wildcards)
    model = f"{CELL}/model.safetensors".format(**wildcards)
    # What Snakemake has written down of the last job that made the model.
    record = workflow.persistence._read_record(model)
    return external.training_checks(STUDY, cell, record and record.input)


def of_seeds(pattern):
    """Input function: the pattern's path for each seed of an ensemble."""

    def asked(wildcards):
        names = dict(wildcards.items())
        return [
            pattern.format(**names, seed=seed) for seed in names["seeds"].split("-")
        ]

    return asked


def manifest(wildcards):
    """The manifest of a drawn data set; whatever is planned, this is asked, and only now the triggers are known."""
    try:
        check_triggers([str(trigger) for trigger in workflow.rerun_triggers])
    except StudyError as error:
        sys.exit(f"\nError: {error}\n")
    return lookups.manifest(STUDY, wildcards.dataset)


# What reading the images and masks of a data set takes.
OF_IMAGES = {
    "reader": of_dataset(lookups.reader),
    "root": of_dataset(lookups.root),
    "labels": of_dataset(lookups.labels),
}


# What computes on a GPU asks for, where there is one.
OF_GPU = {"gpu": GPU, "gpu_mb": JOBS.gpu_mb, "gpu_share": JOBS.gpu_share}


def probabilities_in(folder):
    """An output: the folder of a prediction's probabilities, deleted after use if the config says so."""
    path = directory(f"{folder}/probabilities")
    return path if STUDY.evaluation.keep_predictions else temp(path)


def report_file(path, caption, category, subcategory=None, **labels):
    """An output that Snakemake's own report shows."""
    return report(
        path,
        caption=f"../workflow/report/{caption}.rst",
        category=category,
        subcategory=subcategory,
        labels={name.replace("_", " "): value for name, value in labels.items()},
    )


def table_files(kind, words):
    """The outputs of a table of an experiment: CSV, Markdown and LaTeX, and the page that Snakemake's report shows."""
    table, labels = f"{TABLE}.{kind}", {"experiment": f"{{experiment}}, {words}"}
    page = report_file(f"{table}.html", kind, "Tables", **labels)
    return {**{end: f"{table}.{end}" for end in ("csv", "md", "tex")}, "html": page}


def report_figure(kind, words):
    labels = {"experiment": "{experiment}", "figure": words}
    return report_file(f"{FIGURE}/{kind}.png", kind, "Figures", **labels)


def report_picture(path, caption, category):
    names = {name: f"{{{name}}}" for name in ("model", "loss", "recipe", "seed")}
    return report_file(f"{RESULTS}/{path}", caption, category, "{dataset}", **names)


def report_network(path, caption, shows):
    names = {"data_set": "{dataset}", "model": "{model}", "shows": shows}
    return report_file(f"{RESULTS}/{path}", caption, "Networks", **names)


def complete(name, planned):
    """Give a rule the log, benchmark, environment and code fingerprint that every one has.

    `name` is the rule's in these files: where they are a module of another workflow, it may be another there.
    """
    if planned.script:
        names = paths.job_names(planned.wildcard_names) or Path(planned.output[0]).stem
        place = {"rule": name, "names": names}
        planned.log_modifier = planned.benchmark_modifier = planned.output_modifier
        planned.set_log(f"{RESULTS}/{paths.LOG}".format(**place))
        planned.benchmark = f"{RESULTS}/{paths.BENCHMARK}".format(**place)
        planned.conda_env = "../envs/segstudy.yaml"
        script = Path(planned.script).stem
        if "code" not in planned.params.keys():
            planned.set_params(
                code=lambda wildcards: lookups.code(STUDY, script, wildcards)
            )
    # Snakemake asks every input and params function for its parameters twice per job: 10,000 cells plan faster.
    for item in (*planned.input, *planned.params):
        function = getattr(item, "callable", item)
        if callable(function):
            function.__signature__ = signature(function)

# What all rules share: the validated study, its paths, and how a rule asks for a lookup of the package.
import gc
import json
import os
import re
import shlex
import sys
from inspect import signature
from pathlib import Path

# The graph of a large study is millions of objects that all stay: to look through them for garbage again and again is
# a quarter of the time of `snakemake -n`.
gc.set_threshold(200_000, 20, 20)

# The code of this checkout, whatever else is installed: what is fingerprinted must be what runs.
PACKAGE = str(Path(str(workflow.current_basedir)).parent / "workflow")
sys.path.insert(0, PACKAGE)
SEARCHED = [PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ.update(PYTHONPATH=os.pathsep.join(SEARCHED))

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.load import load_study
from segstudy.runtime.environment import caches, check_place
from segstudy.core.errors import StudyError
from segstudy.models.external_check import check_networks
from segstudy.runtime import locks
from segstudy.runtime.raw_folder import check_triggers
from segstudy.study import (
    annotators,
    cell_inputs,
    experiments,
    external,
    lookups,
    targets,
)
from segstudy.study.job_requests import GALLERY_MINUTES, GPU, JobRequests
from segstudy.study.named_targets import accept_rule_names
from segstudy.study.plan_wishes import plan_wishes

# A home folder that cannot be written keeps neither Snakemake's copies of scripts nor matplotlib's fonts.
os.environ.update(caches(os.environ))

OVERLAYS = [os.path.relpath(path) for path in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config_args or []

# For run.json: how the config of this run was chosen.
CHOSEN = [
    *(["--configfile", *OVERLAYS] if OVERLAYS else []),
    *(["--config", *OVERRIDES] if OVERRIDES else []),
]
os.environ.update(SEGSTUDY_CONFIG=shlex.join(CHOSEN))

try:
    check_place(str(workflow.current_basedir), os.getcwd())
    STUDY = load_study(
        config, ["config.yaml", *OVERLAYS], workflow.config_settings.config
    )
    # Jobs have been told, and environments of their own may hold what this process lacks.
    if workflow.is_main_process and not workflow.deployment_settings.deployment_method:
        check_networks(STUDY, [Path("config.yaml"), *map(Path, OVERLAYS)])
except StudyError as error:
    # The message alone: a traceback through Snakemake helps nobody here.
    sys.exit(f"\nError: {error}\n")

# For the jobs: how large the pictures of each data set may be.
LIMITS = {name: dataset.max_megapixels for name, dataset in STUDY.datasets.items()}
os.environ.update(SEGSTUDY_MAX_MEGAPIXELS=json.dumps(LIMITS))
if "--unlock" in sys.argv:
    locks.forget_runs()
elif workflow.is_main_process and not workflow.dryrun:
    # Beside Snakemake's lock, which does not say whose it is: this process, until it ends.
    plugin = workflow.executor_plugin
    locks.record(plugin.name if plugin else "local")

accept_rule_names(workflow, STUDY)
try:
    JOBS = JobRequests(STUDY, workflow.resource_settings)
except StudyError as error:
    sys.exit(f"\nError: {error}\n")
for name, count in JOBS.scheduled.items():
    workflow.register_resource(name, count)
WHOLE_GPU = JOBS.whole_gpu
# For the plans: where trainings run, which is no parameter, since the same plan holds on every machine.
TRAININGS = {"gpu": JOBS.estimates.gpu, "threads": JOBS.estimates.threads}
os.environ.update(SEGSTUDY_TRAININGS=json.dumps(TRAININGS))
PHANTOMS = lookups.drawn(STUDY)
CONVERTED = lookups.converted(STUDY)
PLANNED = lookups.planned(STUDY)

# Checks, and what they read, go before any other job that is ready: what stops a study is known before it trains.
CHECKS_FIRST = 50

RESULTS = str(paths.results(STUDY.study))
DATA = f"{RESULTS}/{paths.DATA}"
INDEX = f"{RESULTS}/{paths.INDEX}"
SPLIT = f"{RESULTS}/{paths.SPLIT}"
STORE = f"{RESULTS}/{paths.STORE}"
IMAGES_CHECK = f"{RESULTS}/{paths.IMAGES_CHECK}"
SPLIT_CHECK = f"{RESULTS}/{paths.SPLIT_CHECK}"
NETWORKS_CHECK = f"{RESULTS}/{paths.NETWORKS_CHECK}"
CELL = f"{RESULTS}/{paths.CELL}"
FLIPS = f"{CELL}/{paths.FLIPS}"
EXTERNAL = f"{RESULTS}/{paths.EXTERNAL}"
EXTERNAL_FLIPS = f"{RESULTS}/{paths.EXTERNAL_FLIPS}"
ENSEMBLE = f"{RESULTS}/{paths.ENSEMBLE}{{views}}"
ENSEMBLE_EXTERNAL = f"{RESULTS}/{paths.ENSEMBLE_EXTERNAL}{{views}}"
PSEUDO = f"{RESULTS}/{paths.PSEUDO}"  # the names are the teacher's
TABLE = f"{RESULTS}/{paths.TABLE}"
FIGURE = f"{RESULTS}/{paths.FIGURE}"


def one_of(names):
    return "|".join(re.escape(name) for name in names)


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    unlabelled=one_of(STUDY.datasets),
    external=one_of(STUDY.datasets),
    model=one_of(STUDY.models),
    loss=one_of(STUDY.losses),
    recipe=one_of(STUDY.recipes),
    experiment=one_of(STUDY.experiments),
    seed=r"\d+",
    seeds=r"\d+(-\d+)+",
    views=f"|/{paths.FLIPS}",


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


def probabilities_in(folder):
    """An output: the folder of a prediction's probabilities, deleted after use if the config says so."""
    path = directory(f"{folder}/probabilities")
    return path if STUDY.evaluation.keep_predictions else temp(path)


# Outputs that Snakemake's own report shows.
def report_file(path, caption, category, subcategory=None, **labels):
    return report(
        path,
        caption=f"../workflow/report/{caption}.rst",
        category=category,
        subcategory=subcategory,
        labels={name.replace("_", " "): value for name, value in labels.items()},
    )


def report_table(suffix, caption, words="{experiment}"):
    return report_file(f"{TABLE}{suffix}", caption, "Tables", experiment=words)


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

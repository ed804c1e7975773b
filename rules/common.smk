# What all rules share: the validated study, its paths, and the lookups behind params and inputs.
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

# The code of this checkout, whatever else is installed: what is fingerprinted must be what runs.
PACKAGE = str(Path(workflow.basedir) / "workflow")
sys.path.insert(0, PACKAGE)
SEARCHED = [PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ.update(PYTHONPATH=os.pathsep.join(SEARCHED))

from segstudy import fingerprint, job_resources
from segstudy.config import Cell, chains, load_study
from segstudy.config.chain_words import chain_words
from segstudy.config.datasets import WITHOUT_STRATA
from segstudy.errors import StudyError
from segstudy.estimates import Estimates
from segstudy.gains import gains_of
from segstudy.machine import has_gpu
from segstudy.report.settings import settings_of as settings_of_report

OVERLAYS = [os.path.relpath(path) for path in workflow.overwrite_configfiles]
OVERRIDES = workflow.config_settings.config_args or []

# For run.json: how the config of this run was chosen.
CHOSEN = [
    *(["--configfile", *OVERLAYS] if OVERLAYS else []),
    *(["--config", *OVERRIDES] if OVERRIDES else []),
]
os.environ.update(SEGSTUDY_CONFIG=shlex.join(CHOSEN))

try:
    STUDY = load_study(config, ["config.yaml", *OVERLAYS])
except StudyError as error:
    # The message alone: a traceback through Snakemake helps nobody here.
    sys.exit(f"\nError: {error}\n")

RESULTS = f"results/{STUDY.study}"
DATA = f"{RESULTS}/data/{{dataset}}"
CELL = f"{RESULTS}/cells/{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seed{{seed}}"
ENSEMBLE = (
    f"{RESULTS}/ensembles/{{dataset}}/{{model}}/{{loss}}/{{recipe}}/seeds{{seeds}}"
)
NAMES = "{dataset}/{model}/{loss}/{recipe}/seed{seed}"
PSEUDO = f"{RESULTS}/pseudo/{{unlabelled}}/{NAMES}"  # the names are the teacher's


# A training asks for a GPU where this machine has one; on a cluster the profile asks for it.
GPU = int(has_gpu())


def of_profile(settings, name, default):
    """The number that the profile or the command line gives; the default where there is none, or an expression."""
    found = settings.get(name)
    value = getattr(found, "value", found)
    return value if isinstance(value, int) else default


ASKED = workflow.resource_settings
# Minutes of the longest job: a resource that no job uses, so that the profile can state it among the others.
LONGEST = of_profile(ASKED.resources, "walltime", job_resources.LONGEST)
GALLERY_MINUTES = 30


def probabilities_in(folder):
    """An output: the folder of a prediction's probabilities, deleted after use if the config says so."""
    path = directory(f"{folder}/probabilities")
    return path if STUDY.evaluation.keep_predictions else temp(path)


ESTIMATES = Estimates(
    STUDY,
    Path(RESULTS),
    gpu=bool(of_profile(ASKED.overwrite_resources.get("train", {}), "gpu", GPU)),
    threads=of_profile(ASKED.overwrite_threads, "train", 1),
)


def estimate_of(wildcards):
    """What the cell is expected to cost."""
    return ESTIMATES.cell(wildcards.dataset, wildcards.model, wildcards.recipe)


def training_mb(wildcards, attempt):
    return job_resources.memory_mb(estimate_of(wildcards).training_mb, attempt)


def training_minutes(wildcards, attempt):
    """Room is left for what a cluster may run in the same submission: prediction, measuring and a gallery."""
    expected = estimate_of(wildcards)
    longest = LONGEST - 2 * evaluation_minutes(wildcards, attempt) - GALLERY_MINUTES
    return job_resources.minutes(expected.training, expected.basis, attempt, longest)


def prediction_mb(wildcards, attempt):
    return job_resources.memory_mb(estimate_of(wildcards).prediction_mb, attempt)


def evaluation_minutes(wildcards, attempt):
    expected = estimate_of(wildcards)
    return job_resources.minutes(
        expected.evaluation, expected.basis, attempt, LONGEST // 4
    )


def cell_disk_mb(wildcards):
    return job_resources.disk_mb(estimate_of(wildcards).disk_mb)


def growing(megabytes):
    """Memory of a job that is the same for all cells: as much again at every attempt."""
    return lambda wildcards, attempt: megabytes * attempt


PHANTOMS = [name for name, dataset in STUDY.datasets.items() if dataset.phantom]


def one_of(names):
    return "|".join(re.escape(name) for name in names)


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    unlabelled=one_of(STUDY.datasets),
    model=one_of(STUDY.models),
    loss=one_of(STUDY.losses),
    recipe=one_of(STUDY.recipes),
    experiment=one_of(STUDY.experiments),
    seed=r"\d+",
    seeds=r"\d+(-\d+)+",
    views="|/tta",


def log_of(rule, names):
    return f"{RESULTS}/logs/{rule}/{names}.log"


def benchmark_of(rule, names):
    return f"{RESULTS}/benchmarks/{rule}/{names}.jsonl"


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
        *modules, f"segstudy.datasets.{reader_of(wildcards)}"
    )


def readers_code(*modules):
    """Fingerprint of the modules and of the readers of the experiment's data sets."""

    def lookup(wildcards):
        datasets = STUDY.experiments[wildcards.experiment].datasets
        readers = sorted({STUDY.datasets[name].reader for name in datasets})
        return fingerprint.code(*modules, *(f"segstudy.datasets.{r}" for r in readers))

    return lookup


def network_code(*modules):
    """Fingerprint of the modules and of the cell's own network, its library's version included."""

    def lookup(wildcards):
        kind = STUDY.models[wildcards.model].kind
        return fingerprint.network(kind, *modules)

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
    return STUDY.sources(cell)


def start_of(wildcards):
    """The model that the cell's weights start from; nothing where the recipe names none."""
    start = sources_of_cell(cell_of(wildcards)).get("start")
    return f"{CELL}/model.safetensors".format(**start._asdict()) if start else []


def sources_of(wildcards):
    """The cells that a cell builds on, by their role."""
    sources = sources_of_cell(cell_of(wildcards))
    return {role: source.path for role, source in sources.items()}


@cache
def seen_by_sources(cell):
    return chains.seen(STUDY, cell)


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
    return named or chains.unlabelled_of(STUDY, cell_of(wildcards))


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

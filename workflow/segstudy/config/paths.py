"""The folders of results: where the files of a study lie. Names of single files stand in the rules.

The constants are patterns below `results/<study>`, with the names of Snakemake's wildcards in braces: the rules prefix
them with the folder of their study. The functions fill them in for one cell, data set or experiment.

It stands beside `Cell`, below every other room, since all of them need it: trainings find their saved state by it, the
report its tables, the commands what a study has made. Where a file lies changes no number, so that no code fingerprint
covers this module (see `segstudy.runtime.fingerprint`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from segstudy.config.cell import Cell

RESULTS = Path("results")  # of all studies
RAW = RESULTS / ".raw"  # what is remembered of raw files: their hashes, by size and time
TRAINED = RESULTS / ".trained"  # the published files of all trainings, to be taken over by a cell that is the same
PHANTOMS = "resources/phantoms/{study}/{dataset}"  # drawn data sets
PHANTOM_MANIFEST = "phantom.json"
ENCODERS = Path("resources/encoders")  # weights that encoders start from
SNAKEMAKE = Path(".snakemake")  # Snakemake's own records and locks

# Parts of paths that name a cell, a split, several seeds of a row.
NAMES = "{dataset}/{model}/{loss}/{recipe}/seed{seed}"
SEEDS = "{dataset}/{model}/{loss}/{recipe}/seeds{seeds}"

DATASETS = "data"
DATA = f"{DATASETS}/{{dataset}}"
CONVERTED = f"{DATA}/converted"  # masks and links to images of a data set that comes as annotations
CONVERTED_MANIFEST = "converted.json"
INDEX = f"{DATA}/index.csv"
CARD = f"{DATA}/card.json"
PLAN = f"{DATA}/plan.yaml"  # what a plan has chosen for the keys that say auto
STORE = f"{DATA}/store"
SPLIT = f"{DATA}/splits/seed{{seed}}.csv"
IMAGES_CHECK = f"{DATA}/checks/images.json"
SPLIT_CHECK = f"{DATA}/checks/seed{{seed}}.json"
NETWORKS_CHECK = f"{DATA}/checks/networks.json"
CHAIN_CHECK = f"checks/chains/{NAMES}.json"
PSEUDO_CHECK = f"checks/pseudo/{NAMES}.json"
CELLS = "cells"
CELL = f"{CELLS}/{NAMES}"
FLIPS = "tta"  # below a cell or an ensemble: predictions averaged over mirror images
EXTERNAL = f"{CELL}/on/{{external}}"  # what a cell says of a data set that it has nothing to do with
EXTERNAL_FLIPS = f"{EXTERNAL}/{FLIPS}"
CORRUPTIONS = "corruptions.csv"  # of a cell: its counts on corrupted test images
EXTERNAL_CHECKS = "checks/external"
EXTERNAL_CHECK = f"{EXTERNAL_CHECKS}/{{external}}/{{dataset}}/seed{{seed}}.json"
EXTERNAL_CHAIN_CHECK = f"{EXTERNAL_CHECKS}/{{external}}/{NAMES}.json"  # of a cell that builds on others
ENSEMBLE = f"ensembles/{SEEDS}"
ENSEMBLE_EXTERNAL = f"{ENSEMBLE}/on/{{external}}"
PSEUDO = f"pseudo/{{unlabelled}}/{NAMES}"  # labels that a cell, the teacher, gave to the images of `unlabelled`
CONTROLS = "controls/{dataset}/seed{seed}.csv"
EXTERNAL_CONTROLS = "controls/{dataset}/seed{seed}/on/{external}.csv"  # learned on the first, measured on the other
RESUME = f"resume/{NAMES}"  # the saved state of an unfinished training
PUBLISHED = f"{RESUME}.published"  # the files of a finished one, kept until its cell is measured
TABLES = "tables"
TABLE = f"{TABLES}/{{experiment}}"  # without its suffix: .csv, .strata.md
FIGURES = "figures"
FIGURE = f"{FIGURES}/{{experiment}}"  # a folder
GALLERY = f"{FIGURES}/gallery/{NAMES}.jpg"
DENOISING = f"{FIGURES}/denoising/{NAMES}.png"
PSEUDO_SHEET = f"{FIGURES}/pseudo/{NAMES}.png"
SAMPLES = f"{FIGURES}/augmented/{{dataset}}/{{recipe}}/seed{{seed}}.png"
BALANCE = f"{FIGURES}/balance/{{dataset}}/{{recipe}}/seed{{seed}}"  # without its suffix
SKETCH = f"{FIGURES}/networks/{{dataset}}/{{model}}"  # without its suffix
LAYERS = f"{TABLES}/networks/{{dataset}}/{{model}}"  # without its suffix
REPORT = "report.html"
PAPER = "paper"
PARTIAL = "partial"  # tables of an unfinished study
# How wildcards stand in the paths of logs and benchmarks, in this order.
WILDCARDS = {
    **{name: f"{{{name}}}" for name in ("unlabelled", "dataset", "model", "loss", "recipe")},
    **{"seed": "seed{seed}", "seeds": "seeds{seeds}{views}", "experiment": "{experiment}", "encoder": "{encoder}"},
    "external": "on/{external}",
}
LOG = "logs/{rule}/{names}.log"
BENCHMARK = "benchmarks/{rule}/{names}.jsonl"


def results(study: str) -> Path:
    """Return the folder of a study's results."""
    return RESULTS / study


def path(folder: Path, pattern: str, **names: object) -> Path:
    """Return the path of a pattern below the folder of a study's results."""
    return folder / pattern.format(**names)


def phantom(study: str, dataset: str) -> str:
    """Return the folder of a drawn data set."""
    return PHANTOMS.format(study=study, dataset=dataset)


def data(folder: Path, dataset: str) -> Path:
    """Return the folder of what is made of a data set, given that of the study's results."""
    return path(folder, DATA, dataset=dataset)


def split(folder: Path, dataset: str, seed: int | str) -> Path:
    """Return the split of a data set."""
    return path(folder, SPLIT, dataset=dataset, seed=seed)


def cell(folder: Path, cell: Cell) -> Path:
    """Return the folder of a cell."""
    return of_cell(folder, CELL, cell)


def of_cell(folder: Path, pattern: str, cell: Cell) -> Path:
    """Return the path of a cell by a pattern that holds its names: `RESUME`, `GALLERY`, `CHAIN_CHECK`, ..."""
    return folder / pattern.format(**cell._asdict())


def ensemble(folder: Path, cell: Cell, seeds: Sequence[int]) -> Path:
    """Return the folder of the prediction that the networks of several seeds of a cell's row make together."""
    return path(folder, ENSEMBLE, **cell._asdict(), seeds="-".join(map(str, seeds)))


def pseudo(folder: Path, unlabelled: str, teacher: Cell) -> Path:
    """Return the folder of the labels that a teacher gave to the images of a data set."""
    return path(folder, PSEUDO, unlabelled=unlabelled, **teacher._asdict())


def published(resume: Path) -> Path:
    """Return where the files of a finished training are kept until its cell is measured, given its saved state."""
    return resume.with_name(f"{resume.name}.published")


def results_of_cell(cell: Path) -> Path:
    """Return the folder of the study's results that a cell's folder lies in."""
    return cell.parents[CELL.count("/")]


def in_study(cell: Path) -> bool:
    """Return whether a cell's folder, an absolute path, lies in the results of a study."""
    above = cell.parents
    return len(above) > CELL.count("/") and above[CELL.count("/") - 1].name == CELLS


def below(resume: Path) -> Path:
    """Return the folder of all saved states of a study, given that of one training."""
    return resume.parents[RESUME.count("/") - 1]


def controls(folder: Path, dataset: str, seed: int) -> Path:
    """Return the counts of the rows without training."""
    return path(folder, CONTROLS, dataset=dataset, seed=seed)


def checks(folder: Path, pairs: Sequence[Sequence[object]]) -> list[Path]:
    """Return the checks of the splits and of the images of data sets, for (data set, seed) of each split."""
    splits = [path(folder, SPLIT_CHECK, dataset=dataset, seed=seed) for dataset, seed in pairs]
    datasets = dict.fromkeys(dataset for dataset, _ in pairs)
    return splits + [path(folder, IMAGES_CHECK, dataset=dataset) for dataset in datasets]


def table(folder: Path, experiment: str, suffix: str) -> Path:
    """Return a table of an experiment; `suffix` is `csv`, `tidy.csv`, `comparisons.md`, ..."""
    return path(folder, f"{TABLE}.{suffix}", experiment=experiment)


def figures(folder: Path, experiment: str) -> Path:
    """Return the folder of an experiment's figures."""
    return path(folder, FIGURE, experiment=experiment)


def job_names(wildcards: Collection[str]) -> str:
    """Return the pattern that tells the jobs of a rule apart, given its wildcards: `NAMES` for a rule of cells."""
    return "/".join(part for name, part in WILDCARDS.items() if name in wildcards)


def log(folder: Path, rule: str, names: str) -> Path:
    """Return the log of a job; `names` are its wildcards as a path, such as `Cell.path`."""
    return path(folder, LOG, rule=rule, names=names)


def log_of_split(folder: Path, rule: str, dataset: str, seed: int) -> Path:
    """Return the log of a job that works on one split of a data set."""
    return log(folder, rule, f"{dataset}/seed{seed}")


def benchmarks(folder: Path, rule: str, names: str) -> Iterator[Path]:
    """Yield the benchmark files of a rule; `names` may hold `*`."""
    return folder.glob(BENCHMARK.format(rule=rule, names=names))


def anywhere(pattern: str, **names: object) -> str:
    """Return a pattern for `Path.glob`: every wildcard that is not among `names` stands for anything."""
    wildcards: dict[str, object] = dict.fromkeys(
        ("dataset", "model", "loss", "recipe", "seed", "seeds", "unlabelled", "external", "rule"), "*"
    )
    return pattern.format(**wildcards | names)

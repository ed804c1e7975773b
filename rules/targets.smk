# What an experiment consists of: inputs of its tables and figures.
from segstudy.tables.captions import chain_words
from segstudy.config.datasets import WITHOUT_STRATA
from segstudy.tables.variants import gains_of


def of_cells(pattern, cells):
    """The pattern's path for each cell."""
    return [pattern.format(**cell._asdict()) for cell in cells]


def cells_of(experiment):
    return STUDY.experiments[experiment].cells


def experiment_cells(pattern):
    """Input function: the pattern's path for every cell of the experiment."""
    return lambda wildcards: of_cells(pattern, cells_of(wildcards.experiment))


@cache
def gains(experiment):
    """Rows of the experiment that cost no training, as the config asks for them."""
    evaluation = STUDY.evaluation
    return gains_of(
        cells_of(experiment), evaluation.tta == "flips", evaluation.ensemble
    )


def counts_of_gain(gain):
    """Its counts."""
    pattern = ENSEMBLE if len(gain.seeds) > 1 else CELL
    views = f"{pattern}/tta" if gain.flips else pattern
    names = gain.cell._replace(recipe=gain.recipe)._asdict()
    return f"{views}/counts.csv".format(**names, seeds="-".join(map(str, gain.seeds)))


def experiment_gains(wildcards):
    """Counts of the rows that cost no training."""
    return [counts_of_gain(gain) for gain in gains(wildcards.experiment)]


@cache
def pairs_of(experiment):
    """Every (data set, seed) of an experiment, once."""
    return [
        list(p)
        for p in dict.fromkeys((c.dataset, c.seed) for c in cells_of(experiment))
    ]


def experiment_controls(wildcards):
    """Control rows of every (data set, seed) of the experiment."""
    pairs = pairs_of(wildcards.experiment)
    return [f"{RESULTS}/controls/{dataset}/seed{seed}.csv" for dataset, seed in pairs]


def experiment_checks(wildcards):
    """What the checks found in the data sets and splits of the experiment."""
    pairs = pairs_of(wildcards.experiment)
    names = [f"{dataset}/checks/seed{seed}.json" for dataset, seed in pairs]
    names += [f"{dataset}/checks/images.json" for dataset in dict(pairs)]
    of_chains = [
        f"{RESULTS}/checks/chains/{cell.path}.json"
        for cell in cells_of(wildcards.experiment)
        if seen_by_sources(cell)
    ]
    return [*(f"{RESULTS}/data/{name}" for name in names), *of_chains]


def experiment_chains(wildcards):
    """What captions say of the sources of the experiment's cells, by data set."""
    return chain_words(STUDY, cells_of(wildcards.experiment))


def experiment_indexes(wildcards):
    """The index of every data set of the experiment."""
    datasets = STUDY.experiments[wildcards.experiment].datasets
    return [f"{RESULTS}/data/{dataset}/index.csv" for dataset in datasets]


def with_strata():
    """Experiments of which some data set may have strata."""
    return [
        name
        for name, experiment in STUDY.experiments.items()
        if any(
            STUDY.datasets[dataset].reader not in WITHOUT_STRATA
            for dataset in experiment.datasets
        )
    ]


def first_cells(experiment):
    """The experiment's cells of the first seed: one for every network, loss and recipe of a data set."""
    cells = cells_of(experiment)
    return list({cell._replace(seed=0): cell for cell in cells[::-1]}.values())[::-1]


def picture_sources(experiment):
    """What reading the images of the experiment's data sets takes."""
    found = {}
    for name in STUDY.experiments[experiment].datasets:
        one = SimpleNamespace(dataset=name)
        found[name] = {
            "reader": reader_of(one),
            "root": root_of(one),
            "labels": labels_of(one),
            "region": STUDY.datasets[name].region,
            "phantom": name in PHANTOMS,
        }
    return found


def binary_cells(experiment):
    """The experiment's cells on data sets of one foreground class."""
    return [
        cell
        for cell in cells_of(experiment)
        if not STUDY.datasets[cell.dataset].several
    ]


def with_several_classes():
    """Experiments of which some data set has several classes."""
    return [
        name
        for name, experiment in STUDY.experiments.items()
        if any(STUDY.datasets[dataset].several for dataset in experiment.datasets)
    ]


def with_pairs():
    """Experiments with several rows for a data set, or with one that flips or seeds may gain: something to compare."""
    return [
        name
        for name, experiment in STUDY.experiments.items()
        if experiment.rows > 1 or gains(name)
    ]


def experiment_datasets(experiment):
    """What captions need of the config of the experiment's data sets."""
    blocks = ("reader", "size", "split", "region", "phantom")
    return {
        name: STUDY.dataset_settings(name, *blocks)
        for name in STUDY.experiments[experiment].datasets
    }

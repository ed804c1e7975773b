"""The tables of an unfinished study.

A table of the workflow waits for all of its cells. These are made of the cells that are there, whatever runs or has
failed, and name the others with the reason; they lie below `results/<study>/partial/`, so that nobody takes them for
the study's own. Snakemake writes them by itself when a run ends with failed jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.core.files import write_csv
from segstudy.core.removal import remove_tree
from segstudy.study.reasons import finished, missing_cells
from segstudy.tables.captions import protocols
from segstudy.tables.missing import missing_table, nothing_but_missing, with_missing_cells
from segstudy.tables.render import FORMATS, write_formats
from segstudy.tables.variants import variants_of


def write_partial(study: Study, results: Path) -> list[str]:
    """Write the tables of every experiment that misses cells; return a line for each.

    Those of an earlier call are taken away first.
    """
    folder = results / paths.PARTIAL
    remove_tree(folder)
    said = []
    for name, experiment in study.experiments.items():
        missing = missing_cells(experiment.cells, results)
        if not missing:
            continue
        outputs = {kind: folder / f"{name}.{kind}" for kind in ("csv", *FORMATS)} | {
            "tidy": folder / f"{name}.tidy.csv"
        }
        there = [cell for cell in experiment.cells if finished(cell, results)]
        if there:
            _compare(study, name, there, missing, results, outputs)
        else:
            phantoms = [dataset for dataset in experiment.datasets if study.datasets[dataset].phantom is not None]
            table = with_missing_cells(nothing_but_missing(name, experiment.question, phantoms), missing, len(missing))
            write_formats(table, outputs)
        write_csv(folder / f"{name}.missing.csv", missing_table(missing), sealed=False)
        said.append(
            f"{len(missing)} of {len(experiment.cells)} cells of experiment '{name}' are missing, the first "
            f"{missing[0][0].path}: {missing[0][1]}; see {outputs['md']}"
        )
    return said


def forget_partial(study: Study, results: Path) -> None:
    """Take the partial tables away once no cell is missing."""
    folder = results / paths.PARTIAL
    if (folder.exists() or folder.is_symlink()) and all(finished(cell, results) for cell in study.cells):
        remove_tree(folder)


def _compare(
    study: Study,
    name: str,
    cells: Sequence[Cell],
    missing: Sequence[tuple[Cell, str]],
    results: Path,
    outputs: Mapping[str, Path],
) -> None:
    from segstudy.tables.inputs import ExperimentInputs
    from segstudy.tables.results import compare

    evaluation, experiment = study.evaluation, study.experiments[name]
    flipped = variants_of(cells, evaluation.tta == "flips", together=False)
    variants = [(row, _folder(results, row.cell, row.recipe) / paths.FLIPS / "counts.csv") for row in flipped]
    pairs = dict.fromkeys((cell.dataset, cell.seed) for cell in cells)
    controls = [(dataset, seed, paths.controls(results, dataset, seed)) for dataset, seed in pairs]
    datasets = {dataset: study.datasets[dataset] for dataset in experiment.datasets}
    inputs = ExperimentInputs(
        experiment=name,
        cells=[(cell, _folder(results, cell) / "counts.csv") for cell in cells],
        outputs=outputs,
        policy=evaluation.headline,
        controls=[control for control in controls if control[2].exists()],
        variants=[(row, path) for row, path in variants if path.exists()],
        regions={dataset: options.region for dataset, options in datasets.items()},
        phantoms=[dataset for dataset, options in datasets.items() if options.phantom is not None],
        question=experiment.question,
        protocols=protocols(datasets, [path for path in paths.checks(results, list(pairs)) if path.exists()]),
    )
    runs = [_folder(results, cell) / "run.json" for cell in cells]
    compare(inputs, runs, evaluation.metrics, evaluation.tolerance, missing)


def _folder(results: Path, cell: Cell, recipe: str = "") -> Path:
    return paths.cell(results, cell._replace(recipe=recipe or cell.recipe))

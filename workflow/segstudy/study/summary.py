"""Results of a finished study, for the terminal."""

from __future__ import annotations

import math
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from segstudy.config import paths
from segstudy.config.study import Study
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.evaluation.aggregate import ARGMAX, headline_classes
from segstudy.tables.pairwise_text import spoken

METRICS = {"dice": "Dice", "iou": "IoU", "sensitivity": "sens.", "precision": "prec."}
SENTENCES = 5  # of one experiment


def show(study: Study, results: Path, console: Console) -> None:
    """Print, for every experiment, the headline numbers on test images, what they support, and where results lie.

    Raises:
        StudyError: when a table is not there yet.
    """
    for name, experiment in study.experiments.items():
        console.print()
        console.print(_table(study, name, paths.table(results, name, "tidy.csv")))
        console.print(experiment.question, style="dim")
        if experiment.rows > 1:
            for said in _sentences(paths.table(results, name, "comparisons.csv")):
                console.print(said)
    console.print()
    console.print(f"  {'everything on one page':<40}{results / paths.REPORT}")
    for what, path in (
        ("tables", results / paths.TABLES),
        ("figures", results / paths.FIGURES),
        ("data cards", results / paths.DATASETS),
        ("weights, history, predictions, counts", results / paths.CELLS),
        ("tables and figures for LaTeX", results / paths.PAPER),
    ):
        console.print(f"  {what:<40}{path}/")
    console.print()


def _sentences(path: Path) -> list[str]:
    """Return what the data support, the best rows first: a handful of sentences, and where the others stand."""
    if not path.exists():
        raise StudyError("a comparison of the study is not there yet", where=path, remedy="run the study")
    pairs = read_csv(path)
    said = [text for _, own in pairs.groupby("dataset", sort=False) for text in spoken(own)[:SENTENCES]][:SENTENCES]
    more = len(pairs) - len(said)
    return [*said, f"({more} more: {path.with_suffix('.md')})"] if more else said


def _table(study: Study, experiment: str, path: Path) -> Table:
    if not path.exists():
        raise StudyError(f"the table of experiment '{experiment}' is not there yet", where=path, remedy="run the study")
    tidy = read_csv(path)
    policy = study.evaluation.headline
    rows = tidy[
        (tidy["subset"] == "test")
        & (tidy["averaging"] == "image")
        & tidy["metric"].isin(METRICS)
        & tidy["policy"].isin([policy, ARGMAX, "none"])
    ]
    rows = headline_classes(rows, ["dataset", "row", "model", "loss", "recipe", "region", "metric"])
    drawn = any(study.datasets[d].phantom for d in rows["dataset"].unique())
    title = f"{experiment}: test images, mean over images" + (" - PHANTOM data" if drawn else "")
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for column in ("data set", "model", "loss"):
        table.add_column(column, no_wrap=True)
    for label in METRICS.values():
        table.add_column(label, justify="right", no_wrap=True)
    for dataset in rows["dataset"].unique():
        own = rows[rows["dataset"] == dataset]
        region = study.datasets[dataset].region if (own["region"] == "roi").any() else "full"
        own = own[own["region"] == region]
        keys = ["row", "model", "loss", "recipe"]
        for (row, model, loss, _), values in own.groupby(keys, sort=False):
            means = values.set_index("metric")["mean"]
            cells = ["-" if math.isnan(means[m]) else f"{means[m]:.3f}" for m in METRICS]
            table.add_row(dataset, model, loss, *cells, style="dim" if row == "control" else "")
        table.add_section()
    return table

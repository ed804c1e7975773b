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
from segstudy.evaluation.metrics import METRICS
from segstudy.tables.pairwise_text import spoken
from segstudy.tables.policies import headline_name, order_sentences, scores_of

# Heads that are shorter than the label.
SHORT = {
    "accuracy": "acc.",
    "sensitivity": "sens.",
    "specificity": "spec.",
    "precision": "prec.",
    "pixel_error": "error",
}
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
            for said in [*_orders(study, name, results), *_sentences(paths.table(results, name, "comparisons.csv"))]:
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


def _orders(study: Study, experiment: str, results: Path) -> list[str]:
    """Return for each data set whether the threshold decides the order of its rows, if several were measured."""
    path, evaluation = paths.table(results, experiment, "thresholds.csv"), study.evaluation
    if len(evaluation.compared_policies) < 2 or not path.exists():
        return []
    drawn = [name for name, options in study.datasets.items() if options.phantom is not None]
    scores = scores_of(read_csv(path), evaluation.comparison)
    return list(order_sentences(scores, evaluation.comparison, evaluation.headline, drawn).values())


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
        & tidy["metric"].isin(study.evaluation.metrics)
        & tidy["policy"].isin([policy, ARGMAX, "none"])
    ]
    rows = headline_classes(rows, ["dataset", "row", "model", "loss", "recipe", "region", "metric"])
    drawn = any(study.datasets[d].phantom for d in rows["dataset"].unique())
    at = "" if (rows["policy"] == ARGMAX).any() else f" at {headline_name(study.evaluation)}"
    title = f"{experiment}: test images, mean over images{at}" + (" - PHANTOM data" if drawn else "")
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0))
    for column in ("data set", "model", "loss"):
        table.add_column(column, overflow="fold", min_width=8)  # in a narrow window names are folded, numbers never
    metrics = study.evaluation.metrics
    for metric in metrics:
        table.add_column(SHORT.get(metric, METRICS[metric].label), justify="right", no_wrap=True)
    for dataset in rows["dataset"].unique():
        own = rows[rows["dataset"] == dataset]
        region = study.datasets[dataset].region if (own["region"] == "roi").any() else "full"
        own = own[own["region"] == region]
        keys = ["row", "model", "loss", "recipe"]
        for (row, model, loss, _), values in own.groupby(keys, sort=False):
            means = values.set_index("metric")["mean"].reindex(metrics)
            cells = ["-" if math.isnan(mean) else f"{mean:.3f}" for mean in means]
            name = model.replace("_", " ") if row == "control" else model
            table.add_row(dataset, name, loss, *cells, style="dim" if row == "control" else "")
        table.add_section()
    return table

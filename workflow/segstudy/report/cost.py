"""What the trainings of a study cost: time, memory and operations, and their scores against time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core.checksums import damaged
from segstudy.core.provenance import read_run
from segstudy.evaluation.metrics import METRICS
from segstudy.report.tables import NAMES, Grid, Row, dataset_name, name_columns, number, plain, spread, words
from segstudy.tables.columns import SEVERAL, one_class
from segstudy.tables.histories import read_history
from segstudy.tables.timing import PARTS, device_words

RUN_FIELDS = (
    *("seconds", "peak_memory_mb", "parameters", "flops_per_image", "images_per_second", "epochs", "best_epoch"),
    *("stopped", "device", "threads", "precision"),
)
ROW = ["dataset", "model", "loss", "recipe"]


class Spent(NamedTuple):
    """Sums over all trainings of the study."""

    trainings: int
    hours: float  # of the trainings, every process counted
    gpu_hours: float
    memory_mb: float  # the largest peak of one training's process
    gpu_memory_mb: float  # 0 without a GPU
    devices: list[str]


class Point(NamedTuple):
    """A row of a data set in the plot of score against time."""

    label: str
    seconds: float
    score: float
    low: float
    high: float
    front: bool  # no other row is at least as good and as fast


class Scores(NamedTuple):
    """The plot of one data set."""

    dataset: str
    phantom: bool
    metric: str
    points: list[Point]


def read_runs(cells: list[Cell], results: Path) -> pd.DataFrame:
    """Return one row per training with the costs in its `run.json`."""
    rows = []
    for cell in cells:
        run = read_run(paths.cell(results, cell) / "run.json", RUN_FIELDS)
        rows.append(
            {
                **cell._asdict(),
                "seconds": sum(run["seconds"][part] for part in PARTS),
                "host": run["peak_memory_mb"]["host"],
                "gpu": run["peak_memory_mb"].get("cuda", 0.0),
                "parameters": run["parameters"],
                "flops": run["flops_per_image"],
                "rate": run["images_per_second"] or math.nan,
                "epochs": run["epochs"],
                "best_epoch": run["best_epoch"],
                "stopped": run["stopped"],
                "device": device_words(run),
            }
        )
    return pd.DataFrame(rows)


def spent(runs: pd.DataFrame) -> Spent:
    """Return the sums over all trainings."""
    on_gpu = runs["gpu"] > 0
    return Spent(
        len(runs),
        runs["seconds"].sum() / 3600,
        runs.loc[on_gpu, "seconds"].sum() / 3600,
        float(runs["host"].max()),
        float(runs["gpu"].max()),
        sorted(set(runs["device"])),
    )


def cost_grid(runs: pd.DataFrame, settings: Mapping[str, Any]) -> Grid:
    """Return the table of costs: a row for each network, loss and recipe of a data set, mean over seeds."""
    rows = []
    for keys, seeds in runs.groupby(ROW, sort=False):
        dataset, *names = map(str, keys)
        first = seeds.iloc[0]
        values = [
            dataset_name(dataset, settings),
            *map(words, names),
            spread(seeds["seconds"].mean(), seeds["seconds"].std(ddof=1), 0),
            number(seeds["host"].max(), 0),
            *([number(seeds["gpu"].max(), 0)] if runs["gpu"].any() else []),
            number(first["parameters"], text=f"{first['parameters']:,}"),
            number(first["flops"], text=f"{first['flops'] / 1e9:.3g}"),
            number(seeds["rate"].mean(), 1),
            number(len(seeds), 0),
        ]
        rows.append(Row(values, False, {"data set": dataset}))
    heads = ["Data set", *NAMES.values(), "Seconds", "Peak memory, MB"]
    heads += ["Peak GPU memory, MB"] if runs["gpu"].any() else []
    heads += ["Weights", "GFLOP/image, forward", "Images/s", "Seeds"]
    caption = "Every network, mean over seeds; the largest peak. Seconds: steps, validations and saving."
    return plain("cost", caption, heads, rows)


def epochs_grid(runs: pd.DataFrame, results: Path, settings: Mapping[str, Any]) -> Grid:
    """Return the table of trainings: how long each ran, why it ended, and how it did on validation images."""
    rows = []
    for run in runs.to_dict("records"):
        cell = Cell(*(run[name] for name in Cell._fields))
        path = paths.cell(results, cell) / "history.csv"
        history = read_history(path, ("epoch", "train_loss", "val_loss", "val_dice"))
        best = history[history["epoch"] == run["best_epoch"]]
        if best.empty:
            raise damaged(path, f"it has no epoch {run['best_epoch']}, the best one by run.json")
        best = best.iloc[0]
        names = [words(str(run[name])) for name in NAMES]
        values = [dataset_name(cell.dataset, settings), *names, number(cell.seed, 0)]
        values += [number(run["epochs"], 0), number(run["best_epoch"], 0), words(run["stopped"])]
        values += [number(best["train_loss"], 4), number(best["val_loss"], 4), number(best["val_dice"])]
        rows.append(Row(values, False, {"data set": cell.dataset}))
    heads = ["Data set", *NAMES.values(), "Seed", "Epochs", "Best epoch", "Ended by"]
    heads += ["Training loss", "Validation loss", "Validation Dice"]
    caption = "Every training; losses and Dice at its best epoch, whose weights are kept."
    return plain("trainings", caption, heads, rows)


def pareto(key: str, table: pd.DataFrame, settings: Mapping[str, Any]) -> list[Scores]:
    """Return the plots of an experiment, one for each data set: the first column of its table against seconds.

    Args:
        table: `tables/<experiment>.csv`.
        settings: see `segstudy.report.settings`.
    """
    plots = []
    names = name_columns(table)
    trained = table[table["row"].eq("cell") & table["seconds_mean"].notna()]
    for dataset, rows in trained.groupby("dataset", sort=False):
        block = settings["datasets"][dataset]
        column = (SEVERAL if block["several"] else one_class(settings["evaluation"]["metrics"]))[0]
        sign = -1 if METRICS[column.metric].direction == "lower" else 1
        mean, low, high = (column.name("test", statistic) for statistic in ("mean", "low", "high"))
        known = rows[rows[mean].notna()]
        scores, seconds = sign * known[mean], known["seconds_mean"]
        points = []
        for line in known.to_dict("records"):
            score, time = sign * line[mean], line["seconds_mean"]
            beaten = (scores >= score) & (seconds <= time) & ((scores > score) | (seconds < time))
            label = "/".join(line[name] for name in names)
            points.append(Point(label, time, line[mean], line[low], line[high], not beaten.any()))
        if points:
            plots.append(Scores(str(dataset), block["phantom"] is not None, column.head, points))
    return plots

"""Humans against one another, networks against each human, and whether networks lie within the humans' spread.

Of every test image that several annotators have drawn: N is the mean Dice of a network with the humans, H the mean Dice
of all pairs of them. D = N - H, averaged over images and seeds, is what a network agrees with the humans more than they
with one another. Its interval is a bootstrap over images, and seeds (see `segstudy.evaluation.bootstrap`): below the
spread where it lies below 0, above where it lies above. The ratio of the means, N / H, is the agreement index of G. W.
Williams, "Comparing the joint agreement of several raters with another rater", Biometrics 32(3), 1976; V. Chalana and
Y. Kim, "A methodology for evaluation of boundary detection algorithms on medical images", IEEE TMI 16(5), 1997, use it
for segmentations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.core.files import read_csv, write_csv
from segstudy.data.ground_truth import labelled
from segstudy.data.images.label_map import Labels
from segstudy.evaluation.aggregate import MEAN, per_image, with_means
from segstudy.evaluation.annotators import AGREED, CONSENSUS, Predicted, agreement, drawn_by_several
from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.evaluation.paired_tests import over_seeds
from segstudy.tables.annotators_text import DIFFERENCE, HUMANS, WILLIAMS, content
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.render import write_formats

METRICS = ("dice", "iou", "accuracy", "sensitivity", "specificity", "precision")
KEYS = ["row", "model", "loss", "recipe"]
COLUMNS = ["dataset", "phantom", "class", *KEYS, "against", "region", "policy", "truth", "metric"]
COLUMNS += ["mean", "sd", "low", "high", "images", "seeds", "undefined", "verdict"]
VERDICTS = ("below", "within", "above")


class Source(NamedTuple):
    """Where the masks of one data set lie, and how they are read."""

    images: str | Path  # its index.csv
    splits: Mapping[int, str | Path]  # by seed
    root: Path
    labels: Labels
    truth: str


def compare_annotators(
    inputs: ExperimentInputs,
    masks: Sequence[tuple[Cell, str | Path]],
    sources: Mapping[str, Source],
    threads: int = 1,
) -> None:
    """Write the tables of annotators of one experiment.

    Args:
        inputs: of the experiment; its counts are read for the captions. Outputs are `csv` (COLUMNS, unrounded), `md`,
            `tex` and `html`. Where no test image has two masks the csv has no row, and the others say so.
        masks: the folder of each cell's masks, of the data sets of `sources` alone; made at the policy of `inputs`.
        sources: data sets that may have several annotators.
        threads: images read at a time.

    Raises:
        StudyError: a mask is missing, cannot be read, or differs in size.
    """
    parts = [
        _of_dataset(name, source, [pair for pair in masks if pair[0].dataset == name], inputs, threads)
        for name, source in sources.items()
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    table.insert(1, "phantom", table["dataset"].isin(list(inputs.phantoms)).astype(int))
    write_csv(inputs.outputs["csv"], table[COLUMNS])
    counts = inputs.headline()
    write_formats(content(inputs, table, counts[counts["dataset"].isin(list(sources))], list(sources)), inputs.outputs)


def _of_dataset(
    dataset: str, source: Source, masks: Sequence[tuple[Cell, str | Path]], inputs: ExperimentInputs, threads: int
) -> pd.DataFrame:
    """Return the rows of one data set."""
    index = read_csv(source.images)
    rows: dict[str, Any] = {}
    samples: dict[int, list[str]] = {}
    for seed, split in source.splits.items():
        tested = [row for row in labelled(index, read_csv(split), Path(split)) if row["subset"] == "test"]
        several = {row["sample"]: row for row in drawn_by_several(tested)}
        samples[seed] = list(several)
        rows |= several
    networks = [Predicted(Path(folder), samples[cell.seed]) for cell, folder in masks]
    region = inputs.regions[dataset]
    counts = agreement([*rows.values()], networks, source.root, source.labels, region, source.truth, threads)
    lines = with_means(per_image(counts), ["who", "against", "sample"])
    names = [cell for cell, _ in masks]
    parts = [summary(part, names).assign(**{"class": of}) for of, part in lines.groupby("class", sort=False)]
    parts.sort(key=lambda part: list(part["class"].head(1)) != [MEAN])
    table = pd.concat(parts, ignore_index=True) if parts else summary(lines, names).assign(**{"class": ""})
    fixed = {"dataset": dataset, "region": region, "truth": source.truth}
    return table.assign(**fixed, policy=np.where(table["row"] == "cell", inputs.policy, "none"))


def summary(lines: pd.DataFrame, cells: Sequence[Cell]) -> pd.DataFrame:
    """Return the statistics of one class of one data set; one row for each row, `against` and metric.

    Args:
        lines: of that class in `segstudy.evaluation.annotators.agreement`, with each image's metrics; may be empty.
        cells: the networks, by their places in it.
    """
    samples = list(dict.fromkeys(lines["sample"]))
    column = {sample: place for place, sample in enumerate(samples)}
    humans = sorted({who for who in lines["who"] if isinstance(who, str)}, key=lambda name: int(name.split()[1]))
    rows: list[dict[str, Any]] = []

    def tables(part: pd.DataFrame, places: Mapping[Any, int], metric: str) -> dict[str, np.ndarray]:
        """Return, by `against`, the values (seeds or one, samples) of one row; NaN where there are none."""
        result: dict[str, np.ndarray] = {}
        for who, against, sample, value in part[["who", "against", "sample", metric]].itertuples(index=False):
            table = result.setdefault(against, np.full((len({*places.values()}), len(samples)), math.nan))
            table[places[who], column[sample]] = value
        return result

    def add(key: Sequence[str], against: str, metric: str, table: np.ndarray, measured: int) -> None:
        names = dict(zip(KEYS, key, strict=True)) | {"against": against, "metric": metric}
        values = _statistics(table, metric in ("dice", DIFFERENCE), measured)
        rows.append(
            names | values | ({"verdict": verdict(values["low"], values["high"])} if metric == DIFFERENCE else {})
        )

    def of_row(key: Sequence[str], part: pd.DataFrame, places: Mapping[Any, int]) -> np.ndarray | None:
        """Add one row's values against each human, consensus and agreed pixels; return its mean Dice with humans."""
        order = [*humans, CONSENSUS, AGREED]
        for metric in METRICS:
            values = tables(part, places, metric)
            for against in sorted(values, key=order.index):
                add(key, against, metric, values[against], int((part["against"] == against).sum()))
        dice = tables(part, places, "dice")
        return _mean([dice[name] for name in humans if name in dice])

    pairs = lines[lines["who"].isin(humans) & lines["against"].isin(humans)]
    of_humans = [tables(pairs[pairs["who"] == name], {name: 0}, "dice") for name in humans]
    spread = _mean([table for by_human in of_humans for table in by_human.values()])
    seeds_of: dict[Cell, list[int]] = {cell._replace(seed=0): [] for cell in cells}
    for place, cell in enumerate(cells):
        seeds_of[cell._replace(seed=0)].append(place)
    for cell, numbers in seeds_of.items():
        key = ("cell", cell.model, cell.loss, cell.recipe)
        mean = of_row(key, lines[lines["who"].isin(numbers)], {number: seed for seed, number in enumerate(numbers)})
        if mean is None or spread is None:
            continue
        add(key, HUMANS, "dice", mean, int((~np.isnan(mean)).sum()))
        difference = mean - spread
        add(key, HUMANS, DIFFERENCE, difference, int((~np.isnan(difference)).sum()))
        both = np.where(np.isnan(difference), math.nan, np.broadcast_to(spread, mean.shape))
        ratio = over_seeds(np.where(np.isnan(difference), math.nan, mean)) / over_seeds(both)
        names = dict(zip(KEYS, key, strict=True)) | {"against": HUMANS, "metric": WILLIAMS}
        rows.append(names | {**_statistics(difference, False, 0), "mean": ratio, "sd": math.nan, "undefined": 0})
    for name in humans:
        key = ("human", name, "", "")
        mean = of_row(key, lines[lines["who"] == name], {name: 0})
        if mean is not None:
            add(key, HUMANS, "dice", mean, int((~np.isnan(mean)).sum()))
    if spread is not None:
        add(("human", HUMANS, "", ""), HUMANS, "dice", spread, spread.size)
    columns = [*KEYS, "against", "metric", "mean", "sd", "low", "high", "images", "seeds", "undefined", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def verdict(low: float, high: float) -> str:
    """Return where a network lies, given the interval of its difference; an empty string without one."""
    if math.isnan(low):
        return ""
    below, within, above = VERDICTS
    return below if high < 0 else above if low > 0 else within


def _statistics(table: np.ndarray, interval: bool, measured: int) -> dict[str, Any]:
    """Return mean and sd over seeds of the mean over images of values (seeds, images), and an interval if asked for."""
    per_seed = [float(np.nanmean(row)) for row in table if not np.isnan(row).all()]
    low, high = bootstrap_interval(table) if interval else (math.nan, math.nan)
    defined = int((~np.isnan(table)).sum())
    return {
        "mean": over_seeds(table),
        "sd": float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else math.nan,
        "low": low,
        "high": high,
        "images": int((~np.isnan(table)).any(axis=0).sum()),
        "seeds": len(table),
        "undefined": max(0, measured - defined),
        "verdict": "",
    }


def _mean(tables: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the mean of tables of one shape where any has a value; None of no table."""
    if not tables:
        return None
    stack = np.stack(tables)
    defined = (~np.isnan(stack)).sum(axis=0)
    sums = np.where(np.isnan(stack), 0.0, stack).sum(axis=0)
    return np.where(defined > 0, sums / np.maximum(defined, 1), math.nan)

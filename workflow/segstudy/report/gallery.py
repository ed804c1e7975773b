"""The interactive gallery: images, truth and predictions, small enough to be embedded.

Of one foreground class the probabilities come along in 8 bits, so that the page draws the mask at any threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core.files import read_csv
from segstudy.core.names import title_of
from segstudy.core.progress import track
from segstudy.data.ground_truth import Truth, truth_of
from segstudy.data.images import drawing
from segstudy.data.images.label_map import Labels
from segstudy.data.images.prediction_files import read_classes, read_probability
from segstudy.data.images.read import read_image
from segstudy.data.images.reading import reading_of
from segstudy.data.readers.registry import labels_of
from segstudy.evaluation.aggregate import ARGMAX, per_image
from segstudy.evaluation.threshold_files import read_thresholds
from segstudy.report import embed
from segstudy.tables.counts_check import in_region, read_measured

PREDICTIONS = 400  # of all cells together
EACH = {"test": 12, "val": 3}  # at most, of one cell
LEAST = {"test": 4, "val": 1}
SIDES = (384, 288, 216, 160)  # pixels of the longer side: the largest whose pictures fit
BYTES = 13_000_000  # of all pictures as they stand in the page
OUTSIDE, VOID = 255, 254  # in the truth: pixels that do not count

Levels = np.ndarray  # uint8 (h, w)


class Source(NamedTuple):
    """What the gallery reads of a data set."""

    root: Path
    rows: Mapping[str, Mapping[str, Any]]  # of index.csv, by sample
    labels: Labels
    region: str


class Arrays(NamedTuple):
    """Everything that is embedded, before its size is chosen: arrays at the largest of SIDES."""

    images: dict[str, np.ndarray]  # "<data set>/<sample>" -> uint8 (h, w, 3)
    truths: dict[str, Levels]  # ids, OUTSIDE and VOID where nothing counts
    predictions: dict[tuple[Cell, str], Levels]  # 8-bit probability, of several classes ids


def gallery(settings: Mapping[str, Any], results: Path, roots: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of the gallery as plain values for the page's script.

    Args:
        settings: see `segstudy.report.settings`.
        roots: folder of the raw data of each data set.
    """
    cells = list(dict.fromkeys(Cell(*cell) for e in settings["experiments"].values() for cell in e["cells"]))
    sources = {name: _source(name, settings, results, roots) for name in dict.fromkeys(c.dataset for c in cells)}
    scores = {cell: _scores(cell, sources[cell.dataset], settings, results) for cell in cells}
    chosen = choose(scores, sources)
    arrays = _read(chosen, scores, sources, results)
    side, coded = fitting(arrays, sources)
    return {
        "side": side,
        "datasets": {name: _dataset(source, settings["datasets"][name]) for name, source in sources.items()},
        "samples": {
            key: {
                "image": coded[f"image {key}"],
                "truth": coded[f"truth {key}"],
                **_words(sources[key.partition("/")[0]].rows[key.partition("/")[2]]),
            }
            for key in arrays.images
        },
        "cells": [
            {
                "dataset": cell.dataset,
                "name": f"{cell.model}, {cell.loss}, {cell.recipe}, seed {cell.seed}",
                "threshold": None if sources[cell.dataset].labels.several else _threshold(cell, settings, results),
                "items": [
                    {
                        "sample": row["sample"],
                        "subset": row["subset"],
                        "dice": None if math.isnan(row["dice"]) else round(row["dice"], 4),
                        "prediction": coded[f"{cell.path} {row['sample']}"],
                    }
                    for row in scores[cell].to_dict("records")
                    if row["sample"] in samples
                ],
            }
            for cell, samples in chosen.items()
        ],
        "left_out": len(cells) - len(chosen),
    }


def _words(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the stratum of a sample, and what it is called where that is not its name."""
    title = title_of(row)
    return {"stratum": row["stratum"], **({"title": title} if title != row["sample"] else {})}


def choose(scores: Mapping[Cell, pd.DataFrame], sources: Mapping[str, Source]) -> dict[Cell, list[str]]:
    """Return the samples that are shown of each cell, PREDICTIONS at most.

    All cells of a data set and seed show the same ones, so that they can be compared: of every stratum the worst, the
    median and the best by mean Dice over the cells, then others evenly over the ranks; and each cell its own worst and
    best. Cells beyond the bound, the last of the config, are left out.

    Args:
        scores: of each cell, the columns `sample`, `subset` and `dice`.
        sources: by data set; strata come from its index.
    """
    share = PREDICTIONS / max(1, len(scores))
    numbers = {
        subset: int(min(most, max(LEAST[subset], share * most / sum(EACH.values())))) for subset, most in EACH.items()
    }
    included = list(scores)[: PREDICTIONS // (sum(LEAST.values()) + 2)]
    chosen: dict[Cell, list[str]] = {}
    for cell in included:
        alike = [scores[c] for c in included if (c.dataset, c.seed) == (cell.dataset, cell.seed)]
        rows = sources[cell.dataset].rows
        names: dict[str, None] = {}
        for subset, most in numbers.items():
            together = pd.concat([rows_of_cell[rows_of_cell["subset"] == subset] for rows_of_cell in alike])
            dice = together.groupby("sample", sort=False)["dice"].mean()
            names |= dict.fromkeys(_spread(dice, {sample: rows[sample]["stratum"] for sample in dice.index}, most))
        test = scores[cell][scores[cell]["subset"] == "test"].dropna(subset="dice").sort_values("dice")["sample"]
        names |= dict.fromkeys([*test[:1], *test[-1:]])
        chosen[cell] = list(names)
    return chosen


def _spread(dice: pd.Series, strata: Mapping[str, str], most: int) -> list[str]:
    """Return at most `most` samples: worst, median and best of each stratum, then evenly over all ranks."""
    ranked = [str(sample) for sample in dice.sort_values(kind="stable", na_position="last").index]
    names: dict[str, None] = {}
    for place in (0.0, 0.5, 1.0):
        for stratum in dict.fromkeys(strata[sample] for sample in ranked):
            of_stratum = [sample for sample in ranked if strata[sample] == stratum]
            names.setdefault(of_stratum[round(place * (len(of_stratum) - 1))])
    for place in np.linspace(0, len(ranked) - 1, most) if ranked else []:
        names.setdefault(ranked[round(place)])
    return list(names)[:most]


def _source(name: str, settings: Mapping[str, Any], results: Path, roots: Mapping[str, str]) -> Source:
    block = settings["datasets"][name]
    strays = any(exception["kind"] == "unknown_label" for exception in block["exceptions"])
    younger = {key: block[key] for key in ("above_zero", "ignore", "orientation") if key in block}
    labels = labels_of(block["reader"], block["classes"], block["inverted"], strays, **younger)
    table = read_csv(paths.data(results, name) / "index.csv")
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return Source(Path(roots[name]), {row["sample"]: row for row in rows}, labels, block["region"])


def _scores(cell: Cell, source: Source, settings: Mapping[str, Any], results: Path) -> pd.DataFrame:
    """Return sample, subset and Dice (of several classes their mean) of a cell's test and validation images."""
    counts = read_measured(paths.cell(results, cell) / "counts.csv")
    policy = ARGMAX if source.labels.several else settings["evaluation"]["headline"]
    counts = in_region(counts[counts["subset"].isin(EACH) & counts["policy"].eq(policy)], source.region)
    return per_image(counts).groupby(["sample", "subset"], sort=False)["dice"].mean().reset_index()


def _threshold(cell: Cell, settings: Mapping[str, Any], results: Path) -> float | None:
    policy = settings["evaluation"]["headline"]
    return read_thresholds(paths.cell(results, cell) / "thresholds.json", policy)[policy]


def _dataset(source: Source, block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "phantom": block["phantom"] is not None,
        "classes": list(source.labels.names),
        "colours": [list(colour) for colour in source.labels.colours],
        "several": source.labels.several,
        **({"blank": drawing.VOID} if source.labels.void else {}),
    }


def _read(
    chosen: Mapping[Cell, Sequence[str]],
    scores: Mapping[Cell, pd.DataFrame],
    sources: Mapping[str, Source],
    results: Path,
) -> Arrays:
    """Read every file once, and bring it to the largest of SIDES at once: originals may be large."""
    arrays = Arrays({}, {}, {})
    wanted = [(cell, sample) for cell, samples in chosen.items() for sample in samples]
    for cell, sample in track(wanted, "gallery", total=len(wanted)):
        source, key = sources[cell.dataset], f"{cell.dataset}/{sample}"
        if key not in arrays.images:
            row = source.rows[sample]
            truth = truth_of(row, source.root, source.labels)
            size = small(truth.ids.shape, SIDES[0])
            image = Image.fromarray(read_image(source.root / row["image"], reading_of(row)))
            arrays.images[key] = np.asarray(image.resize(size, Image.Resampling.BOX))
            arrays.truths[key] = truth_levels(truth, source.region, source.labels, size)
        folder = paths.cell(results, cell)
        if source.labels.several:
            ids = read_classes(folder / "masks" / f"{sample}.png", len(source.labels.names))
            arrays.predictions[cell, sample] = _ids(ids, small(ids.shape, SIDES[0]), source.labels)
        else:
            values = read_probability(folder / "probabilities" / f"{sample}.png")
            resized = Image.fromarray(values).resize(small(values.shape, SIDES[0]), Image.Resampling.BOX)
            arrays.predictions[cell, sample] = np.rint(255 * np.asarray(resized)).clip(0, 255).astype(np.uint8)
    return arrays


def truth_levels(truth: Truth, region: str, labels: Labels, size: tuple[int, int]) -> Levels:
    """Return the class ids at another size, OUTSIDE beyond the field of view if it is the region, VOID where void."""
    levels = _ids(truth.ids, size, labels)
    if truth.void is not None:
        levels = np.where(_half(truth.void, size), VOID, levels)
    field = truth.field if region == "roi" else np.ones(truth.ids.shape, bool)
    return np.where(_half(field, size), levels, OUTSIDE).astype(np.uint8)


def small(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Return (width, height) of an array (height, width, ...) whose longer side becomes `side`; never enlarged."""
    factor = min(1.0, side / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def _half(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a bool mask at another size: the pixels of which at least half is covered."""
    covered = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    return np.asarray(covered) >= 128


def _ids(ids: np.ndarray, size: tuple[int, int], labels: Labels) -> Levels:
    """Return class ids at another size; of one class by area, of several those of single pixels."""
    if not labels.several:
        return _half(ids > 0, size).astype(np.uint8)
    return np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))


def fitting(arrays: Arrays, sources: Mapping[str, Source]) -> tuple[int, dict[str, str]]:
    """Return the largest of SIDES at which all pictures have at most BYTES, and the pictures; the last fits always."""
    for side in SIDES:
        coded = dict(_coded(arrays, sources, side))
        if sum(map(len, coded.values())) <= BYTES:
            break
    return side, coded


def _coded(arrays: Arrays, sources: Mapping[str, Source], side: int) -> Iterable[tuple[str, str]]:
    for key, array in arrays.images.items():
        yield f"image {key}", embed.photo(_resized(array, side, Image.Resampling.BOX))
    for key, ids in arrays.truths.items():
        yield f"truth {key}", embed.exact(_resized(ids, side, Image.Resampling.NEAREST))
    for (cell, sample), levels in arrays.predictions.items():
        several = sources[cell.dataset].labels.several
        how = Image.Resampling.NEAREST if several else Image.Resampling.BOX
        yield f"{cell.path} {sample}", embed.exact(_resized(levels, side, how))


def _resized(array: np.ndarray, side: int, how: Image.Resampling) -> np.ndarray:
    size = small(array.shape, side)
    return array if size == array.shape[1::-1] else np.asarray(Image.fromarray(array).resize(size, how))

"""The report on learning with few labels: noise removed, pseudo-labels accepted, scores by share of the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core.files import read_csv, read_json
from segstudy.evaluation.metrics import METRICS
from segstudy.report import embed
from segstudy.report.embed import Picture
from segstudy.report.tables import (
    NAMES,
    Grid,
    Row,
    Settings,
    Value,
    dataset_name,
    interval,
    name_columns,
    named_row,
    number,
    plain,
    spread,
    words,
)
from segstudy.tables.render import DASH

PICTURES = 6  # of each kind, those of the first cells of the config
SIDE = 1200  # pixels of the width of a picture; the sheets are long
HEIGHT = 4000
NO_IMAGE = "no image"


class FewLabels(NamedTuple):
    """The parts of the section on training about few labels; empty where a study has no such cells."""

    noise: Grid | None
    denoised: list[Picture]
    accepted: Grid | None
    sheets: list[Picture]
    left_out: int  # pictures that are not on the page


def few_labels(settings: Settings, results: Path) -> FewLabels:
    """Return tables and pictures of the cells that remove noise and of those that learn from a teacher.

    Args:
        settings: see `segstudy.report.settings`.
    """
    denoisers = [Cell(*cell) for cell in settings["denoisers"]]
    teachers = {Cell(*entry["cell"]): entry for entry in settings["students"]}
    return FewLabels(
        noise(denoisers, settings, results) if denoisers else None,
        [_sheet(paths.DENOISING, cell, results, "Noise removed by") for cell in denoisers[:PICTURES]],
        accepted(teachers, settings, results) if teachers else None,
        [
            _sheet(paths.PSEUDO_SHEET, cell, results, "Accepted and rejected labels for")
            for cell in [*teachers][:PICTURES]
        ],
        sum(max(0, len(cells) - PICTURES) for cells in (denoisers, teachers)),
    )


def _sheet(pattern: str, cell: Cell, results: Path, what: str) -> Picture:
    return embed.picture(paths.of_cell(results, pattern, cell), f"{what} {cell.path}", SIDE, HEIGHT)


def noise(cells: Sequence[Cell], settings: Settings, results: Path) -> Grid:
    """Return the table of noise removed (`denoising.csv` of each cell): means over validation images."""
    rows = []
    for cell in cells:
        table = read_csv(paths.cell(results, cell) / "denoising.csv")
        for key, images in table.groupby(["noise", "level"], sort=False):
            name, level = str(key[0]).replace("_", " "), float(str(key[1]))
            values = [*_named(cell, settings), words(name), number(level, text=f"{level:.3g}")]
            for measure, digits in (("psnr", 1), ("ssim", 3)):
                values += [number(images[column].mean(), digits) for column in (f"{measure}_noisy", measure)]
            values.append(number(len(images), 0))
            rows.append(Row(values, False, {"data set": cell.dataset, "noise": name}))
    heads = ["Data set", *NAMES.values(), "Seed", "Noise", "Level"]
    heads += ["PSNR with noise, dB", "PSNR without, dB", "SSIM with noise", "SSIM without", "Images"]
    caption = "Noise added to validation images and removed by the network: means, at the middle of each range."
    return plain("noise", caption, heads, rows)


def accepted(students: Mapping[Cell, Mapping[str, Any]], settings: Settings, results: Path) -> Grid:
    """Return how many labels of a teacher each cell took, and by which bounds (`pseudo/range.json`)."""
    rows = []
    for cell, entry in students.items():
        record = read_json(paths.cell(results, cell) / "pseudo/range.json")
        low, high = record["white"] or (math.nan, math.nan)
        share = record["accepted"] / record["images"] if record["images"] else math.nan
        bounds = f"{100 * low:.1f} to {100 * high:.1f}" if record["white"] else "any"
        values = [*_named(cell, settings), words(Cell(*entry["teacher"]).path), words(entry["unlabelled"])]
        values += [number(record["images"], 0), number(record["accepted"], 0)]
        values.append(number(100 * share, 0, NO_IMAGE if math.isnan(share) else ""))
        values.append(number(low, text=bounds))
        values.append(words(_origin(record["computed"])))
        values.append(number(math.nan if record["confidence"] is None else record["confidence"], 2))
        rows.append(Row(values, False, {"data set": cell.dataset, "recipe": cell.recipe}))
    heads = ["Data set", *NAMES.values(), "Seed", "Teacher", "Images of", "Labelled by it", "Accepted", "Accepted, %"]
    heads += ["White allowed, %", "Range from", "Least confidence"]
    return plain("accepted", "Labels that a teacher gave, and how many of them were believed.", heads, rows)


def _origin(computed: Mapping[str, Any] | None) -> str:
    if not computed:
        return "the config"
    number = computed["images"]
    return f"{number} training mask{'s' * (number != 1)}"


def by_share(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the scores by approach and share of the labels (`tables/<experiment>.labels.csv`)."""
    names = name_columns(table)
    metric = METRICS[table["metric"].iloc[0]].label
    rows = []
    for line in table.to_dict("records"):
        share, images = (
            DASH if math.isnan(value) else f"{value:g}" for value in (100 * line["share"], line["labelled_images"])
        )
        values = [number(line["share"], text=share), number(line["labelled_images"], text=images)]
        values += [spread(line["mean"], line["sd"]), interval(line["low"], line["high"])]
        values += [number(line["test_images"], text=f"{line['test_images']:g}"), number(line["seeds"], 0)]
        filters = {"data set": line["dataset"], "share of the labels, %": share}
        rows.append(named_row(line, names, settings, filters, values))
    heads = ["Data set", *(NAMES[name] for name in names), "Share of the labels, %", "Labelled training images"]
    heads += [metric, f"{metric} 95 % interval", "Test images", "Seeds"]
    caption = "What each approach makes of each share of the labels: mean over test images, then over seeds."
    return plain(key, caption, heads, rows)


def _named(cell: Cell, settings: Settings) -> list[Value]:
    return [dataset_name(cell.dataset, settings), *(words(getattr(cell, name)) for name in NAMES), number(cell.seed, 0)]

"""External test sets of an experiment, and its corrupted test images, as the page shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segstudy.config import paths
from segstudy.core.files import read_csv
from segstudy.evaluation.metrics import METRICS
from segstudy.report import embed
from segstudy.report.embed import Picture
from segstudy.report.tables import NAMES, Grid, Row, interval, number, plain, words
from segstudy.tables.external_text import name_columns, sentences
from segstudy.tables.robustness_text import sentences as robustness_sentences
from segstudy.tables.robustness_text import title_of_kind

ROWS = {"cell": "networks", "gain": "without training", "control": "controls"}  # of the table, to choose from
STRIPS = 6000  # pixels of the height of strips at most: as many lines as it takes to be read


class ExternalPart(NamedTuple):
    """What the page says of an experiment on other images than its own test images as they are."""

    sentences: list[str]
    figure: Picture
    grid: Grid
    strips: Picture | None = None  # errors on images of the external test sets


def external_part(name: str, results: Path) -> ExternalPart | None:
    """Return the part on external test sets of an experiment; None where it has none."""
    path = paths.table(results, name, "external.csv")
    if not path.exists():
        return None
    table = read_csv(path)
    names, metric = name_columns(table), METRICS[table["metric"].iloc[0]].label
    rows = [_row(line, names) for line in table.to_dict("records")]
    heads = ["Data set", *(NAMES[part] for part in names), metric, "95 % interval", "Drop", "95 % interval"]
    heads += ["Rank", "First in, %", "Images"]
    caption = (
        "Networks on external test sets, of which nothing was learned: trained on → tested on. Drop: how much worse "
        "than on the own test images. Rows in italics are controls."
    )
    figures = paths.figures(results, name)
    alt = f"Heat map of {metric} of every network of experiment {name} on every test set; its numbers are in the table"
    matrix = embed.figure(figures / "matrix.svg", figures / "matrix.png", alt)
    alt = f"Images of the external test sets of experiment {name} from worst to best, with the errors of every network"
    strips = embed.picture(figures / "external_strips.png", alt, height=STRIPS)
    return ExternalPart(list(sentences(table)), matrix, plain(f"{name}-external", caption, heads, rows), strips)


def robustness_part(name: str, results: Path) -> ExternalPart | None:
    """Return the part on corrupted test images of an experiment; None where it has none."""
    path = paths.table(results, name, "robustness.csv")
    if not path.exists():
        return None
    table = read_csv(path)
    names, metric = name_columns(table), METRICS[table["metric"].iloc[0]].label
    rows = []
    for line in table[table["clean"] == 1].to_dict("records"):
        drawn = f"{line['dataset']} (PHANTOM)" if line["phantom"] else line["dataset"]
        kind = title_of_kind(line["corruption"])
        values = [words(drawn, line["dataset"]), *(words(str(line[part])) for part in names), words(kind)]
        values += [number(line["area"]), interval(line["area_low"], line["area_high"]), number(line["mean"])]
        rows.append(Row(values, False, {"data set": line["dataset"], "corruption": kind}))
    heads = ["Data set", *(NAMES[part] for part in names), "Corruption", f"Area under {metric}", "95 % interval"]
    caption = (
        "Corrupted test images: the area under the curve of each corruption, equal to the clean score if it costs "
        "nothing."
    )
    figures = paths.figures(results, name)
    alt = f"{metric} of every network of experiment {name} over the strength of each corruption"
    curves = embed.figure(figures / "robustness.svg", figures / "robustness.png", alt)
    grid = plain(f"{name}-robustness", caption, [*heads, "Clean"], rows)
    return ExternalPart(list(robustness_sentences(table)), curves, grid)


def _row(line: Mapping[Any, Any], names: list[str]) -> Row:
    pair = f"{line['trained_on']}, own test images" if line["own"] else line["pair"]
    values = [words(f"{pair}{' (PHANTOM)' if line['phantom'] else ''}", pair)]
    control = line["row"] == "control"
    values += [words(line["model"].replace("_", " ") if control else line["model"])]
    values += [words(line[name]) for name in names[1:]]
    values += [number(line["mean"]), interval(line["low"], line["high"])]
    values += [number(line["drop"]), interval(line["drop_low"], line["drop_high"])]
    values += [
        number(line["rank"], text="" if math.isnan(line["rank"]) else f"{line['rank']:g}"),
        number(100 * line["first"], 0),
        number(line["images"], 0),
    ]
    filters = {"trained on": str(line["trained_on"]), "tested on": str(line["tested_on"]), "rows": ROWS[line["row"]]}
    return Row(values, control, filters)

"""The table of annotators on the page: networks and humans against every human."""

from __future__ import annotations

import math

import pandas as pd

from segstudy.evaluation.aggregate import MEAN, headline_classes
from segstudy.evaluation.annotators import AGREED
from segstudy.report.tables import (
    NAMES,
    Grid,
    Row,
    Settings,
    interval,
    name_columns,
    named_row,
    number,
    plain,
    spread,
    words,
)
from segstudy.tables.annotators_text import DIFFERENCE, HUMANS, sentences
from segstudy.tables.captions import MEAN_OF_IMAGE

KEYS = ["dataset", "row", "model", "loss", "recipe"]
AGAINST = {AGREED: "agreed pixels", HUMANS: "mean of humans"}
CAPTION = (
    "Networks and humans against each human, the consensus, the pixels on which all agree, and the mean of the humans. "
    "Difference: a network's mean of humans, less that of all pairs of humans; spread: whether its interval lies below "
    "or above 0."
)


def annotators(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the table of annotators (`tables/<experiment>.annotators.csv`)."""
    table = headline_classes(table.fillna({"verdict": ""}), ["dataset"])
    names = name_columns(table)
    differences = {_key(line): line for line in table[table["metric"] == DIFFERENCE].to_dict("records")}
    rows: list[Row] = []
    for line in table[table["metric"] == "dice"].to_dict("records"):
        difference = differences.get(_key(line)) if line["against"] == HUMANS else None
        against = "all pairs" if line["model"] == HUMANS else AGAINST.get(line["against"], line["against"])
        values = [words(against), spread(line["mean"], line["sd"]), interval(line["low"], line["high"])]
        if difference:
            ends = "" if math.isnan(difference["low"]) else f" ({difference['low']:+.3f} to {difference['high']:+.3f})"
            values += [
                number(difference["mean"], text=f"{difference['mean']:+.3f}{ends}"),
                words(difference["verdict"]),
            ]
        else:
            values += [number(math.nan), words("")]
        filters = {"data set": line["dataset"], "against": against}
        named = line | {"row": "cell" if line["row"] == "cell" else "control"}
        rows.append(named_row(named, names, settings, filters, [*values, number(line["images"], 0)]))
    heads = ["Data set", *(NAMES[name] for name in names), "Against", "Dice", "95 % interval", "Difference", "Spread"]
    notes = [said for _, part in table.groupby("dataset", sort=False) for said in sentences(part, names)]
    caption = f"{CAPTION} {MEAN_OF_IMAGE}" if table["class"].eq(MEAN).any() else CAPTION
    return plain(key, caption, [*heads, "Images"], rows)._replace(notes=notes)


def _key(line: dict) -> tuple[str, ...]:
    return tuple(line[name] for name in KEYS)

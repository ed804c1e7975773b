"""Content of the readable table of annotators: each against each, and sentences on the humans' spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.evaluation.aggregate import MEAN
from segstudy.evaluation.annotators import AGREED, CONSENSUS
from segstudy.tables.captions import BOLD, MEAN_OF_IMAGE, REGION_WORDS, several_seeds, threshold_words
from segstudy.tables.content import best_of, experiment_table
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.render import DASH, Entry, Line, Panel, Table

HUMANS = "humans"  # in the csv: the mean over them; as a row, over all pairs of them
DIFFERENCE, WILLIAMS = "dice_difference", "williams_index"  # metrics of a network against HUMANS
NAMES = ["model", "loss", "recipe"]
NO_PAIR = "No test image has the masks of two annotators"
LEARNED = {
    "first": "networks learned the masks of human 1, where they have drawn; the consensus is what more than half of an "
    "image's annotators call object, a tie being background",
    "majority": "networks learned, and the consensus is, what more than half of an image's annotators call object, a "
    "tie being background",
    "union": "networks learned, and the consensus is, what any annotator of an image calls object",
    "intersection": "networks learned, and the consensus is, what all annotators of an image call object",
    "staple": "networks learned, and the consensus is, the mask that STAPLE (Warfield et al. 2004) makes of the "
    "annotators' masks",
}
VERDICT_WORDS = {
    "below": "below the humans' spread: it agrees with them less than they do with one another",
    "within": "within the humans' spread: no difference from their agreement with one another is shown",
    "above": "above the humans' spread: it agrees with them more than they do with one another",
    "": "open: fewer than two images have a value",
}


def content(inputs: ExperimentInputs, table: pd.DataFrame, counts: pd.DataFrame, datasets: Sequence[str]) -> Table:
    """Return the readable table.

    Args:
        table: its csv.
        counts: of the cells on `datasets` at the policy of the masks, for the caption.
        datasets: those that may have several annotators.
    """
    present = [name for name in datasets if table["dataset"].eq(name).any()]
    absent = ", ".join(name for name in datasets if name not in present)
    names = NAMES if table.loc[table["row"] == "cell", "recipe"].nunique() > 1 else NAMES[:2]
    seeds = ", then over seeds ± standard deviation over seeds" if several_seeds(counts) else ""
    protocol = [
        *([threshold_words(counts)] if present else []),
        *(f"{name}: {LEARNED[table.loc[table['dataset'] == name, 'truth'].iloc[0]]}." for name in present),
    ]
    if present:
        protocol += [
            f"Values are Dice, means over the test images that two annotators or more have drawn{seeds}. Agreed "
            "pixels: those alone on which all annotators of an image agree. Mean of humans: a network with each human, "
            "a human with each of the others. A human is a part of the consensus, a network is not.",
            "Difference: the mean of humans of a network, less that of all pairs of humans; 95 % bootstrap intervals "
            "over images" + (" and seeds." if seeds else "."),
            BOLD.replace("controls (in italics)", "humans (in italics)"),
        ]
    if absent:
        protocol.append(f"{NO_PAIR}: {absent}.")
    if table["class"].eq(MEAN).any():
        protocol += [MEAN_OF_IMAGE, "Below it each class, counted against all others."]
    several = {name for name in present if table.loc[table["dataset"] == name, "class"].nunique() > 1}
    panels = [
        _panel(part, str(name), names, str(of) if name in several else "")
        for (name, of), part in table.groupby(["dataset", "class"], sort=False)
    ]
    return experiment_table(
        inputs, counts, present, protocol, names, panels, title=" against several annotators", part="annotators"
    )


def _panel(table: pd.DataFrame, dataset: str, names: Sequence[str], of: str) -> Panel:
    """Return a panel: networks, then humans; a column for each human.

    Args:
        table: rows of one class of a data set.
        names: columns that name a network.
        of: the class, where there are several: sentences are said of their mean alone.
    """
    rows = table.to_dict("records")
    dice = {(*_key(row), row["against"]): row for row in rows if row["metric"] == "dice"}
    difference = {_key(row): row for row in rows if row["metric"] == DIFFERENCE}
    keys = list(dict.fromkeys(_key(row) for row in rows))
    humans = [key[1] for key in keys if key[0] == "human" and key[1] != HUMANS]
    against = [*humans, CONSENSUS, AGREED, HUMANS]
    best = {column: _best({key: dice.get((*key, column)) for key in keys}) for column in against}
    lines = []
    for key in keys:
        if key == ("human", HUMANS, "", ""):
            continue
        cells = [dice.get((*key, column)) for column in against]
        entries = [_entry(row, key in best[column]) for column, row in zip(against, cells, strict=True)]
        of_key = difference.get(key)
        signed = f"{of_key['mean']:+.3f}" if of_key and not math.isnan(of_key["mean"]) else DASH
        entries += [
            Entry(text=signed),
            Entry(text=_interval(of_key)),
            Entry(text=of_key["verdict"] if of_key else DASH),
        ]
        words = dict(zip(NAMES, key[1:], strict=True)) | ({"loss": "human"} if key[0] == "human" else {})
        lines.append(Line(dataset, tuple(words[name] for name in names), key[0] == "human", tuple(entries)))
    heads = [*(name.capitalize() for name in humans), "Consensus", "Agreed pixels", "Mean of humans"]
    heads += ["Difference", "95 % interval", "Spread"]
    region = REGION_WORDS[str(table["region"].iloc[0])]
    title = f"Dice with each annotator of {dataset}{f', {of}' if of else ''}, {region}"
    notes = [f"{DASH} No human is compared with itself; on agreed pixels all humans are alike."]
    if of not in ("", MEAN):
        return Panel(f"{dataset}:{of}", title, tuple(heads), lines, notes)
    return Panel(dataset, title, tuple(heads), lines, notes, sentences(table, names))


def sentences(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return what the rows of one data set support, in words.

    Args:
        table: its part of the csv; of several classes, their mean.
        names: columns that name a network.
    """
    rows = table.to_dict("records")
    pairs = next(row for row in rows if row["model"] == HUMANS)
    count = len({row["model"] for row in rows if row["row"] == "human"}) - 1
    said = [
        f"Human against human on {pairs['dataset']}: mean Dice {pairs['mean']:.3f}"
        + (f" (95 % interval {_interval(pairs)})" if not math.isnan(pairs["low"]) else "")
        + f", {count} annotators, {pairs['images']} images."
    ]
    index = {_key(row): row["mean"] for row in rows if row["metric"] == WILLIAMS}
    for row in rows:
        if row["metric"] == DIFFERENCE:
            name = "/".join(str(row[column]) for column in names)
            numbers = f"{row['mean']:+.3f}" + (f", {_interval(row)}" if not math.isnan(row["low"]) else "")
            numbers += f"; Williams' index {index[_key(row)]:.3f}"
            said.append(f"{name} on {row['dataset']} lies {VERDICT_WORDS[row['verdict']]} ({numbers}).")
    return said


def _key(row: Mapping[Any, Any]) -> tuple[str, str, str, str]:
    return row["row"], row["model"], row["loss"], row["recipe"]


def _entry(row: Mapping[Any, Any] | None, bold: bool) -> Entry:
    return Entry(row["mean"], row["sd"], bold, int(row["undefined"])) if row else Entry()


def _interval(row: Mapping[Any, Any] | None) -> str:
    if row is None or math.isnan(row["low"]):
        return DASH
    if row["metric"] == DIFFERENCE:
        return f"{row['low']:+.3f} to {row['high']:+.3f}"
    return f"{row['low']:.3f}{DASH}{row['high']:.3f}"


def _best(rows: Mapping[tuple[str, ...], Mapping[Any, Any] | None]) -> set[tuple[str, ...]]:
    """Return the networks of the highest mean, as printed."""
    networks = [key for key, row in rows.items() if key[0] == "cell" and row is not None]
    values = pd.Series([rows[key]["mean"] for key in networks], dtype=float)  # type: ignore[index]
    return {networks[place] for place in best_of(values, "higher")}

"""Content of the tables across data sets: the matrix trained on x tested on, drops, orders, and what they support."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.config.datasets import DatasetConfig
from segstudy.evaluation.metrics import METRICS
from segstudy.tables.captions import REGION_WORDS, threshold_words
from segstudy.tables.content import best_of, experiment_table, row_names
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.pairwise_text import NAMES, ONE_SEED
from segstudy.tables.render import DASH, Entry, Line, Panel, Table, title_of
from segstudy.tables.variants import variant_words

METHOD = (
    "Values are means over images and seeds; intervals are 95 % bootstrap intervals over images and, with several, "
    "seeds. Drop: how much worse a network is than on its own test images; its interval draws the images of both apart "
    "and the seeds together. The order is that of the networks of one data set; tau is Kendall's tau-b against their "
    "order on the own test images; a network is first in a share of the resamples of images and seeds."
)
CONTROLS = (
    "Controls learn, where they do, from the training images of the data set that the networks were trained on; how "
    "much they lose tells how much harder other images are for a rule that is no network."
)
SETTLED = 0.95  # share of resamples from which on a first place is called settled
SAME = 1 - 1e-9


def content(
    inputs: ExperimentInputs, rows: pd.DataFrame, datasets: Mapping[str, DatasetConfig], leaks: Mapping[str, str]
) -> Table:
    """Return the content of the readable tables.

    Args:
        inputs: of the experiment, with its external cells.
        rows: see `segstudy.tables.external.external_rows`.
        datasets: config of the data sets that are trained on or tested on.
        leaks: test set -> what was compared with what the networks have seen, in words.
    """
    trained, tested = list(rows["trained_on"].unique()), list(rows["tested_on"].unique())
    counts = inputs.headline()
    names = name_columns(rows)
    protocol = [threshold_words(counts), *test_set_words(rows, counts, datasets, leaks), METHOD]
    protocol += [*variant_words([variant for variant, _ in inputs.variants]), *([CONTROLS] * bool(inputs.controls))]
    protocol += [ONE_SEED] if rows["seeds"].max() == 1 else []
    drawn = [name for name in dict.fromkeys([*trained, *tested]) if datasets[name].phantom]
    panels = [matrix_panel(rows, names, drawn), drop_panel(rows, names, drawn)]
    several = len(networks(rows)[[*NAMES]].drop_duplicates()) > 1
    panels += [order_panel(networks(rows), names, drawn)] if several else []
    panels[-1] = panels[-1]._replace(sentences=[*sentences(rows)])
    title = ": external test sets"
    table = experiment_table(inputs, counts, trained, protocol, names, panels, title=title, part="external")
    return table._replace(title=title_of(f"Experiment {inputs.experiment}{title}", drawn), phantoms=tuple(drawn))


def networks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were trained."""
    return rows[rows["row"] == "cell"]


def name_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns that name a row: recipes only where there are several; controls have none."""
    recipes = rows.loc[rows["loss"] != "", "recipe"]
    return ["model", "loss", *(["recipe"] if recipes.nunique() > 1 else [])]


def network_name(row: Mapping[Any, Any], rows: pd.DataFrame) -> str:
    """Return the name of a network in a sentence: the columns in which the networks differ, at least the model."""
    differ = [name for name in NAMES if rows[name].nunique() > 1]
    return "/".join(str(row[name]) for name in differ or ["model"])


def test_set_words(
    rows: pd.DataFrame, counts: pd.DataFrame, datasets: Mapping[str, DatasetConfig], leaks: Mapping[str, str]
) -> Iterator[str]:
    """Yield a sentence on every external test set: images, region, how networks saw them, leaks."""
    external, tested = rows[rows["own"] == 0], counts[counts["subset"] == "test"]
    for name, part in external.groupby("tested_on", sort=False):
        scales = {trained: datasets[trained].scale for trained in part["trained_on"].unique()}
        resized = [trained for trained in scales if datasets[trained].size != "native"]
        if datasets[str(name)].scale:
            known = " and ".join(f"{scale:g} on {trained}" for trained, scale in scales.items())
            seen = f"resized so that {datasets[str(name)].scale:g} of their pixels are as long as {known}"
        elif resized:
            seen = f"resized as the training images of {' and '.join(resized)} are"
        else:
            seen = "seen pixel for pixel"
        phantom = "PHANTOM, drawn stand-ins and no real images; " if datasets[str(name)].phantom else ""
        images, region = part["images"].max(), REGION_WORDS[part["region"].iloc[0]]
        test = datasets[str(name)].external_images == "test"
        which = f"the {images} test images of its own split" if test else f"all {images} images that have a mask"
        whole = tested["dataset"].isin(set(part["pair"])) & (tested["region"] != tested["own_region"])
        full = tested.loc[whole, "sample"].nunique()
        region += f" ({full} without one in full)" if full else ""
        yield (
            f"{name}, an external test set: {phantom}{which}, {seen}; measured at the "
            f"original resolution of the masks, {region}; {leaks[str(name)]}."
        )


def matrix_panel(rows: pd.DataFrame, names: Sequence[str], drawn: Sequence[str]) -> Panel:
    """Return the values: networks by training data in rows, test sets in columns."""
    direction = METRICS[rows["metric"].iloc[0]].direction
    best: set[int] = set()
    for _, part in networks(rows).groupby(["trained_on", "tested_on"], sort=False):
        best |= best_of(part["mean"], direction)
    label = METRICS[rows["metric"].iloc[0]].label
    texts = {i: number(row["mean"], row["low"], row["high"]) for i, row in rows.iterrows()}
    notes = ["Where a data set stands on both sides: its own test images. Bold: best network of its training data."]
    return _panel("matrix", f"{label} on every test set", rows, names, texts, drawn, best, notes)


def drop_panel(rows: pd.DataFrame, names: Sequence[str], drawn: Sequence[str]) -> Panel:
    """Return the drops against the own test images."""
    label = METRICS[rows["metric"].iloc[0]].label
    part, columns = rows[rows["own"] == 0], list(rows["tested_on"].unique())
    texts = {i: number(row["drop"], row["drop_low"], row["drop_high"]) for i, row in part.iterrows()}
    return _panel("drop", f"Drop of {label} against the own test images", part, names, texts, drawn, columns=columns)


def order_panel(rows: pd.DataFrame, names: Sequence[str], drawn: Sequence[str]) -> Panel:
    """Return the ranks of the networks on every test set, with how surely each is first."""
    texts = {i: f"{row['rank']:g} ({row['first']:.0%})" for i, row in rows.iterrows()}
    notes = ["Rank among the networks of one data set, and in brackets in which share of resamples a network is first."]
    return _panel("order", "Order of the networks on every test set", rows, names, texts, drawn, notes=notes)


def _panel(
    key: str,
    title: str,
    rows: pd.DataFrame,
    names: Sequence[str],
    texts: Mapping[Any, str],
    drawn: Sequence[str],
    bold: set[int] | None = None,
    notes: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Panel:
    """Return a panel of test sets in columns, in the order of `columns` if given; what was not measured is a dash."""
    tested = [name for name in columns or rows["tested_on"].unique() if name in set(rows["tested_on"])]
    lines = []
    for (trained, *_), part in rows.groupby(["trained_on", "row", *NAMES], sort=False):
        at = dict(zip(part["tested_on"], part.index, strict=True))
        entries = [
            Entry(text=texts[at[name]], bold=at[name] in (bold or ())) if name in at else Entry(text=DASH)
            for name in tested
        ]
        row = dict(part.iloc[0])
        lines.append(Line(str(trained), row_names(row, names), row["row"] == "control", tuple(entries)))
    heads = tuple(f"{name} (PHANTOM)" if name in drawn else str(name) for name in tested)
    return Panel(key, title, heads, lines, list(notes))


def number(value: float, low: float, high: float) -> str:
    """Return a value and its interval, as tables show them."""
    if math.isnan(value):
        return DASH
    return f"{value:.3f}" + ("" if math.isnan(low) else f" ({low:.3f} to {high:.3f})")


def sentences(rows: pd.DataFrame) -> Iterator[str]:
    """Yield what the rows of networks support: the drop of the best at home, and whether the order holds."""
    rows, metric = networks(rows), METRICS[rows["metric"].iloc[0]]
    for trained, part in rows.groupby("trained_on", sort=False):
        own = part[part["own"] == 1]
        lead = dict(own.sort_values("rank", kind="stable").iloc[0])
        several = len(own) > 1
        for tested, there in part[part["own"] == 0].groupby("tested_on", sort=False):
            same = dict(there[[all(row[n] == lead[n] for n in NAMES) for row in there.to_dict("records")]].iloc[0])
            where = f"Trained on {trained}{' (PHANTOM)' if same['phantom'] else ''}"
            best = f"{network_name(lead, rows)}{', the best there,' if several else ''}"
            yield f"{where}, {best} {_drop_words(same, str(tested), metric.label)}."
            if several:
                yield f"{where}, {_order_words(own, there, lead, str(trained), str(tested), rows)}."


def _drop_words(row: Mapping[Any, Any], tested: str, label: str) -> str:
    drop, low, high = row["drop"], row["drop_low"], row["drop_high"]
    if math.isnan(low):
        return f"has {label} {_text(row['mean'])} on {tested}; too few images for an interval of the drop"
    if low <= 0 <= high:
        return f"shows no drop on {tested} (drop of {label} {_text(drop)}, 95 % interval {_text(low)} to {_text(high)})"
    if high < 0:
        drop, low, high = -drop, -high, -low
        return f"is better on {tested} by {_text(drop)} of {label} (95 % interval {_text(low)} to {_text(high)})"
    return f"loses {_text(drop)} of {label} on {tested} (95 % interval {_text(low)} to {_text(high)})"


def _order_words(
    own: pd.DataFrame, there: pd.DataFrame, lead: Mapping[Any, Any], trained: str, tested: str, rows: pd.DataFrame
) -> str:
    """Return whether the order of the networks is the same on a test set, and how surely the first is first."""
    tau, leader = there["tau"].iloc[0], dict(there.sort_values("rank", kind="stable").iloc[0])
    name, number = network_name(leader, rows), len(own)
    if math.isnan(tau):
        return f"the {number} networks have no order on {tested} to compare"
    sure = f"{name} is first in {leader['first']:.0%} of the resamples"
    sure += "" if leader["first"] >= SETTLED else ", which these images do not settle"
    at_home = f"on {trained} {network_name(lead, rows)} is, in {lead['first']:.0%}"
    if tau >= SAME:
        return f"the order of the {number} networks holds on {tested} (Kendall's tau 1): {sure}; {at_home}"
    return f"the order of the {number} networks does not hold on {tested} (Kendall's tau {tau:.2f}): {sure}; {at_home}"


def _text(value: float) -> str:
    return f"{value:.3f}"

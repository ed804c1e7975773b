"""Content of the tables of paired comparisons: a line and a sentence for each pair."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from segstudy.evaluation.aggregate import MEAN, METRICS
from segstudy.evaluation.paired_tests import DIGITS, LEVEL, largest_difference
from segstudy.tables.captions import MEAN_OF_IMAGE, threshold_words
from segstudy.tables.content import experiment_table
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.render import DASH, Entry, Line, Panel, Table

SENTENCES = 12  # below a table; more would bury it
NAMES = ("model", "loss", "recipe")
METHOD = (
    "Differences are first minus second on the same test images: the mean over seeds of the mean over images. The 95 % "
    "interval counts other images and, where there are several, other seeds; p (t) is the t test that goes with it. p "
    "is that of Wilcoxon's signed-rank test, two-sided, on one difference per image (the mean over the seeds that "
    "measured it), differences of 0 left out; it knows nothing of seeds. Holm's correction is of the larger of the "
    "two, over all pairs of a data set. Effect sizes: r, the matched-pairs rank-biserial correlation, and dz, mean / "
    "standard deviation of the images' differences. One row is called better only where the interval leaves out 0 and "
    "the corrected p is below 0.05; Seeds counts those whose own difference has the sign of the mean."
)
VARIANTS = (
    "A row that cost no training is compared with that of its networks alone, in a family of tests of its own; the "
    "prediction of all seeds together with each of them, and whether other seeds would gain as much nothing here tells."
)
ONE_SEED = "One seed: what is compared are these trainings, not what another training would give."
ONE_SEED_SHORT = ", one seed: the luck of these trainings is in no interval"


def sentence(pair: Mapping[Any, Any]) -> str:
    """Return the conclusion on one pair: the better mean is named first, its lead is positive.

    Args:
        pair: a row of the csv, and `at`: the policy as `segstudy.tables.policies.policy_names` has it.
    """
    at = f" at {pair['at']}" if pair["at"] else ""
    where = f"On {pair['dataset']}{' (PHANTOM)' if pair['phantom'] else ''}{at}"
    first, second, shared = sides(pair)
    leads = (pair["difference"] < 0) == (METRICS[pair["metric"]].direction == "lower")
    first, second = (first, second) if leads or not pair["difference"] else (second, first)
    n, p = f"n = {pair['images']}", f"Holm {_p_equals(pair['p_holm'])}"
    n += ", too few for the test to reach 0.05" if smallest_p(pair["images"], pair["family"]) >= LEVEL else ""
    n += ONE_SEED_SHORT if pair["seeds"] == 1 and not pair["gain"] else ""
    lead, low, high = _render(*_positive(pair["difference"], pair["low"], pair["high"]))
    interval = f"95 % interval {low} to {high}"
    if pair["images"] < 2:
        return f"{where}, {first} and {second}{shared} cannot be told apart: too few images have a value of both."
    if pair["verdict"] == "open":
        return f"{where}, {first} and {second}{shared} cannot be told apart (difference {lead}, {interval}, {n})."
    if pair["verdict"] == "disagree":
        says = "leaves out 0" if pair["low"] > 0 or pair["high"] < 0 else "holds 0"
        return (
            f"{where}, interval and test disagree on {first} and {second}{shared}: difference {lead}, {interval}, "
            f"which {says}, but {p} ({n}); neither is shown to be better."
        )
    agree, seeds = pair["seeds_agree"], pair["seeds"]
    some = f", in {agree} of {seeds} seeds" if agree < seeds else ""
    label = METRICS[pair["metric"]].label
    return f"{where}, {first} is better than {second}{shared} by {lead} of {label} ({interval}, {p}, {n}{some})."


def sides(pair: Mapping[Any, Any]) -> tuple[str, str, str]:
    """Return the names in which the two rows differ, and in brackets those they share."""
    differ = [name for name in NAMES if pair[f"{name}_a"] != pair[f"{name}_b"]]
    same = [pair[f"{name}_a"] for name in NAMES[:2] if name not in differ]
    first, second = ("/".join(pair[f"{name}_{side}"] for name in differ) for side in ("a", "b"))
    recipe = pair["recipe_a"] if "recipe" not in differ and pair["recipe_a"] != "default" else ""
    shared = ", ".join(filter(None, [*same, recipe]))
    return first, second, f" ({shared})" if shared else ""


def cut_words(metric: str, low: pd.Series, high: pd.Series) -> str:
    """Return a sentence on the intervals that are cut at the largest difference of a metric; "" where none is."""
    largest = largest_difference(metric)
    wide = (low < high) & ((low <= -largest) | (high >= largest))
    if not wide.any():
        return ""
    return (
        f"Intervals are cut at -{largest:g} and {largest:g}, the largest differences of {METRICS[metric].label}: one "
        "that ends there says that so few seeds, or images, leave the difference open."
    )


def spoken(pairs: pd.DataFrame) -> list[str]:
    """Return the sentences of one data set, those on its best row first."""
    return list(pairs.sort_values("with_best", ascending=False, kind="stable")["sentence"])


def content(inputs: ExperimentInputs, pairs: pd.DataFrame, counts: pd.DataFrame, orders: Mapping[str, str]) -> Table:
    """Return the content of the readable tables: a panel for each data set, and one for its variants.

    Args:
        pairs: the rows of the csv.
        counts: the counts behind them (see `segstudy.tables.counts.headline`).
        orders: data set -> the sentence that comes first, see `segstudy.tables.policies.order_sentences`.
    """
    protocol = [threshold_words(counts), METHOD]
    if pairs["class"].eq(MEAN).any():
        protocol.append(MEAN_OF_IMAGE)
    if pairs["gain"].any():
        protocol.append(VARIANTS)
    if pairs["seeds"].max() == 1:
        protocol.append(ONE_SEED)
    protocol += filter(None, [cut_words(pairs["metric"].iloc[0], pairs["low"], pairs["high"])])
    panels = [_panel(rows) for _, rows in pairs.groupby(["dataset", "gain"], sort=False)]
    # A panel's key is its data set, where it is not that of the variants.
    panels = [panel._replace(sentences=[*filter(None, [orders.get(panel.key)]), *panel.sentences]) for panel in panels]
    names, title = ("First", "Second"), ": paired comparisons"
    datasets = pairs["dataset"].unique()
    return experiment_table(inputs, counts, datasets, protocol, names, panels, title=title, part="comparisons")


def _panel(pairs: pd.DataFrame) -> Panel:
    dataset, label = pairs["dataset"].iloc[0], METRICS[pairs["metric"].iloc[0]].label
    recipes = len({*pairs["recipe_a"], *pairs["recipe_b"]}) > 1
    names = NAMES if recipes else NAMES[:2]
    lines = []
    for row in pairs.to_dict("records"):
        first, second = ("/".join(row[f"{name}_{side}"] for name in names) for side in ("a", "b"))
        won, lost = row["verdict"] == "first", row["verdict"] == "second"
        difference, low, high = _render(row["difference"], row["low"], row["high"])
        entries = (
            Entry(row["mean_a"], bold=won),
            Entry(row["mean_b"], bold=lost),
            Entry(text=difference, bold=won or lost),
            Entry(text=DASH if math.isnan(row["low"]) else f"{low} to {high}"),
            Entry(text=_p(row["p"])),
            Entry(text=_p(row["p_seeds"])),
            Entry(text=_p(row["p_holm"])),
            Entry(row["rank_biserial"]),
            Entry(row["dz"]),
            Entry(text=f"{row['images']}"),
            Entry(text=f"{row['seeds_agree']} of {row['seeds']}"),
        )
        lines.append(Line(dataset, (first, second), False, entries))
    means = (f"{label} of first", "of second")
    heads = (*means, "Difference", "95 % interval", "p", "p (t)", "p (Holm)", "r", "dz", "Images", "Seeds")
    if pairs["gain"].any():
        title = f"{label} on {dataset}, without training"
        return Panel(f"{dataset}:gains", title, heads, lines, _notes(pairs), _sentences(pairs))
    return Panel(dataset, f"{label} on {dataset}", heads, lines, _notes(pairs), _sentences(pairs))


def _sentences(pairs: pd.DataFrame) -> list[str]:
    said = spoken(pairs)
    more = len(said) - SENTENCES
    rest = f"{more} sentence{'s' * (more > 1)} more stand{'s' * (more == 1)} in the column 'sentence' of the csv."
    return [*said[:SENTENCES], *([rest] if more > 0 else [])]


def _notes(pairs: pd.DataFrame) -> list[str]:
    notes = []
    family = int(pairs["family"].iloc[0])
    if len(pairs) < family:
        notes.append(f"Of {family} pairs, all of them tested, those with the best and with the first row are shown.")
    images = int(pairs["images"].max())
    if (smallest := smallest_p(images, family)) >= LEVEL:
        notes.append(
            f"With {images} image{'s' if images != 1 else ''} and {family} pair{'s' if family != 1 else ''} no "
            f"corrected p can be below {smallest:.2g}: this test cannot show a difference here, however large."
        )
    if undefined := int(pairs["undefined"].max()):
        most = int(pairs["images"][pairs["undefined"] == undefined].min())
        notes.append(
            f"An image counts where both rows have a value: up to {undefined} values, summed over seeds, are left out "
            f"of a pair, which then keeps {most} images; its means are not those of the experiment's table."
        )
    return notes


def smallest_p(images: int, family: int) -> float:
    """Return the least corrected p: every image favours the same side (2 of 2^n signs), times Holm's first factor."""
    return float(min(1.0, family * 2.0 ** (1 - images)))


def _positive(difference: float, low: float, high: float) -> tuple[float, float, float]:
    """Return a difference and its interval, turned round where it is negative."""
    return (-difference, -high, -low) if difference < 0 else (difference, low, high)


def _render(*values: float) -> tuple[str, ...]:
    """Return numbers with three decimals, with four where three would print one of them as 0 that is none."""
    values = tuple(round(value, DIGITS) or 0.0 for value in values)  # no minus before a 0
    digits = 4 if any(value and abs(value) < 0.0005 for value in values) else 3
    return tuple(f"{value:.{digits}f}" for value in values)


def _p(value: float) -> str:
    return DASH if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def _p_equals(value: float) -> str:
    return f"p {'' if value < 0.001 else '= '}{_p(value).replace('<', '< ')}"

"""What the readable comparison table says: rows, best values, footnotes and the protocol in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pandas as pd

from segstudy.metrics import METRICS
from segstudy.table_formats import DAGGER, DASH, Entry, Line, Panel, Table

SUBSETS = {"test": "Test images", "val": "Validation images", "train": "Training images"}
SUBSET_WORDS = {"test": "test", "val": "validation", "train": "training"}
REGION_WORDS = {"roi": "inside the field of view", "full": "over the full frame"}
FIRST = "dice"  # the metric that also stands pooled and with its interval
NAMED = 12  # rows that a footnote names; more would bury the table


class Protocol(TypedDict):
    """How the images of one data set were used, in words that stand in every caption."""

    split: str  # such as "official test set; 20 % of the rest for validation, drawn anew for each seed"
    size: str  # such as "565x584 pixels, seen by the networks at 256x256"
    phantom: bool  # drawn stand-ins instead of real images


def readable(
    wide: pd.DataFrame, shown: pd.DataFrame, experiment: str, question: str, protocols: Mapping[str, Protocol]
) -> Table:
    """Return the content of the readable table.

    Args:
        wide: one row for each network or control (and class), as in the table's csv.
        shown: the counts behind it (see `segstudy.tables.headline`).
        experiment: its name.
        question: what it is to answer.
        protocols: data set -> what its captions say.
    """
    datasets = list(wide["dataset"].unique())
    phantoms = tuple(name for name in datasets if protocols[name]["phantom"])
    optional = {
        "recipe": wide.loc[wide["row"] == "cell", "recipe"].nunique() > 1,
        "class": wide.groupby("dataset")["class"].nunique().max() > 1,
    }
    names = ["model", "loss", *(name for name, wanted in optional.items() if wanted)]
    label = METRICS[FIRST].label
    heads = [label, f"{label} 95 % interval", f"{label} pooled"]
    heads += [metric.label for name, metric in METRICS.items() if name != FIRST]
    measured = [subset for subset in SUBSETS if wide[f"{subset}_images"].notna().any()]
    return Table(
        experiment=experiment,
        title=f"Experiment {experiment}" + (f" (PHANTOM data: {', '.join(phantoms)})" if phantoms else ""),
        question=question,
        phantoms=phantoms,
        protocol=[
            *(_dataset_words(name, wide, shown, protocols[name]) for name in datasets),
            *_general_words(shown),
        ],
        name_heads=tuple(name.capitalize() for name in names),
        heads=(*heads, "Images", "Seeds"),
        panels=[_panel(wide[wide[f"{subset}_images"].notna()], subset, names) for subset in measured],
    )


def _panel(wide: pd.DataFrame, subset: str, names: Sequence[str]) -> Panel:
    best = _best(wide, subset)
    rows = wide.to_dict("records")
    lines = []
    for i, row in enumerate(rows):
        own = {name: _entry(row, f"{subset}_{name}", (i, name) in best) for name in METRICS}
        pooled = Entry(row[f"{subset}_{FIRST}_pooled"], row[f"{subset}_{FIRST}_pooled_sd"], (i, "pooled") in best)
        low, high = row[f"{subset}_{FIRST}_low"], row[f"{subset}_{FIRST}_high"]
        interval = Entry(text=DASH if pd.isna(low) else f"{low:.3f}{DASH}{high:.3f}")
        images, seeds = row[f"{subset}_images"], row["seeds"]
        others = [entry for name, entry in own.items() if name != FIRST]
        numbers = [own[FIRST], interval, pooled, *others, Entry(text=_count(images)), Entry(text=f"{seeds}")]
        lines.append(Line(row["dataset"], _names(row, names), row["row"] == "control", tuple(numbers)))
    return Panel(subset, SUBSETS[subset], lines, _notes(rows, subset))


def _entry(row: Mapping[Any, Any], name: str, bold: bool) -> Entry:
    return Entry(row[f"{name}_mean"], row[f"{name}_sd"], bold, int(row[f"{name}_undefined"]))


def _names(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[str, ...]:
    if row["row"] == "cell":
        return tuple(row[name] for name in names)
    words = {"model": row["model"].replace("_", " "), "loss": "control", "recipe": "", "class": row["class"]}
    return tuple(words[name] for name in names)


def _best(wide: pd.DataFrame, subset: str) -> set[tuple[int, str]]:
    """Return (row, column) of the best networks of every data set and class; one network alone is not the best.

    Values are compared as they are printed: of two that read the same, neither is better.
    """
    columns = {name: (f"{subset}_{name}_mean", metric.direction) for name, metric in METRICS.items()}
    columns["pooled"] = (f"{subset}_{FIRST}_pooled", METRICS[FIRST].direction)
    best = set()
    networks = wide.reset_index(drop=True)[(wide["row"] == "cell").to_numpy()]
    for _, rows in networks.groupby(["dataset", "class"], sort=False):
        for name, (column, direction) in columns.items():
            printed = rows[column].round(3)
            target = printed.max() if direction == "higher" else printed.min()
            if printed.notna().sum() > 1:
                best |= {(int(str(i)), name) for i in printed.index[printed == target]}
    return best


def _notes(rows: Sequence[Mapping[Any, Any]], subset: str) -> list[str]:
    """Return the footnotes: which values are not defined for how many images, and why."""
    some: dict[str, list[str]] = {}
    none: dict[str, list[str]] = {}
    for row in rows:
        name = "/".join(part for part in _names(row, ["model", "loss"]) if part != "control")
        total = round(row[f"{subset}_images"] * row["seeds"])
        for metric in METRICS:
            undefined = int(row[f"{subset}_{metric}_undefined"])
            if undefined:
                kind = none if pd.isna(row[f"{subset}_{metric}_mean"]) else some
                kind.setdefault(metric, []).append(f"{name} on {row['dataset']} ({undefined} of {total})")
    notes = [
        f"{DAGGER} {METRICS[metric].label} is not defined for images where the denominator of "
        f"{METRICS[metric].formula} is 0; these, summed over seeds, are left out of the mean: {_first(found)}."
        for metric, found in some.items()
    ]
    notes += [
        f"{DASH} {METRICS[metric].label} is not defined for any image, since the denominator of "
        f"{METRICS[metric].formula} is 0: {_first(found)}."
        for metric, found in none.items()
    ]
    if any(pd.isna(row[f"{subset}_{FIRST}_low"]) for row in rows):
        notes.append(f"{DASH} as an interval: fewer than two images have a value.")
    return notes


def _first(found: Sequence[str]) -> str:
    more = f" and {len(found) - NAMED} more, see the columns 'undefined' of the csv" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def _dataset_words(dataset: str, wide: pd.DataFrame, shown: pd.DataFrame, protocol: Protocol) -> str:
    own, counts = wide[wide["dataset"] == dataset], shown[shown["dataset"] == dataset]
    networks = own[own["row"] == "cell"]
    numbers = [
        f"{_count(networks[f'{subset}_images'].dropna().max())} {SUBSET_WORDS[subset]}"
        for subset in SUBSETS
        if networks[f"{subset}_images"].notna().any()
    ]
    seeds = networks["seeds"].max()
    repeats = f"{seeds} seeds" if seeds > 1 else "1 seed"
    region = REGION_WORDS[own["region"].iloc[0]]
    full = counts.loc[counts["region"] != counts["own_region"], "sample"].nunique()
    if full:
        region += f" ({full} image{'s' if full > 1 else ''} without one count{'' if full > 1 else 's'} in full)"
    return (
        f"{dataset}: {'PHANTOM, drawn stand-ins and no real images; ' if protocol['phantom'] else ''}"
        f"{protocol['split'].rstrip('.')}; {', '.join(numbers)} images per seed, {repeats}; "
        f"{protocol['size'].rstrip('.')}; measured at the original resolution of the masks, {region}."
    )


def _general_words(shown: pd.DataFrame) -> list[str]:
    networks = shown[shown["row"] == "cell"]
    low, high = networks["threshold"].min(), networks["threshold"].max()
    between = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    if networks["policy"].iloc[0] == "fixed":
        threshold = f"Threshold of the networks' probabilities: {between}, fixed beforehand."
    else:
        threshold = f"Threshold of the networks' probabilities: chosen on each cell's validation images, {between}."
    several = networks.groupby("dataset")["seed"].nunique().max() > 1
    label = METRICS[FIRST].label
    average = "Values are means over images" + (", then over seeds ± standard deviation over seeds" if several else "")
    return [
        threshold,
        f"{average}; pooled {label} is the ratio of the pixel counts summed over all images; intervals are 95 % "
        "bootstrap intervals over images" + (" and seeds." if several else "."),
        "Bold: best network of its data set, as printed; controls (in italics) do not compete.",
    ]


def _count(number: float) -> str:
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"

"""Content of the tables of robustness: areas under the curves, scores at the strongest, and what they support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.evaluation.metrics import METRICS
from segstudy.tables.captions import threshold_words
from segstudy.tables.content import best_of, experiment_table
from segstudy.tables.external_text import name_columns, network_name, number
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.pairwise_text import NAMES, ONE_SEED
from segstudy.tables.render import Entry, Line, Panel, Table

UNITS = {
    "gaussian_noise": "Gaussian noise (standard deviation, of intensities 0 to 1)",
    "salt_and_pepper": "salt and pepper (share of the pixels)",
    "speckle": "speckle (standard deviation of a factor around 1)",
    "blur": "blur (standard deviation of a Gaussian in pixels of the raw image)",
    "brightness": "brightness (factor)",
    "jpeg": "JPEG (quality)",
    "resolution": "resolution (factor of height and width)",
}
METHOD = (
    "Corrupted are the raw test images, before they are resized; each network meets the same ones, with the threshold "
    "that it has anyway. Nothing was trained on them. Area: the area under the curve of the score over the strengths, "
    "the clean image among them, by the trapezoid rule and divided by the range of the strengths: a mean score, equal "
    "to the clean one where nothing is lost. Intervals are 95 % bootstrap intervals over images and seeds."
)


def content(inputs: ExperimentInputs, rows: pd.DataFrame) -> Table:
    """Return the content of the readable tables of `segstudy.tables.robustness.robustness_rows`."""
    counts = inputs.headline()
    names, datasets = name_columns(rows), list(rows["dataset"].unique())
    said = [f"{UNITS[str(kind)]}: {_strengths(part)}" for kind, part in rows.groupby("corruption", sort=False)]
    protocol = [threshold_words(counts), f"Strengths: {'; '.join(said)}.", METHOD]
    protocol += [ONE_SEED] if rows["seeds"].max() == 1 else []
    panels = [area_panel(rows, names), *level_panels(rows, names)]
    panels[0] = panels[0]._replace(sentences=[*sentences(rows)])
    title = ": corrupted test images"
    return experiment_table(inputs, counts, datasets, protocol, names, panels, title=title, part="robustness")


def area_panel(rows: pd.DataFrame, names: Sequence[str]) -> Panel:
    """Return the areas: a column for the clean images, and one for each corruption."""
    metric = METRICS[rows["metric"].iloc[0]]
    clean = rows[rows["clean"] == 1].drop_duplicates(["dataset", *NAMES])
    columns = {"clean images": clean.assign(value=clean["mean"])}
    for kind, part in rows[rows["clean"] == 1].groupby("corruption", sort=False):
        areas = {"value": part["area"], "low": part["area_low"], "high": part["area_high"]}
        columns[title_of_kind(str(kind))] = part.assign(**areas)
    return _panel("area", f"{metric.label}: area under the curve of each corruption", columns, names, metric.direction)


def level_panels(rows: pd.DataFrame, names: Sequence[str]) -> Iterator[Panel]:
    """Yield for each corruption the scores at its strengths."""
    metric = METRICS[rows["metric"].iloc[0]]
    for kind, part in rows.groupby("corruption", sort=False):
        columns = {
            "clean" if level["clean"].iloc[0] else f"{strength:g}": level.assign(value=level["mean"])
            for strength, level in part.groupby("strength", sort=True)
        }
        title = f"{metric.label} by strength: {UNITS[str(kind)]}"
        yield _panel(str(kind), title, columns, names, metric.direction)


def _panel(key: str, title: str, columns: Mapping[str, pd.DataFrame], names: Sequence[str], direction: str) -> Panel:
    texts: dict[tuple[Any, ...], list[Entry]] = {}
    for column in columns.values():
        best = {i for _, part in column.groupby("dataset", sort=False) for i in best_of(part["value"], direction)}
        for i, row in column.iterrows():
            network = (row["dataset"], *(row[name] for name in NAMES))
            texts.setdefault(network, []).append(
                Entry(text=number(row["value"], row["low"], row["high"]), bold=i in best)
            )
    place = {name: i + 1 for i, name in enumerate(NAMES)}
    lines = [
        Line(str(network[0]), tuple(str(network[place[name]]) for name in names), False, tuple(entries))
        for network, entries in texts.items()
    ]
    return Panel(key, title, tuple(columns), lines, ["Bold: best network of its data set, as printed."])


def sentences(rows: pd.DataFrame) -> Iterator[str]:
    """Yield for each data set which corruption costs its best network most, and who stands each kind best."""
    metric = METRICS[rows["metric"].iloc[0]]
    sign = 1 if metric.direction == "higher" else -1
    for dataset, part in rows.groupby("dataset", sort=False):
        where = f"On {dataset}{' (PHANTOM)' if part['phantom'].iloc[0] else ''}"
        curves = part[(part["clean"] == 1) & part["area"].notna()].to_dict("records")
        if not curves:
            continue
        best = max(curves, key=lambda curve: sign * curve["mean"])
        own = [curve for curve in curves if _same(curve, best)]
        worst = max(own, key=lambda curve: sign * (curve["mean"] - curve["area"]))
        yield (
            f"{where}, of what was tried {title_of_kind(worst['corruption'])} costs {network_name(best, rows)} most: "
            f"its area is {worst['area']:.3f} of {metric.label}, on clean images it has {worst['mean']:.3f}."
        )
        for kind in dict.fromkeys(curve["corruption"] for curve in curves if len(own) < len(curves)):
            of_kind = [curve for curve in curves if curve["corruption"] == kind]
            first = max(of_kind, key=lambda curve: sign * curve["area"])
            too = "which is best on clean images too"
            clean = too if _same(first, best) else f"while {network_name(best, rows)} is best on clean images"
            low, high = first["area_low"], first["area_high"]
            area = f"{first['area']:.3f}" + ("" if pd.isna(low) else f", 95 % interval {low:.3f} to {high:.3f}")
            has = f"{network_name(first, rows)} has the {'largest' if sign > 0 else 'smallest'} area"
            yield f"{where}, {has} under {title_of_kind(kind)} ({area}), {clean}."


def _same(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> bool:
    """Return whether two rows are of one network."""
    return all(first[name] == second[name] for name in NAMES)


def title_of_kind(kind: str) -> str:
    """Return the name of a corruption in words."""
    return UNITS[kind].partition(" (")[0]


def _strengths(part: pd.DataFrame) -> str:
    return ", ".join(f"{value:g}" for value in sorted(part.loc[part["clean"] == 0, "strength"].unique()))

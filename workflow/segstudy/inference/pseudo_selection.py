"""Select pseudo-labels by foreground fraction and confidence."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from segstudy.config.semi_supervised import Accept
from segstudy.core.errors import StudyError
from segstudy.data.split import LEARNABLE
from segstudy.data.subsets import labelled_rows

logger = logging.getLogger("segstudy")

ACCEPTED = ["sample", "white", "confidence", "accepted", "reason"]
# Fewer training masks than this have no quartiles to speak of.
FEWEST = 4
DOUBT = 0.5
HALF = 0.5


def accept(
    measures: pd.DataFrame, samples: pd.DataFrame, learned: Collection[str], options: Accept, place: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Accept or reject every pseudo-label; return the table of `accepted.csv` (columns ACCEPTED) and the criteria.

    Both shares of foreground, of pseudo-labels and of training masks, are those inside the field of view if all images
    of the former and at least half of the latter have one (masks without one are then left out), and else those of the
    whole frame.

    Args:
        measures: of the pseudo-labels that the student may learn from, as `pseudo_labels` writes them.
        samples: samples.csv of the student's data set, with the shares of foreground in its masks.
        learned: samples of that data set whose masks the student learns from.
        options: the recipe's `pseudo_labels.accept`.
        place: keys of these options in the config, for messages.

    Raises:
        StudyError: there is no pseudo-label.
    """
    if measures.empty:
        raise StudyError(
            "there is no image left to take pseudo-labels for",
            where=place,
            allowed="images in subset train or unlabelled whose own labels the recipe does not learn from",
            remedy="name a data set with such images under 'unlabelled:', or let the recipe use fewer 'labels:'",
        )
    masks = samples[samples["sample"].isin(set(learned))]
    inside = bool(measures["roi_share"].notna().all() and masks["foreground_roi"].notna().mean() >= HALF)
    foreground_fraction = measures["white"] * (1.0 if inside else measures["roi_share"].fillna(1.0))
    table = measures[["sample", "confidence"]].assign(white=foreground_fraction.round(6))
    shares = masks["foreground_roi" if inside else "foreground"].dropna().astype(float).tolist()
    fences = foreground_range(shares, options.widen) if options.white == "training" else {}
    bounds = [fences["low"], fences["high"]] if fences else options.white and [*map(float, options.white)]
    table["reason"] = [
        reason(row["white"], row["confidence"], bounds or None, options.confidence) for row in table.to_dict("records")
    ]
    table["accepted"] = (table["reason"] == "").astype(int)
    selection = {
        "white": bounds,
        "computed": fences or None,
        "widen": options.widen if fences else None,
        "region": "roi" if inside else "full",
        "confidence": options.confidence,
        "images": len(table),
        "accepted": int(table["accepted"].sum()),
    }
    logger.info("%d of %d pseudo-labels accepted: %s", selection["accepted"], len(table), described(selection))
    return table[ACCEPTED], selection


def check_some_accepted(table: pd.DataFrame, selection: Mapping[str, Any], place: str) -> dict[str, int]:
    """Return the numbers of accepted pseudo-labels and of all.

    Called after both files of `accept` were written, so that the rejected ones and the reasons can be seen.

    Args:
        table: `accepted.csv`.
        selection: `range.json`.
        place: keys of the options in the config, for messages.

    Raises:
        StudyError: there are none.
    """
    if not selection["accepted"]:
        raise _none_accepted(table, selection, place)
    return {name: selection[name] for name in ("accepted", "images")}


def learned_samples(index: pd.DataFrame, split: pd.DataFrame, share: float) -> list[str]:
    """Return the samples whose masks a cell trains on, if it uses `share` of them."""
    training = split.loc[split["subset"] == "train", "sample"]
    rows = index[index["sample"].isin(set(training)) & (index["mask"] != "")]
    names = rows["sample"].to_numpy(dtype=object)
    used = labelled_rows(np.arange(len(names)), [*names], [*rows["stratum"]], share)
    return [str(name) for name in names[used]]


def eligible(measures: pd.DataFrame, split: pd.DataFrame, learned: Collection[str] = ()) -> pd.DataFrame:
    """Return the pseudo-labels that a student may learn from: none of a measured image, none beside a mask it has.

    A teacher of another seed may have another split, so the student's own is asked.

    Args:
        measures: of the pseudo-labels.
        split: of their data set, at the student's seed.
        learned: samples of their data set whose masks the student learns from.
    """
    allowed = set(split.loc[split["subset"].isin(LEARNABLE), "sample"]) - set(learned)
    return measures[measures["sample"].isin(allowed)].reset_index(drop=True)


def foreground_range(shares: Sequence[float], widen: float) -> dict[str, float]:
    """Return the range of shares that are usual among the training masks: Tukey's fences, cut to 0..1.

        low = Q1 - widen (Q3 - Q1)        high = Q3 + widen (Q3 - Q1)

    Q1 and Q3 are the quartiles (linear between order statistics). Of fewer than four masks the quartiles say little
    (those of one are equal): their distance is then taken to be at least half the median.

    Returns:
        `images`, `minimum`, `q1`, `median`, `q3`, `maximum` of the shares, `spread` (the distance), `low`, `high`.
    """
    minimum, q1, median, q3, maximum = np.quantile(np.asarray(shares, float), [0, 0.25, 0.5, 0.75, 1]).tolist()
    spread = q3 - q1 if len(shares) >= FEWEST else max(q3 - q1, DOUBT * median)
    if len(shares) < FEWEST:
        logger.warning("the range of white comes from %d training masks alone: taken wide", len(shares))
    bounds = {"low": max(0.0, q1 - widen * spread), "high": min(1.0, q3 + widen * spread)}
    statistics = {
        "minimum": minimum,
        "q1": q1,
        "median": median,
        "q3": q3,
        "maximum": maximum,
        "spread": spread,
    } | bounds
    return {"images": len(shares)} | {name: round(value, 6) for name, value in statistics.items()}


def reason(foreground_fraction: float, confidence: float, bounds: Sequence[float] | None, least: float | None) -> str:
    """Return why a pseudo-label is rejected; empty if it is accepted."""
    reasons = []
    if bounds and foreground_fraction < bounds[0]:
        reasons.append(f"too little white ({foreground_fraction:.4f} < {bounds[0]:.4f})")
    if bounds and foreground_fraction > bounds[1]:
        reasons.append(f"too much white ({foreground_fraction:.4f} > {bounds[1]:.4f})")
    if least is not None and confidence < least:
        reasons.append(f"too unsure ({confidence:.4f} < {least:.4f})")
    return "; ".join(reasons)


def described(selection: Mapping[str, Any]) -> str:
    """Return the criteria of `accept` in words."""
    where = "inside the field of view" if selection["region"] == "roi" else "of the whole image"
    parts = []
    if selection["white"]:
        low, high = selection["white"]
        parts.append(f"share of white {where} {low:.4f} to {high:.4f}")
    if selection["confidence"] is not None:
        parts.append(f"mean confidence at least {selection['confidence']:g}")
    return ", ".join(parts) or "all are believed"


def _none_accepted(table: pd.DataFrame, selection: Mapping[str, Any], place: str) -> StudyError:
    """Return the error that compares the measures with the criteria, and says what to change."""
    kinds = table["reason"].str.split("; ").explode().str.partition(" (")[0].value_counts()
    spread = "; ".join(
        f"{words} {' / '.join(f'{value:.4f}' for value in table[column].quantile([0, 0.25, 0.5, 0.75, 1]))}"
        for column, words in (("white", "share of white"), ("confidence", "mean confidence"))
    )
    asked = described(selection)
    if selection["computed"]:
        masks = selection["computed"]
        asked += (
            f" (computed from {masks['images']} training masks: quartiles {masks['q1']:.4f} and {masks['q3']:.4f}, "
            f"widen {selection['widen']:g})"
        )
    return StudyError(
        f"none of the {len(table)} pseudo-labels is accepted: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        + f"\n  found:   (least / quartiles / most) {spread}",
        where=place,
        allowed=asked,
        remedy="look at the contact sheet of what the teacher said (figures/pseudo/): if it is good, set "
        "'white: [low, high]', a larger 'widen' or a smaller 'confidence'; if it is not, train the teacher longer or "
        "on images more alike",
    )

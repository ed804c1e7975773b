"""Find masks that are maps of values, where nothing in the config says what the values mean."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pandas as pd
import yaml

SHOWN = 8  # values that are written out, and classes that are proposed
ZERO = {"0", "#000000"}
BORDER = "255"  # what annotation tools write where nothing is to count
HALF = 127  # values up to this one are background in masks that are cut at half

Counts = dict[str, int]  # pixels of each value of a mask, the value as it is spelt in the config


class ValueMaps(NamedTuple):
    """Masks whose values need a meaning, and what they hold."""

    samples: tuple[str, ...]
    text: str


def value_maps(samples: pd.DataFrame) -> ValueMaps | None:
    """Return the masks whose values need a meaning; None where there are none.

    These are masks of more than two separate values, masks whose two values lie on one side of half, and masks
    of 0 and another value where that value is not the same in all of them.

    Args:
        samples: samples.csv, whose columns `sample`, `foreground`, `mask_values` and `mask_counts` are looked at.
    """
    shares = dict(zip(samples["sample"], pd.to_numeric(samples["foreground"], errors="coerce"), strict=True))
    texts = zip(samples["sample"], samples["mask_counts"], strict=True)
    known = {sample: _parsed(text) for sample, text in texts if isinstance(text, str) and text}
    maps = [
        sample
        for sample, counts in known.items()
        if len(counts) > 2 or (len(counts) == 2 and not ZERO & counts.keys() and shares[sample] in (0, 1))
    ]
    if not maps and _disagree(list(known.values())):
        maps = [sample for sample, counts in known.items() if len(counts) > 1]
    if not maps:
        return None
    distinct = int(pd.to_numeric(samples["mask_values"], errors="coerce")[samples["sample"].isin(maps)].max())
    return ValueMaps(tuple(maps), _text([known[sample] for sample in maps], distinct))


def _parsed(text: str) -> Counts:
    return {value: int(count) for value, _, count in (part.rpartition("=") for part in text.split())}


def _disagree(masks: list[Counts]) -> bool:
    """Return whether masks of 0 and one other value hold different others, of which half of the range tells none.

    1 in some masks and 255 in others is foreground in both: two programs wrote them.
    """
    others = {value for counts in masks for value in counts if len(counts) == 2 and value not in ZERO}
    low = {value for value in others if value.isdecimal() and int(value) <= HALF}
    return len(low) > 1 or (bool(low - {"1"}) and len(others) > 1)


def _text(masks: list[Counts], distinct: int) -> str:
    """Return what was found in words; `distinct`: values of the mask with most of them, counted or not."""
    pixels: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for counts in masks:
        pixels.update(counts)
        files.update(counts.keys())
    total = sum(pixels.values())
    shown = sorted((value for value, _ in pixels.most_common(SHOWN)), key=_order)
    said = [f"{value} ({pixels[value] / total:.1%} of the pixels, in {files[value]} of them)" for value in shown]
    more = max(len(pixels), distinct) - len(shown)
    listed = ", ".join(said) + (f" and {more} more" if more else "")
    lines = "".join(f"\n        {line}" for line in _meanings(sorted(pixels, key=_order)))
    return (
        f"{len(masks)} masks hold separate values, and nothing in the config says what they mean: {listed}"
        f"\n      In the block of the data set, say one of{lines}"
    )


def _order(value: str) -> tuple[bool, int, str]:
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value


def _meanings(values: list[str]) -> list[str]:
    """Return lines of config that give the values a meaning."""
    objects = [value for value in values if value not in ZERO]
    lines = []
    if len(objects) <= SHOWN:
        classes = {f"class_{value.lstrip('#')}": int(value) if value.isdecimal() else value for value in objects}
        shown = yaml.safe_dump({"classes": classes}, default_flow_style=None, width=1000, sort_keys=False).strip()
        lines.append(f"{shown}  # several kinds of objects; rename them")
    rest = [value for value in objects if value != BORDER]
    if BORDER in objects and len(rest) == 1:
        lines.append(f"ignore: {BORDER}  # one kind of object, {rest[0]}; {BORDER} is a border that counts for nothing")
    lines.append("above_zero: true  # one kind of object: all that is not 0, or not black")
    return lines

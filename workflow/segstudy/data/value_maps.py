"""Find masks that are maps of values, where nothing in the config says what the values mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import yaml

SHOWN = 8  # values that are written out, and classes that are proposed
ZERO = {"0", "#000000"}
VOID = ("255", "65535", "#e0e0c0")  # what tools write where nothing is to count: in 8 bits, in 16, VOC's colour
SCARCE = 0.1  # share of the pixels below which 0 may well be no background
HALF = 127  # values up to this one are background in masks that are cut at half
WHITE = 230  # from this value on, greys are one white as several programs write it

Counts = dict[str, int]  # pixels of each value of a mask, the value as it is spelt in the config


class Meaning(NamedTuple):
    """Something that the values of masks may mean: keys of a data set's block that say so, and in words."""

    keys: dict[str, Any]
    words: str


class ValueMaps(NamedTuple):
    """Masks whose values need a meaning, and what they hold."""

    samples: tuple[str, ...]
    text: str


def value_maps(samples: pd.DataFrame) -> ValueMaps | None:
    """Return the masks whose values need a meaning; None where there are none.

    These are masks of more than two separate values, masks whose two values lie on one side of half, masks of 0 and
    another value where that value is not the same in all of them, and masks of one value that by itself is read
    otherwise than beside 0 in others.

    Args:
        samples: samples.csv, whose columns `sample`, `foreground`, `mask_values` and `mask_counts` are looked at.
    """
    shares = dict(zip(samples["sample"], pd.to_numeric(samples["foreground"], errors="coerce"), strict=True))
    texts = zip(samples["sample"], samples["mask_counts"], strict=True)
    known = {sample: parsed(text) for sample, text in texts if isinstance(text, str) and text}
    maps = [
        sample
        for sample, counts in known.items()
        if len(counts) > 2 or (len(counts) == 2 and not ZERO & counts.keys() and shares[sample] in (0, 1))
    ]
    if not maps and _disagree(list(known.values())):
        maps = [sample for sample, counts in known.items() if len(counts) > 1]
    if not maps and (found := _otherwise_alone(known, shares)):
        return found
    if not maps:
        return None
    distinct = int(pd.to_numeric(samples["mask_values"], errors="coerce")[samples["sample"].isin(maps)].max())
    return ValueMaps(tuple(maps), _text([known[sample] for sample in maps], distinct))


def merged_values(samples: pd.DataFrame) -> str:
    """Return a sentence where masks hold 0 and one other value each, not all the same, and each is read as object.

    Classes of which an image has one look so; nothing is wrong where several programs have drawn one kind of objects.

    Args:
        samples: as for `value_maps`, which has found nothing.
    """
    known = [parsed(text) for text in samples["mask_counts"] if isinstance(text, str) and text]
    pairs = [counts for counts in known if len(counts) == 2 and ZERO & counts.keys()]
    files = Counter(value for counts in pairs for value in counts if value not in ZERO)
    white = {value for value in files if value == "1" or (value.isdecimal() and int(value) >= WHITE)}
    if len(files) - len(white) + bool(white) < 2:
        return ""
    values = sorted(files, key=order)
    said = ", ".join(f"{value} in {files[value]}" for value in values[:SHOWN]) + (", ..." if values[SHOWN:] else "")
    return (
        f"masks hold one value beside 0, and not the same: {said} of them; all are object. If they are classes, say "
        f"{_yaml({'classes': _classes(values[:SHOWN])})}"
    )


def parsed(text: str) -> Counts:
    """Return the pixels of each value of a mask, from a cell of the column `mask_counts`."""
    return {value: int(count) for value, _, count in (part.rpartition("=") for part in text.split())}


def _disagree(masks: list[Counts]) -> bool:
    """Return whether masks of 0 and one other value hold different others, of which half of the range tells none.

    1 in some masks and 255 in others is foreground in both: two programs wrote them.
    """
    others = {value for counts in masks for value in counts if len(counts) == 2 and value not in ZERO}
    low = {value for value in others if value.isdecimal() and int(value) <= HALF}
    return len(low) > 1 or (bool(low - {"1"}) and len(others) > 1)


def _otherwise_alone(known: dict[str, Counts], shares: dict[str, float]) -> ValueMaps | None:
    """Return the masks of one value alone that is foreground beside 0 in others and background here, or vice versa.

    Each file is read by itself, and 2 alone lies below half of its range.
    """
    foreground: dict[str, bool] = {}
    for sample, counts in known.items():
        value = next((value for value in counts if value not in ZERO), None)
        if len(counts) == 2 and value and ZERO & counts.keys() and shares[sample] >= 0:
            share = counts[value] / sum(counts.values())
            foreground[value] = abs(shares[sample] - share) <= abs(shares[sample] - (1 - share))
    alone = {sample: next(iter(known[sample])) for sample in known if len(known[sample]) == 1 and shares[sample] >= 0}
    wrong = [sample for sample, value in alone.items() if foreground.get(value, shares[sample]) != shares[sample]]
    if not wrong:
        return None
    value = alone[wrong[0]]
    background = {"classes": {"background": _value(value), "class_0": 0}}
    said = Meaning({"above_zero": True}, "all that is not 0, or not black, is object") if foreground[value] else None
    said = said or Meaning(background, f"{value} is the background, as in the others; without 'inverted'")
    here, there = ("background", "foreground") if foreground[value] else ("foreground", "background")
    lines = "".join(f"\n        {line}" for line in _lines([said]))
    text = (
        f"{len(wrong)} masks hold one value all over, {value}, which is {here} by itself and {there} in the others: "
        f"{', '.join(wrong[:SHOWN])}\n      In the block of the data set, say{lines}"
    )
    return ValueMaps(tuple(wrong), text)


def _text(masks: list[Counts], distinct: int) -> str:
    """Return what was found in words; `distinct`: values of the mask with most of them, counted or not."""
    pixels: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for counts in masks:
        pixels.update(counts)
        files.update(counts.keys())
    total = sum(pixels.values())
    shown = sorted((value for value, _ in pixels.most_common(SHOWN)), key=order)
    said = [f"{value} ({pixels[value] / total:.1%} of the pixels, in {files[value]} of them)" for value in shown]
    more = max(len(pixels), distinct) - len(shown)
    listed = ", ".join(said) + (f" and {more} more" if more else "")
    lines = "".join(f"\n        {line}" for line in _lines(meanings(pixels)))
    return (
        f"{len(masks)} masks hold separate values, and nothing in the config says what they mean: {listed}"
        f"\n      In the block of the data set, say one of{lines}"
    )


def order(value: str) -> tuple[bool, int, str]:
    """Return a sort key: numbers by size, then colours."""
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value


def meanings(pixels: Counter[str]) -> list[Meaning]:
    """Return what the separate values of masks may mean, the likelier first.

    Where 0 is nowhere, or hardly anywhere, the most frequent value may be the background.

    Args:
        pixels: of each value, as it is spelt in the config.
    """
    objects = sorted((value for value in pixels if value not in ZERO), key=order)
    zero = sorted(ZERO & pixels.keys())
    most = max(objects, key=pixels.__getitem__)
    found = _beside_zero(objects, pixels) if zero else []
    if scarce_zero(pixels):
        found += _beside(most, [value for value in (*zero, *objects) if value != most], pixels)
    return found


def scarce_zero(pixels: Counter[str]) -> bool:
    """Return whether 0 is nowhere, or hardly anywhere while another value covers most of the masks."""
    objects = [count for value, count in pixels.items() if value not in ZERO]
    zero = pixels.total() - sum(objects)
    return not zero or (zero < SCARCE * pixels.total() and max(objects, default=0) > pixels.total() / 2)


def _beside_zero(objects: Sequence[str], pixels: Counter[str]) -> list[Meaning]:
    """Return what values mean where 0 (or black) is the background."""
    borders = [value for value in objects if value in VOID]
    rest = [value for value in objects if value not in borders]
    found = [Meaning({"classes": _classes(objects)}, "several kinds of objects; rename them")]
    if borders and len(rest) > 1:
        keys = {"classes": _classes(rest), "ignore": _value(borders[-1])}
        found.append(Meaning(keys, f"several kinds of objects; {borders[-1]} is a border that counts for nothing"))
    if borders and len(objects) == 2:
        other = {objects[0]: objects[1], objects[1]: objects[0]}
        likely = sorted(objects, key=lambda value: (value not in borders, pixels[value]))
        thin = [value for value in likely if value in borders or pixels[value] <= pixels[other[value]]]
        found += [Meaning({"ignore": _value(value)}, _one_kind(other[value], value)) for value in thin]
    return [*found, Meaning({"above_zero": True}, "one kind of object: all that is not 0, or not black")]


def _beside(background: str, others: Sequence[str], pixels: Counter[str]) -> list[Meaning]:
    """Return what values mean where one that is not 0 is the background."""
    said = f"{background} is the background"
    found = []
    if len(others) == 2:
        thin, thick = sorted(others, key=pixels.__getitem__)
        keys = {"classes": _classes([thick], background), "ignore": _value(thin)}
        found = [Meaning(keys, f"{said}; {_one_kind(thick, thin)}")]
    what = "several kinds of objects; rename them" if len(others) > 1 else f"one kind of object, {others[0]}"
    return [*found, Meaning({"classes": _classes(others, background)}, f"{said}; {what}")]


def _one_kind(value: str, border: str) -> str:
    return f"one kind of object, {value}; {border} is a border that counts for nothing"


def _classes(values: Sequence[str], background: str | None = None) -> dict[str, int | str]:
    start = {} if background is None else {"background": _value(background)}
    return start | {f"class_{value.lstrip('#')}": _value(value) for value in values}


def _value(value: str) -> int | str:
    return int(value) if value.isdecimal() else value


def _lines(found: Sequence[Meaning]) -> list[str]:
    """Return the meanings as lines of config; those of many classes are left out."""
    lines = []
    for keys, words in found:
        if len(keys.get("classes", {})) <= SHOWN:
            shown = [_yaml({key: value}) for key, value in keys.items()]
            lines += [*shown[:-1], f"{shown[-1]}  # {words}"]
    return lines


def _yaml(block: dict[str, Any]) -> str:
    nested = any(isinstance(value, dict) for value in block.values())
    flow = None if nested else False  # the inner mapping alone stands in braces
    text: str = yaml.safe_dump(block, default_flow_style=flow, width=1000, sort_keys=False)
    return text.strip()

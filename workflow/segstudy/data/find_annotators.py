"""Find the masks of several annotators: folders or endings whose names count, and masks that overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from segstudy.core.errors import StudyError
from segstudy.data.images.read_masks import read_mask
from segstudy.data.readers.discovery import pictures

LOOKED_AT = 3  # images of which masks are compared
ALIKE = 0.2  # Dice from which two masks may be of the same objects; masks of two kinds of objects have next to none
_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth")
_PERSON = re.compile(r"(.*?)(annotator|rater|expert|grader|observer|reader|human|doctor)s?[ _.-]?([a-z]\w*)", re.I)
_COUNTED = re.compile(
    rf"(?P<before>.*?)(?:(?<!\d)(?P<nth>\d+)(?:st|nd|rd|th)[\w -]*|(?<![a-z0-9])(?P<word>{'|'.join(_WORDS)})[\w -]*"
    r"|(?<!\d)(?P<number>\d+)|(?<![a-z0-9])(?P<letter>[a-h]))",
    re.I,
)

Place = tuple[int, str]  # number, or 0 and the name of a person
Masks = tuple[Path, str]  # folder and ending of the names of one annotator's masks


def counted(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ in what counts alone, each in its order.

    Numbers, letters up to h, ordinals with whatever follows (_1stHO) and words (second_reader) count, and so do names
    behind a word for a person (rater_anna). A name without a count is the first of those that go on with 2 or b.

    >>> counted(["masks_3", "masks", "rois", "masks_2"])
    [['masks', 'masks_2', 'masks_3']]
    """
    names = sorted(set(names))
    groups: dict[tuple[str, str], dict[Place, str]] = {}
    twice = set()
    for name in names:
        found = _key(name)
        if found is None:
            continue
        key, place = found
        if place in groups.setdefault(key, {}):
            twice.add(key)
        groups[key][place] = name
    for (kind, before), places in groups.items():
        plain = before.rstrip(" _.-")
        if kind == "count" and (1, "") not in places and plain in names:
            places[1, ""] = plain
    inside = {key: [places[place] for place in sorted(places)] for key, places in groups.items() if key not in twice}
    return [group for group in inside.values() if len(group) > 1]


def _key(name: str) -> tuple[tuple[str, str], Place] | None:
    """Return what names of one group share, and the place of this one in it; None of a name that counts nothing."""
    match = _COUNTED.fullmatch(name)
    if match:
        if match["nth"] or match["word"]:
            return ("ordinal", ""), (int(match["nth"] or _WORDS.index(match["word"].lower()) + 1), "")
        number = int(match["number"]) if match["number"] else ord(match["letter"].lower()) - ord("a") + 1
        return ("count", match["before"]), (number, "")
    person = _PERSON.fullmatch(name)
    return (("person", f"{person[1]}{person[2]}".lower()), (0, person[3].lower())) if person else None


def annotators(images: Sequence[str], places: Mapping[Masks, int]) -> list[list[Masks]]:
    """Return the masks of several annotators among folders and endings, each group in its order.

    Args:
        images: names of the images, without ending.
        places: folders and endings in which masks of these names lie, and how many.
    """
    groups = [
        [(parent / name, ending) for name in group]
        for parent, ending in dict.fromkeys((folder.parent, ending) for folder, ending in places)
        for group in counted(folder.name for folder, own in places if (folder.parent, own) == (parent, ending))
    ]
    groups += [
        [(folder, ending) for ending in group]
        for folder in dict.fromkeys(folder for folder, _ in places)
        for group in counted(ending for own, ending in places if own == folder and ending)
    ]
    return [group for group in groups if _overlap(images, group)]


def _overlap(images: Sequence[str], group: Sequence[Masks]) -> bool:
    """Return whether every annotator's first masks overlap with those of the first."""
    files = [{path.stem: path for path in pictures(folder)} for folder, _ in group]
    first = {name: files[0].get(name + group[0][1]) for name in images}
    for own, (_, ending) in zip(files[1:], group[1:], strict=True):
        both = [(path, own[name + ending]) for name, path in first.items() if path and name + ending in own]
        try:
            values = [_dice(*pair) for pair in both[:LOOKED_AT]]
        except StudyError:
            return False
        if not values or float(np.mean(values)) < ALIKE:
            return False
    return True


def _dice(first: Path, second: Path) -> float:
    """Return the Dice of two masks: 1 of two empty ones, 0 where their sizes differ."""
    one, other = read_mask(first).array, read_mask(second).array
    if one.shape != other.shape:
        return 0.0
    both = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / both if both else 1.0

"""Join ways to read a folder that differ in the name of a subset, or in one part of their folders' names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from pathlib import Path

from segstudy.config.layout import ANY, Layout
from segstudy.data.find_copies import copies
from segstudy.data.find_pairs import Way
from segstudy.data.readers.discovery import few
from segstudy.data.readers.folder_parts import generalised


def in_parts(root: Path, ways: Sequence[Way]) -> list[Way]:
    """Return the ways, those of folders that count or name patients joined by `*`, those of subsets by `{subset}`."""
    return _by_subset(_by_star(root, ways))


def _by_subset(ways: Iterable[Way]) -> list[Way]:
    alike: dict[tuple[str, ...], dict[str, Way]] = {}
    rest: list[Way] = []
    for way in ways:
        layout = way[1]
        (subset, images), (other, masks) = generalised(str(layout.images)), generalised(str(layout.masks))
        others = layout.model_copy(update={"images": None, "masks": None}).model_dump_json()
        of_key = alike.setdefault((images, masks if other else str(layout.masks), others), {})
        if subset and other in ("", subset) and subset not in of_key and not layout.annotators:
            of_key[subset] = way
        else:
            rest.append(way)
    for (images, masks, _), by_subset in alike.items():
        if len(by_subset) > 1:
            first = next(iter(by_subset.values()))[1]
            layout = first.model_copy(update={"images": images, "masks": masks})
            counts = ", ".join(f"{subset} {way[0]}" for subset, way in by_subset.items())
            rest.append((sum(way[0] for way in by_subset.values()), layout, f"{_words(layout)}, as {counts}"))
        else:
            rest += by_subset.values()
    return rest


def _by_star(root: Path, ways: Sequence[Way]) -> list[Way]:
    alike: dict[tuple[int, int | None, tuple[str, ...]], list[int]] = {}
    for number, way in enumerate(ways):
        images, masks = (str(path).split("/") for path in (way[1].images, way[1].masks))
        others = way[1].model_copy(update={"images": None, "masks": None}).model_dump_json()
        for i, part in enumerate(images):
            start = (others, *images[:i], "\0", *images[i + 1 :], "\0")
            alike.setdefault((i, None, (*start, *masks)), []).append(number)
            for j, mask in enumerate(masks):
                key = (*start, *masks[:j], "\0", *masks[j + 1 :], _unlike(part, mask))
                alike.setdefault((i, j, key), []).append(number)
    joined: set[int] = set()
    found = []
    for (place, other, _), numbers in sorted(alike.items(), key=lambda item: -len(item[1])):
        if len(numbers) > 1 and joined.isdisjoint(numbers):
            way_of_all = _starred(root, [ways[number] for number in numbers], place, other)
            if way_of_all:
                found.append(way_of_all)
                joined.update(numbers)
    return [way for number, way in enumerate(ways) if number not in joined] + found


def _unlike(images: str, masks: str) -> str:
    """Return a name of masks without the longest part that it shares with that of the images: GT of Slide_01, GT_01."""
    match = SequenceMatcher(None, images, masks, autojunk=False).find_longest_match()
    return masks[: match.b] + "*" + masks[match.b + match.size :]


def _starred(root: Path, group: Sequence[Way], i: int, j: int | None) -> Way | None:
    """Return the way that stands for those of a group, None where their names do not fit or they hold copies."""
    images = [str(way[1].images).split("/") for way in group]
    masks = [str(way[1].masks).split("/") for way in group]
    begin, end, stars = _cut([parts[i] for parts in images])
    if len({*stars}) < len(group) or not all(stars) or len({generalised(star)[0] for star in stars} - {""}) > 1:
        return None
    mask_of = masks[0]
    if j is not None:
        before, after, same = _cut([parts[j] for parts in masks])
        if same != stars:
            return None
        mask_of = [*masks[0][:j], f"{before}{ANY}{after}", *masks[0][j + 1 :]]
    if copies(root, [str(way[1].images) for way in group], shared=j is None):
        return None
    image_of = [*images[0][:i], f"{begin}{ANY}{end}", *images[0][i + 1 :]]
    layout = group[0][1].model_copy(update={"images": "/".join(image_of), "masks": "/".join(mask_of)})
    return sum(way[0] for way in group), layout, f"{_words(layout)}, for {few(stars)}"


def _cut(names: Sequence[str]) -> tuple[str, str, list[str]]:
    """Return what all names begin with, what they end with, and what lies between in each: whole numbers and words."""
    begin = _shared(names)
    rest = [name[len(begin) :] for name in names]
    for sign in (r"\d", "[A-Za-z]"):
        if any(re.match(sign, text) for text in rest):
            begin = re.sub(f"{sign}+$", "", begin)
    rest = [name[len(begin) :][::-1] for name in names]
    end = _shared(rest)
    for sign in (r"\d", "[A-Za-z]"):
        if any(re.match(sign, text[len(end) :]) for text in rest):
            end = re.sub(f"{sign}+$", "", end)
    return begin, end[::-1], [text[len(end) :][::-1] for text in rest]


def _shared(names: Sequence[str]) -> str:
    """Return the letters that all names begin with."""
    alike = takewhile(lambda signs: len({*signs}) == 1, zip(*names, strict=False))
    return "".join(signs[0] for signs in alike)


def _words(layout: Layout) -> str:
    affixes = (
        ("images", layout.images, layout.image_prefix or layout.image_suffix),
        ("masks", layout.masks, layout.mask_prefix or layout.mask_suffix),
    )
    return ", ".join(f"{kind} in {place}" + f", named with {affix}" * bool(affix) for kind, place, affix in affixes)

"""Folders that differ in the name of a subset or in one part of their names: `{subset}/Original`, `Slide_*`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from segstudy.config.layout import ANY, SUBSET, Layout
from segstudy.data.readers.discovery import few, has_pictures, natural, plain, subfolders

WORDS = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
_SUBSET_OF = {word: subset for subset, words in WORDS.items() for word in words}
# Longest first: 'training' is not 'train' and 'ing'.
ANY_WORD = r"train[ _-]?val|" + "|".join(sorted((w for w in _SUBSET_OF if w != "trainval"), key=len, reverse=True))
_WORD = re.compile(rf"(?<![a-z])({ANY_WORD})|({ANY_WORD})(?![a-z])", re.IGNORECASE)
_LISTED = re.compile(r"(?<![^/])[a-z](?=[.)] )")


class Part(NamedTuple):
    """A place in which images and masks lie."""

    subset: str  # official one, or empty
    base: Path
    layout: Layout  # of this part
    name: str = ""  # the folders whose names hold `*`


class _Found(NamedTuple):
    """A folder that a pattern fits."""

    path: str  # below the top
    subset: str
    stars: tuple[str, ...]


def parts(top: Path, layout: Layout) -> list[Part]:
    """Return a part for each folder below `top` that `layout.images` fits, with the other folders that belong to it.

    `{subset}` stands for a word that is called like an official subset, `*` for any letters, and in the folders of
    masks and regions for the same ones. A folder that belongs to a part and is not there keeps its name, filled in.
    Where some folders of images have one of masks, the others are none: `*` fits 01, and 01_GT too.
    """
    found = _parts(top, layout)
    kept = [part for part in found if part.subset in ("test", "unlabelled") or _has_masks(part)]
    return kept if any(map(_has_masks, kept)) else found


def without_masks(top: Path, layout: Layout) -> list[str]:
    """Return the sentence on folders that `layout.images` fits and no folder of masks goes with."""
    used = {part.layout.images for part in parts(top, layout)}
    others = (str(part.layout.images) for part in _parts(top, layout) if part.layout.images not in used)
    names = [name for name in others if has_pictures(top / name)]
    return [f"left out, no folder of masks {layout.masks} goes with them: {few(names)}"] if names else []


def _has_masks(part: Part) -> bool:
    return part.layout.masks is not None and (part.base / part.layout.masks).is_dir()


def _parts(top: Path, layout: Layout) -> list[Part]:
    if not layout.patterned or layout.images is None or (top / layout.images).is_dir():
        return []
    order, spelt = [*WORDS, ""], layout.images.split("/")
    images = sorted(_fitting(top, layout.images), key=lambda found: (order.index(found.subset), natural(found.path)))
    own_masks = layout.masks is None or ANY in layout.masks  # else names tell images apart
    others = {
        pattern: list(_fitting(top, pattern))
        for pattern in (layout.masks, layout.rois, layout.second_masks, *layout.annotator_masks)
        if pattern and (SUBSET in pattern or ANY in pattern)
    }

    def filled(pattern: str | None, of: _Found) -> str | None:
        if pattern not in others:
            return pattern
        subset, stars = of.subset if SUBSET in pattern else "", of.stars if ANY in pattern else ()
        fits = [found.path for found in others[pattern] if (found.subset, found.stars) == (subset, stars)]
        rest = pattern.replace(SUBSET, subset)
        for star in stars:
            rest = rest.replace(ANY, star, 1)
        return fits[0] if fits else rest

    return [
        Part(
            found.subset,
            top,
            layout.model_copy(
                update={
                    "images": found.path,
                    **{kind: filled(getattr(layout, kind), found) for kind in ("masks", "rois", "second_masks")},
                    "annotator_masks": [str(filled(pattern, found)) for pattern in layout.annotator_masks],
                }
            ),
            "/".join(
                name for name, part in zip(found.path.split("/"), spelt, strict=True) if own_masks and ANY in part
            ),
        )
        for found in images
    ]


def generalised(path: str) -> tuple[str, str]:
    """Return the official subset that a path names, and the path with `{subset}` for it; "" where it names none or two.

    The word stands at the beginning or the end of letters: train_labels, trainannot, traincrop, uavid_train. The letter
    that counts before it becomes `*`: 'a. Training Set', 'b. Testing Set'.
    """
    subsets = {subset_word(match[0]) for match in _WORD.finditer(path)}
    if len(subsets) != 1:
        return "", path
    return subsets.pop(), _LISTED.sub(ANY, _WORD.sub(SUBSET, path))


def subset_word(name: str) -> str:
    """Return the official subset that a word names, whatever its case, spaces, '_' and '-'; "" where it names none."""
    return _SUBSET_OF.get(plain(name), "")


def _fitting(top: Path, pattern: str) -> Iterator[_Found]:
    """Yield the folders below `top` that a pattern fits, a level of folders for each part of it."""
    level: list[tuple[Path, tuple[str, ...], tuple[str, ...]]] = [(top, (), ())]  # folder, words of subsets, stars
    for part in pattern.split("/"):
        signs = re.split(rf"({re.escape(SUBSET)}|{re.escape(ANY)})", part)
        regex = "".join(
            f"(?P<s{i}>{ANY_WORD})" if sign == SUBSET else f"(?P<a{i}>.+)" if sign == ANY else re.escape(sign)
            for i, sign in enumerate(signs)
        )
        expression, below = re.compile(regex, re.IGNORECASE), []
        for folder, words, stars in level:
            for inner in subfolders(folder):
                if match := expression.fullmatch(inner.name):
                    groups = match.groupdict()
                    found = [value for key, value in groups.items() if key[0] == "s"]
                    below.append((inner, (*words, *found), (*stars, *(v for k, v in groups.items() if k[0] == "a"))))
        level = below
    for folder, words, stars in level:
        subsets = {subset_word(word) for word in words}
        if len(subsets) < 2:
            yield _Found(folder.relative_to(top).as_posix(), "".join(subsets), stars)

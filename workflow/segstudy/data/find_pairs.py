"""Ways to pair images and masks that `find_layout` tries: names that differ at their ends, and trees of folders."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import permutations
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.data.readers.discovery import relative
from segstudy.data.readers.folder_parts import generalised

Way = tuple[int, Layout, str]  # pairs, layout, words
LEAST, SHARE = 2, 0.1  # names with an ending: at all, and of those with the most frequent one
Side = tuple[Path, str]  # a folder, and the ending of names in it


def with_endings(root: Path, names: Mapping[Path, Sequence[str]], masks_in: Callable[[Path, str], bool]) -> list[Way]:
    """Return ways in which names of images and masks differ in their last part: 1_sat, 1_mask.

    Args:
        root: of the data set.
        names: folder -> names of the pictures in it.
        masks_in: folder and ending -> whether those pictures look like masks.
    """
    looks = cache(masks_in)
    found = []
    for (images, image_suffix), (masks, mask_suffix), count in _pairs_of_endings(names):
        if looks(masks, mask_suffix) and not looks(images, image_suffix):
            places = {"images": relative(images, root) or ".", "masks": relative(masks, root) or "."}
            layout = Layout(**places, image_suffix=image_suffix, mask_suffix=mask_suffix)
            words = f"images in {places['images']}, named with {image_suffix}, masks in {places['masks']}, named with "
            found.append((count, layout, words + mask_suffix))
    return found


def _pairs_of_endings(names: Mapping[Path, Sequence[str]]) -> list[tuple[Side, Side, int]]:
    """Return (side, other side, names that they share) of endings that many names have.

    Of endings that continue each other (_sat and _1_sat) the shortest that pairs as many.
    """
    cuts = [
        (stem[:at], folder, stem[at:])
        for folder, stems in names.items()
        for stem in {*stems}
        for at, sign in enumerate(stem)
        if at and not sign.isalnum()
    ]
    often = Counter(ending for _, _, ending in cuts)
    least = max(LEAST, SHARE * max(often.values(), default=0))
    sides: dict[str, list[Side]] = {}
    for begins, folder, ending in cuts:
        if often[ending] >= least:
            sides.setdefault(begins, []).append((folder, ending))
    counts = Counter(pair for alike in sides.values() for pair in permutations(alike, 2) if pair[0] != pair[1])
    found: list[tuple[Side, Side, int]] = []
    for (one, other), count in sorted(counts.items(), key=lambda item: len(item[0][0][1]) + len(item[0][1][1])):
        longer = (
            one[0] == a[0] and other[0] == b[0] and one[1].endswith(a[1]) and other[1].endswith(b[1]) and count <= most
            for a, b, most in found
        )
        if one[1] != other[1] and not any(longer):
            found.append((one, other, count))
    return found


def own_masks(names: Mapping[Path, Sequence[str]], root: Path, ways: Iterable[Way]) -> list[Way]:
    """Return the ways without those that pair images with the masks of other ones: 01 with 02_ST, seq1 with seq2.

    All folders of films or patients may hold the same names. A pair of folders is left out where each of them has more
    words and numbers of its path in common with another partner; and so is one in which a single name of many pairs.
    """
    alike = {
        (way[1].images, way[1].masks): (_words(way[1].images) & _words(way[1].masks)).total()
        for way in ways
        if way[0] >= min(LEAST, len(names[root / str(way[1].images)]) // 2)
    }
    best: dict[object, int] = {}
    for (images, masks), count in alike.items():
        for side in (("images", images), ("masks", masks)):
            best[side] = max(count, best.get(side, 0))
    own = {pair for pair, count in alike.items() if count in (best["images", pair[0]], best["masks", pair[1]])}
    return [way for way in ways if (way[1].images, way[1].masks) in own]


def _words(path: str | None) -> Counter[str]:
    return Counter(re.findall(r"\d+|[a-z]+", str(path).casefold()))


def in_trees(root: Path, names: Mapping[Path, Sequence[str]], ways: Iterable[Way]) -> list[Way]:
    """Return the ways; those that differ in their folders alone (one for each patient) joined to one for all of them.

    Folders that are called like subsets stay apart, and so do folders among others with pictures that do not pair.
    """

    def tree(way: Way) -> tuple[str, str, str]:
        layout = way[1]
        images, masks = Path(layout.images or "."), Path(layout.masks or ".")
        while images.name == masks.name != "" and not generalised(images.name)[0]:
            images, masks = images.parent, masks.parent
        others = layout.model_copy(update={"images": None, "masks": None})
        return str(images), str(masks), others.model_dump_json()

    by_tree: dict[tuple[str, str, str], list[Way]] = {}
    for way in ways:
        by_tree.setdefault(tree(way), []).append(way)
    found = []
    for alike in by_tree.values():
        joined = _joined(root, names, alike) if len(alike) > 1 else None
        found += [joined] if joined else alike
    return found


def _joined(root: Path, names: Mapping[Path, Sequence[str]], ways: Sequence[Way]) -> Way | None:
    """Return the way that reads the folders of all `ways`, None where it would read many others too."""
    folders = [Path(str(layout.images)) for _, layout, _ in ways]
    images = Path(os.path.commonpath(folders))
    depth = len(folders[0].relative_to(images).parts)
    masks = Path(str(ways[0][1].masks), *[".."] * depth)
    masks = Path(os.path.normpath(masks))
    below = [folder for folder in names if (root / images) in folder.parents]
    if images != masks:
        below = [folder for folder in below if (root / masks) not in folder.parents]
    if (root / images) in names or len(folders) < len(below) / 2:
        return None
    layout = ways[0][1].model_copy(update={"images": str(images), "masks": str(masks)})
    where = "beside them" if images == masks else f"in the same folders of {masks}"
    named = "".join(f", {what} named with {end}" for what, end in _affixes(layout) if end)
    words = f"images in {len(folders)} folders of {images}, masks {where}{named}"
    return sum(count for count, _, _ in ways), layout, words


def _affixes(layout: Layout) -> list[tuple[str, str | None]]:
    return [
        ("images", layout.image_prefix or layout.image_suffix),
        ("masks", layout.mask_prefix or layout.mask_suffix),
    ]

"""Ways to pair images and masks that `find_layout` tries: names that differ at their ends, and trees of folders."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, permutations, takewhile
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.data.find_copies import copies
from segstudy.data.readers.discovery import relative
from segstudy.data.readers.folder_layout import bases, top_of
from segstudy.data.readers.folder_parts import generalised

Way = tuple[int, Layout, str]  # pairs, layout, words
LEAST, SHARE = 2, 0.1  # names with an ending: at all, and of those with the most frequent one
Side = tuple[Path, str]  # a folder, and the ending of names in it
Pairings = Mapping[Path, Mapping[Path, Counter[str]]]  # folder of images -> of masks -> how many have each suffix
Looks = Callable[[Path, str, str], bool]  # folder, ending and beginning of names -> whether they look like masks


def pairings(root: Path, names: Mapping[Path, Sequence[str]], looks: Looks) -> Pairings:
    """Return for each folder of images the folders with names that continue its own, and how many by suffix.

    Folders of patients hold files of the same names. Two folders are no pair where both have a nearer one that pairs
    as many; once all names have found one, farther folders are not looked at: a data set may have thousands.

    Args:
        root: of the data set.
        names: folder -> names of the pictures in it.
        looks: folder, ending and beginning of names -> whether those pictures look like masks.
    """
    stems = {folder: frozenset(found) for folder, found in names.items()}
    cuts = {folder: [cut for stem in found for cut in _cuts(stem)] for folder, found in stems.items()}
    alone = {folder for folder in names if looks(folder, "", "")}

    @cache
    def counts(images: Path, masks: Path) -> Counter[str]:
        found = Counter(ending for begins, ending in cuts[masks] if begins in stems[images])
        alike = len(stems[images] & stems[masks]) if masks in alone else 0
        return Counter({"": alike}) + found

    of_images = {folder: names[folder] for folder in names if folder not in alone}
    of_masks = {folder: names[folder] for folder in names if folder in alone or cuts[folder]}
    pairs = {*_nearest(root, of_images, of_masks, counts)}
    pairs |= {(i, m) for m, i in _nearest(root, of_masks, of_images, lambda masks, images: counts(images, masks))}
    place = {folder: number for number, folder in enumerate(names)}
    result: dict[Path, dict[Path, Counter[str]]] = {images: {} for images in of_images}
    for images, masks in sorted(pairs, key=lambda pair: place[pair[1]]):
        result[images][masks] = counts(images, masks)
    return result


def _cuts(stem: str) -> list[tuple[str, str]]:
    """Return what stands before and behind each place where an ending may begin.

    Names are cut there, instead of compared with each other: folders have 100,000 files.
    """
    return [(stem[:at], stem[at:]) for at, sign in enumerate(stem) if at and not sign.isalnum()]


def _nearest(
    root: Path,
    names: Mapping[Path, Sequence[str]],
    others: Iterable[Path],
    counts: Callable[[Path, Path], Counter[str]],
) -> Iterator[tuple[Path, Path]]:
    """Yield (folder, other folder) that pair, the nearest of each folder, and farther ones that pair more names."""
    below: dict[Path, list[Path]] = {}
    for other in others:
        for above in _up_to(root, other):
            below.setdefault(above, []).append(other)
    for folder, stems in names.items():
        most = 0
        for alike in _by_distance(root, folder, below):
            pairs = {other: counts(folder, other).total() for other in alike}
            yield from ((folder, other) for other, count in pairs.items() if count > most)
            most = max([most, *pairs.values()])
            if most >= len(stems) or 2 * pairs.get(folder, 0) >= len(stems):  # its own images are half of its names
                break


def _by_distance(root: Path, folder: Path, below: Mapping[Path, list[Path]]) -> Iterator[list[Path]]:
    """Yield the folders `below` others in groups, the nearest first; of them those that end alike, im/p1 and gt/p1."""

    def alike(other: Path) -> int:
        pairs = zip(reversed(other.parts), reversed(folder.parts), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    seen: set[Path] = set()
    for above in _up_to(root, folder):
        level = [other for other in below.get(above, ()) if other not in seen]
        seen.update(level)
        yield from (list(group) for _, group in groupby(sorted(level, key=alike, reverse=True), key=alike))


def _up_to(root: Path, folder: Path) -> list[Path]:
    """Return a folder and those above it, `root` last."""
    return [folder, *folder.parents][: len(folder.parts) - len(root.parts) + 1]


def with_endings(root: Path, names: Mapping[Path, Sequence[str]], looks: Looks) -> list[Way]:
    """Return ways in which names of images and masks differ in their last part: 1_sat, 1_mask.

    Args:
        root: of the data set.
        names: folder -> names of the pictures in it.
        looks: folder, ending and beginning of names -> whether those pictures look like masks.
    """
    found = []
    for (images, image_suffix), (masks, mask_suffix), count in _pairs_of_endings(names):
        if looks(masks, mask_suffix, "") and not looks(images, image_suffix, ""):
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
        (begins, folder, ending)
        for folder, stems in names.items()
        for stem in {*stems}
        for begins, ending in _cuts(stem)
    ]
    often = Counter(ending for _, _, ending in cuts)
    least = max(LEAST, SHARE * max(often.values(), default=0))
    sides: dict[str, list[Side]] = {}
    for begins, folder, ending in cuts:
        if often[ending] >= least:
            sides.setdefault(begins, []).append((folder, ending))
    counts = Counter(pair for alike in sides.values() for pair in permutations(alike, 2) if pair[0] != pair[1])
    found: dict[tuple[Path, Path], list[tuple[Side, Side, int]]] = {}
    for (one, other), count in sorted(counts.items(), key=lambda item: len(item[0][0][1]) + len(item[0][1][1])):
        shorter = found.setdefault((one[0], other[0]), [])
        longer = (one[1].endswith(a[1]) and other[1].endswith(b[1]) and count <= most for a, b, most in shorter)
        if one[1] != other[1] and not any(longer):
            shorter.append((one, other, count))
    return [pair for pairs in found.values() for pair in pairs]


def own_masks(names: Mapping[Path, Sequence[str]], root: Path, ways: Sequence[Way]) -> list[Way]:
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
    return in_each(root, found)


def in_each(root: Path, ways: Iterable[Way]) -> list[Way]:
    """Return the ways, those joined to one that are folders of the same names in several: p1/pics and p1/truth."""
    alike: dict[tuple[str, ...], list[Way]] = {}
    for way in ways:
        layout = way[1]
        paths = [Path(path or ".").parts for path in (layout.images, layout.masks, *layout.annotator_masks)]
        depth = sum(1 for _ in takewhile(lambda parts: len({*parts}) == 1, zip(*paths, strict=False)))
        images, *masks = inner = ["/".join(parts[depth:]) for parts in paths]
        layout = layout.model_copy(update={"images": images, "masks": masks[0], "annotator_masks": masks[1:]})
        alike.setdefault((layout.model_dump_json(), *(() if all(inner) else (str(way[1]),))), []).append(way)
    found = []
    for (text, *_), several in alike.items():
        layout = Layout.model_validate_json(text)
        twice = len(several) > 1 and copies(root, (str(way[1].images) for way in several))
        if len(several) > 1 and not twice and len(bases(top_of(root, layout), layout)) == len(several):  # so reads it
            masks = [str(layout.masks), *layout.annotator_masks]
            words = f"images in {layout.images}, masks in {', '.join(masks)}, in each of {len(several)} folders"
            words += "".join(f", {what} named with {end}" for what, end in _affixes(layout) if end)
            found.append((sum(count for count, _, _ in several), layout, words))
        else:
            found += several
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

"""Find out how a folder may be read: a reader that knows it, or folders whose files are called alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.config.readers import READERS
from segstudy.core.errors import StudyError
from segstudy.data.find_annotators import annotators
from segstudy.data.find_pairs import LEAST, Looks, Pairings, Way, in_each, in_trees, own_masks, pairings, with_endings
from segstudy.data.find_parts import in_parts
from segstudy.data.images.mask_values import FEW
from segstudy.data.images.read_masks import read_mask
from segstudy.data.readers.discovery import LOSSY_SUFFIXES, few, folders, pictures, relative
from segstudy.data.readers.folder_layout import PLACES, packed, place
from segstudy.data.readers.folder_pairs import SUFFIXES
from segstudy.data.readers.other_labels import other_labels
from segstudy.data.readers.registry import reader_module

DEPTH = 5  # levels of folders below the root that are looked into: IDRiD's masks lie in the fourth
MOST = 12  # ways that are named
PREFIXES = 200  # the most frequent ones, which are compared each with each
LOOKED_AT = 3  # pictures of a folder that are decoded
HALF_TONES = 0.2  # share of the pixels of a mask that may be neither dark nor bright
_MASKS = re.compile(r"(?i)(?<![a-z])(masks?|labels?|annotations?|gt|ground ?truths?|segmentations?)(?![a-z])")


def layouts(root: Path) -> list[tuple[str, Layout, str]]:
    """Return (reader, layout, words) of every way to read `root`, the surest alone where a reader knows it.

    Raises:
        StudyError: no way is known; the message of the reader for folders says what it misses.
    """
    known = [name for name in READERS if reader_module(name).recognises(root)]
    plain = known == ["folder"] and place(root, "images", Layout()) is not None
    if known and not plain:
        return [(name, Layout(), reader_module(name).TITLE) for name in known]
    names = {folder: [path.stem for path in pictures(folder)] for folder in folders(root, DEPTH)}
    names = {folder: stems for folder, stems in names.items() if stems}
    looks = cache(_look_like_masks)
    pairs_of = pairings(root, names, looks)
    several = in_each(root, _of_annotators(root, names, pairs_of, looks))
    if several or plain:
        return _best(several) or [("folder", Layout(), reader_module("folder").TITLE)]
    unlike = {folder: others for folder, others in pairs_of.items() if not _MASKS.search(folder.name)}
    pairs = _paired_folders(root, unlike, looks) + _beside_jpeg(root, names)
    pairs = pairs or _prefixed(root, names, looks) or _paired_folders(root, pairs_of, looks)
    pairs = own_masks(names, root, pairs or with_endings(root, names, looks))
    pairs = in_parts(root, in_trees(root, names, pairs))
    if not pairs:
        raise _no_way(root, names, looks)
    return _best(pairs)


def _best(ways: Sequence[Way]) -> list[tuple[str, Layout, str]]:
    """Return those that pair most images, as `layouts` does."""
    best = max((count for count, _, _ in ways), default=0)
    return [("folder", layout, words) for count, layout, words in ways if count == best][:MOST]


def _no_way(root: Path, names: Mapping[Path, Sequence[str]], looks: Looks) -> StudyError:
    """Return the refusal of a folder in which nothing pairs, with what lies there."""
    other = None if any(looks(folder, "", "") for folder in names) else other_labels(root)
    if other:
        return other
    shown = (f"{relative(folder, root) or '.'} ({stems[0]}, ...: {len(stems)})" for folder, stems in names.items())
    return StudyError(
        "no masks are found that are called like images" + packed(root),
        where=f"{root} (folders with pictures: {few(shown) or 'none'})",
        allowed=PLACES,
        remedy="name the folders by layout.images and layout.masks in a copy of studies/folder.yaml, and what differs "
        "in names by mask_suffix, mask_prefix, image_suffix, image_prefix; or name each pair in columns image and "
        "mask of samples.csv",
    )


def _of_annotators(root: Path, names: Mapping[Path, Sequence[str]], pairs_of: Pairings, looks: Looks) -> list[Way]:
    """Return the ways with folders, or endings of names, that are masks of several annotators."""
    found = []
    for images, suffixes_in in pairs_of.items():
        places = {
            (folder, suffix): count
            for folder, suffixes in suffixes_in.items()
            for suffix, count in suffixes.items()
            # A folder with images of these names besides is another patient's.
            if count
            and not (suffix and folder != images and {*names[images]} & {*names[folder]})
            and looks(folder, suffix, "")
        }
        for group in annotators(names[images], places):
            suffix = group[0][1]
            paths = [relative(other, root) or "." for other, _ in group]
            endings = [ending for _, ending in group]
            apart, told = len({*paths}) > 1, len({*endings}) > 1
            layout = Layout(
                images=relative(images, root) or ".",
                masks=paths[0],
                **({"mask_suffix": suffix} if suffix else {}),
                **({"annotator_masks": paths[1:]} if apart else {}),
                **({"annotator_suffixes": endings[1:]} if told else {}),
            )
            words = f"images in {layout.images}, masks of {len(group)} annotators: "
            words += ", ".join(paths) if apart else f"{paths[0]}, named with {', '.join(endings)}"
            found.append((max(places[masks] for masks in group), layout, words))
    return found


def _paired_folders(root: Path, pairs_of: Pairings, looks: Looks) -> list[Way]:
    """Return (pairs, layout, words) of every two folders whose files are called alike, and of suffixes in one.

    Suffixes that many names have are as many sets of masks, each as good as the largest: im1_disc beside im1_cup.
    """
    found = []
    for images, suffixes_in in pairs_of.items():
        for masks, suffixes in suffixes_in.items():
            sets = _mask_suffixes(masks, suffixes, looks)
            places = {"images": relative(images, root) or ".", "masks": relative(masks, root) or "."}
            words = f"images in {places['images']}, masks in {places['masks']}"
            if len(sets) > 1 and not sets.keys() & {"", *SUFFIXES}:
                joined = f"{words}, all files of an image one mask, one file an object"
                found.append((max(sets.values()), Layout(**places), joined))
            for suffix in sets:
                layout = Layout(**places, **({"mask_suffix": suffix} if suffix or len(sets) > 1 else {}))
                named = f", named with {suffix}" if suffix else ", named like the images" if len(sets) > 1 else ""
                found.append((max(sets.values()), layout, words + named))
    return found


def _prefixed(root: Path, names: Mapping[Path, Sequence[str]], looks: Looks) -> list[Way]:
    """Return what `_paired_folders` does, of names that differ in what stands before a number: img_1, mask_1."""
    found = []
    groups = [(folder, *item) for folder, stems in names.items() for item in _by_prefix(stems).items()]
    groups = sorted(groups, key=lambda group: -len(group[2]))[:PREFIXES]  # of hashes, each name has one of its own
    for images, image_prefix, numbers in groups:
        for masks, mask_prefix, others in groups:
            count = len(numbers & others) if image_prefix != mask_prefix else 0
            if count >= LEAST and looks(masks, "", mask_prefix) and not looks(images, "", image_prefix):
                layout = Layout(
                    images=relative(images, root) or ".",
                    masks=relative(masks, root) or ".",
                    image_prefix=image_prefix,
                    mask_prefix=mask_prefix,
                )
                words = f"images {layout.images}/{image_prefix}*, masks {layout.masks}/{mask_prefix}*"
                found.append((count, layout, words))
    return found


def _beside_jpeg(root: Path, names: Mapping[Path, Sequence[str]]) -> list[tuple[int, Layout, str]]:
    """Return what `_paired_folders` does, of folders in which lossless masks lie beside JPEG images of their names."""
    found = []
    for folder, stems in names.items():
        if len({*stems}) == len(stems):
            continue
        lossy = {path.stem for path in pictures(folder) if path.suffix.casefold() in LOSSY_SUFFIXES}
        rest = [path for path in pictures(folder) if path.suffix.casefold() not in LOSSY_SUFFIXES]
        masks = [path for path in rest if path.stem in lossy]
        if masks and all(map(_looks_like_a_mask, masks[:LOOKED_AT])):
            name = relative(folder, root) or "."
            words = f"images and masks in {name}: lossless files beside JPEG of the same names"
            found.append((len(masks), Layout(images=name, masks=name), words))
    return found


def _by_prefix(stems: Sequence[str]) -> dict[str, set[str]]:
    """Return the numbers behind each beginning of names."""
    parts: dict[str, set[str]] = {}
    for stem in stems:
        match = re.fullmatch(r"(.*?\D)?(\d+)", stem)
        if match:
            parts.setdefault(match[1] or "", set()).add(match[2])
    return parts


def _mask_suffixes(masks: Path, counts: Counter[str], looks: Looks) -> dict[str, int]:
    """Return the suffixes with which most names, or half as many as that, are names of masks, shortest first."""
    least = max(counts.values()) / 2
    often = sorted((suffix for suffix, count in counts.items() if 0 < count >= least), key=len)
    return {suffix: counts[suffix] for suffix in often if looks(masks, suffix, "")}


def _look_like_masks(folder: Path, suffix: str, prefix: str) -> bool:
    """Return whether the first pictures of a folder are masks."""
    chosen = [path for path in pictures(folder) if path.stem.endswith(suffix) and path.stem.startswith(prefix)]
    return bool(chosen) and all(map(_looks_like_a_mask, chosen[:LOOKED_AT]))


def _looks_like_a_mask(path: Path) -> bool:
    """Return whether a picture is nearly black and white, or holds a few values or colours in areas of their own."""
    try:
        mask = read_mask(path)
    except StudyError:
        return False
    return mask.between <= HALF_TONES or (mask.value_map and mask.values <= FEW)

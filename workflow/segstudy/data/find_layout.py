"""Find out how a folder may be read: a reader that knows it, or folders whose files are called alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.config.readers import READERS
from segstudy.core.errors import StudyError
from segstudy.data.find_annotators import annotators
from segstudy.data.find_pairs import LEAST, in_trees, own_masks, with_endings
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
LOOKED_AT = 3  # pictures of a folder that are decoded
_MASKS = re.compile(r"(?i)(?<![a-z])(masks?|labels?|annotations?|gt|ground ?truths?|segmentations?)(?![a-z])")
HALF_TONES = 0.2  # share of the pixels of a mask that may be neither dark nor bright


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
    images = [folder for folder in names if not _look_like_masks(folder)]
    several = _of_annotators(root, names, images)
    if several or plain:
        return several[:MOST] or [("folder", Layout(), reader_module("folder").TITLE)]
    unlike = [folder for folder in images if not _MASKS.search(folder.name)]
    pairs = _paired_folders(root, names, unlike) or _paired_folders(root, names, images)
    pairs = pairs or with_endings(root, names, _look_like_masks)
    pairs = in_parts(root, in_trees(root, names, own_masks(names, root, pairs)))
    if not pairs:
        raise _no_way(root, names, images)
    best = max(count for count, _, _ in pairs)
    return [("folder", layout, words) for count, layout, words in pairs if count == best][:MOST]


def _no_way(root: Path, names: Mapping[Path, Sequence[str]], images: Sequence[Path]) -> StudyError:
    """Return the refusal of a folder in which nothing pairs, with what lies there."""
    other = other_labels(root) if len(images) == len(names) else None
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


def _of_annotators(
    root: Path, names: Mapping[Path, Sequence[str]], of_images: Sequence[Path]
) -> list[tuple[str, Layout, str]]:
    """Return what `layouts` does of folders, or endings of names, that are masks of several annotators."""
    found = []
    for images in of_images:
        stems = names[images]
        places = {
            (folder, suffix): count
            for folder, others in names.items()
            for suffix, count in _suffixes(stems, others, apart=images != folder).items()
            # A folder with images of these names besides is another patient's.
            if count and not (suffix and folder != images and {*stems} & {*others}) and _look_like_masks(folder, suffix)
        }
        for group in annotators(stems, places):
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
    best = max((count for count, _, _ in found), default=0)
    return [("folder", layout, words) for count, layout, words in found if count == best]


def _paired_folders(
    root: Path, names: Mapping[Path, Sequence[str]], of_images: Sequence[Path]
) -> list[tuple[int, Layout, str]]:
    """Return (pairs, layout, words) of every two folders whose files are called alike, and of suffixes in one.

    Suffixes that many names have are as many sets of masks, each as good as the largest: im1_disc beside im1_cup.
    """
    found = []
    for images in of_images:
        for masks, others in names.items():
            sets = _mask_suffixes(masks, _suffixes(names[images], others, apart=images != masks))
            places = {"images": relative(images, root) or ".", "masks": relative(masks, root) or "."}
            words = f"images in {places['images']}, masks in {places['masks']}"
            if images == masks and (twins := _twins(images)):
                found.append((twins, Layout(**places), f"{words}: lossless files beside JPEG of the same names"))
            if len(sets) > 1 and not sets.keys() & {"", *SUFFIXES}:
                joined = f"{words}, all files of an image one mask, one file an object"
                found.append((max(sets.values()), Layout(**places), joined))
            for suffix in sets:
                layout = Layout(**places, **({"mask_suffix": suffix} if suffix or len(sets) > 1 else {}))
                named = f", named with {suffix}" if suffix else ", named like the images" if len(sets) > 1 else ""
                found.append((max(sets.values()), layout, words + named))
    return found or _prefixed(root, names)


def _prefixed(root: Path, names: Mapping[Path, Sequence[str]]) -> list[tuple[int, Layout, str]]:
    """Return what `_paired_folders` does, of names that differ in what stands before a number: img_1, mask_1."""
    found = []
    groups = [(folder, *item) for folder, stems in names.items() for item in _by_prefix(stems).items()]
    for images, image_prefix, numbers in groups:
        for masks, mask_prefix, others in groups:
            count = len(numbers & others) if image_prefix != mask_prefix else 0
            if (
                count >= LEAST
                and _look_like_masks(masks, prefix=mask_prefix)
                and not _look_like_masks(images, prefix=image_prefix)
            ):
                layout = Layout(
                    images=relative(images, root) or ".",
                    masks=relative(masks, root) or ".",
                    image_prefix=image_prefix,
                    mask_prefix=mask_prefix,
                )
                words = f"images {layout.images}/{image_prefix}*, masks {layout.masks}/{mask_prefix}*"
                found.append((count, layout, words))
    return found


def _twins(folder: Path) -> int:
    """Return how many JPEG images of a folder have a lossless mask of their name beside them."""
    lossy = {path.stem for path in pictures(folder) if path.suffix.casefold() in LOSSY_SUFFIXES}
    masks = [path for path in pictures(folder) if path.suffix.casefold() not in LOSSY_SUFFIXES and path.stem in lossy]
    return len(masks) if masks and all(map(_looks_like_a_mask, masks[:LOOKED_AT])) else 0


def _by_prefix(stems: Sequence[str]) -> dict[str, set[str]]:
    """Return the numbers behind each beginning of names."""
    parts: dict[str, set[str]] = {}
    for stem in stems:
        match = re.fullmatch(r"(.*?\D)?(\d+)", stem)
        if match:
            parts.setdefault(match[1] or "", set()).add(match[2])
    return parts


def _mask_suffixes(masks: Path, counts: Counter[str]) -> dict[str, int]:
    """Return the suffixes with which most names, or half as many as that, are names of masks, shortest first."""
    least = max(counts.values()) / 2
    often = sorted((suffix for suffix, count in counts.items() if 0 < count >= least), key=len)
    return {suffix: counts[suffix] for suffix in often if _look_like_masks(masks, suffix)}


def _suffixes(stems: Sequence[str], others: Sequence[str], apart: bool) -> Counter[str]:
    """Return each suffix that makes names of images names of masks, and of how many."""
    images, masks = set(stems), set(others)
    counts: Counter[str] = Counter({"": len(masks & images) if apart else 0})
    # Each name is cut where a suffix may begin, instead of compared with each image: folders have 100,000 files.
    for mask in masks:
        counts.update(mask[at:] for at, sign in enumerate(mask) if not sign.isalnum() and mask[:at] in images)
    return counts


def _look_like_masks(folder: Path, suffix: str = "", prefix: str = "") -> bool:
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

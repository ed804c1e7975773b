"""Pair mask files with images by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from segstudy.core.errors import StudyError
from segstudy.core.names import readable
from segstudy.data.readers.discovery import LOSSY_SUFFIXES, few, pictures, relative, subfolders, truest

SUFFIXES = ("_mask", "_label", "_seg", "_gt", "_segmentation", "_roi")  # what often stands behind the image's name
PERSON = re.compile(r"1st|2nd|first|second|annot|expert|observer|rater|reader|grader|manual", re.IGNORECASE)
NUMBER = re.compile(r"[_-]\d+$")  # behind the suffix of a mask: a_mask_1, a_mask_2
SEPARATORS = "_-"  # before what tells the objects of an image apart


class Affixes(NamedTuple):
    """What stands around the image's name in the name of a mask; `suffix` None: one of `SUFFIXES`, or nothing."""

    prefix: str = ""
    suffix: str | None = None
    others: tuple[str, ...] = ()  # suffixes of files that are no masks


class Pairs(NamedTuple):
    """Masks found for images."""

    masks: dict[str, str]  # name of the image -> path below the root, ending in * for several files (images.files_of)
    repairs: list[str]


def pair(images: Mapping[str, Path], folder: Path, root: Path, affixes: Affixes) -> Pairs:
    """Find the mask of each image in `folder`, by name alone.

    A mask is called like its image, with prefix and suffix (or one of `SUFFIXES`) around the name and perhaps a second
    extension (`im1.ah.ppm`). Where there is no such file, one file for each object: `im1_1.png`, `im1_2.png`, or a
    folder `im1` with whatever names. The suffix told, nothing but that is looked for; where masks lie among the images,
    with numbers behind it too: `im1_mask.png`, `im1_mask_1.png` are one mask in pieces.

    Args:
        images: name -> path of the images.
        folder: of the masks; images in it are left alone.
        root: of the data set.
        affixes: of the config.

    Raises:
        StudyError: an image has two masks that are not one mask in pieces.
    """
    whole: dict[str, list[Path]] = {}
    objects: dict[str, list[Path]] = {}
    pieces: dict[str, list[Path]] = {}
    repairs: list[str] = []
    image_paths, fixed_suffix = set(images.values()), affixes.suffix is not None
    among_images = any(path.parent == folder for path in image_paths)
    suffixes = SUFFIXES if affixes.suffix is None else (affixes.suffix,)
    for path in pictures(folder):
        stem = readable(path.stem)
        if path in image_paths or not stem.startswith(affixes.prefix) or stem.endswith(affixes.others or ("\0",)):
            continue
        stem = stem.removeprefix(affixes.prefix)
        name = _image_of(stem, images, suffixes, plain=not fixed_suffix)
        if name is not None:
            whole.setdefault(name, []).append(path)
        elif among_images and (name := numbered(stem, images, "", affixes.suffix)) is not None:
            pieces.setdefault(name, []).append(path)
        elif not fixed_suffix and (name := _object_of(stem, images)) is not None:
            objects.setdefault(name, []).append(path)
    inside = (
        {} if fixed_suffix else {n: p for p in subfolders(folder) if (n := readable(p.name)) in images and pictures(p)}
    )
    masks = {name: relative(_one(paths, name, root, repairs), root) for name, paths in whole.items()}
    for name, paths in objects.items():
        _check_alone(name, paths, [*whole.get(name, []), *([inside[name]] if name in inside else [])], root)
        one = len(paths) == 1
        if not one and any(PERSON.search(readable(path.stem)[len(affixes.prefix) + len(name) :]) for path in paths):
            raise _ambiguous(name, paths, root)  # two persons' masks of everything, not one mask for each object
        masks[name] = relative(paths[0], root) if one else _pattern(name, paths, objects, root, affixes.prefix)
    for name, place in inside.items():
        _check_alone(name, [place], whole.get(name, []), root)
        masks[name] = f"{relative(place, root)}/*"
    for name, paths in pieces.items():
        begins = f"{affixes.prefix}{name}{affixes.suffix}"
        masks[name] = _all_that_begin(begins, [*whole.get(name, []), *paths], name, folder, root)
    odd = [masks[name] for name, paths in objects.items() if len(paths) == 1]
    if len(odd) < len(whole) and odd:
        repairs.append(
            f"masks are called like their images, but for {len(odd)} that are used for the image with which their name "
            f"begins: {few(odd)}; move those away that are none, or belong to an image that is missing"
        )
    joined = [name for name, mask in masks.items() if mask.endswith("*")]
    if joined:
        repairs.append(f"{len(joined)} images have one mask file an object, joined: {few(joined)}")
    return Pairs(masks, repairs)


def _image_of(stem: str, images: Mapping[str, Path], suffixes: tuple[str, ...], plain: bool) -> str | None:
    """Return the image that a whole mask called `stem` belongs to; `plain`: its name alone will do."""
    for name in _shorter(stem, "."):
        if plain and name in images:
            return name
        for suffix in suffixes:
            if name.endswith(suffix) and name[: len(name) - len(suffix)] in images:
                return name[: len(name) - len(suffix)]
    return None


def _object_of(stem: str, images: Mapping[str, Path]) -> str | None:
    """Return the image with the longest name that `stem` continues after a separator."""
    return next((name for name in _shorter(stem, SEPARATORS) if name in images), None)


def _shorter(stem: str, separators: str) -> Iterator[str]:
    """Yield `stem` and what is left of it before each separator, longest first."""
    yield stem
    for end in range(len(stem) - 1, 0, -1):
        if stem[end] in separators:
            yield stem[:end]


def _one(paths: list[Path], name: str, root: Path, repairs: list[str]) -> Path:
    """Return the one mask; a lossy copy of the same name beside a lossless one does not count."""
    lossless = [path for path in paths if path.suffix.casefold() not in LOSSY_SUFFIXES]
    if len(lossless) == 1 and len({path.stem for path in paths}) == 1 and len(paths) > 1:
        repairs.append(f"{relative(lossless[0], root)} is used of {few(path.name for path in truest(paths))}")
        return lossless[0]
    if len(paths) > 1:
        raise _ambiguous(name, paths, root)
    return paths[0]


def _check_alone(name: str, paths: list[Path], others: list[Path], root: Path) -> None:
    if others:
        raise _ambiguous(name, [*others, *paths], root)


def _pattern(name: str, paths: list[Path], objects: Mapping[str, list[Path]], root: Path, prefix: str) -> str:
    """Return the start that the names of an image's objects share and no other image's objects have, with a *."""
    begins = f"{prefix}{name}{readable(paths[0].stem)[len(prefix) + len(name)]}"
    others = [other for other in objects if f"{prefix}{other}".startswith(begins)]
    start = _stored_start(paths[0], begins)
    if others or not all(path.name.startswith(start) for path in paths):
        raise _ambiguous(name, [*paths, *(path for other in others for path in objects[other])], root)
    return f"{relative(paths[0].parent / start, root)}*"


def _stored_start(path: Path, begins: str) -> str:
    """Return how a file's name begins on disk: where accents are two characters each, that is longer."""
    return next(path.name[:end] for end in range(len(path.name) + 1) if readable(path.name[:end]) == begins)


def _all_that_begin(begins: str, paths: list[Path], name: str, folder: Path, root: Path) -> str:
    """Return the pattern of the files that `begins` begins, which are `paths` and no others."""
    start = _stored_start(paths[0], begins)
    found = [path for path in pictures(folder) if path.name.startswith(start)]
    if {*found} != {*paths}:
        raise _ambiguous(name, [*paths, *(path for path in found if path not in paths)], root)
    return f"{relative(folder / start, root)}*"


def numbered(stem: str, images: Mapping[str, Path], prefix: str, suffix: str | None) -> str | None:
    """Return the image of which a file called `stem` holds one object, by a number behind the suffix of the masks."""
    name = NUMBER.sub("", stem)
    if not suffix or name == stem or not (name.startswith(prefix) and name.endswith(suffix)):
        return None
    name = name.removeprefix(prefix).removesuffix(suffix)
    return name if name in images else None


def _ambiguous(name: str, paths: list[Path], root: Path) -> StudyError:
    return StudyError(
        f"image '{name}' has several masks: {few(relative(path, root) for path in paths)}",
        where=root,
        allowed="one mask an image, or one file for each object: in a folder named like the image, or all of them "
        "named like the image, '_' and more",
        remedy="move the files away that are no masks; or set layout.mask_suffix to what stands behind the image's "
        "name; or name the masks in a column 'mask' of samples.csv. A second person's masks: layout.second_suffix, or "
        "a folder of their own and layout.second_masks; of more persons: layout.annotator_suffixes, "
        "layout.annotator_masks",
    )

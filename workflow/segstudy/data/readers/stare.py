"""STARE: 20 fundus photographs, 700x605 pixels, half of them with disease, with the vessels drawn by two people.

A. Hoover, V. Kouznetsova, M. Goldbaum, "Locating blood vessels in retinal images by piecewise threshold probing of a
matched filter response", IEEE Transactions on Medical Imaging 19(3), 2000.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.pixel_limit import current
from segstudy.data.images.label_map import binary
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.annotation_files import Sample
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import folders, plain
from segstudy.data.readers.two_annotators import photographs

TITLE = "STARE"
LABELS = binary("vessel")
TASK = "segment the blood vessels in fundus photographs, half of them of diseased eyes"
SOURCE = "Hoover et al., Locating blood vessels in retinal images by piecewise threshold probing, IEEE TMI 2000"
LAYOUT = (
    "STARE/{stare-images/imNNNN.ppm, labels-ah/imNNNN.ah.ppm, labels-vk/imNNNN.vk.ppm}, packed (.ppm.gz) or not, in "
    "folders or in one; optional imNNNN_mask.png (field of view); the root at most three levels above"
)
_NAME = re.compile(r"im(\d{4})(?:[ ._-](ah|vk|mask))?", re.IGNORECASE)
_PARTS = {"ah": "mask", "vk": "second_mask", "mask": "roi", "": "image"}
_WORDS = {"mask": "labels-ah (vessels)", "second_mask": "labels-vk (vessels by a second human)"}
_TRAINING = (1, 2, 3, 4, 5, 44, 77, 81, 82, 139)
_TEST = (162, 163, 235, 236, 239, 240, 255, 291, 319, 324)


def recognises(root: Path) -> bool:
    """Return whether `root` holds photographs and vessels named as STARE's."""
    return {"image", "mask"} <= {part for _, part in _files(root)}


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield the photographs imNNNN; group is the photograph, the subset that of the usual fixed split.

    The release has no split. The fixed one of papers trains on the first 10 photographs and tests on the last 10
    (K.-K. Maninis et al., "Deep retinal image understanding", MICCAI 2016). Other photographs of STARE have no vessels
    drawn: they are unlabelled.

    Raises:
        StudyError: two files for one part of a photograph, or a packed file that cannot be unpacked.
    """
    for sample in photographs(_files(root), _WORDS, root, repairs, LAYOUT):
        number = int(sample.name[2:])
        subset = "train" if number in _TRAINING else "test" if number in _TEST else ""
        files = {part: _unpacked(getattr(sample, part)) for part in ("image", "mask", "second_mask", "roi")}
        yield sample._replace(**files, subset=subset or ("" if sample.mask else "unlabelled"), group=sample.name)


def _files(root: Path) -> dict[tuple[str, str], list[Path]]:
    """Return {(imNNNN, part): files} of everything named as in STARE, at most three folders down."""
    files: dict[tuple[str, str], list[Path]] = {}
    for folder in folders(root, 3):
        for path in sorted(folder.iterdir()):
            picture = path.with_suffix("") if _packed(path) else path
            match = _NAME.fullmatch(picture.stem.strip())
            if not match or picture.suffix.casefold() not in SUFFIXES or not path.is_file():
                continue
            if picture != path and picture.is_file():  # unpacked beside the archive
                continue
            in_folder = plain(folder.name).removeprefix("labels")
            part = (match[2] or (in_folder if in_folder in ("ah", "vk") else "")).lower()
            files.setdefault((f"im{match[1]}", _PARTS[part]), []).append(path)
    return files


def _packed(path: Path) -> bool:
    return path.suffix.casefold() == ".gz"


def _unpacked(file: Any) -> Any:
    """Return the content of a packed picture; anything else as it is.

    Raises:
        StudyError: it cannot be unpacked, or becomes larger than any picture that is read.
    """
    if not isinstance(file, Path) or not _packed(file):
        return file
    most = int(current().megapixels * 3e6) + 10_000  # three bytes a pixel, and a header
    try:
        with gzip.open(file) as packed:
            content = packed.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise StudyError(
            f"the packed picture cannot be unpacked: {error}", where=file, remedy="download the file again"
        ) from None
    if len(content) > most:
        raise StudyError(
            f"unpacked, the picture has more than {most / 1e6:.3g} MB",
            where=file,
            allowed=f"{current().megapixels:g} megapixels",
            remedy=f"raise {current().key}, if the file is to be trusted",
        )
    return content

"""CHASE_DB1: fundus photographs of both eyes of 14 children, 999x960 pixels, with the vessels drawn by two people.

C. G. Owen et al., "Measuring retinal vessel tortuosity in 10-year-old children: validation of the Computer-Assisted
Image Analysis of the Retina (CAIAR) program", Investigative Ophthalmology & Visual Science 50(5), 2009; vessels:
M. M. Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel segmentation", IEEE
Transactions on Biomedical Engineering 59(9), 2012.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.data.images.label_map import binary
from segstudy.data.readers.annotation_files import Sample
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import folders, pictures
from segstudy.data.readers.two_annotators import photographs

TITLE = "CHASE_DB1"
LABELS = binary("vessel")
TASK = "segment the blood vessels in fundus photographs of children"
SOURCE = (
    "Fraz et al., An ensemble classification-based approach applied to retinal blood vessel segmentation, IEEE TBME "
    "2012"
)
LAYOUT = (
    "CHASEDB1/{Image_NNL.jpg, Image_NNL_1stHO.png, Image_NNL_2ndHO.png}, NN 01 to 14, L and R; optional "
    "Image_NNL_mask.png (field of view); the root at most three levels above"
)
_NAME = re.compile(r"image[ _-]*(\d+)[ _-]*([lr])(?:[ _-]*(1stho|2ndho|mask))?", re.IGNORECASE)
_PARTS = {"1stho": "mask", "2ndho": "second_mask", "mask": "roi", "": "image"}
_WORDS = {"mask": "1stHO (vessels)", "second_mask": "2ndHO (vessels by a second human)"}
_LAST_TRAINING_CHILD = 10  # 20 photographs


def recognises(root: Path) -> bool:
    """Return whether `root` holds photographs and vessels named as CHASE_DB1's."""
    return {"image", "mask"} <= {part for _, part in _files(root)}


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield the photographs NNL and NNR; group is the child NN, the subset that of the usual split.

    The release has no split. Papers train on the first 20 photographs (children 01 to 10) and test on the last 8.

    Raises:
        StudyError: two files for one part of a photograph.
    """
    for sample in photographs(_files(root), _WORDS, root, repairs, LAYOUT):
        child = sample.name[:-1]
        subset = "train" if int(child) <= _LAST_TRAINING_CHILD else "test"
        yield sample._replace(subset=subset, group=child)


def _files(root: Path) -> dict[tuple[str, str], list[Path]]:
    """Return {(NNL, part): files} of everything named as in CHASE_DB1, at most three folders down."""
    files: dict[tuple[str, str], list[Path]] = {}
    for folder in folders(root, 3):
        for path in pictures(folder):
            if match := _NAME.fullmatch(path.stem.strip()):
                name = f"{int(match[1]):02d}{match[2].upper()}"
                files.setdefault((name, _PARTS[(match[3] or "").lower()]), []).append(path)
    return files

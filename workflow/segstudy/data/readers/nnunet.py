"""nnU-Net's raw data: imagesTr, labelsTr and dataset.json, of pictures; volumes are refused.

F. Isensee et al., "nnU-Net", Nature Methods 18, 2021; the layout: its documentation/dataset_format.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.annotation_files import Block, Sample, by_stem, parse_json
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import few, folders, only, pictures, relative

TITLE = "raw data of nnU-Net"
LABELS = binary("foreground")
TASK = "segment the labels of dataset.json"
SOURCE = "own data in nnU-Net's layout"
LAYOUT = "dataset.json, imagesTr/<case>_0000.png, labelsTr/<case>.png; optional imagesTs and labelsTs"

IGNORE = "ignore"  # nnU-Net's name of the label whose pixels count for nothing
_CHANNEL = re.compile(r"(.+)_(\d{4})")


def _by_name(labels: Any) -> Any:
    """Return {label: value} of what nnU-Net 1 and the Medical Segmentation Decathlon write: {value: label}."""
    if not isinstance(labels, dict) or not all(
        value.isdecimal() and isinstance(name, str) and not name.isdecimal() for value, name in labels.items()
    ):
        return labels
    values: dict[str, list[int]] = {}
    for value, name in labels.items():
        values.setdefault(name, []).append(int(value))
    return {name: several if len(several) > 1 else several[0] for name, several in values.items()}


class _Dataset(Block):
    labels: Annotated[dict[str, int | list[int]], BeforeValidator(_by_name)]
    file_ending: str = ""  # nnU-Net 1 knows but one


def recognises(root: Path) -> bool:
    """Return whether `root`, or a folder one level down, holds dataset.json and imagesTr."""
    return bool(_tops(root))


def proposal(root: Path) -> dict[str, Any]:
    """Return no further keys of a data set's block: the files say what their values mean."""
    return {}


def classes(root: Path, layout: Layout) -> dict[str, int]:
    """Return {label: its value in the masks}, as dataset.json says.

    Raises:
        StudyError: the labels are regions that overlap, or the files are volumes.
    """
    labels = _dataset(root).labels
    regions = [name for name, value in labels.items() if not isinstance(value, int)]
    if regions:
        raise StudyError(
            f"dataset.json has regions made of several labels: {few(regions)}; a pixel has one class here",
            where=_top(root) / "dataset.json",
            remedy="name the values of each class: classes: {edema: 1, core: [2, 3]}",
        )
    return {name: value for name, value in labels.items() if isinstance(value, int) and value and name != IGNORE}


def void(root: Path, layout: Layout) -> list[int]:
    """Return the value whose pixels count for nothing, where dataset.json names one."""
    value = _dataset(root).labels.get(IGNORE)
    return [value] if isinstance(value, int) else []


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield every case; one file of each channel, three of which are red, green and blue.

    Raises:
        StudyError: the files are volumes, or two files have one name.
    """
    top = _top(root)
    _dataset(root)
    for half, subset in (("Tr", ""), ("Ts", "test")):
        masks = by_stem(_folder(top, f"labels{half}"), root, repairs)
        cases: dict[str, list[Path]] = {}
        for name, path in by_stem(_folder(top, f"images{half}"), root).items():
            match = _CHANNEL.fullmatch(name)
            if match:
                cases.setdefault(match[1], []).append(path)
            else:
                repairs.append(f"{relative(path, root)} does not end in a channel, _0000, and is left out")
        lone = sorted(set(masks) - set(cases))
        if lone:
            repairs.append(f"labels{half} without an image, left out: {few(lone)}")
        for case, channels in cases.items():
            subset_of_case = subset if masks or half == "Tr" else "unlabelled"
            image = channels[0] if len(channels) == 1 else channels
            yield Sample(case, image, masks.get(case), subset_of_case)


def _tops(root: Path) -> list[Path]:
    return [path for path in folders(root, 2) if (path / "dataset.json").is_file() and (path / "imagesTr").is_dir()]


def _top(root: Path) -> Path:
    return only(_tops(root), "folders with dataset.json and imagesTr", root, LAYOUT)


def _folder(top: Path, name: str) -> Path | None:
    return top / name if (top / name).is_dir() else None


def _ending(folder: Path) -> str:
    """Return what the names of the files in a folder end in: that of a picture, if there is one."""
    files = pictures(folder) or sorted(path for path in folder.iterdir() if path.name[0] != "." and path.is_file())
    return "".join(files[0].suffixes[-2:] if files[0].suffix == ".gz" else files[0].suffix) if files else "nothing"


def _dataset(root: Path) -> _Dataset:
    path = _top(root) / "dataset.json"
    dataset = parse_json(path, _Dataset, "nnU-Net dataset.json")
    ending = dataset.file_ending or _ending(path.parent / "imagesTr")
    if ending.casefold() not in SUFFIXES:
        raise StudyError(
            f"the files end in {ending}: volumes, or a format that is not read",
            where=path,
            allowed=", ".join(SUFFIXES),
            remedy="export slices as pictures, those of one volume in one group (layout.group_pattern)",
        )
    return dataset

"""Look at any folder and propose how a study reads it: reader, layout, meaning of values, groups, sizes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.config.classes_in_files import with_classes
from segstudy.config.datasets import CLASSES_IN_FILES, CONVERTED, WITH_LAYOUT
from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.convert import convert
from segstudy.data.images.label_map import Labels, looks_inverted, read_ids
from segstudy.data.index import build_index
from segstudy.data.inspect_files import decode
from segstudy.data.name_groups import Groups, guess_groups
from segstudy.data.readers.registry import labels_of, reader_module
from segstudy.data.scale import Scale, choose_scale, thinnest_tenth
from segstudy.data.value_maps import ZERO

LOOKED_AT = 200  # images whose masks are decoded; more are sampled evenly
THICKNESS_OF = 24  # masks whose thickness is measured
MOST_CLASSES = 24
VOID = "255"


class Option(NamedTuple):
    """One answer to a question: keys of the data set's config, and what they mean."""

    keys: dict[str, Any]
    meaning: str


class Question(NamedTuple):
    """Something that the files do not tell."""

    text: str
    options: tuple[Option, ...]


class Proposal(NamedTuple):
    """What a folder holds, and the keys of a data set that reads it."""

    reader: str
    title: str
    layout: dict[str, Any]
    rows: pd.DataFrame  # index.csv
    several: bool  # whether there is more than one foreground class
    keys: dict[str, Any]  # keys that the files tell, such as classes or above_zero
    said: dict[str, str]  # key -> what was seen
    questions: tuple[Question, ...]
    groups: Groups | None
    scale: Scale
    repairs: tuple[str, ...]


def propose(root: Path, reader: str, layout: Layout, threads: int = 1) -> Proposal:
    """Read the files under `root` and say what they ask of a data set's config. Nothing is left on disk.

    Raises:
        StudyError: as `index.build_index` and `convert.convert`.
    """
    with tempfile.TemporaryDirectory(prefix="segstudy-") as temporary:
        if reader not in CONVERTED:
            return _propose(root, root, reader, layout, threads)
        converted = Path(temporary, "converted")
        convert(reader, root, layout, converted, "images")
        return _propose(root, converted, reader, layout, threads)


def _propose(root: Path, files: Path, reader: str, layout: Layout, threads: int) -> Proposal:
    """Return the proposal for `root`, whose images and masks lie in `files`."""
    module = reader_module(reader)
    if reader == "folder" and _holds_stacks(root, layout):
        layout = layout.model_copy(update={"pages": True})
    rows = build_index(reader, files, layout=layout, dataset="images", threads=threads)
    labelled = rows[rows["mask"] != ""]
    places = np.unique(np.linspace(0, len(labelled) - 1, min(LOOKED_AT, len(labelled))).astype(int))
    chosen = labelled.iloc[places].reset_index(drop=True)
    keys: dict[str, Any] = module.proposal(root) if hasattr(module, "proposal") else {}
    said = dict.fromkeys(keys, "values of the masks; rename them")
    questions: list[Question] = []
    settings = _named_in_files(root, reader, layout, keys)
    labels = labels_of(reader, **settings)
    if settings.get("classes") and not keys:
        said["reader"] = "classes in the files: " + ", ".join(labels.foreground)
    elif not keys:
        keys, said, questions = _meaning(labels, decode(chosen, files, labels, threads).samples)
        labels = labels_of(reader, **keys)
    sizes = list(zip(rows["width"], rows["height"], strict=True))
    return Proposal(
        reader=reader,
        title=module.TITLE,
        layout=layout.model_dump(exclude_defaults=True),
        rows=rows,
        several=labels.several,
        keys=keys,
        said=said,
        questions=tuple(questions),
        groups=None if (rows["group"] != "").any() or reader not in WITH_LAYOUT else guess_groups(list(rows["sample"])),
        scale=choose_scale(sizes, _thinnest(chosen, files, labels)),
        repairs=tuple(rows.attrs.get("repairs", [])),
    )


def _named_in_files(root: Path, reader: str, layout: Layout, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return `classes` and `ignore` of a data set as its own files say; empty where its reader does not ask them."""
    if reader not in CLASSES_IN_FILES:
        return dict(keys)
    entry = {"reader": reader, "root": str(root), "layout": layout.model_dump(exclude_defaults=True), **keys}
    block = with_classes("images", entry, str(root), [])
    return {key: block[key] for key in ("classes", "ignore") if block.get(key)}


def _holds_stacks(root: Path, layout: Layout) -> bool:
    """Return whether the first image is a TIFF or GIF of several pages: each page is an image then."""
    from segstudy.data.images.decode import opened

    with opened(root / str(reader_module("folder").index(root, layout)["image"].iloc[0])) as image:
        return image.format in ("TIFF", "GIF") and getattr(image, "n_frames", 1) > 1


def _thinnest(rows: pd.DataFrame, root: Path, labels: Labels) -> float | None:
    """Return the median over masks of the thickness of the thinnest tenth of their objects."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(THICKNESS_OF, len(rows))).astype(int))
    found = []
    for path in rows["mask"].iloc[places]:
        try:
            thickness = thinnest_tenth(read_ids(root / path, labels).array > 0)
        except StudyError:
            continue
        if thickness is not None:
            found.append(thickness)
    return float(np.median(found)) if found else None


def _meaning(labels: Labels, samples: pd.DataFrame) -> tuple[dict[str, Any], dict[str, str], list[Question]]:
    """Return keys that say what the values of the masks mean, what was seen, and what has to be asked."""
    if labels.values or labels.several:
        return {}, {}, []
    masks = [_counts(text) for text in samples["mask_counts"] if isinstance(text, str) and text]
    files = Counter(value for counts in masks for value in counts)
    objects = sorted((value for value in files if value not in ZERO), key=_order)
    most = int(pd.to_numeric(samples["mask_values"], errors="coerce").max() or 0)
    if (len(objects) <= 1 and most <= 2) or (set(objects) <= {"1", VOID} and not _together(masks, "1", VOID)):
        return _inverted(samples, labels)
    spelt = f"values {', '.join(objects[:MOST_CLASSES])}{' ...' if len(objects) > MOST_CLASSES else ''} beside 0"
    if most > MOST_CLASSES or _numbered(masks, objects):
        return {"above_zero": True}, {"above_zero": f"{spelt}: numbered objects; all that is not 0 is object"}, []
    rest = [value for value in objects if value != VOID]
    classes = {f"class_{value.lstrip('#')}": _value(value) for value in objects}
    named = {f"class_{value.lstrip('#')}": _value(value) for value in rest}
    if VOID in objects and len(rest) > 1:
        keys = {"classes": named, "ignore": 255}
        return keys, {"classes": f"{spelt}; rename them", "ignore": "255 beside classes: void, as in VOC"}, []
    options = [Option({"classes": classes}, "several kinds of objects")]
    if VOID in objects:
        options.append(
            Option({"ignore": 255}, f"one kind of object, {rest[0]}; 255 is a border that counts for nothing")
        )
    options.append(Option({"above_zero": True}, "one kind of object: all that is not 0"))
    if VOID not in objects and all(files[value] > len(masks) / 4 for value in objects):
        return {"classes": classes}, {"classes": f"{spelt}, the same in most masks; rename them"}, []
    return {}, {}, [Question(f"The masks hold {spelt}. What do they mean?", tuple(options))]


def _inverted(samples: pd.DataFrame, labels: Labels) -> tuple[dict[str, Any], dict[str, str], list[Question]]:
    finding = looks_inverted(samples, labels)
    if not finding:
        return {}, {}, []
    options = (
        Option({"inverted": True}, "the dark pixels are the object"),
        Option({}, "the bright pixels are the object, although they are most of the border"),
    )
    return {}, {}, [Question(f"{finding.partition(';')[0]}. Which pixels are the object?", options)]


def _counts(text: str) -> Mapping[str, int]:
    return {value: int(count) for value, _, count in (part.rpartition("=") for part in text.split())}


def _together(masks: Sequence[Mapping[str, int]], first: str, second: str) -> bool:
    return any(first in counts and second in counts for counts in masks)


def _numbered(masks: Sequence[Mapping[str, int]], objects: Sequence[str]) -> bool:
    """Return whether masks number their objects 1, 2, 3, ...: each without a gap, and not all equally many."""
    numbers = [sorted(int(v) for v in counts if v.isdecimal() and v != "0") for counts in masks]
    gapless = all(values == list(range(1, len(values) + 1)) for values in numbers)
    return gapless and len(objects) > 3 and len({len(values) for values in numbers}) > 2


def _order(value: str) -> tuple[bool, int, str]:
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value


def _value(value: str) -> int | str:
    return int(value) if value.isdecimal() else value

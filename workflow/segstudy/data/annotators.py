"""Masks of several annotators: the one that they have in common, and how an index names them.

`truth:` of a data set says which mask is learned and measured. What several have in common is computed once, by rule
`convert`: column `mask` of the index is the joined mask, `mask_1` the first annotator's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.core.files import write_picture
from segstudy.core.names import annotator_columns
from segstudy.core.progress import track
from segstudy.data.images.label_map import Labels, known_labels
from segstudy.data.images.read_masks import number
from segstudy.data.readers.discovery import few

SHOWN = 10  # problems that a message names
JOINED = "joined"  # folder of the joined masks


class Drawn(NamedTuple):
    """One annotator's mask, (H, W) each."""

    ids: NDArray[np.uint8]  # 0: background, 1 to K: the foreground classes
    void: NDArray[np.bool_] | None  # True where the annotator says nothing; None: nowhere


def drawn_by(row: Mapping[Any, Any], root: Path, labels: Labels) -> dict[int, Drawn]:
    """Return the mask of every annotator of an image, by the annotator's number from 1.

    Args:
        row: of index.csv.
        root: of the data set.
        labels: of the data set.

    Raises:
        StudyError: a mask cannot be read, or two differ in size.
    """
    drawn: dict[int, Drawn] = {}
    for annotator, column in annotator_columns(row).items():
        if not row.get(column):
            continue
        ids = known_labels(root / row[column], labels)
        drawn[annotator] = Drawn(ids.array, ids.void)
        first = next(iter(drawn.values())).ids
        if ids.array.shape != first.shape:
            (height, width), (rows, columns) = ids.array.shape, first.shape
            raise StudyError(
                f"the masks of two annotators differ in size: {width}x{height} and {columns}x{rows} (width x height)",
                where=root / row[column],
                allowed="one size for all masks of an image",
                remedy="mend the file that is wrong",
            )
    return drawn


def joined(masks: Sequence[Drawn], truth: str) -> Drawn:
    """Return what several annotators have in common.

    A pixel counts an annotator who says something there: n of them, k of whom call it foreground. It is foreground for
    `union` where k > 0, for `intersection` where k = n, for `majority` where k > n / 2, so that a tie is background; of
    two annotators majority is intersection. Of several classes each is asked for by itself, and at most one of them can
    have more than half, or all; where none has, the pixel is background. `staple` estimates sensitivity and specificity
    of each annotator and the probability of foreground together, by expectation maximisation over the whole frame, with
    the mean share of foreground as prior (S. K. Warfield et al., "Simultaneous truth and performance level estimation
    (STAPLE)", IEEE TMI 23(7), 2004); foreground is where it is above 0.5. What is void to one is background for it.
    Where n = 0, the result is void.

    Args:
        masks: of one image and one size.
        truth: `majority` or `intersection`; of one foreground class also `union` or `staple`.

    Raises:
        StudyError: `staple` is asked for and SimpleITK is not installed.
    """
    says = [np.ones(one.ids.shape, bool) if one.void is None else ~one.void for one in masks]
    voters = np.sum(says, axis=0, dtype=np.int64)
    ids = np.zeros(voters.shape, np.uint8)
    for of_class in sorted({int(value) for one in masks for value in np.unique(one.ids)} - {0}):
        marked = [(one.ids == of_class) & said for one, said in zip(masks, says, strict=True)]
        if truth == "staple":
            mask = _staple(marked)
        else:
            votes = np.sum(marked, axis=0, dtype=np.int64)
            mask = {"majority": 2 * votes > voters, "union": votes > 0, "intersection": votes == voters}[truth]
        ids[mask & (voters > 0)] = of_class
    return Drawn(ids, voters == 0 if any(one.void is not None for one in masks) else None)


def _staple(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return where SimpleITK's STAPLE gives foreground a probability above 0.5."""
    sitk = simple_itk()
    if len({mask.tobytes() for mask in masks}) == 1:  # nothing to estimate; of empty masks STAPLE is not defined
        return masks[0].copy()
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
    return np.asarray(sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0)) > 0.5)


def simple_itk() -> ModuleType:
    """Return the library SimpleITK.

    Raises:
        StudyError: it is not installed.
    """
    try:
        return importlib.import_module("SimpleITK")
    except ImportError:
        raise StudyError(
            "truth: staple needs SimpleITK, which is not installed",
            allowed="first, majority, union and intersection need nothing more",
            remedy="pip install 'segstudy[staple]'",
        ) from None


def join_masks(
    rows: Sequence[Mapping[Any, Any]], folder: Path, labels: Labels, truth: str
) -> tuple[list[dict[Any, Any]], list[str]]:
    """Write the joined mask of every image that several annotators have drawn.

    Args:
        rows: of an index, whose files lie below `folder`.
        folder: of the converted data set; the masks go into its folder `joined`.
        labels: of the data set: how its masks are read, and so how the joined ones are written.
        truth: see `joined`.

    Returns:
        The rows, `mask` naming the joined mask and `mask_1` the first annotator's own; an image that one annotator has
        drawn has that mask as both. And the sentences that the data card says of it.

    Raises:
        StudyError: no image has two masks, SimpleITK is needed and missing, or masks cannot be read or differ in size;
            the message names the first ten.
    """
    result: list[dict[Any, Any]] = []
    problems, alone = [], []
    several = 0
    (folder / JOINED).mkdir()
    if truth == "staple":
        simple_itk()
    for row in track(rows, f"truth: {truth}", total=len(rows)):
        names = {k: row[column] for k, column in annotator_columns(row).items() if row.get(column)}
        own = dict(row) | {"mask_1": row["mask"], "mask": next(iter(names.values()), "")}
        if len(names) > 1:
            several += 1
            own["mask"] = f"{JOINED}/{row['sample']}.png"
            try:
                mask = joined([*drawn_by(row, folder, labels).values()], truth)
                write_picture(folder / own["mask"], _encoded(mask, labels))
            except StudyError as error:
                problems.append(f"{row['sample']}: {error.what}")
        elif names:
            alone.append(str(row["sample"]))
        result.append(own)
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise StudyError(
            f"truth: {truth} cannot join the masks of {len(problems)} of {several} images:\n  "
            + "\n  ".join(problems[:SHOWN])
            + more,
            where=folder,
            remedy="mend these masks, or leave 'truth' out of the data set's block: the first annotator's masks count",
        )
    if not several:
        raise StudyError(
            f"truth: {truth} joins the masks of several annotators, and no image has more than one mask",
            where=folder,
            remedy="name the masks of a second annotator (layout.second_masks, layout.annotator_masks, or a column "
            "second_mask of samples.csv), or leave 'truth' out of the data set's block",
        )
    said = [f"masks of several annotators are joined by {truth} in {several} of {len(rows)} images"]
    said += [f"one annotator's mask counts in {len(alone)} of {len(rows)} images: {few(alone)}"] * bool(alone)
    return result, said


def _encoded(drawn: Drawn, labels: Labels) -> Image.Image:
    """Return a mask as a picture of the values by which `labels` reads it back."""
    by_colour = any(isinstance(value, str) for group in (*labels.values, labels.void) for value in group)
    void = [number(value) for value in labels.void]
    if labels.values:
        values = [number(group[0]) if group else void[0] for group in labels.values]
    else:
        white = 0xFFFFFF if by_colour else 255
        dark = next(value for value in (0, *range(2, white)) if value not in void)  # 1 alone would be foreground
        bright = next(value for value in range(white, 0, -1) if value not in void)
        values = [bright, dark] if labels.inverted else [dark, bright]
    array = np.array(values)[drawn.ids]
    if drawn.void is not None:
        array = np.where(drawn.void, void[0], array)
    if by_colour:
        return Image.fromarray(np.stack([array >> shift & 0xFF for shift in (16, 8, 0)], axis=2).astype(np.uint8))
    return Image.fromarray(array.astype(np.uint8 if array.max(initial=0) < 256 else np.uint16))

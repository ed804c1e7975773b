"""Compare the orientations that image and mask files note (EXIF, TIFF), and whether they fit as stored or turned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segstudy.core.errors import StudyError
from segstudy.data.images.orientation import orientation_of, turned_upright
from segstudy.data.images.read import files_of
from segstudy.data.images.thumbnails import thumbnail

CLEAR = 0.1  # difference of likeness that decides for one image
SURE = 3.0  # standard errors that decide for several


def notes_of(
    root: Path, row: dict[Any, Any], size: tuple[int, ...], mask: NDArray[np.uint8], small: NDArray[np.float32]
) -> dict[str, Any]:
    """Return what image and mask of a sample note, and how well they fit.

    Args:
        root: of the data set.
        row: of index.csv.
        size: (height, width) of the image as stored.
        mask: class ids (h, w) as stored.
        small: thumbnail of the image as stored, all 0 where it could not be read.

    Returns:
        `image_turn`, `mask_turn` (1: upright); where they differ also `fits` (whether the sizes are equal as stored,
        and turned) and `gain` (by how much more alike the contents are turned than as stored).
    """
    turns = [_noted(root / row["image"]), _noted(root / row["mask"])]
    notes: dict[str, Any] = {"image_turn": turns[0], "mask_turn": turns[1]}
    if turns[0] == turns[1]:
        return notes
    sizes = [size[::-1] if turns[0] >= 5 else size, mask.shape[::-1] if turns[1] >= 5 else mask.shape]
    notes["fits"] = size == mask.shape, sizes[0] == sizes[1]
    there = thumbnail((mask > 0).astype(np.uint8) * np.uint8(255))
    turned = [np.asarray(turned_upright(picture, turn)) for picture, turn in zip((small, there), turns, strict=True)]
    notes["gain"] = _likeness(*turned) - _likeness(small, there)
    return notes


def settle(records: Sequence[dict[str, Any]]) -> None:
    """Add a problem to each record whose files note different orientations and do not plainly fit as they are stored.

    Where the sizes fit both ways, the contents of all such samples together decide; see `_verdict`.
    """
    both = [record for record in records if record.get("fits") == (True, True)]
    verdict = _verdict([record["gain"] for record in both])
    for record in records:
        fits = record.get("fits")
        if fits == (False, True):
            said = "their sizes are equal only where the notes are obeyed"
            others = [p for p in record["problem"].split("; ") if not p.startswith("size_mismatch: mask ")]
            record["problem"] = "; ".join(filter(None, others))
        elif fits == (True, True) and verdict:
            said = verdict
        else:
            continue
        image, mask = (_words(record[key]) for key in ("image_turn", "mask_turn"))
        problem = f"orientation: the image notes {image}, the mask {mask}: {said}"
        record["problem"] = "; ".join(filter(None, [record["problem"], problem]))


def remark(turns: Iterable[Iterable[float]], orientation: str) -> str:
    """Return a sentence about the notes of images and masks, empty where there are none."""
    counts = [sum(turn > 1 for turn in part) for part in turns]
    if not any(counts):
        return ""
    done = "turned upright" if orientation == "apply" else "all pixels are taken as stored"
    return f"{counts[0]} images and {counts[1]} masks note that they lie on their side or head (EXIF, TIFF): {done}"


def _noted(path: Path) -> int:
    try:
        return orientation_of(files_of(path)[0])
    except (StudyError, IndexError):
        return 1


def _words(turn: int) -> str:
    return "nothing" if turn == 1 else f"orientation {turn} (EXIF)"


def _verdict(gains: Sequence[float]) -> str:
    """Return what the contents tell, in words; empty where image and mask fit as they are stored."""
    if not gains:
        return ""
    mean = float(np.mean(gains))
    error = float(np.std(gains, ddof=1) / np.sqrt(len(gains))) if len(gains) > 2 else np.inf
    clear = abs(mean) > SURE * error or (min(map(abs, gains)) > CLEAR and len({gain > 0 for gain in gains}) == 1)
    if not clear:
        return "whether they belong together as stored, or turned as noted, cannot be told from their contents"
    return "their contents fit where the notes are obeyed, and not as they are stored" if mean > 0 else ""


def _likeness(picture: NDArray[np.float32], mask: NDArray[np.float32]) -> float:
    """Return how much of the object is brighter or darker, and how well its border lies on edges of the picture."""
    edges = [np.hypot(*np.gradient(one)) for one in (picture, mask)]
    return abs(_correlation(picture, mask)) + _correlation(*edges)


def _correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    a, b = first - first.mean(), second - second.mean()
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length > 0 else 0.0

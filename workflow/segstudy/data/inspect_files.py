"""Decode every file of a data set once: encodings, shares of foreground, colours, thumbnails, problems."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segstudy.core.errors import StudyError
from segstudy.core.names import FILE_COLUMNS, file_columns
from segstudy.core.progress import track
from segstudy.data.images.label_map import Ids, Labels, binary, read_ids, spelt
from segstudy.data.images.read import read_picture
from segstudy.data.images.read_masks import NoClassValues
from segstudy.data.images.reading import reading_of
from segstudy.data.images.thumbnails import SIDE, thumbnail
from segstudy.data.orientation_notes import notes_of, settle

# A mask with a larger share of half-tones is none. Seen: soft-edged masks of EBHI-SEG up to 0.06, lossy JPEG masks of
# PH2 0.00; photographs taken for masks 0.08 to 1.0, on average 0.56 (DRIVE) to 0.90 (EBHI-SEG).
HALFTONES = 0.2
FLAT = 0.01  # share of a lossy mask in flat areas between black and white: no edges of the objects

# The columns of samples.csv; the encodings of the other masks and the second human's Dice are for the card alone.
SAMPLE_COLUMNS = (
    *("sample", "readable", "problem", "mask_mode", "mask_values"),
    *("foreground", "foreground_border", "foreground_roi", "roi_share", "red", "green", "blue"),
    *("mask_counts", "classes"),
)
VOID_COLUMN = "void"  # of samples.csv too, where masks may hold void: its share of the mask
_FIELD = binary("inside")  # how fields of view are read
MOST_COUNTS = 32  # values of a mask that are written down, the most frequent ones
# Parts of 255: images of more than 8 bits whose brightest (darkest) thousandth is not above (below) are black (white).
DARK, BRIGHT = 24, 231
CARD_COLUMNS = ("image_turn", "mask_turn", "image_mode", "roi_mode", "second_mask_mode", "second_dice")


def further_masks(index: pd.DataFrame) -> list[str]:
    """Return the columns of an index beyond those that every one has: masks of further annotators."""
    return file_columns(index)[len(FILE_COLUMNS) :]


class Decoded(NamedTuple):
    """Results of decoding all files of N samples."""

    samples: pd.DataFrame  # one row per index row, `SAMPLE_COLUMNS` and `CARD_COLUMNS`
    thumbnails: NDArray[np.float32]  # (N, 64, 64); 0 where the image is unreadable
    pixels: NDArray[np.int64]  # (N, ids): pixels of each id in the mask, background first; 0 without a fitting mask


def decode(index: pd.DataFrame, root: Path, labels: Labels, threads: int) -> Decoded:
    """Decode every file of an index.

    A file that cannot be read, a mask whose size is not its image's, a mask that is mostly half-tones or holds values
    that are no class: each is a row with `problem` text, never an error. Each thread holds the files of one sample at
    a time. Shares and pixels are those of the pixels that count: void is left out.
    """
    rows = index.to_dict("records")
    thumbnails = np.zeros((len(rows), SIDE, SIDE), np.float32)
    pixels = np.zeros((len(rows), len(labels.names)), np.int64)

    def work(position: int) -> dict[str, Any]:
        return _sample(rows[position], root, labels, thumbnails[position], pixels[position])

    with ThreadPoolExecutor(threads) as pool:
        records = list(track(pool.map(work, range(len(rows))), "decoding", total=len(rows)))
    if not labels.orientation:
        settle(records)
    _compare_palettes(records)
    further = [name for column in further_masks(index) for name in (f"{column}_mode", f"{column}_dice")]
    columns = [*SAMPLE_COLUMNS, *([VOID_COLUMN] if labels.void else []), *CARD_COLUMNS, *further]
    return Decoded(pd.DataFrame(records, columns=columns), thumbnails, pixels)


def _sample(
    row: dict[Any, Any], root: Path, labels: Labels, small: NDArray[np.float32], pixels: NDArray[np.int64]
) -> dict[str, Any]:
    problems: list[str] = []
    parts = file_columns(row)
    record: dict[str, Any] = {"sample": row["sample"], **dict.fromkeys((f"{part}_mode" for part in parts), "")}
    size = _image(row, root, small, record, problems)
    masks: dict[str, NDArray[np.bool_]] = {}
    void = None
    field = _FIELD._replace(orientation=labels.orientation)
    for part in parts[1:]:
        mask = _mask(row, part, root, field if part == "roi" else labels, size, problems)
        if mask is not None:
            record[f"{part}_mode"] = f"{mask.mode}: {mask.note}"
            record.setdefault("palettes", {})[part] = mask.palette
            if part == "mask":
                record["mask_values"] = mask.values
                record["mask_counts"] = _counts(mask)
                record |= notes_of(root, row, size, mask.array, small)
            if mask.array.shape == size:
                masks[part] = mask.array > 0
                if part == "roi" and not mask.array.any():
                    problems.append(f"roi_empty: no pixel of {row[part]} lies inside the field of view")
                if part == "mask":
                    void = mask.void
                    counted = mask.array.ravel() if void is None else mask.array[~void]
                    pixels[:] = np.bincount(counted, minlength=len(pixels))
    if void is not None:
        record[VOID_COLUMN] = round(float(void.mean()), 6)
        if not (masks["roi"] & ~void if "roi" in masks else ~void).any():
            where = " inside the field of view" if "roi" in masks else ""
            problems.append(f"mask_constant: no pixel of the mask{where} counts: all are void")
    record |= _shares(masks, void)
    if labels.several:
        record["classes"] = " ".join(name for name, count in zip(labels.foreground, pixels[1:], strict=True) if count)
    record["readable"] = int(not any(problem.startswith("unreadable") for problem in problems))
    record["problem"] = "; ".join(problems)
    return record


def _compare_palettes(records: list[dict[str, Any]]) -> None:
    """Note where an index that stands for a class, or for void, has another colour than in the person's first masks."""
    first: dict[tuple[str, int], tuple[str, str]] = {}
    for record in records:
        palettes = record.get("palettes", {}).items()
        for part, index, colour in ((part, *pair) for part, palette in palettes for pair in palette.items()):
            before, sample = first.setdefault((part, index), (colour, record["sample"]))
            if colour != before:
                problem = (
                    f"no_class_values: palette index {index} is {colour} in this file and {before} in that of "
                    f"{sample}, so the index stands for nothing"
                )
                record["problem"] = "; ".join(filter(None, [record["problem"], problem]))
                break


def _image(
    row: dict[Any, Any], root: Path, small: NDArray[np.float32], record: dict[str, Any], problems: list[str]
) -> tuple[int, ...]:
    """Describe the image of a row in its record and thumbnail; return its (height, width)."""
    try:
        image, mode, note, scaled = read_picture(root / row["image"], reading_of(row))
    except StudyError as error:
        problems.append(f"unreadable: image {row['image']}: {error.what}")
        return row["height"], row["width"]
    record["image_mode"] = f"{mode}: {note}"
    small[:] = thumbnail(image)
    if scaled:
        problems += _black_or_white(image, row)
    for channel, colour in enumerate(("red", "green", "blue")):
        record[colour] = round(float(image[..., channel].mean()), 4)
    return image.shape[:2]


def _mask(
    row: dict[Any, Any], part: str, root: Path, labels: Labels, size: tuple[int, ...], problems: list[str]
) -> Ids | None:
    if not row[part]:
        return None
    try:
        mask = read_ids(root / row[part], labels)
    except NoClassValues as error:
        problems.append(f"no_class_values: {part} {row[part]}: {error.what}")
        return None
    except StudyError as error:
        problems.append(f"unreadable: {part} {row[part]}: {error.what}")
        return None
    if mask.array.shape != size:
        height, width = mask.array.shape
        problems.append(f"size_mismatch: {part} is {width}x{height}, image {size[1]}x{size[0]}")
    if mask.between > HALFTONES and not mask.value_map:
        problems.append(f"mask_not_binary: {mask.between:.0%} of the pixels of the {part} are half-tones")
    elif mask.flat > FLAT:
        problems.append(
            f"mask_not_binary: {mask.flat:.0%} of the pixels of the {part} are grey areas between black and white: "
            "values that a lossy file does not keep"
        )
    if mask.unknown:
        stray = f"{row[part]} holds {spelt(mask.unknown)} ({mask.stray:.2%} of its pixels)"
        problems.append(f"unknown_label: {stray}, which is no class")
    return mask


def _black_or_white(image: NDArray[np.uint8], row: dict[Any, Any]) -> list[str]:
    """Return a problem where a scaled image (H, W, 3) shows next to nothing."""
    darkest, brightest = np.percentile(image, (0.1, 99.9), method="nearest")
    if brightest > DARK and darkest < BRIGHT:
        return []
    tone, value = ("black", f"at most {brightest}") if brightest <= DARK else ("white", f"at least {darkest}")
    return [f"image_range: {row['image']} becomes nearly {tone}: 99.9% of it is {value} of 255, by {row['reading']}"]


def _counts(mask: Ids) -> str:
    """Return the pixels of each value of a mask, as `value=pixels` with spaces between."""
    counts = sorted(mask.counts.items(), key=lambda item: -item[1])[:MOST_COUNTS]
    return " ".join(f"{value}={count}" for value, count in counts)


def _shares(masks: dict[str, NDArray[np.bool_]], void: NDArray[np.bool_] | None) -> dict[str, float]:
    """Return the shares of samples.csv and the Dice of the mask with those of other annotators.

    Each is there where its masks are and fit, and pixels count.
    """
    shares: dict[str, float] = {}
    mask, roi = masks.get("mask"), masks.get("roi")
    if mask is not None:
        counted = np.ones(mask.shape, bool) if void is None else ~void
        edges = (np.s_[:1], np.s_[-1:], np.s_[1:-1, :1], np.s_[1:-1, -1:])
        border, inside = (np.concatenate([part[edge].ravel() for edge in edges]) for part in (counted, mask & counted))
        for name, among, of in (("foreground", mask & counted, counted), ("foreground_border", inside, border)):
            if of.any():
                shares[name] = np.count_nonzero(among) / np.count_nonzero(of)
        if roi is not None and (roi & counted).any():
            shares["foreground_roi"] = np.count_nonzero(mask & roi & counted) / np.count_nonzero(roi & counted)
        for part in masks.keys() - {"mask", "roi"}:
            other = masks[part] & counted
            both = np.count_nonzero(mask & counted) + np.count_nonzero(other)
            name = "second_dice" if part == "second_mask" else f"{part}_dice"
            shares[name] = 2 * np.count_nonzero(mask & other) / both if both else 1.0
    if roi is not None:
        shares["roi_share"] = float(roi.mean())
    return {name: round(value, 6) for name, value in shares.items()}

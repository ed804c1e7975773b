"""The map from values in mask files to class ids.

Everywhere else a mask holds ids: 0 is background, 1 to K the foreground classes, whatever values the files hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segstudy.config.class_names import BACKGROUND
from segstudy.core.errors import StudyError
from segstudy.data.images.orientation import as_noted
from segstudy.data.images.read_masks import NoClassValues, number, read_colours, read_labels, read_mask

Value = int | str  # a grey value or palette index, or a colour as "#rrggbb"
Colour = tuple[int, int, int]

# For classes that come without colours of their own: Okabe and Ito's, told apart by every kind of colour vision; more
# classes than these repeat them darker.
PALETTE: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
    *((0, 114, 178), (213, 94, 0), (204, 121, 167)),
)


class Labels(NamedTuple):
    """How the mask files of a data set are read; every tuple has one entry for each id, background first."""

    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...] = ()  # empty: binary masks, read as `images.read_mask` says
    colours: tuple[Colour, ...] = ()  # for pictures
    inverted: bool = False  # binary masks whose foreground is dark
    above_zero: bool = False  # binary masks: 0 is background, every other value foreground
    orientation: str = ""  # `orientation:` of the config: of the notes of files (EXIF), "" where it says nothing
    strays: bool = False  # values that are no class are known to the config, and count as background
    void: tuple[Value, ...] = ()  # values whose pixels count for nothing: no loss, no metric

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names of the foreground classes."""
        return self.names[1:]

    @property
    def upright(self) -> bool:
        """Whether masks are turned as their files note."""
        return self.orientation == "apply"

    @property
    def several(self) -> bool:
        """Whether there is more than one foreground class."""
        return len(self.names) > 2


class Ids(NamedTuple):
    """A mask as class ids, and how it was decoded."""

    array: NDArray[np.uint8]  # (H, W)
    mode: str  # format and Pillow mode of the file
    note: str  # the rule that was applied
    values: int  # number of distinct values in the file
    between: float  # share of half-tones of a binary mask; 0 for several classes
    unknown: tuple[Value, ...]  # values in the file that are no class; their pixels are background here
    stray: float  # share of such pixels
    counts: Mapping[Value, int] = {}  # see `images.read_masks.Mask`
    value_map: bool = False
    void: NDArray[np.bool_] | None = None  # (H, W), True where a pixel counts for nothing; None: all count
    flat: float = 0.0  # see `images.read_masks.Mask`
    palette: Mapping[int, str] = {}  # see `images.read_masks.LabelFile`


def binary(name: str, inverted: bool = False) -> Labels:
    """Return the labels of a data set with one foreground class."""
    return Labels((BACKGROUND, name), colours=colours(2), inverted=inverted)


def several(
    classes: Mapping[str, Value | Sequence[Value]],
    background: Value | Sequence[Value] = 0,
    void: Value | Sequence[Value] = (),
) -> Labels:
    """Return the labels of a data set with the given foreground classes and the values that stand for each.

    A class called `background` is none: its values stand for the background. Values of `void` stand for no class: where
    the background's are among them, no pixel is background.
    """
    foreground = {name: values for name, values in classes.items() if name != BACKGROUND}
    groups = [classes.get(BACKGROUND, background), *foreground.values()]
    labels = Labels((BACKGROUND, *foreground), tuple(map(_tuple, groups)), colours(len(groups)))
    return with_void(labels, void)


def with_void(labels: Labels, void: Value | Sequence[Value]) -> Labels:
    """Return the labels with these void values, which then stand for no class."""
    numbers = {number(value) for value in _tuple(void)}
    kept = tuple(tuple(value for value in group if number(value) not in numbers) for group in labels.values)
    return labels._replace(values=kept, void=_tuple(void))


def _tuple(values: Value | Sequence[Value]) -> tuple[Value, ...]:
    return (values,) if isinstance(values, int | str) else tuple(values)


def colours(count: int) -> tuple[Colour, ...]:
    """Return `count` colours to draw classes with, black for the background first."""
    repeated = []
    for index in range(count - 1):
        turn, place = divmod(index, len(PALETTE))
        red, green, blue = (round(channel * 0.6**turn) for channel in PALETTE[place])
        repeated.append((red, green, blue))
    return ((0, 0, 0), *repeated)


def read_ids(path: str | Path, labels: Labels) -> Ids:
    """Read a mask file as class ids, uint8 (H, W); values that are no class are named and become background.

    Void pixels are marked, and background in `array`; `values` does not count their values.

    Raises:
        StudyError: the file cannot be read, holds colours where values are mapped, or stands for several files.
    """
    if not labels.values:
        mask = read_mask(path, labels.inverted, labels.above_zero, labels.void, labels.upright)
        read = (mask.mode, mask.note, mask.values, mask.between)
        found = Ids(mask.array.astype(np.uint8), *read, (), 0.0, mask.counts, mask.value_map, mask.void, mask.flat)
        return found._replace(palette=mask.palette)
    if Path(path).name.endswith("*"):
        raise NoClassValues(
            "several mask files of one image are one mask of one class; values that are classes stand in one file",
            where=path,
            remedy="write the classes of an image into one file, or take 'classes' out of the data set's block",
        )
    by_colour = any(isinstance(value, str) for group in labels.values for value in group)
    stored, mode, palette = (*read_colours(path), {}) if by_colour else read_labels(path)
    stored = as_noted(stored, path, labels.upright)
    void_values = [number(value) for value in labels.void]
    void = np.isin(stored, void_values) if void_values else None
    present = [value for value in np.unique(stored).tolist() if value not in void_values]
    id_of = {number(value): index for index, group in enumerate(labels.values) for value in group}
    unknown = tuple(f"#{value:06x}" if by_colour else int(value) for value in present if value not in id_of)
    array = np.zeros(stored.shape, np.uint8)
    strays = stored.size if void is None else int(np.count_nonzero(~void))
    for value in present:
        if value in id_of:
            pixels = stored == value
            array[pixels] = id_of[value]
            strays -= int(np.count_nonzero(pixels))
    note = "colours are classes" if by_colour else "values are classes"
    note += f"; {spelt(labels.void)} is void" if labels.void else ""
    stray = strays / max(1, stored.size)
    return Ids(array, mode, note, len(present), 0.0, unknown, stray, void=void, palette=palette)


def known_ids(path: str | Path, labels: Labels) -> NDArray[np.uint8]:
    """Return the class ids of a mask file, uint8 (H, W); void is background.

    Raises:
        StudyError: as `known_labels`.
    """
    return known_labels(path, labels).array


def known_labels(path: str | Path, labels: Labels) -> Ids:
    """Return a mask file as class ids, and where it is void.

    Raises:
        StudyError: the file cannot be read, or holds a value that is no class where none is expected.
    """
    ids = read_ids(path, labels)
    if ids.unknown and not labels.strays:
        raise StudyError(
            f"the mask holds values that are no class: {spelt(ids.unknown)}",
            where=path,
            allowed="; ".join(
                f"{name} {spelt(group)}" for name, group in zip(labels.names, labels.values, strict=True)
            ),
            remedy="mend the file, or name the values under the data set's classes",
        )
    return ids


def spelt(values: Sequence[Value]) -> str:
    """Return values as text; of many the first eight and how many more there are."""
    more = f" and {len(values) - 8} more" if len(values) > 8 else ""
    return ", ".join(map(str, values[:8])) + more


FEWEST = 4  # masks that are needed to judge
# Seen, as stored: PH2 0.02, EBHI-SEG (tissue fills many tiles) 0.53; inverted: PH2 0.85, objects that no border cuts 1.
MOST = 0.75


def looks_inverted(samples: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence where the binary masks of a data set look inverted, otherwise an empty string.

    No single mask tells: a lesion may fill its image. But objects that cover more than half of most images, and
    more than half of their borders too, are usually what lies around the objects.

    Args:
        samples: samples.csv, whose columns `foreground` and `foreground_border` are looked at.
        labels: how the masks were read.
    """
    shares = samples[["foreground", "foreground_border"]].apply(pd.to_numeric, errors="coerce").dropna()
    if labels.values or len(shares) < FEWEST:
        return ""
    covered = (shares > 0.5).all(axis=1)
    if covered.mean() < MOST:
        return ""
    return (
        f"the masks look inverted: in {covered.sum()} of {len(shares)} the foreground is more than half of the image "
        f"and of its border; if the {labels.foreground[0]} is what is left out, set "
        f"'inverted: {str(not labels.inverted).lower()}' in the data set's block of the config"
    )


def some_look_inverted(samples: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence where some binary masks look inverted beside the others, otherwise an empty string.

    Args:
        samples: as for `looks_inverted`, with the column `sample`.
        labels: how the masks were read.
    """
    shares = samples[["foreground", "foreground_border"]].apply(pd.to_numeric, errors="coerce").dropna()
    if labels.values or len(shares) < FEWEST:
        return ""
    large, border = shares["foreground"] > 0.5, shares["foreground_border"]
    inside_out = large & (border > 0.9)  # objects may be cut by the border
    if inside_out.mean() > 1 - MOST:  # too many to be a few objects that fill their images
        remedy = "look at some, and invert the files of one kind"
    else:
        inside_out, remedy = large & (border == 1), "look at them"
    if not 0 < inside_out.mean() < MOST or border[~inside_out].mean() > 0.1:  # objects reach the border elsewhere too
        return ""
    names = list(samples.loc[inside_out[inside_out].index, "sample"])
    how = "all" if (border[inside_out] == 1).all() else "nearly all"
    return (
        f"{len(names)} of {len(shares)} masks look inverted beside the others, with {how} of the border in the "
        f"foreground: {spelt(names)}; {remedy}"
    )

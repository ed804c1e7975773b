"""Concatenate stores lazily: rows are numbered on, smaller canvases are padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segstudy.core.errors import StudyError

Arrays = tuple[Any, Any, Any]  # images (N, H, W, C), masks (N, H, W), rois (N, H, W)
Change = Callable[[np.ndarray], np.ndarray]
FOREGROUND = 255  # foreground in the masks of joined stores: they hold probabilities, times 255


class ConcatArray:
    """Arrays uint8 (N_i, H_i, W_i, ...) read as one (N, H, W, ...), H and W the largest.

    Zeros are padded at the bottom and at the right. It can be indexed by [row], by [row, top:bottom, left:right, ...]
    and by a list of rows, and converted to an array.
    """

    def __init__(
        self, parts: Sequence[np.ndarray], changes: Sequence[Callable[[np.ndarray], np.ndarray] | None]
    ) -> None:
        """Concatenate `parts`; values read from a part go through its function in `changes`, if it has one."""
        self.parts, self.changes = list(parts), list(changes)
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        height, width = (max(part.shape[axis] for part in parts) for axis in (1, 2))
        self.shape = (int(self.starts[-1]), height, width, *parts[0].shape[3:])
        self.dtype, self.ndim = parts[0].dtype, len(self.shape)
        self.nbytes = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        row, *rest = key if isinstance(key, tuple) else (key,)
        if not isinstance(row, int | np.integer):
            return np.stack([self[(int(one), *rest)] for one in row])
        asked: list[Any] = [*rest] + [slice(None)] * (2 - len(rest))
        vertical, horizontal, *channel = asked
        (top, bottom, _), (left, right, _) = vertical.indices(self.shape[1]), horizontal.indices(self.shape[2])
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        part, change = self.parts[number], self.changes[number]
        values = part[(int(row - self.starts[number]), slice(top, bottom), slice(left, right), *channel)]
        if change:
            values = change(values)
        lacking = [(0, bottom - top - values.shape[0]), (0, right - left - values.shape[1])]
        return np.pad(values, [*lacking, *((0, 0),) * (values.ndim - 2)]) if any(map(any, lacking)) else values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.stack([self[row] for row in range(len(self))]).astype(dtype or self.dtype, copy=False)


def join(labelled: Arrays, others: Arrays) -> Arrays:
    """Return the concatenation; the rows of `others` follow those of `labelled`.

    Masks of the result are probabilities times 255: masks of `labelled` (0 and 1) become 0 and 255, masks of `others`
    hold such values already.

    Raises:
        StudyError: their images have other numbers of channels.
    """
    channels = [arrays[0].shape[3] for arrays in (labelled, others)]
    if channels[0] != channels[1]:
        raise StudyError(
            f"the labelled images have {channels[0]} channels, those that a teacher has labelled {channels[1]}",
            where="the stores of the two data sets",
            remedy="give both data sets the same 'colour:' in the config",
        )
    changes = [(None, None), (_scaled, None), (None, None)]
    images, masks, rois = (ConcatArray(pair, change) for *pair, change in zip(labelled, others, changes, strict=True))
    return images, masks, rois


def _scaled(mask: np.ndarray) -> np.ndarray:
    return np.where(mask > 0, FOREGROUND, 0).astype(np.uint8)

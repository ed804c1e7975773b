"""Decode a mask file, whatever its format and type of numbers, to a Pillow picture of the values that it stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.images.decode import is_lossy, opened, page, stored
from segstudy.data.images.deep import OtherChannels, by_tifffile, tiff_pixels
from segstudy.data.images.palettes import grey_of_gif


class MaskFile(NamedTuple):
    """The pixels of a mask file as they are stored, and where they come from."""

    pixels: Image.Image
    mode: str  # format and Pillow mode of the file, or its type of numbers: "GIF P", "TIFF int64"
    page: str  # which page it is, as `decode.page`
    lossy: bool  # the format changes values: a 0/1 mask does not survive it

    @property
    def greys(self) -> bool:
        """Whether these are the greys of a palette."""
        return self.mode == "GIF P" and self.pixels.mode == "L"


def mask_file(path: str | Path) -> MaskFile:
    """Return the pixels of a mask file; a GIF with a grey palette is a grey picture (see `palettes.grey_of_gif`).

    Raises:
        StudyError: the file is missing or cannot be read to its last pixel, or is a TIFF of more channels or larger
            numbers than masks have.
    """
    if by_tifffile(path):
        try:
            array, _ = tiff_pixels(path)
        except OtherChannels as error:
            raise StudyError(error.what, where=path, allowed="masks of one channel, or in colour") from None
        return MaskFile(Image.fromarray(_for_pillow(array, path)), f"TIFF {array.dtype}", "", False)
    with opened(path) as image:
        mode, number, lossy = f"{image.format} {image.mode}", page(image, path), is_lossy(image)  # before it is read
        return MaskFile(grey_of_gif(stored(image)), mode, number, lossy)


def _for_pillow(array: NDArray[Any], path: str | Path) -> NDArray[Any]:
    """Return (H, W) or (H, W, 3) in a type of numbers that Pillow has and that changes no value of a mask."""
    if array.ndim == 3:  # as Pillow reads deep colours
        return array if array.dtype == np.uint8 else (array >> 8 * (array.itemsize - 1)).astype(np.uint8)
    if array.dtype.kind == "f":
        whole = np.isfinite(array).all() and (array == np.floor(array)).all()
        if not whole or np.abs(array).max(initial=0) > np.iinfo(np.int32).max:
            with np.errstate(over="ignore"):  # infinite ones are refused where values are looked at
                return array.astype(np.float32)
        array = array.astype(np.int64)
    least, most = int(array.min(initial=0)), int(array.max(initial=0))
    for dtype in (np.uint8, np.uint16, np.int32):
        if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
            return array.astype(dtype)
    raise StudyError(
        f"the mask holds values from {least} to {most}",
        where=path,
        allowed=f"values up to {np.iinfo(np.int32).max}",
        remedy="number classes and objects from 1 on, and write what counts for nothing as 255",
    )

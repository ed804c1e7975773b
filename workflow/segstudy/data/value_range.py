"""One range of values for all images of a data set, so that one stored value is one brightness in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.images.decode import checked
from segstudy.data.images.deep import OtherChannels
from segstudy.data.images.read import range_of, stored_values
from segstudy.data.images.reading import Reading


class Extremes(NamedTuple):
    """The values of one image of more than 8 bits."""

    lowest: float
    highest: float
    fractions: bool  # floating point
    declared: tuple[float, float] | None  # what its header says it may hold


def value_range(paths: Sequence[Path], reading: Reading, what: str, threads: int) -> tuple[float, float] | None:
    """Return the range of images of more than 8 bits; None where there are none.

    It is what all their headers declare (the TIFF tags SMinSampleValue and SMaxSampleValue), or else
    `images.read.range_of` of the lowest and highest value of all of them. Files that cannot be read are passed over:
    the checks name them.

    Raises:
        OtherChannels: which channels of an image are red, green and blue cannot be known.
    """

    def look(path: Path) -> Extremes | None:
        try:
            array, declared = stored_values(path, reading)
            if array is None:
                return None
            checked(array, path, negative=True)
        except OtherChannels:
            raise
        except StudyError:
            return None
        return Extremes(float(array.min()), float(array.max()), array.dtype.kind == "f", declared)

    with ThreadPoolExecutor(threads) as pool:
        found = [one for one in track(pool.map(look, paths), what, total=len(paths)) if one is not None]
    if not found:
        return None
    lowest, highest = min(one.lowest for one in found), max(one.highest for one in found)
    told = found[0].declared
    alike = all(one.declared == told for one in found)
    if told and alike and told[0] < told[1] and told[0] <= lowest and highest <= told[1]:
        return told
    return range_of(lowest, highest, any(one.fractions for one in found))

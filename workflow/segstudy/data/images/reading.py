"""How the pixels of a data set's images are read: one range of values for all of them, channels, orientation.

Kept as text in the column `reading` of index.csv, which is there only where something is to be said: 8-bit images that
are taken as they are stored need none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Reading(NamedTuple):
    """How an image file becomes 8-bit RGB."""

    low: float = 0  # stored value that becomes 0 in images of more than 8 bits a channel
    high: float = 0  # stored value that becomes 255; 0 as `low`: the range is that of the file alone
    channels: tuple[int, ...] = ()  # which channels are red, green and blue, or the one that is grey; from 1 on
    upright: bool = False  # turned as the file's note (EXIF, TIFF) says

    @property
    def ranged(self) -> bool:
        """Whether there is a range for all images."""
        return self.low < self.high

    def __str__(self) -> str:
        parts = [f"range {self.low:.9g} {self.high:.9g}"] if self.ranged else []
        parts += [f"channels {' '.join(map(str, self.channels))}"] if self.channels else []
        return "; ".join([*parts, *(["upright"] if self.upright else [])])


AS_STORED = Reading()


def configured(
    range: Sequence[float] | None = None, channels: Sequence[int] = (), orientation: str | None = None
) -> Reading:
    """Return what the config of a data set says of its images: `range:`, `channels:` and `orientation:`."""
    low, high = range or (0, 0)
    return Reading(low, high, tuple(channels), orientation == "apply")


def reading_of(row: Mapping[Any, Any]) -> Reading:
    """Return how the image of a row of index.csv is read."""
    return parsed(str(row.get("reading") or ""))


def parsed(text: str) -> Reading:
    """Return the reading of which `text` is the spelling.

    Raises:
        ValueError: it is none.
    """
    reading = AS_STORED
    for part in filter(None, text.split("; ")):
        word, *numbers = part.split()
        if word == "range":
            low, high = map(float, numbers)
            reading = reading._replace(low=low, high=high)
        elif word == "channels":
            reading = reading._replace(channels=tuple(map(int, numbers)))
        elif word == "upright":
            reading = reading._replace(upright=True)
        else:
            raise ValueError(f"'{part}' says nothing about how an image is read")
    return reading

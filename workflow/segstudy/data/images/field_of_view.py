"""The field of view of a fundus photograph, computed where a release has none: the bright disc in a dark frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segstudy.core.errors import StudyError

SMALLEST = 0.25  # share of the picture; DRIVE has 0.68, HRF 0.84
SOLID = 0.95  # share of its convex hull that a disc fills, also one that the frame cuts; DRIVE has 0.98 at least
_MEDIAN = 5  # pixels: side of the window that takes the noise of the dark frame away
_OPENING = 100  # the short side divided by this is the radius of what is too thin to be part of the disc


def field_of_view(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a fundus photograph (H, W, 3) shows the retina, bool (H, W). The same pixels give the same field.

    The largest of the three channels is smoothed by a median and cut at the threshold of Li and Tam (Pattern
    Recognition Letters 19(8), 1998). The largest connected region remains, without its holes, opened by a disc.

    Raises:
        StudyError: that region is small or jagged, so that the photograph has no dark frame around a bright disc.
    """
    from PIL import Image, ImageFilter
    from scipy import ndimage
    from skimage.filters import threshold_li

    bright = np.asarray(Image.fromarray(image.max(axis=2)).filter(ImageFilter.MedianFilter(_MEDIAN)))
    if bright.min() == bright.max():
        raise _no_disc("it has one colour")
    regions, _ = ndimage.label(bright > threshold_li(bright))
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    field = _opened(ndimage.binary_fill_holes(regions == largest), max(1, round(min(image.shape[:2]) / _OPENING)))
    if field.mean() < SMALLEST:
        raise _no_disc(f"the largest bright region has {field.mean():.0%} of it")
    filled = field.sum() / _area_of_hull(field)
    if filled < SOLID:
        raise _no_disc(f"its bright region fills {filled:.0%} of its convex hull")
    return field


def _area_of_hull(region: NDArray[np.bool_]) -> float:
    """Return the area of the convex hull of a region's pixels (H, W), whose outermost are the ends of rows."""
    from scipy.spatial import ConvexHull

    rows = np.flatnonzero(region.any(axis=1))
    starts = region[rows].argmax(axis=1)
    ends = region.shape[1] - region[rows, ::-1].argmax(axis=1)
    corners = [np.column_stack((rows + down, columns)) for columns in (starts, ends) for down in (0, 1)]
    return float(ConvexHull(np.concatenate(corners)).volume)  # in two dimensions, the area


def _opened(region: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Return a region (H, W) without what is thinner than a disc of `radius` pixels; beyond the frame it goes on."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(region, radius + 1, mode="edge")
    core = distance_transform_edt(padded) > radius
    if not core.any():
        return np.zeros_like(region)
    inside = slice(radius + 1, -radius - 1)
    opened: NDArray[np.bool_] = distance_transform_edt(~core)[inside, inside] <= radius
    return opened & region


def _no_disc(why: str) -> StudyError:
    return StudyError(
        f"no field of view can be computed, because the photograph shows no bright disc in a dark frame: {why}",
        remedy="draw the field of view yourself, as a mask beside the photograph that is called like it and ends in "
        "_mask.png",
    )

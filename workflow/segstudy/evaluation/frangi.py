"""Vessels without learning: Frangi's ridge filter (MICCAI 1998, doi:10.1007/BFb0056195) on the green channel."""

from __future__ import annotations

import numpy as np
from PIL import Image

# A picture whose longer side is above this is filtered at this size: the time is bounded, and vessels, which are as
# much wider there, meet the same scales.
LONG_SIDE = 1024
# Standard deviations of the Gaussians, in pixels of the filtered picture: ridges of about 3 to 12 pixels. Finer scales
# find the grain of the retina (on the training images of DRIVE they cost 0.02 to 0.08 of Dice).
SCALES = (2.0, 3.0, 4.0)


def ridgeness(values: np.ndarray, inside: np.ndarray, side: str) -> np.ndarray:
    """Return how much each pixel looks like a ridge: its rank among the pixels inside, float32 (H, W) in 0..1.

    Ranks, since the filter's values depend on the contrast of the whole picture and have no unit: a threshold t keeps
    the 1 - t of the pixels inside that look most like ridges. Pixels without any response share rank 0; so do those
    outside. Outside the field of view the nearest value inside is repeated before the filter, which would take the
    rim for the strongest ridge of all.

    Args:
        values: uint8 (H, W), such as the green channel.
        inside: bool (H, W), the field of view.
        side: 'dark' or 'bright': which ridges.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt
    from skimage.filters import frangi

    height, width = values.shape
    share = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    small = np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX)) / 255
    covered = np.asarray(Image.fromarray(inside.astype(np.float32)).resize(size, Image.Resampling.BOX)) > 0.999
    core = binary_erosion(covered, iterations=3, border_value=1)  # the rim itself is blurred
    if core.any() and not core.all():
        nearest = distance_transform_edt(~core, return_distances=False, return_indices=True)
        small = small[tuple(nearest)]
    response = frangi(small, sigmas=SCALES, black_ridges=side == "dark", mode="nearest").astype(np.float32)
    inside_response = response[covered] if covered.any() else response.ravel()
    ranks = np.searchsorted(np.sort(inside_response), response, side="left").astype(np.float32) / inside_response.size
    if share < 1:
        ranks = np.asarray(Image.fromarray(ranks).resize((width, height), Image.Resampling.BILINEAR))
    return ranks * inside

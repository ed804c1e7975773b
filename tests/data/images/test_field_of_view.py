"""The field of view that is computed where a release has none: against drawn discs, and what is refused."""

import numpy as np
import pytest

from segstudy.core.errors import StudyError
from segstudy.data.images.field_of_view import field_of_view


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def photograph(shape, radius, light=1.0, noise=4.0, frame=10.0):
    """Return a photograph (H, W, 3) of a reddish disc with dark lines, and the disc; corners darken by half."""
    rng = np.random.default_rng(3)
    away = np.hypot(*(axis - side / 2 for axis, side in zip(np.mgrid[: shape[0], : shape[1]], shape, strict=True)))
    disc = away < radius
    shade = np.where(np.arange(shape[1]) % 31 < 3, 0.6, 1.0) * (1 - 0.5 * (away / radius) ** 2)
    colours = shade[..., None] * np.array([220, 120, 60]) * light
    image = np.where(disc[..., None], colours, 0) + frame + rng.normal(0, noise, (*shape, 3))
    return image.clip(0, 255).astype(np.uint8), disc


@pytest.mark.parametrize(
    "case", [{}, {"light": 0.4}, {"frame": 40.0}, {"noise": 8.0}, {"shape": (140, 220), "radius": 95}], ids=str
)
def test_a_disc_is_found_in_dim_noisy_and_cut_photographs(case):
    image, disc = photograph(**{"shape": (200, 220), "radius": 92} | case)
    field = field_of_view(image)
    assert field.dtype == bool and dice(field, disc) > 0.99
    assert np.array_equal(field, field_of_view(image.copy()))


def test_specks_in_the_frame_and_text_at_the_edge_are_no_field():
    image, disc = photograph((200, 220), 92)
    image[2:10, 2:30] = 255
    image[98:102, :10] = 255  # a line of the camera that touches neither
    image[104:106, 200:] = 255  # one that touches the disc
    assert dice(field_of_view(image), disc) > 0.99


def cross():
    """Return a bright cross, whose convex hull is larger."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[70:130] = image[:, 70:130] = 200
    return image


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((60, 60, 3), 80, np.uint8), "it has one colour"),
        (photograph((200, 220), 40)[0], "the largest bright region has 1"),
        (cross(), "of its convex hull"),
    ],
    ids=["one-colour", "small", "jagged"],
)
def test_a_photograph_without_a_disc_is_refused(image, words):
    with pytest.raises(StudyError, match="no field of view can be computed") as caught:
        field_of_view(image)
    assert words in str(caught.value) and "_mask.png" in str(caught.value)

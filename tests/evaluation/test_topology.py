import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from skimage.measure import euler_number, label
from skimage.morphology import skeletonize

from segstudy.evaluation.skeletonize import STEPS
from segstudy.evaluation.topology import centre_line, pieces

RING = np.pad(np.pad(np.zeros((2, 3), bool), 1, constant_values=True), 2)


def drawn(text):
    return np.array([[letter == "#" for letter in line] for line in text.split()])


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.zeros((4, 5), bool), (0, 0)),
        (np.ones((4, 5), bool), (1, 0)),
        (drawn("#.. .#. ..#"), (1, 0)),  # over corners
        (drawn(".#. #.# .#."), (1, 1)),  # the background inside does not leak through the corners
        (drawn("#.# ... #.#"), (4, 0)),
        (RING, (1, 1)),
        (drawn("### #.# ### #.# ###"), (1, 2)),
        (drawn("##. #.. ##."), (1, 0)),  # open to the edge: no hole
    ],
)
def test_objects_and_holes_by_hand(mask, expected):
    assert pieces(mask) == expected


@settings(max_examples=40, deadline=None)  # times of a crowded machine say nothing
@given(arrays(bool, (9, 11)))
def test_objects_and_holes_agree_with_scikit_image(mask):
    found = pieces(mask)
    assert found.objects == label(mask, connectivity=2).max()
    assert found.holes == label(~np.pad(mask, 1), connectivity=1).max() - 1
    assert found.objects - found.holes == euler_number(mask, connectivity=2)


@settings(max_examples=40, deadline=None)  # times of a crowded machine say nothing
@given(arrays(bool, (14, 12)))
def test_the_centre_line_lies_in_the_mask_and_holds_together_as_it_does(mask):
    line = centre_line(mask)
    assert not (line & ~mask).any()
    assert pieces(line).objects == pieces(mask).objects
    assert (line == skeletonize(mask)).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_centre_line_of_thick_and_ragged_things_is_that_of_scikit_image(seed):
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.normal(size=(150, 170)), 2 + 4 * seed)
    for mask in (smooth > 0, np.abs(smooth) < smooth.std() / 4, (smooth > 0) ^ (random.random(smooth.shape) < 0.02)):
        assert (centre_line(mask) == skeletonize(mask)).all()
    disc = np.hypot(*np.indices((130, 121)) - np.array([60.0, 66 + seed])[:, None, None]) < 50 + seed
    assert (centre_line(disc) == skeletonize(disc)).all()
    assert (centre_line(np.ones((40, 60 + seed), bool)) == skeletonize(np.ones((40, 60 + seed), bool))).all()


def test_every_neighbourhood_is_thinned_as_scikit_image_does():
    """All 256 neighbourhoods of a pixel, alone and with pixels around."""
    random = np.random.default_rng(0)
    codes = np.arange(256)
    for border in (0.0, 0.5, 0.8):
        masks = random.random((256, 7, 7)) < border
        masks[:, 3, 3] = True
        for k, (down, right) in enumerate(STEPS):
            masks[:, 3 + down, 3 + right] = codes >> k & 1
        for mask in masks:
            assert (centre_line(mask) == skeletonize(mask)).all(), mask


def test_the_centre_line_of_a_bar_is_its_middle():
    mask = np.zeros((9, 40), bool)
    mask[2:7, 3:37] = True
    rows, columns = np.nonzero(centre_line(mask))
    assert set(rows) <= {3, 4, 5} and columns.min() < 8 and columns.max() > 31
    assert len(set(columns)) == len(columns)  # one pixel wide
    assert not centre_line(np.zeros((5, 5), bool)).any()

"""Shapes of annotation files against formulas, hand-drawn masks and another library."""

import math

import numpy as np
import pytest
from pycocotools import mask as coco
from skimage.draw import polygon2mask

from segstudy.core.errors import StudyError
from segstudy.data.images import shapes

SIZE = (60, 80)


def drawn(rle):
    return shapes.draw([(1, rle)], SIZE).array == 1


def test_a_box_covers_the_pixels_whose_centres_it_holds():
    want = np.zeros(SIZE, bool)
    want[3:7, 2:5] = True
    assert (drawn(shapes.box(2, 3, 5, 7, SIZE)) == want).all()
    turned = np.zeros(SIZE, bool)
    turned[10:14, 20:30] = True
    assert (drawn(shapes.box(23, 7, 27, 17, SIZE, degrees=90)) == turned).all(), "about its centre"


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_an_ellipse_has_the_pixels_of_its_formula(degrees):
    ours = drawn(shapes.ellipse((40, 30), (20, 10), SIZE, degrees))
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    turn = math.radians(degrees)
    along = (columns - 40) * math.cos(turn) + (rows - 30) * math.sin(turn)
    across = (rows - 30) * math.cos(turn) - (columns - 40) * math.sin(turn)
    formula = (along / 20) ** 2 + (across / 10) ** 2 <= 1
    assert np.count_nonzero(ours != formula) < 0.03 * formula.sum()


def test_polygons_of_any_angle_agree_with_another_library_but_for_the_border():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = [(x, y) for x, y in rng.uniform((0, 0), (80, 60), (3, 2))]
        theirs = polygon2mask(SIZE, np.array(points)[:, ::-1] - 0.5)
        border = sum(math.dist(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True))
        assert np.count_nonzero(drawn(shapes.polygons([points], SIZE)) != theirs) < 0.2 * border


def test_polygons_of_one_object_are_its_union_and_reach_over_the_edge():
    one, two = [(0, 0), (4, 0), (4, 4), (0, 4)], [(2, 2), (6, 2), (6, 6), (2, 6)]
    assert drawn(shapes.polygons([one, two], SIZE)).sum() == 16 + 16 - 4
    assert drawn(shapes.box(-3, -2, 2, 3, SIZE)).sum() == 2 * 3


def test_later_shapes_lie_on_top_void_below_all_and_overlaps_are_counted():
    first, second = shapes.box(0, 0, 10, 10, SIZE), shapes.box(5, 0, 15, 10, SIZE)
    everything = shapes.box(0, 0, 80, 60, SIZE)
    mask, overlap, lost, _ = shapes.draw([(1, first), (2, second), (shapes.VOID, everything)], SIZE)
    assert [int((mask == value).sum()) for value in (1, 2, 255)] == [50, 100, 60 * 80 - 150]
    assert overlap == 50 / (60 * 80) and lost == 0
    assert shapes.draw([(1, first), (1, second)], SIZE).overlap == 0, "of one class"


def test_run_lengths_are_those_of_the_library():
    mask = np.random.default_rng(1).random(SIZE) > 0.7
    compressed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    assert (drawn(shapes.run_lengths(compressed.decode(), SIZE, SIZE)) == mask).all()
    counts = [0, *np.diff(np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=not mask[0, 0], append=2))).tolist()]
    counts = counts if mask[0, 0] else counts[1:]
    assert (drawn(shapes.run_lengths(counts, SIZE, SIZE)) == mask).all()


def test_parts_of_masks_must_lie_in_the_image():
    part = np.ones((4, 6), bool)
    assert drawn(shapes.part(part, 74, 56, SIZE)).sum() == 24
    with pytest.raises(StudyError, match=r"a mask of 6x4 pixels at \(75, 56\) reaches over the edge"):
        shapes.part(part, 75, 56, SIZE)


def test_coordinates_that_are_no_numbers_are_refused_before_they_are_drawn():
    for value in (math.nan, math.inf):
        with pytest.raises(StudyError, match="coordinates that are no numbers"):
            shapes.polygons([[(1, 1), (5, value), (5, 5)]], SIZE)


def test_shares_instead_of_pixels_are_refused_and_what_is_too_thin_is_counted():
    shares = [(0.1, 0.2), (0.9, 0.2), (0.9, 0.7)]
    with pytest.raises(StudyError, match="within the first pixel of 80x60: x and y seem to be shares"):
        shapes.polygons([shares], SIZE)
    assert drawn(shapes.polygons([[(0, 0), (1, 0), (1, 1), (0, 1)]], SIZE)).sum() == 1
    assert drawn(shapes.polygons([shares, [(4, 4), (8, 4), (8, 8), (4, 8)]], SIZE)).sum() in (16, 17)
    sliver = shapes.polygons([[(5.6, 3), (5.9, 3), (5.9, 9)]], SIZE)
    assert shapes.draw([(1, sliver), (2, shapes.box(0, 0, 3, 3, SIZE))], SIZE).lost == 1

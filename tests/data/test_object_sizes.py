"""Sizes of objects in masks, against figures drawn with known ones."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.data.images.label_map import binary
from segstudy.data.object_sizes import LONGEST, measure_objects, object_card


def bar(shape, *rectangles):
    """A mask with rectangles of (top, left, height, width, value)."""
    mask = np.zeros(shape, np.uint8)
    for top, left, height, width, value in rectangles:
        mask[top : top + height, left : left + width] = value
    return mask


@pytest.mark.parametrize("width", [1, 3, 7, 15])
def test_thickness_of_bars_is_their_width(width):
    sizes = measure_objects(bar((60, 200), (20, 10, width, 180, 1)))
    assert sizes.thinnest == pytest.approx(width, abs=1)
    assert sizes.areas.tolist() == [width * 180]
    assert sizes.spans.tolist() == [min(180, LONGEST * width)], "a long thin thing is told by a part of it"


def test_a_thin_bar_among_thick_ones_counts_where_it_is_a_tenth():
    assert measure_objects(bar((100, 300), (10, 10, 30, 280, 1), (70, 10, 2, 280, 1))).thinnest <= 2


def test_objects_of_two_classes_that_touch_are_two():
    sizes = measure_objects(bar((40, 80), (10, 10, 20, 20, 1), (10, 30, 20, 20, 2)))
    assert sizes.areas.tolist() == [400, 400] and sizes.spans.tolist() == [20, 20]
    assert sizes.thinnest > 1, "the border between them is no thin object"


def test_an_object_at_the_border_of_the_image_ends_there():
    assert measure_objects(np.ones((9, 50), np.uint8)).spans.tolist() == [LONGEST * 9]
    assert measure_objects(np.zeros((9, 9), np.uint8)) is None


def test_the_card_tells_the_median_over_pixels_and_leaves_official_test_masks_out(tmp_path):
    masks = {
        "a.png": bar((64, 64), (0, 0, 32, 32, 255), (50, 50, 1, 1, 255), (60, 60, 1, 1, 255)),
        "b.png": bar((64, 64), (10, 10, 20, 20, 255)),
        "test.png": bar((64, 64), (0, 0, 64, 64, 255)),
    }
    for name, mask in masks.items():
        Image.fromarray(mask).save(tmp_path / name)
    rows = pd.DataFrame({"mask": [*masks, ""], "official_subset": ["", "", "test", ""], "width": 64, "height": 64})
    card = object_card(rows, tmp_path, binary("object"))
    assert card["masks"] == 2 and card["objects"] == 2  # medians of 3 and 1
    assert card["span"] == 32 and card["area"] == 1024, "most foreground lies in the large square, not in the specks"
    assert object_card(rows[rows["mask"] == ""], tmp_path, binary("object")) is None

"""Canvas, crop and batch from sizes of images and thickness of objects."""

import numpy as np
import pytest

from segstudy.data.scale import THICK_ENOUGH, choose_scale, thinnest_tenth


def test_thickness_of_bars_is_their_width():
    for width in (1, 3, 7, 15):
        mask = np.zeros((60, 200), bool)
        mask[20 : 20 + width, 10:190] = True
        assert thinnest_tenth(mask) == pytest.approx(width, abs=1)
    assert thinnest_tenth(np.zeros((9, 9), bool)) is None


def test_a_thin_bar_among_thick_ones_counts_where_it_is_a_tenth():
    mask = np.zeros((100, 300), bool)
    mask[10:40, 10:290] = True
    mask[70:72, 10:290] = True
    assert thinnest_tenth(mask) <= 2


def test_thin_objects_keep_their_pixels_and_are_trained_on_crops():
    scale = choose_scale([(3504, 2336)] * 5, thinnest=4.0)
    assert (scale.long_side, scale.crop) == (None, 256)


def test_thick_objects_are_seen_on_a_small_canvas():
    scale = choose_scale([(1024, 768)] * 5, thinnest=60.0)
    assert scale.long_side == 256 and scale.crop is None
    finer = choose_scale([(1024, 768)] * 5, thinnest=10.0)
    assert finer.long_side == 416 and 10.0 * finer.long_side / 1024 >= THICK_ENOUGH


def test_small_images_stay_as_they_are():
    assert choose_scale([(224, 224)] * 3, thinnest=30.0)[:2] == (None, None)
    assert choose_scale([(160, 120), (100, 90)], thinnest=None)[:2] == (None, None)


def test_a_batch_of_large_inputs_is_small():
    assert choose_scale([(512, 512)], None).batch_size < choose_scale([(128, 128)], None).batch_size

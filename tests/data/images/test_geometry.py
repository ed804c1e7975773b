import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segstudy.config.datasets import Size
from segstudy.data.images.geometry import Geometry, canvas_size, fit, plain_size, to_canvas, to_original

SIDES = st.integers(1, 400)


def placed(original, size):
    canvas = canvas_size([original], size)
    return fit(original, canvas, size), canvas


def test_canvas_of_native_is_the_largest_image_rounded_up_to_16():
    assert canvas_size([(584, 565), (100, 600)], "native") == (592, 608)
    assert canvas_size([(576, 768)], "native") == (576, 768)


def test_canvas_of_long_side_is_the_largest_fitted_image():
    assert canvas_size([(2336, 3504)], {"long_side": 1024}) == (688, 1024)  # 682.67 -> 683 -> 688
    assert canvas_size([(10, 20), (40, 20)], {"long_side": 64, "height": None}) == (64, 64)


def test_canvas_of_a_box_is_as_given_whatever_the_images():
    assert canvas_size([(2336, 3504)], Size(height=250, width=300)) == (250, 300)


def test_no_images_have_no_canvas():
    with pytest.raises(ValueError, match="no images"):
        canvas_size([], "native")


def test_sizes_are_said_in_plain_values():
    assert plain_size("native") == "native"
    assert plain_size(Size(long_side=512)) == {"long_side": 512}
    assert plain_size({"height": 64, "width": 96, "long_side": None}) == {"height": 64, "width": 96}


def test_fit_keeps_aspect_and_centres():
    assert fit((100, 200), (64, 64), {"height": 64, "width": 64}) == Geometry(100, 200, 16, 0, 32, 64)
    assert fit((200, 100), (64, 64), {"height": 64, "width": 64}) == Geometry(200, 100, 0, 16, 64, 32)


def test_native_is_never_resampled_and_a_wrong_canvas_is_refused():
    assert fit((10, 12), (32, 32), "native") == Geometry(10, 12, 11, 10, 10, 12)
    with pytest.raises(ValueError, match="33x12 does not fit the canvas 32x32"):
        fit((33, 12), (32, 32), "native")


@given(SIDES, SIDES, st.integers(16, 200), st.integers(16, 200))
def test_a_box_is_touched_on_one_side_and_exceeded_on_none(height, width, box_height, box_width):
    geometry = fit((height, width), (box_height, box_width), {"height": box_height, "width": box_width})
    assert 1 <= geometry.height <= box_height
    assert 1 <= geometry.width <= box_width
    assert geometry.height == box_height or geometry.width == box_width
    scale = min(box_height / height, box_width / width)
    assert abs(geometry.height - height * scale) <= 1
    assert abs(geometry.width - width * scale) <= 1


@given(SIDES, SIDES)
@settings(max_examples=30)
def test_native_there_and_back_is_bit_exact(height, width):
    geometry, canvas = placed((height, width), "native")
    rng = np.random.default_rng(height * 1000 + width)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    on_canvas = to_canvas(image, geometry, canvas, "image")
    assert np.array_equal(on_canvas[geometry.rectangle], image)
    assert on_canvas.sum(dtype=np.int64) == image.sum(dtype=np.int64)  # the padding is zero
    probability = rng.random(canvas, dtype=np.float32)
    assert np.array_equal(to_original(probability, geometry), probability[geometry.rectangle])


def test_masks_keep_their_ids_when_resized():
    mask = np.zeros((30, 40), np.uint8)
    mask[5:20, 5:20] = 7
    mask[10:25, 22:38] = 3
    geometry, canvas = placed(mask.shape, {"long_side": 23})
    assert set(np.unique(to_canvas(mask, geometry, canvas, "mask"))) == {0, 3, 7}


def test_nearest_takes_the_pixel_under_the_centre():
    mask = np.arange(36, dtype=np.uint8).reshape(6, 6)
    small = to_canvas(mask, fit((6, 6), (2, 2), {"height": 2, "width": 2}), (2, 2), "mask")
    assert small.tolist() == [[mask[1, 1], mask[1, 4]], [mask[4, 1], mask[4, 4]]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_number_of_channels_is_resized_channel_by_channel(channels):
    image = np.random.default_rng(0).integers(0, 256, (24, 36, channels), dtype=np.uint8)
    geometry, canvas = placed((24, 36), {"long_side": 18})
    together = to_canvas(image, geometry, canvas, "image")
    for channel in range(channels):
        assert np.array_equal(together[:, :, channel], to_canvas(image[:, :, channel], geometry, canvas, "image"))


@pytest.mark.parametrize(("original", "fitted"), [(48, 96), (96, 48), (50, 96), (96, 50), (31, 96)])
def test_a_ramp_comes_back_without_a_shift(original, fitted):
    """A ramp in continuous coordinates is the same ramp at any size; half a pixel of shift would show."""
    size = {"height": fitted, "width": fitted}
    geometry, canvas = placed((original, original), size)
    ramp = np.tile((np.arange(fitted, dtype=np.float32) + 0.5) / fitted, (fitted, 1))
    expected = np.tile((np.arange(original) + 0.5) / original, (original, 1))
    inner = slice(2, -2)  # at the border there is nothing to interpolate towards
    for turned, wanted in ((ramp, expected), (ramp.T, expected.T)):
        back = to_original(np.ascontiguousarray(turned), geometry)
        assert np.abs(back - wanted)[inner, inner].max() < 1e-5 + 0.05 / original
    assert canvas == (fitted, fitted)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_point_comes_back_where_it_was(scale):
    """The centre of mass of a dot, drawn at the original size, survives both ways to within 0.02 pixels."""
    original = np.zeros((60, 72), np.uint8)
    original[20 : 20 + scale, 31 : 31 + scale] = 255
    size = {"long_side": 72 * scale}
    geometry, canvas = placed(original.shape, size)
    on_canvas = to_canvas(original, geometry, canvas, "image")
    back = to_original(on_canvas.astype(np.float32) / 255, geometry)
    rows, columns = np.indices(back.shape)
    assert (back * rows).sum() / back.sum() == pytest.approx(20 + (scale - 1) / 2, abs=0.02)
    assert (back * columns).sum() / back.sum() == pytest.approx(31 + (scale - 1) / 2, abs=0.02)


@given(SIDES, SIDES, st.integers(16, 128), st.floats(0, 1, width=32))
@settings(max_examples=30)
def test_a_constant_stays_itself_at_the_original_size(height, width, long_side, value):
    geometry, canvas = placed((height, width), {"long_side": long_side})
    back = to_original(np.full(canvas, value, np.float32), geometry)
    assert back.shape == (height, width)
    assert back.dtype == np.float32
    assert np.allclose(back, value, atol=1e-6)


def test_a_disc_survives_the_way_down_and_back():
    rows, columns = np.indices((300, 400))
    disc = ((rows - 140) ** 2 + (columns - 210) ** 2 < 90**2).astype(np.uint8)
    geometry, canvas = placed(disc.shape, {"height": 96, "width": 128})
    back = to_original(to_canvas(disc, geometry, canvas, "mask").astype(np.float32), geometry) >= 0.5
    assert 2 * (back & (disc > 0)).sum() / (back.sum() + disc.sum()) > 0.985


def test_an_array_of_another_size_is_refused():
    geometry, canvas = placed((10, 10), "native")
    with pytest.raises(ValueError, match="geometry is for"):
        to_canvas(np.zeros((11, 10), np.uint8), geometry, canvas, "mask")

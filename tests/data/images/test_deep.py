"""Images of more than 8 bits a channel, and of other channels than grey and RGB."""

import importlib.util
import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.images.read import image_size, range_of, read_image, read_picture, read_reduced, stored_values
from segstudy.data.images.reading import AS_STORED, Reading, configured, parsed
from tests.helpers.png16 import write_png

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (13, 17, 4), dtype=np.uint16)


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4), (4, 2), (0, 1)])
def test_no_bit_of_a_16_bit_png_is_lost(tmp_path, kind, channels):
    write_png(tmp_path / "deep.png", DEEP[..., :channels], kind)
    found, declared = stored_values(tmp_path / "deep.png")
    np.testing.assert_array_equal(found, DEEP[..., :3] if channels > 2 else DEEP[..., 0])
    assert declared is None


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"planarconfig": "separate"}], ids=str)
@pytest.mark.parametrize("order", ["<", ">"])
def test_no_bit_of_a_16_bit_tiff_is_lost(tmp_path, options, order):
    stored = np.moveaxis(DEEP[..., :3], 2, 0) if options.get("planarconfig") else DEEP[..., :3]
    tifffile.imwrite(tmp_path / "deep.tif", stored, photometric="rgb", byteorder=order, **options)
    np.testing.assert_array_equal(stored_values(tmp_path / "deep.tif")[0], DEEP[..., :3])
    assert image_size(tmp_path / "deep.tif") == (17, 13)


def test_of_several_deep_pages_the_first_is_read(tmp_path):
    pages = np.stack([DEEP[..., :3], DEEP[..., 1:]])
    tifffile.imwrite(tmp_path / "deep.tif", pages, photometric="rgb")
    np.testing.assert_array_equal(stored_values(tmp_path / "deep.tif")[0], DEEP[..., :3])


def test_images_of_8_bits_are_not_scaled(tmp_path):
    grey = (DEEP[..., 0] % 100).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert stored_values(tmp_path / "grey.png") == (None, None)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", Reading(0, 4095))[..., 0], grey)


def test_a_range_scales_every_image_alike(tmp_path):
    array = np.array([[0, 100, 2048, 4095, 9000]], np.uint16)
    Image.fromarray(array).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", Reading(0, 4095))
    by_hand = [0, 100 * 255 / 4095, 2048 * 255 / 4095, 255, 255]
    np.testing.assert_array_equal(found.array[0, :, 0], np.rint(by_hand))
    assert found.note == "0..4095 becomes 0..255" and found.scaled
    shifted = read_image(tmp_path / "a.png", Reading(100, 4095))[0, :, 0]
    np.testing.assert_array_equal(shifted, np.rint([0, 0, 1948 * 255 / 3995, 255, 255]))
    reduced, size = read_reduced(tmp_path / "a.png", (1, 5), Reading(0, 4095))
    assert size == (1, 5) and reduced[0, 3, 0] == 255


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int32, np.uint32])
def test_every_kind_of_number_is_read(tmp_path, dtype):
    values = np.array([[0, 1, 2, 50]]).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values)
    found = read_image(tmp_path / "a.tif", Reading(0, 50))[0, :, 0]
    np.testing.assert_allclose(found, np.array([0, 1, 2, 50]) * 255 / 50, atol=0.5)


def test_negative_values_need_a_range(tmp_path):
    tifffile.imwrite(tmp_path / "ct.tif", np.array([[-1000, 0, 1000]], np.int16))
    assert read_image(tmp_path / "ct.tif", Reading(-1000, 1000))[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(StudyError, match="negative values, down to -1000"):
        read_image(tmp_path / "ct.tif")


@pytest.mark.parametrize(
    ("lowest", "highest", "fractions", "expected"),
    [
        (0, 200, False, (0, 255)),
        (3, 256, False, (0, 511)),
        (0, 4095, False, (0, 4095)),
        (0, 4096, False, (0, 8191)),
        (0, 65535, False, (0, 65535)),
        (-1000, 3071, False, (-1024, 4095)),
        (0, 0.3, True, (0, 1)),
        (-1, 1, True, (-1, 1)),
        (-3.2, 4.7, True, (-4, 7)),
    ],
)
def test_the_range_is_that_of_a_depth(lowest, highest, fractions, expected):
    assert range_of(lowest, highest, fractions) == expected


FIVE = RANDOM.integers(0, 256, (13, 17, 5), dtype=np.uint8)
LAYOUTS = {
    "together": lambda path: tifffile.imwrite(path, FIVE, photometric="minisblack", planarconfig="contig"),
    "separate": lambda path: tifffile.imwrite(path, PLANES, photometric="minisblack", planarconfig="separate"),
    "pages": lambda path: tifffile.imwrite(path, PLANES, photometric="minisblack", metadata={"axes": "CYX"}, ome=True),
}
PLANES = np.moveaxis(FIVE, 2, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_many_channels_those_are_read_that_are_named(tmp_path, layout):
    path = tmp_path / "a.tif"
    LAYOUTS[layout](path)
    found = read_picture(path, Reading(channels=(5, 1, 3)))
    np.testing.assert_array_equal(found.array, FIVE[..., [4, 0, 2]])
    assert found.mode == "TIFF uint8, 5 channels" and found.note == "channels 5, 1, 3; as RGB"
    assert image_size(path, Reading(channels=(1,))) == (17, 13)
    np.testing.assert_array_equal(read_image(path, Reading(channels=(2,)))[..., 0], FIVE[..., 1])
    with pytest.raises(StudyError, match="has 5 channels, and channel 6 is asked for"):
        read_image(path, Reading(channels=(6,)))
    if layout != "pages":
        with pytest.raises(StudyError, match=r"5 channels: which are red[\s\S]*channels: \[1, 2, 3\]"):
            read_image(path)


def test_channels_of_a_photograph_can_be_chosen_too(tmp_path):
    Image.fromarray(FIVE[..., :3]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", Reading(channels=(2,)))[..., 2], FIVE[..., 1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", Reading(channels=(3, 2, 1))), FIVE[..., [2, 1, 0]])
    with pytest.raises(StudyError, match="has 3 channels, and channel 4"):
        read_image(tmp_path / "a.png", Reading(channels=(4,)))


def test_a_fourth_channel_of_a_png_can_be_chosen(tmp_path):
    Image.fromarray(FIVE[..., :4]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", Reading(channels=(4,)))[..., 0], FIVE[..., 3])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", Reading(channels=(4, 1, 2))), FIVE[..., [3, 0, 1]])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), FIVE[..., :3])
    with pytest.raises(StudyError, match="has 4 channels, and channel 5"):
        read_image(tmp_path / "a.png", Reading(channels=(5,)))


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4), (0, 1)])
def test_channels_of_a_16_bit_png_are_those_that_are_asked_for(tmp_path, kind, channels):
    write_png(tmp_path / "deep.png", DEEP[..., :channels], kind)
    for asked in ((3, 2, 1), (channels,)):
        found, _ = stored_values(tmp_path / "deep.png", Reading(channels=asked))
        places = [min(number, channels) - 1 for number in asked]
        expected = DEEP[..., 0] if channels == 1 else DEEP[..., places].squeeze()
        np.testing.assert_array_equal(found, expected)


def test_a_tiff_that_is_cut_off_is_still_called_damaged(tmp_path):
    LAYOUTS["together"](tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    for size in (100, len(content) - 50):
        (tmp_path / "a.tif").write_bytes(content[:size])
        with pytest.raises(StudyError, match="cannot be read"):
            read_image(tmp_path / "a.tif", Reading(channels=(1,)))


@pytest.mark.parametrize(
    "reading", [AS_STORED, Reading(0, 4095), Reading(-1024, 3071.5, (1, 2, 3), True), Reading(upright=True)], ids=str
)
def test_a_reading_is_spelt_and_read_back(reading):
    assert parsed(str(reading)) == reading
    assert str(AS_STORED) == "" and configured() == AS_STORED


def test_strange_words_are_no_reading():
    with pytest.raises(ValueError, match="says nothing"):
        parsed("sideways")


def packed_by_lzw(path, pixels):
    """Write (H, W, C) as a TIFF that LZW has packed: a grey one as wide as all channels, whose header is changed."""
    height, width, channels = pixels.shape
    stream = io.BytesIO()
    wide = Image.fromarray(pixels.reshape(height, width * channels))
    wide.save(stream, "TIFF", compression="tiff_lzw", tiffinfo={278: height})
    with tifffile.TiffFile(io.BytesIO(stream.getvalue())) as file:
        ((start,), (length,)) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    packed = stream.getvalue()[start : start + length]
    tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig")
    with tifffile.TiffFile(path, mode="r+b") as file:
        (start,) = file.pages[0].dataoffsets
        file.pages[0].tags["Compression"].overwrite(5)
        file.pages[0].tags["StripByteCounts"].overwrite(length)
    content = path.read_bytes()
    path.write_bytes(content[:start] + packed + content[start + length :])


def test_what_unpacks_rare_files_is_named(tmp_path):
    pixels = np.arange(24 * 20 * 5).reshape(24, 20, 5).astype(np.uint8)
    packed_by_lzw(tmp_path / "a.tif", pixels)
    if importlib.util.find_spec("imagecodecs"):
        read = read_image(tmp_path / "a.tif", configured(channels=(1, 2, 3)))
        assert np.array_equal(read, pixels[..., :3])
        return
    with pytest.raises(StudyError, match=r"requires the 'imagecodecs' package[\s\S]*-e '\.\[tiff\]'"):
        read_image(tmp_path / "a.tif", configured(channels=(1, 2, 3)))

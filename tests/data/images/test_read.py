"""Images and masks as they really are on disk."""

import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.images.orientation import orientation_of
from segstudy.data.images.read import files_of, image_size, page_count, read_image, read_picture
from segstudy.data.images.read_masks import read_colours, read_labels, read_mask
from segstudy.data.images.reading import Reading

TRUTH = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=bool)


def save(picture, path, **options):
    picture.save(path, **options)
    return path


def grey(values):
    return Image.fromarray(np.asarray(values, dtype=np.uint8))


def palette(indices, *colours):
    picture = Image.fromarray(np.asarray(indices, dtype=np.uint8), mode="P")
    picture.putpalette([channel for colour in colours for channel in colour])
    return picture


def coloured(background, foreground, mode="RGB"):
    array = np.where(TRUTH[..., None], np.uint8(foreground), np.uint8(background))
    return Image.fromarray(array, mode=mode)


ENCODINGS = {
    "one_bit.bmp": lambda: Image.fromarray(TRUTH),
    "one_bit.png": lambda: Image.fromarray(TRUTH),
    "one_bit.tif": lambda: Image.fromarray(TRUTH),
    "zero_one.png": lambda: grey(TRUTH),
    "zero_251.tif": lambda: grey(TRUTH * 251),
    "zero_253.png": lambda: grey(TRUTH * 253),
    "zero_255.gif": lambda: grey(TRUTH * 255),
    "rgb_255.bmp": lambda: coloured((0, 0, 0), (255, 255, 255)),
    "rgb_251.tif": lambda: coloured((0, 0, 0), (251, 251, 251)),
    "red.png": lambda: coloured((0, 0, 0), (200, 0, 0)),
    "rgba.tif": lambda: coloured((0, 0, 0, 255), (255, 255, 255, 255), "RGBA"),
    "rgba_unused_alpha.tif": lambda: coloured((0, 0, 0, 0), (255, 255, 255, 0), "RGBA"),
    "rgba_alpha_is_the_mask.png": lambda: coloured((0, 0, 0, 0), (0, 0, 0, 255), "RGBA"),
    "rgba_see_through_white.png": lambda: coloured((255, 255, 255, 0), (250, 250, 250, 255), "RGBA"),
    "grey_and_alpha.png": lambda: coloured((0, 0), (0, 255), "LA"),
    "palette_3_253.png": lambda: palette(TRUTH, (3, 3, 3), (253, 253, 253)),
    "palette_white_first.png": lambda: palette(~TRUTH, (255, 255, 255), (0, 0, 0)),
    "palette_class_colours.png": lambda: palette(TRUTH, (0, 0, 0), (100, 0, 0)),
    "palette_of_index_as_grey.png": lambda: palette(TRUTH, (0, 0, 0), (1, 1, 1)),
    "sixteen_bit.png": lambda: Image.fromarray(TRUTH.astype(np.uint16) * 65535),
    "sixteen_bit_holding_8.tif": lambda: Image.fromarray(TRUTH.astype(np.uint16) * 255),
    "float.tif": lambda: Image.fromarray(TRUTH.astype(np.float32) * 0.9),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_of_one_mask_reads_the_same(tmp_path, name):
    mask = read_mask(save(ENCODINGS[name](), tmp_path / name))
    assert mask.array.dtype == bool
    np.testing.assert_array_equal(mask.array, TRUTH)
    assert mask.values == 2
    assert mask.mode.split()[0] in ("PNG", "BMP", "TIFF", "GIF")


def test_indices_0_and_1_of_a_palette_gif_are_not_lost(tmp_path):
    path = save(palette(TRUTH, (3, 3, 3), (253, 253, 253)), tmp_path / "second.gif", optimize=False)
    with Image.open(path) as stored:
        assert stored.mode == "P" and np.asarray(stored).max() == 1
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.array, TRUTH)
    assert mask.mode == "GIF P" and "palette" in mask.note


@pytest.mark.parametrize(("value", "foreground"), [(0, False), (1, True), (127, False), (253, True), (255, True)])
def test_constant_masks_are_not_stretched(tmp_path, value, foreground):
    mask = read_mask(save(grey(np.full((3, 4), value)), tmp_path / "constant.png"))
    assert mask.array.all() == foreground and mask.array.any() == foreground
    assert mask.values == 1 and f"constant {value}" in mask.note


def test_grey_edges_are_cut_at_half(tmp_path):
    mask = read_mask(save(grey([[0, 10, 127, 128, 245, 253]]), tmp_path / "soft.png"))
    assert mask.array.tolist() == [[False, False, False, True, True, True]]
    assert mask.values == 6 and "127" in mask.note
    assert mask.between == pytest.approx(2 / 6), "127 and 128 lie between 25.5 and 229.5"


def test_sixteen_bit_masks_are_cut_at_half_of_their_range(tmp_path):
    values = np.array([[0, 300, 32767, 32768, 65535]], dtype=np.uint16)
    mask = read_mask(save(Image.fromarray(values), tmp_path / "deep.png"))
    assert mask.array.tolist() == [[False, False, False, True, True]]


def test_noise_of_a_lossy_empty_mask_is_background(tmp_path):
    values = np.zeros((32, 32))
    values[::2] = 1
    path = save(grey(values), tmp_path / "empty.jpg", quality=100, subsampling=0)
    assert read_image(path).max() >= 1
    assert not read_mask(path).array.any()


def test_ids_that_never_reach_half_are_said_aloud(tmp_path):
    mask = read_mask(save(grey([[0, 1, 2]]), tmp_path / "ids.png"))
    assert not mask.array.any() and "largest value being 2" in mask.note


def test_of_zero_and_one_other_value_the_other_is_foreground(tmp_path):
    path = save(grey(TRUTH * 2), tmp_path / "twos.png")
    np.testing.assert_array_equal(read_mask(path).array, TRUTH)
    np.testing.assert_array_equal(read_mask(path, inverted=True).array, ~TRUTH)
    assert read_mask(path).note == "0 and 2 alone: above 0 is foreground"


def test_a_mask_of_three_colours_shows_three_values(tmp_path):
    array = np.zeros((2, 3, 3), np.uint8)
    array[0, 0], array[0, 1] = (255, 0, 0), (0, 255, 0)
    assert read_mask(save(Image.fromarray(array), tmp_path / "colours.png")).values == 3


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([0, 90, 180, 253])))
def test_mask_rule_on_any_grey_picture(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("masks") / "any.png"
    mask = read_mask(save(grey(values), path))
    half = 0 if set(np.unique(values)) == {0, 90} else 127
    np.testing.assert_array_equal(mask.array, values > half)
    assert mask.values == len(np.unique(values))


def test_images_of_every_mode_become_rgb(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(save(Image.fromarray(rgb), tmp_path / "rgb.png")), rgb)
    alpha = np.dstack([rgb, np.full((5, 7), 9, np.uint8)])
    np.testing.assert_array_equal(read_image(save(Image.fromarray(alpha), tmp_path / "rgba.tif")), rgb)
    flat = read_image(save(grey(rgb[..., 0]), tmp_path / "grey.png"))
    np.testing.assert_array_equal(flat, np.repeat(rgb[..., :1], 3, axis=2))
    shown = read_image(save(palette([[1, 0]], (7, 8, 9), (200, 100, 50)), tmp_path / "p.png"))
    assert shown.tolist() == [[[200, 100, 50], [7, 8, 9]]]
    bits = read_image(save(Image.fromarray(TRUTH), tmp_path / "bits.bmp"))
    np.testing.assert_array_equal(bits[..., 1], TRUTH * np.uint8(255))
    ink = read_image(save(Image.new("CMYK", (4, 3), (0, 0, 0, 255)), tmp_path / "ink.tif"))
    assert ink.shape == (3, 4, 3) and ink.max() == 0
    assert all(a.dtype == np.uint8 for a in (flat, shown, bits, ink))


def test_sixteen_bit_images_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 512).astype(np.uint16).reshape(16, 32)
    found = read_image(save(Image.fromarray(ramp), tmp_path / "ramp.png"))
    np.testing.assert_array_equal(found[..., 0], np.rint(ramp / 257))
    assert len(np.unique(found)) == 256
    dim = read_image(save(Image.fromarray(ramp // 16), tmp_path / "12bit.tif"))
    assert dim.max() == 255 and abs(dim[..., 0].astype(int) - found[..., 0]).max() <= 1


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["tif", "jpg", "png"])
def test_orientation_tags_turn_neither_image_nor_mask(tmp_path, orientation, kind):
    ramp = np.repeat(np.repeat(np.arange(0, 240, 20, dtype=np.uint8).reshape(3, 4), 8, 0), 8, 1)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "tif" else {"exif": exif}
    path = save(grey(ramp), tmp_path / f"turned.{kind}", **options)
    with Image.open(path) as stored:
        assert stored.getexif()[274] == orientation
    assert image_size(path) == (32, 24)
    assert np.abs(read_image(path)[..., 0].astype(int) - ramp).max() <= (3 if kind == "jpg" else 0)
    assert (read_mask(path).array == (ramp > 127)).mean() > 0.99


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize("kind", ["png", "bmp", "gif", "jpg", "tif"])
def test_cut_off_files_are_errors_never_half_pictures(tmp_path, kind):
    noise = np.random.default_rng(1).integers(0, 256, (40, 30), dtype=np.uint8)
    path = save(grey(noise), tmp_path / f"whole.{kind}")
    whole, raw = read_image(path), path.read_bytes()
    cut = tmp_path / f"cut.{kind}"
    refused = 0
    for size in np.linspace(0, len(raw) - 1, 25).astype(int):
        cut.write_bytes(raw[:size])
        try:
            np.testing.assert_array_equal(read_image(cut), whole)
        except StudyError as error:
            refused += 1
            assert str(cut) in str(error) and "to do" in str(error)
    assert refused >= 23


def test_size_reads_the_header_alone(tmp_path):
    noise = np.random.default_rng(2).integers(0, 256, (40, 30))
    path = save(grey(noise), tmp_path / "whole.png")
    path.write_bytes(path.read_bytes()[:60])
    assert image_size(path) == (30, 40)
    with pytest.raises(StudyError, match="cannot be read"):
        read_image(path)


def test_files_that_are_no_images_are_named(tmp_path):
    (tmp_path / "notes.png").write_text("not an image")
    for path, words in ((tmp_path / "notes.png", "cannot be read"), (tmp_path / "gone.png", "missing")):
        for read in (image_size, read_image, read_mask):
            with pytest.raises(StudyError, match=words) as caught:
                read(path)
            assert str(path) in str(caught.value)


def test_a_header_claiming_too_many_pixels_is_refused(tmp_path):
    path = save(grey([[0]]), tmp_path / "bomb.bmp")
    raw = bytearray(path.read_bytes())
    raw[18:26] = struct.pack("<ii", 40_000, 40_000)
    path.write_bytes(raw)
    with pytest.raises(StudyError, match="pixels"):
        image_size(path)


def test_labels_are_ids_not_colours(tmp_path):
    ids = np.array([[0, 1, 2], [3, 12, 12]], dtype=np.uint8)
    colours = [tuple(np.random.default_rng(i).integers(0, 256, 3).tolist()) for i in range(13)]
    deep = Image.fromarray(ids.astype(np.uint16))
    for name, picture in (("p.png", palette(ids, *colours)), ("l.png", grey(ids)), ("i.tif", deep)):
        found = read_labels(save(picture, tmp_path / name)).array
        np.testing.assert_array_equal(found, ids)
    with pytest.raises(StudyError, match="no class values"):
        read_labels(save(palette(ids, *colours).convert("RGB"), tmp_path / "rgb.png"))
    packed, mode = read_colours(tmp_path / "rgb.png")
    assert mode == "PNG RGB"
    red, green, blue = colours[12]
    np.testing.assert_array_equal(packed == red * 65536 + green * 256 + blue, ids == 12)


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_numbers_that_are_no_intensities_are_refused(tmp_path, value):
    path = save(Image.fromarray(np.array([[0, value]], dtype=np.float32)), tmp_path / "odd.tif")
    for read in (read_image, read_mask):
        with pytest.raises(StudyError, match=r"negative|finite"):
            read(path)


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_is_read_inverted_too(tmp_path, name):
    path = save(ENCODINGS[name](), tmp_path / name)
    mask = read_mask(path, inverted=True)
    np.testing.assert_array_equal(mask.array, ~TRUTH)
    assert "inverted" in mask.note and (mask.mode, mask.values) == (read_mask(path).mode, 2)


@pytest.mark.parametrize(("value", "foreground"), [(0, True), (255, False)])
def test_constant_masks_read_inverted(tmp_path, value, foreground):
    mask = read_mask(save(grey(np.full((3, 4), value)), tmp_path / "constant.png"), inverted=True)
    assert mask.array.all() == foreground and mask.array.any() == foreground


def test_one_file_an_object_is_one_mask_together(tmp_path):
    objects = np.zeros((3, 3, 4), bool)
    objects[0, 0, :2], objects[1, 2, 1:], objects[2, 0, 1:3] = True, True, True
    for number, one in enumerate(objects):
        save(grey(one * 255), tmp_path / f"im1_{number}.png")
    save(grey(TRUTH * 255), tmp_path / "im10_0.png")
    (tmp_path / "im1_notes.txt").write_text("three objects")
    save(grey(TRUTH * 255), tmp_path / "._im1_3.png")
    mask = read_mask(tmp_path / "im1_*")
    np.testing.assert_array_equal(mask.array, objects.any(axis=0))
    assert mask.note == "one file an object, joined: above 127 is foreground" and mask.mode == "PNG L"
    assert [path.name for path in files_of(tmp_path / "im1_*")] == ["im1_0.png", "im1_1.png", "im1_2.png"]
    assert files_of(tmp_path / "im1_0.png") == [tmp_path / "im1_0.png"]
    np.testing.assert_array_equal(read_mask(tmp_path / "im1_*", inverted=True).array, (~objects).any(axis=0))


def test_files_that_cannot_be_one_mask_are_refused(tmp_path):
    save(grey(TRUTH * 255), tmp_path / "im1_0.png")
    save(grey(TRUTH[:2] * 255), tmp_path / "im1_1.png")
    with pytest.raises(StudyError, match=r"im1_0\.png and im1_1\.png"):
        read_mask(tmp_path / "im1_*")
    with pytest.raises(StudyError, match="no mask file"):
        read_mask(tmp_path / "im2_*")


def test_of_several_pages_the_first_is_read_and_it_is_said(tmp_path):
    first, second = grey(TRUTH * 255), grey(~TRUTH * 255)
    path = save(first, tmp_path / "stack.tif", save_all=True, append_images=[second, second])
    np.testing.assert_array_equal(read_image(path)[..., 0], TRUTH * 255)
    assert read_picture(path)[1:3] == ("TIFF L", "page 1 of 3: as RGB")
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.array, TRUTH)
    assert mask.note == "page 1 of 3: above 127 is foreground"
    assert read_labels(path).mode == read_colours(path)[1] == "TIFF L page 1 of 3"


def test_what_was_done_to_an_image_is_said(tmp_path):
    ramp = np.linspace(0, 65535, 512).astype(np.uint16).reshape(16, 32)
    said = {
        "deep.png": (Image.fromarray(ramp), ("PNG I;16", "0..65535 becomes 0..255")),
        "deep.tif": (Image.fromarray(ramp), ("TIFF I;16", "0..65535 becomes 0..255")),
        "12bit.tif": (Image.fromarray(ramp // 16), ("TIFF I;16", "0..4095 becomes 0..255")),
        "8bit.tif": (Image.fromarray(ramp // 257), ("TIFF I;16", "values as they are")),
        "share.tif": (Image.fromarray((ramp / 65535).astype(np.float32)), ("TIFF F", "0..1 becomes 0..255")),
        "grey.png": (grey(TRUTH), ("PNG L", "as RGB")),
    }
    for name, (picture, expected) in said.items():
        found = read_picture(save(picture, tmp_path / name))
        assert found[1:3] == expected, name
        np.testing.assert_array_equal(found.array, read_image(tmp_path / name))


@pytest.mark.parametrize("values", [(0, 1, 2, 3), (0, 1, 3), (3, 0), (0, 255), (7, 7)])
def test_a_grey_gif_holds_its_greys_however_they_are_numbered(tmp_path, values):
    """Pillow numbers the greys of a GIF anew where one is missing; another program may number them backwards."""
    array = np.array([values], np.uint8)
    backwards = np.unique(array)[::-1]
    turned = palette(np.argmax(backwards[:, None, None] == array, axis=0), *np.repeat(backwards[:, None], 3, axis=1))
    for name, picture, options in (("a.gif", grey(array), {}), ("b.gif", turned, {"optimize": False})):
        path = save(picture, tmp_path / name, **options)
        assert read_labels(path).array.tolist() == array.tolist() and read_labels(path).palette == {}
        np.testing.assert_array_equal(read_mask(path, above_zero=True).array, array > 0)
        np.testing.assert_array_equal(read_mask(path).array, read_mask(save(grey(array), tmp_path / "a.png")).array)
    assert read_labels(save(turned, tmp_path / "p.png")).array.max() == len(backwards) - 1, "in PNG the index counts"


def test_a_gif_whose_palette_tells_nothing_apart_is_read_by_index(tmp_path):
    path = save(palette([[0, 1, 2]], *[(255, 255, 255)] * 4), tmp_path / "white.gif", optimize=False)
    assert read_labels(path).array.tolist() == [[0, 1, 2]]
    path = save(palette([[0, 1, 1]], (4, 2, 4), (252, 254, 252)), tmp_path / "second.gif", optimize=False)
    assert read_labels(path).array.tolist() == [[0, 1, 1]], "as DRIVE's second human: nearly grey is no grey"
    assert read_labels(path).palette == {0: "#040204", 1: "#fcfefc"}


def test_above_zero_of_a_palette_is_what_is_not_black(tmp_path):
    """Programs that look for the colours of a picture number them in any order, green before red before black."""
    array = np.zeros((2, 3, 3), np.uint8)
    array[0, 0], array[0, 1] = (255, 0, 0), (0, 255, 0)
    for name, picture in (("c.png", Image.fromarray(array)), ("c.gif", Image.fromarray(array))):
        path = save(picture, tmp_path / name)
        assert read_mask(path, above_zero=True).array.tolist() == [[True, True, False], [False] * 3], name
    with Image.open(tmp_path / "c.gif") as stored:
        assert stored.mode == "P" and np.asarray(stored)[1, 1] > 0, "black is not the first colour"
    dark = palette([[1, 0, 2]], (90, 0, 0), (0, 0, 0), (0, 90, 0))
    assert read_mask(save(dark, tmp_path / "dark.png")).array.tolist() == [[False, True, True]]
    short = palette([[0, 1, 9]], (0, 0, 0), (200, 0, 0))  # the ninth object has no colour
    assert read_mask(save(short, tmp_path / "short.png"), above_zero=True).array.tolist() == [[False, True, True]]
    no_black = palette([[0, 1, 2]], (250, 250, 200), (200, 0, 0), (0, 200, 0))
    assert read_mask(save(no_black, tmp_path / "pale.png"), above_zero=True).array.tolist() == [[False, True, True]]


@pytest.mark.parametrize("colours", [((0, 0, 0, 0), (0, 0, 0, 255)), ((255, 255, 255, 0), (250, 250, 250, 255))])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["png", "gif"])
def test_a_palette_with_transparency_reads_as_rgba(tmp_path, colours, turned, kind):
    indices = TRUTH ^ turned
    picture = palette(indices, *(colour[:3] for colour in colours[:: -1 if turned else 1]))
    path = save(picture, tmp_path / f"p.{kind}", transparency=int(turned), optimize=False)
    rgba = Image.fromarray(np.where(TRUTH[..., None], np.uint8(colours[1]), np.uint8(colours[0])))
    for options in ({}, {"above_zero": True}, {"inverted": True}):
        found = read_mask(path, **options).array
        np.testing.assert_array_equal(found, read_mask(save(rgba, tmp_path / "c.png"), **options).array)
        np.testing.assert_array_equal(found, TRUTH ^ ("inverted" in options))
    if kind == "png":
        np.testing.assert_array_equal(read_labels(path).array, indices)


def test_a_grey_value_that_is_seen_through_is_transparent(tmp_path):
    path = save(grey(TRUTH * np.uint8(5) + 250), tmp_path / "l.png", transparency=250)
    np.testing.assert_array_equal(read_mask(path).array, TRUTH)
    path = save(grey(~TRUTH * np.uint8(255)), tmp_path / "l.png", transparency=255)  # black on nothing
    np.testing.assert_array_equal(read_mask(path).array, TRUTH)


def test_void_of_a_palette_with_transparency_leaves_the_rest_as_it_is(tmp_path):
    indices = np.where(TRUTH, 1, 0)
    indices[2, 3] = 2
    picture = palette(indices, (0, 0, 0), (0, 0, 0), (9, 9, 9))
    mask = read_mask(save(picture, tmp_path / "p.png", transparency=bytes([0, 255, 255])), void=[2])
    np.testing.assert_array_equal(mask.array, TRUTH)
    assert mask.void.sum() == 1


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.uint32, np.int64, np.uint64, np.float16, np.float32, np.float64]
)
@pytest.mark.parametrize("value", [1, 100])
def test_a_tiff_mask_of_any_type_of_numbers_is_read(tmp_path, dtype, value):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, (TRUTH * value).astype(dtype))
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.array, TRUTH)
    assert mask.mode.startswith("TIFF ") and mask.counts == {0: (~TRUTH).sum(), value: TRUTH.sum()}
    np.testing.assert_array_equal(read_labels(path).array, TRUTH * value)
    np.testing.assert_array_equal(read_mask(path, void=[value]).void, TRUTH)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float64])
def test_negative_and_odd_numbers_of_a_tiff_mask_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "m.tif", np.array([[0, -1]], dtype))
    for read in (read_mask, read_labels, read_image):
        with pytest.raises(StudyError, match="negative values, down to -1"):
            read(tmp_path / "m.tif")
    tifffile.imwrite(tmp_path / "m.tif", np.array([[0, 2**40]], np.int64))
    with pytest.raises(StudyError, match="values from 0 to 1099511627776"):
        read_mask(tmp_path / "m.tif")
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((4, 6, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(StudyError, match="has 5 channels") as caught:
        read_mask(tmp_path / "m.tif")
    assert "'channels: [" not in str(caught.value), "that is said of images"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
def test_zero_is_white_where_a_tiff_says_so_at_any_depth(tmp_path, dtype):
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    ramp = (np.array([[0, 0.25, 0.75, 1]]) * top).astype(dtype)
    tifffile.imwrite(tmp_path / "w.tif", ramp, photometric="miniswhite")
    if dtype in (np.uint8, np.uint16, np.float32):
        assert read_mask(tmp_path / "w.tif").array.tolist() == [[True, True, False, False]]
    shown = read_image(tmp_path / "w.tif", Reading(0, float(top)))[0, :, 0]
    np.testing.assert_allclose(shown, 255 * (1 - ramp[0].astype(float) / top), atol=1)
    by_channel = read_image(tmp_path / "w.tif", Reading(0, float(top), channels=(1,)))[0, :, 0]
    np.testing.assert_allclose(by_channel, shown, atol=1)


@pytest.mark.parametrize("values", [np.array([[0, 2]], np.float32), np.array([[0, 2]], np.int16)])
def test_zero_as_white_without_a_black_is_refused(tmp_path, values):
    tifffile.imwrite(tmp_path / "w.tif", values, photometric="miniswhite")
    for read in (read_image, read_mask):
        with pytest.raises(StudyError, match="photometric 0") as caught:
            read(tmp_path / "w.tif")
        assert str(tmp_path / "w.tif") in str(caught.value) and "photometric 1" in str(caught.value)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_bits_are_as_they_look_and_arrays_of_bool_as_they_were(tmp_path, compression):
    """Fax machines and ImageMagick write 0 as white and mean it; tifffile writes so of bool, and reads True again."""
    tifffile.imwrite(tmp_path / "bool.tif", TRUTH, compression=compression)
    tifffile.imwrite(tmp_path / "fax.tif", ~TRUTH, compression=compression, software="scan")
    for name in ("bool.tif", "fax.tif"):
        with Image.open(tmp_path / name) as stored:
            assert stored.tag_v2[262] == 0
        np.testing.assert_array_equal(read_mask(tmp_path / name).array, TRUTH)
        np.testing.assert_array_equal(read_labels(tmp_path / name).array, TRUTH)
        for channels in ((), (1,)):
            shown = read_image(tmp_path / name, Reading(channels=channels))
            np.testing.assert_array_equal(shown[..., 0], TRUTH * np.uint8(255))


def test_lossless_webp_keeps_the_values_of_a_mask(tmp_path):
    ids = np.zeros((40, 60), np.uint8)
    ids[5:20, 5:25], ids[25:, 30:] = 1, 2
    for extra in ({}, {"exif": Image.Exif()}):
        extra.get("exif", {})[274] = 1
        path = save(grey(ids > 0), tmp_path / "m.webp", lossless=True, **extra)
        np.testing.assert_array_equal(read_mask(path).array, ids > 0)
        path = save(grey(ids), tmp_path / "m.webp", lossless=True, **extra)
        np.testing.assert_array_equal(read_mask(path, above_zero=True).array, ids > 0)
        path = save(grey(ids * 100), tmp_path / "m.webp", quality=90, **extra)
        with pytest.raises(StudyError, match="lossy file"):
            read_mask(path, above_zero=True)


def test_notes_and_pages_of_files_that_pillow_cannot_open_are_read(tmp_path):
    ramp = np.arange(12, dtype=np.float64).reshape(3, 4)
    path = tmp_path / "turned.tif"
    tifffile.imwrite(path, ramp, extratags=[(274, "H", 1, 6, True)])
    assert orientation_of(path) == 6 and page_count(path) == 1
    assert image_size(path) == (4, 3) and image_size(path, Reading(upright=True)) == (3, 4)
    np.testing.assert_array_equal(read_image(path, Reading(upright=True)), np.rot90(read_image(path), -1))
    np.testing.assert_array_equal(read_mask(path, upright=True).array, np.rot90(read_mask(path).array, -1))
    tifffile.imwrite(path, np.stack([ramp, ramp]), photometric="minisblack")
    assert page_count(path) == 2

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from segstudy.config.datasets import DeclaredException
from segstudy.core.errors import StudyError
from segstudy.data.checks.image_checks import check_images
from segstudy.data.images.label_map import binary, read_ids
from segstudy.data.images.read_masks import read_labels, read_mask
from segstudy.data.inspect_files import decode
from segstudy.data.readers.registry import labels_of
from segstudy.data.value_maps import value_maps

CELL = binary("cell")
ROWS, COLUMNS = np.mgrid[:48, :64]
DISC = (ROWS - 24) ** 2 + (COLUMNS - 30) ** 2 < 12**2
RING = binary_dilation(DISC, iterations=3) & ~DISC
LINE = binary_dilation(DISC) & ~DISC
CORNER = (ROWS < 8) & (COLUMNS < 10)


def grey(*parts):
    array = np.zeros(DISC.shape, np.uint8)
    for where, value in parts:
        array[where] = value
    return array


def ids(count=200):
    """Squares of 4x4 pixels with a number each."""
    array = np.zeros((96, 128), np.uint8)
    for number in range(count):
        row, column = divmod(number, 20)
        array[row * 6 : row * 6 + 4, column * 6 : column * 6 + 4] = number + 1
    return array


def samples_of(tmp_path, *masks, suffix=".png", labels=CELL):
    """The rows of samples.csv of an image each."""
    rows = []
    for number, mask in enumerate(masks):
        picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        picture.save(tmp_path / f"m{number}{suffix}")
        Image.new("L", picture.size, 100).save(tmp_path / f"i{number}.png")
        size = {"width": picture.width, "height": picture.height}
        rows.append({"sample": f"s{number}", "image": f"i{number}.png", "mask": f"m{number}{suffix}"} | size)
    index = pd.DataFrame(rows).assign(roi="", second_mask="", official_subset="")
    return index, decode(index, tmp_path, labels, 1).samples


def palette(array):
    picture = Image.fromarray(array).convert("L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    colours = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [90, 0, 90] * 252 + [224, 224, 192]
    picture.putpalette(colours)
    return picture


COLOURS = np.zeros((*DISC.shape, 3), np.uint8)
COLOURS[DISC], COLOURS[CORNER] = (255, 0, 0), (0, 0, 90)


def voc_colours():
    """A dark red disc with VOC's cream outline."""
    array = np.zeros((*DISC.shape, 3), np.uint8)
    array[DISC], array[LINE] = (128, 0, 0), (224, 224, 192)
    return array


MAPS = {
    "void border": (
        grey((DISC, 1), (RING, 255)),
        ["0 (", "1 (", "255 (", "ignore: 255  # one kind of object, 1; 255 is"],
    ),
    "three greys": (grey((DISC, 100), (CORNER, 200)), ["class_100: 100, class_200: 200"]),
    "thirds": (grey((DISC, 85), (RING, 170), (CORNER, 255)), ["class_85: 85"]),
    "1 2 255": (grey((DISC, 1), (CORNER, 2), (RING, 255)), ["class_2: 2"]),
    "half": (grey((DISC, 100), (CORNER, 255)), ["class_100: 100"]),
    "cup in disc": (grey((RING, 128), (DISC, 255)), ["class_128: 128"]),
    "small numbers": (grey((DISC, 1), (CORNER, 2)), ["class_1: 1, class_2: 2"]),
    "200 objects": (ids(), ["and 193 more", "above_zero: true"]),
    "palette": (palette(grey((DISC, 1), (CORNER, 2), (RING, 255))), ["class_2: 2"]),
    "dark palette": (palette(grey((DISC, 1), (CORNER, 2))), ["class_2: 2"]),
    "colours": (COLOURS, ["class_ff0000: '#ff0000'", "or not black"]),
    "no zero": (
        grey((DISC, 1)) + np.uint8(1),
        ["classes: {background: 1, class_2: 2}  # 1 is the background; one kind"],
    ),
    "pets": (
        np.where(DISC, 1, np.where(RING, 3, 2)).astype(np.uint8),
        ["classes: {background: 2, class_1: 1}\n", "ignore: 3  # 2 is the background; one kind of object, 1; 3 is"],
    ),
    "void is 128": (grey((DISC, 255), (LINE, 128)), ["ignore: 128  # one kind of object, 255"]),
    "void is 254": (grey((DISC, 255), (LINE, 254)), ["ignore: 254  # one kind of object, 255", "class_254: 254"]),
    "void is 65535": (
        grey((DISC, 1)).astype(np.uint16) + np.where(LINE & ~DISC, 65535, 0).astype(np.uint16),
        ["ignore: 65535  # one kind of object, 1"],
    ),
    "void is cream": (voc_colours(), ["ignore: '#e0e0c0'  # one kind of object, #800000"]),
    "void is 0": (
        np.where(LINE, 0, grey((DISC, 1)) + 1).astype(np.uint8),
        ["ignore: 0  # 1 is the background; one kind of object, 2; 0 is a border"],
    ),
    "see-through colours": (np.dstack([COLOURS, 100 * COLOURS.any(2)]).astype(np.uint8), ["class_ff0000: '#ff0000'"]),
}


@pytest.mark.parametrize("name", MAPS)
def test_masks_of_values_are_found_with_what_to_say(tmp_path, name):
    mask, words = MAPS[name]
    index, samples = samples_of(tmp_path, mask, mask)
    with pytest.raises(StudyError, match="has 1 finding\n  mask_of_values: 2 masks hold separate values") as caught:
        check_images(samples, index, labels=CELL)
    for part in words:
        assert part in str(caught.value)


def test_the_proposed_ignore_settles_it(tmp_path):
    mask = grey((DISC, 1), (RING, 255))
    labels = CELL._replace(void=(255,))
    index, samples = samples_of(tmp_path, mask, palette(mask), mask[..., None].repeat(3, 2), labels=labels)
    assert check_images(samples, index, labels=labels)["findings"] == []
    assert samples["foreground"].to_numpy() == pytest.approx(DISC.sum() / (~RING).sum(), abs=1e-6)
    assert samples["void"].to_numpy() == pytest.approx(RING.mean(), abs=1e-6)
    assert set(samples["mask_counts"]) == {f"0={(~RING & ~DISC).sum()} 1={DISC.sum()}"}


def test_values_and_shares_are_those_of_the_pixels(tmp_path):
    mask = grey((DISC, 1), (RING, 255))
    found = value_maps(samples_of(tmp_path, mask, mask, grey())[1])
    assert found.samples == ("s0", "s1")
    for value in (0, 1, 255):
        assert f"{value} ({(mask == value).mean():.1%} of the pixels, in 2 of them)" in found.text


def test_the_guess_can_be_declared(tmp_path):
    index, samples = samples_of(tmp_path, grey((DISC, 100), (CORNER, 255)))
    declared = [DeclaredException(kind="mask_of_values", reason="cells are white, the rest is debris")]
    (accepted,) = check_images(samples, index, declared, labels=CELL)["accepted"]
    assert accepted["subjects"] == ["s0"] and samples["foreground"].iloc[0] == pytest.approx(CORNER.mean(), abs=1e-6)


def soft(array, factor):
    """Drawn `factor` times as large and averaged."""
    height, width = array.shape
    large = np.kron(array, np.ones((factor, factor)))
    rolled = np.roll(large, factor // 2, (0, 1))
    return rolled.reshape(height, factor, width, factor).mean((1, 3)).round().astype(np.uint8)


BLACK_AND_WHITE = {
    "0 255": [grey((DISC, 255))] * 2,
    "0 1": [grey((DISC, 1))] * 2,
    "0 100": [grey((DISC, 100))] * 2,
    "0 251 and 0 253": [grey((DISC, 251)), grey((DISC, 253))],
    "0 1 and 0 255": [grey((DISC, 1)), grey((DISC, 255))],
    "empty": [grey(), grey((DISC, 255))],
    "soft edges of five greys": [soft(grey((DISC, 255)), 2)] * 2,
    "soft edges of many greys": [soft(grey((DISC, 255)), 8)] * 2,
}


@pytest.mark.parametrize("name", BLACK_AND_WHITE)
def test_masks_of_black_and_white_go_on(tmp_path, name):
    _, samples = samples_of(tmp_path, *BLACK_AND_WHITE[name])
    assert value_maps(samples) is None
    assert samples["foreground"].iloc[1] == pytest.approx(DISC.mean(), abs=0.01)


def test_a_lossy_mask_is_cut_at_half(tmp_path):
    index, samples = samples_of(tmp_path, grey((DISC, 255)), suffix=".jpg")
    assert check_images(samples, index, labels=CELL)["findings"] == []


@pytest.mark.parametrize("quality", [75, 85, 90, 95, 98, 100])
def test_masks_that_were_lossy_once_are_black_and_white(tmp_path, quality):
    thin = np.zeros((96, 128), bool)  # as vessels are; many specks
    thin[np.arange(96) % 12 < 3] = True
    thin[:, np.arange(128) % 20 < 2] = True
    masks = []
    for number, mask in enumerate((DISC, thin, RING | CORNER)):
        Image.fromarray(255 * mask.astype(np.uint8)).save(tmp_path / f"{number}.jpg", quality=quality)
        masks.append(np.asarray(Image.open(tmp_path / f"{number}.jpg")))
    index, samples = samples_of(tmp_path, *masks)
    assert check_images(samples, index, labels=CELL)["findings"] == []
    shares = [DISC.mean(), thin.mean(), (RING | CORNER).mean()]
    assert samples["foreground"].to_numpy() == pytest.approx(shares, abs=0.01)


def test_classes_near_black_and_white_have_an_inside(tmp_path):
    mask = grey((DISC, 255), (CORNER, 254), (COLUMNS > 50, 1))
    assert value_maps(samples_of(tmp_path, mask)[1]).samples == ("s0",)


@pytest.mark.parametrize("inverted", [False, True])
def test_a_mask_of_one_value_is_judged_by_the_others(tmp_path, inverted):
    masks = [grey((DISC, 2)), grey((CORNER, 2)), np.full(DISC.shape, 2, np.uint8)]
    labels = CELL._replace(inverted=inverted)
    index, samples = samples_of(tmp_path, *masks, labels=labels)
    known = [DeclaredException(kind="mask_constant", reason="the object fills this image")]
    with pytest.raises(StudyError, match="mask_of_values: 1 masks hold one value all over, 2, which is ") as caught:
        check_images(samples, index, known, labels=labels)
    keys = {"classes": {"background": 2, "class_0": 0}} if inverted else {"above_zero": True}
    assert ("classes: {background: 2, class_0: 0}" if inverted else "above_zero: true") in str(caught.value)
    index, samples = samples_of(tmp_path, *masks, labels=labels_of("folder", **keys))
    shares = np.array([DISC.mean(), CORNER.mean(), 1])
    assert samples["foreground"].to_numpy() == pytest.approx(1 - shares if inverted else shares, abs=1e-6)
    assert value_maps(samples) is None


def test_files_with_another_object_value_each_are_found(tmp_path):
    found = value_maps(samples_of(tmp_path, grey((DISC, 1)), grey((DISC, 2)), grey())[1])
    assert found.samples == ("s0", "s1")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((128, 255), "128 in 2, 255 in 1 of them; all are object. If they are classes, say"),
        ((1, 255), ""),
        ((254, 255), ""),
        (((255, 0, 0), (0, 255, 0)), "classes: {class_00ff00: '#00ff00', class_ff0000: '#ff0000'}"),
    ],
)
def test_values_that_are_never_together_are_said_to_be_one_object(tmp_path, caplog, values, told):
    """Of classes, of which each image has one, nothing else would tell."""
    masks = [np.asarray(DISC[..., None] * np.asarray(values[n % 2]), np.uint8).squeeze() for n in range(3)]
    index, samples = samples_of(tmp_path, *masks)
    warnings = check_images(samples, index, labels=CELL)["warnings"]
    assert bool(warnings) == bool(told) and told in "".join(warnings)
    assert bool(told) == ("masks hold one value beside 0, and not the same" in caplog.text)
    index, samples = samples_of(tmp_path, *masks, labels=CELL._replace(above_zero=True))
    assert not check_images(samples, index, labels=CELL)["warnings"]


@pytest.mark.parametrize("name", MAPS)
def test_above_zero_all_but_the_background_is_object(tmp_path, name):
    mask, _ = MAPS[name]
    _, samples = samples_of(tmp_path, mask, labels=labels_of("folder", above_zero=True))
    stored = np.asarray(mask)
    expected = stored.any(axis=2) if stored.ndim == 3 else stored > 0
    assert samples["foreground"].iloc[0] == pytest.approx(expected.mean(), abs=1e-6)
    assert value_maps(samples) is None


def test_above_zero_asks_for_exact_values(tmp_path):
    index, samples = samples_of(tmp_path, grey((DISC, 255)), suffix=".jpg", labels=CELL._replace(above_zero=True))
    with pytest.raises(StudyError, match=r"no_class_values: s0: mask m0\.jpg: a lossy file holds no exact values"):
        check_images(samples, index, labels=CELL)


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA"])
def test_values_written_as_colours_with_a_constant_alpha_are_values(tmp_path, mode):
    array = grey((DISC, 1), (CORNER, 2))
    Image.fromarray(array).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "m.png")[0], array)
    assert read_mask(tmp_path / "m.png").value_map


def test_colours_where_values_are_mapped_are_named_for_what_they_are(tmp_path):
    labels = labels_of("folder", {"left": 1, "right": 2})
    index, samples = samples_of(tmp_path, COLOURS, labels=labels)
    with pytest.raises(StudyError) as caught:
        check_images(samples, index, labels=labels)
    assert "no_class_values: s0: mask m0.png: a picture of mode RGB holds no class values" in str(caught.value)
    assert "map colours under 'classes'" in str(caught.value) and "sound copy" not in str(caught.value)


def test_colours_that_each_gif_numbers_anew_are_a_finding(tmp_path):
    masks = []
    for drawn in ((DISC, CORNER), (CORNER,), (DISC,)):
        array = np.zeros((*DISC.shape, 3), np.uint8)
        for where, colour in zip(drawn, ((255, 0, 0), (0, 255, 0)), strict=False):
            array[where] = colour
        masks.append(Image.fromarray(array))
    labels = labels_of("folder", {"left": 1, "right": 2}, strays=True)
    index, samples = samples_of(tmp_path, *masks, suffix=".gif", labels=labels)
    with pytest.raises(StudyError, match="no_class_values: s1: palette index 0 is #ff0000 in this file and") as e:
        check_images(samples, index, labels=labels)
    assert "map colours under 'classes'" in str(e.value)
    for void, found in ((1, True), ("#00ff00", False)):
        _, samples = samples_of(tmp_path, *masks, suffix=".gif", labels=CELL._replace(void=(void,)))
        assert samples["problem"].str.contains("palette index").any() == found
    labels = labels_of("folder", {"left": "#ff0000", "right": "#00ff00"})
    index, samples = samples_of(tmp_path, *masks, suffix=".gif", labels=labels)
    check_images(samples, index, labels=labels)
    assert samples["foreground"].iloc[0] == pytest.approx((DISC | CORNER).mean(), abs=1e-6)


@pytest.mark.parametrize("greys", [True, False])
def test_png_that_number_their_colours_anew_are_a_finding_and_one_palette_is_none(tmp_path, greys):
    """What Pillow's `quantize` makes of label maps: an index is another grey, or colour, in a file without a class."""
    pictures = [Image.fromarray(grey((DISC, 2), *more)) for more in ([(CORNER, 1)], [])]
    pictures = pictures if greys else [palette(np.asarray(picture)).convert("RGB") for picture in pictures]
    labels = labels_of("folder", {"left": 1, "right": 2}, strays=True)
    index, samples = samples_of(tmp_path, *(picture.quantize() for picture in pictures), labels=labels)
    with pytest.raises(StudyError, match=r"no_class_values: s1: palette index \d is #\w+ in this file") as caught:
        check_images(samples, index, labels=labels)
    assert "s0: palette" not in str(caught.value) and "map colours under 'classes'" in str(caught.value)
    colours = {"left": "#010101", "right": "#020202"} if greys else {"left": "#800000", "right": "#008000"}
    labels = labels_of("folder", colours)
    index, samples = samples_of(tmp_path, *(picture.quantize() for picture in pictures), labels=labels)
    check_images(samples, index, labels=labels)
    assert samples["classes"].tolist() == ["left right", "right"]
    labels = labels_of("folder", {"left": 1, "right": 2})
    index, samples = samples_of(tmp_path, *map(palette, (grey((DISC, 2), (CORNER, 1)), grey((DISC, 2)))), labels=labels)
    check_images(samples, index, labels=labels)


def test_one_file_an_object_may_number_the_objects(tmp_path):
    for number in (1, 2):
        Image.fromarray(grey((DISC if number == 1 else CORNER, number))).save(tmp_path / f"m_{number}.png")
    found = read_ids(tmp_path / "m_*", CELL)
    np.testing.assert_array_equal(found.array > 0, DISC | CORNER)
    assert found.counts == {} and not found.value_map


def test_a_lossy_file_of_several_values_is_found_and_one_of_two_is_not(tmp_path):
    masks = grey((DISC, 255), (CORNER, 100)), grey((DISC, 255))
    index, samples = samples_of(tmp_path, *masks, suffix=".jpg")
    with pytest.raises(StudyError, match="mask_not_binary: s0: 2% of the pixels of the mask are grey") as caught:
        check_images(samples, index, labels=CELL)
    assert "s1" not in str(caught.value)
    index, samples = samples_of(tmp_path, grey((DISC, 1)), suffix=".jpg")
    with pytest.raises(StudyError, match="JPEG L: above 127 is foreground; nothing is, the largest"):
        check_images(samples, index, labels=CELL)


def test_one_mask_that_is_inside_out_is_said(tmp_path):
    masks = [np.roll(grey((DISC, 255)), step, axis=1) for step in range(5)]
    index, samples = samples_of(tmp_path, *masks, 255 - grey((DISC, 255)))
    (warning,) = check_images(samples, index, labels=CELL)["warnings"]
    assert warning.startswith("1 of 6 masks look inverted beside the others") and "s5" in warning


def test_transparent_pixels_are_background_however_strong_the_rest_is_drawn(tmp_path):
    for strength, colour, hidden in ((100, (255, 0, 0), 0), (255, (0, 0, 0), 255), (255, (9, 9, 9), 255)):
        array = np.full((*DISC.shape, 4), hidden, np.uint8)
        array[DISC, :3], array[..., 3] = colour, strength * DISC
        Image.fromarray(array).save(tmp_path / "m.png")
        assert np.array_equal(read_mask(tmp_path / "m.png").array, DISC)


def test_whole_numbers_in_floating_point_are_values_and_negative_ones_are_refused(tmp_path):
    labels = labels_of("folder", {"a": 1, "b": 2})
    index, samples = samples_of(tmp_path, grey((DISC, 1), (CORNER, 2)).astype(np.float32), suffix=".tif", labels=labels)
    assert check_images(samples, index, labels=labels)["findings"] == [] and samples["classes"].iloc[0] == "a b"
    index, samples = samples_of(tmp_path, grey((DISC, 1)).astype(np.int32) - RING, suffix=".tif", labels=labels)
    with pytest.raises(StudyError, match="the mask holds negative values, down to -1; void is 255"):
        check_images(samples, index, labels=labels)

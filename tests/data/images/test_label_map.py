import numpy as np
import pytest
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import evaluated_classes
from segstudy.data.images.label_map import binary, colours, known_ids, read_ids, several
from segstudy.data.images.read_masks import read_mask

IDS = np.array([[0, 5, 7], [9, 0, 5]], np.uint8)
LABELS = several({"window": 5, "door": [7, 9]})


def save(array, path, mode=None):
    Image.fromarray(array, mode).save(path)
    return path


def test_values_become_ids_in_the_order_of_the_classes(tmp_path):
    found = read_ids(save(IDS, tmp_path / "l.png"), LABELS)
    np.testing.assert_array_equal(found.array, [[0, 1, 2], [2, 0, 1]])
    assert found.array.dtype == np.uint8 and found.unknown == () and found.values == 4
    assert LABELS.several and LABELS.foreground == ("window", "door") and len(LABELS.colours) == 3


def test_palette_files_are_read_by_index_whatever_their_colours(tmp_path):
    picture = Image.fromarray(IDS).convert("L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette([255, 255, 255] * 256)
    picture.save(tmp_path / "p.png")
    np.testing.assert_array_equal(known_ids(tmp_path / "p.png", LABELS), [[0, 1, 2], [2, 0, 1]])


def test_colours_can_be_classes(tmp_path):
    table = {0: (0, 0, 0), 5: (255, 0, 0), 7: (0, 128, 255), 9: (1, 2, 3)}
    array = np.array([[table[value] for value in row] for row in IDS.tolist()], np.uint8)
    labels = several({"window": "#ff0000", "door": ["#0080FF", "#010203"]}, background="#000000")
    found = read_ids(save(array, tmp_path / "c.png"), labels)
    np.testing.assert_array_equal(found.array, [[0, 1, 2], [2, 0, 1]])
    assert found.unknown == ()


def test_a_value_that_is_no_class_is_named_with_what_is_allowed(tmp_path):
    path = save(np.array([[0, 5, 6]], np.uint8), tmp_path / "l.png")
    assert read_ids(path, LABELS).unknown == (6,)
    with pytest.raises(StudyError, match=r"no class: 6[\s\S]*window 5; door 7, 9"):
        known_ids(path, LABELS)


def test_inverted_objects_are_joined_by_what_is_dark_in_any_of_them(tmp_path):
    for name, row in (("im_1.png", [0, 255, 255]), ("im_2.png", [255, 255, 0])):
        Image.fromarray(np.array([row], np.uint8)).save(tmp_path / name)
    assert read_ids(tmp_path / "im_*", binary("cell", inverted=True)).array.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("inverted", [False, True])
def test_a_binary_mask_is_read_as_the_mask_reader_says(tmp_path, inverted):
    path = save(np.array([[0, 100, 200, 255]], np.uint8), tmp_path / "m.png")
    found = read_ids(path, binary("cell", inverted))
    np.testing.assert_array_equal(found.array > 0, read_mask(path).array != inverted)
    assert ("inverted" in found.note) == inverted


def test_every_class_has_a_colour_of_its_own():
    assert len(set(colours(15))) == 15 and colours(2)[0] == (0, 0, 0)


def test_files_of_single_objects_hold_no_classes(tmp_path):
    save(np.array([[0, 5]], np.uint8), tmp_path / "im1_a.png")
    save(np.array([[9, 0]], np.uint8), tmp_path / "im1_b.png")
    with pytest.raises(StudyError, match="stand in one file"):
        read_ids(tmp_path / "im1_*", LABELS)
    assert read_ids(tmp_path / "im1_*", binary("cell")).array.shape == (1, 2)


def test_void_is_marked_and_changes_no_other_pixel(tmp_path):
    """The rest of a mask is read as if it stood alone: 1 of {0, 1} is foreground, and so is 200 of {0, 200}."""
    for low, high in ((0, 1), (0, 200), (0, 255)):
        path = save(np.array([[low, high, 128], [128, high, low]], np.uint8), tmp_path / "m.png")
        found = read_ids(path, binary("cell")._replace(void=(128,)))
        assert found.array.tolist() == [[0, 1, 0], [0, 1, 0]] and found.values == 2
        assert found.void.tolist() == [[False, False, True], [True, False, False]]
        assert found.note.endswith("; 128 is void")
    inverted = read_ids(path, binary("cell", inverted=True)._replace(void=(128,)))
    assert inverted.array.tolist() == [[1, 0, 0], [0, 0, 1]], "void is no foreground either"
    every = read_ids(save(np.full((2, 2), 128, np.uint8), path), binary("cell")._replace(void=(128,)))
    assert every.void.all() and not every.array.any() and every.values == 0
    assert read_ids(path, binary("cell")).void is None


def test_void_of_palettes_colours_and_files_of_single_objects(tmp_path):
    picture = Image.fromarray(np.array([[0, 1, 255]], np.uint8)).convert("L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette([0, 0, 0, 64, 0, 0] + [0] * 3 * 253 + [224, 224, 192])  # as VOC: the border is the brightest
    picture.save(tmp_path / "voc.png")
    by_colour = save(np.array([[[0, 0, 0], [200, 0, 0], [224, 224, 192]]], np.uint8), tmp_path / "colours.png")
    for path, void in ((tmp_path / "voc.png", 255), (tmp_path / "voc.png", "#e0e0c0"), (by_colour, "#E0E0C0")):
        found = read_ids(path, binary("cell")._replace(void=(void,)))
        assert found.array.tolist() == [[0, 1, 0]] and found.void.tolist() == [[False, False, True]]
    with pytest.raises(StudyError, match=r"no class values[\s\S]*with ignore"):
        read_ids(by_colour, binary("cell")._replace(void=(255,)))
    save(np.array([[1, 255, 255, 0]], np.uint8), tmp_path / "im_1.png")
    save(np.array([[0, 1, 0, 0]], np.uint8), tmp_path / "im_2.png")
    joined = read_ids(tmp_path / "im_*", binary("cell")._replace(void=(255,)))
    assert joined.array.tolist() == [[1, 1, 0, 0]] and joined.void.tolist() == [[False, False, True, False]]


def test_void_among_classes_is_no_unknown_value(tmp_path):
    path = save(np.array([[0, 1, 2, 255, 9]], np.uint8), tmp_path / "m.png")
    found = read_ids(path, several({"wall": 1, "roof": 2}, void=255))
    assert found.array.tolist() == [[0, 1, 2, 0, 0]] and found.void.tolist() == [[False] * 3 + [True, False]]
    assert (found.unknown, found.stray, found.values) == ((9,), 0.2, 4)
    ade = several({"wall": 1, "roof": 2}, void=0)  # ADE's 0 is void: no pixel is background
    assert ade.values == ((), (1,), (2,)) and read_ids(path, ade).void.tolist() == [[True] + [False] * 4]
    assert evaluated_classes(ade) == [(1, "wall"), (2, "roof")]
    assert evaluated_classes(several({"wall": 1, "roof": 2})) == [(0, "background"), (1, "wall"), (2, "roof")]

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from segstudy.core.errors import StudyError
from segstudy.data.checks.image_checks import check_images
from segstudy.data.ground_truth import truth_of
from segstudy.data.images.orientation import turned_back
from segstudy.data.images.read import read_image
from segstudy.data.images.reading import configured, reading_of
from segstudy.data.index import build_index
from segstudy.data.inspect_files import decode
from segstudy.data.orientation_notes import remark
from segstudy.data.readers.registry import labels_of

BOTH, IMAGE, MASK = (True, True), (True, False), (False, True)


def scene(number, shape):
    """A photograph and its mask, upright."""
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    centre = [side * random.uniform(0.25, 0.4) for side in shape]
    mask = ((rows - centre[0]) / (shape[0] / 5)) ** 2 + ((columns - centre[1]) / (shape[1] / 7)) ** 2 < 1
    grey = 90 + 60 * mask + gaussian_filter(random.normal(0, 60, shape), 2)
    return np.clip(grey, 0, 255).astype(np.uint8), mask


def folder(tmp_path, turn, noted=IMAGE, turned=IMAGE, shape=(48, 64), count=6, flat=False):
    """A data set whose images and masks note `turn` and are stored turned, or not."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir(exist_ok=True)
    for number in range(count):
        grey, mask = scene(number, shape)
        arrays = (np.full_like(grey, 90) if flat else grey, mask.astype(np.uint8) * np.uint8(255))
        for part, array, note, back in zip(("images", "masks"), arrays, noted, turned, strict=True):
            exif = Image.Exif()
            if note:
                exif[274] = turn
            picture = Image.fromarray(np.ascontiguousarray(turned_back(array, turn) if back else array))
            picture.save(tmp_path / part / f"im{number}.png", exif=exif)
    return tmp_path


def samples_of(root, orientation=None):
    index = build_index("folder", root, reading=configured(orientation=orientation))
    return index, decode(index, root, labels_of("folder", orientation=orientation), 1).samples


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("shape", [(48, 64), (56, 56)], ids=["oblong", "square"])
@pytest.mark.parametrize("turned", [IMAGE, MASK], ids=["image", "mask"])
def test_a_file_that_is_turned_alone_is_found_and_applying_its_note_mends_it(tmp_path, turn, shape, turned):
    root = folder(tmp_path, turn, turned, turned, shape)
    index, samples = samples_of(root)
    with pytest.raises(StudyError, match="has 6 findings\n  orientation: im0: the image notes") as caught:
        check_images(samples, index, labels=labels_of("folder"))
    oblong = turn >= 5 and shape[0] != shape[1]
    assert ("sizes are equal only" if oblong else "contents fit where the notes are obeyed") in str(caught.value)
    assert f"orientation {turn} (EXIF)" in str(caught.value) and "'orientation: apply'" in str(caught.value)
    index, samples = samples_of(root, "apply")
    assert (samples["problem"] == "").all()
    row = index.to_dict("records")[0]
    assert (row["width"], row["height"]) == shape[::-1]
    grey, mask = scene(0, shape)
    np.testing.assert_array_equal(read_image(root / row["image"], reading_of(row))[..., 0], grey)
    np.testing.assert_array_equal(truth_of(row, root, labels_of("folder", orientation="apply")).mask, mask)


@pytest.mark.parametrize(("noted", "turned"), [(BOTH, BOTH), (IMAGE, BOTH)], ids=["both note it", "image notes it"])
def test_files_that_fit_as_they_are_stored_go_on(tmp_path, noted, turned):
    index, samples = samples_of(folder(tmp_path, 3, noted, turned))
    assert (samples["problem"] == "").all() and "reading" not in index
    said = remark([samples["image_turn"], samples["mask_turn"]], "")
    masks = 6 if noted == BOTH else 0
    assert said.startswith(f"6 images and {masks} masks note that") and said.endswith("all pixels are taken as stored")


def test_what_contents_cannot_tell_the_config_has_to_say(tmp_path):
    root = folder(tmp_path, 3, flat=True)
    _, samples = samples_of(root)
    assert samples["problem"].str.contains("cannot be told from their contents").all()
    for said in ("ignore", "apply"):
        assert (samples_of(root, said)[1]["problem"] == "").all()

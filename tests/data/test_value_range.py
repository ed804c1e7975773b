import numpy as np
import pytest
import tifffile
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.images.reading import Reading
from segstudy.data.index import build_index
from segstudy.data.inspect_files import decode
from segstudy.data.store import build_store, open_store
from segstudy.data.value_range import value_range
from tests.helpers.png16 import write_png

SCENE = np.random.default_rng(0).integers(60, 256, (24, 32, 3), dtype=np.uint16)


def folder(tmp_path, images, suffix=".png"):
    """A data set of these images, each a function that writes one to a path."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number, write in enumerate(images):
        write(tmp_path / "images" / f"im{number}{suffix}")
        mask = np.zeros(SCENE.shape[:2], np.uint8)
        mask[4:20, 4:20] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"im{number}.png")
    return tmp_path


def colour(factor):
    return lambda path: write_png(path, SCENE * factor, 2)


def grey(factor):
    return lambda path: Image.fromarray(SCENE[..., 0] * factor).save(path)


def test_one_exposure_is_one_brightness_in_every_file(tmp_path):
    root = folder(tmp_path, [grey(factor) for factor in range(20, 28)])
    index = build_index("folder", root)
    highest = 27 * SCENE[..., 0].max()
    assert set(index["reading"]) == {f"range 0 {8191 if highest <= 8191 else 16383}"}
    samples = decode(index, root, binary("cell"), 1).samples
    assert (samples["problem"] == "").all()
    np.testing.assert_allclose(samples["red"] / samples["red"][0], np.arange(20, 28) / 20, rtol=0.01)
    build_store(index, root, tmp_path / "store", "native", "rgb", "folder", binary("cell"), 1)
    store = open_store(tmp_path / "store")
    assert store.meta["reading"] == index["reading"][0]
    np.testing.assert_allclose(store.images[:, :24, :32].mean((1, 2, 3)) / samples["red"].to_numpy(), 1, atol=0.4)


def test_images_of_another_depth_that_end_black_are_found(tmp_path):
    root = folder(tmp_path, [colour(1 if number % 2 else 16) for number in range(4)])
    index = build_index("folder", root)
    assert set(index["reading"]) == {"range 0 4095"}
    samples = decode(index, root, binary("cell"), 1).samples
    assert [problem.partition(":")[0] for problem in samples["problem"]] == ["", "image_range"] * 2
    assert "becomes nearly black: 99.9% of it is at most 16 of 255, by range 0 4095" in samples["problem"][1]
    told = build_index("folder", root, reading=Reading(0, 255))
    samples = decode(told, root, binary("cell"), 1).samples
    assert samples["red"][1] == pytest.approx(SCENE[..., 0].mean(), abs=0.01)
    assert "nearly white" in samples["problem"][0]


def test_8_bit_values_in_16_bit_files_are_as_bright_as_in_8_bit_files(tmp_path):
    root = folder(tmp_path, [colour(1)] * 3)
    samples = decode(build_index("folder", root), root, binary("cell"), 1).samples
    assert samples["red"][0] == pytest.approx(SCENE[..., 0].mean(), abs=0.01) and not any(samples["problem"])


def test_data_sets_of_8_bits_have_no_reading(tmp_path):
    root = folder(tmp_path, [lambda path: Image.fromarray(SCENE.astype(np.uint8)).save(path)] * 2)
    index = build_index("folder", root)
    assert "reading" not in index
    build_store(index, root, tmp_path / "store", "native", "rgb", "folder", binary("cell"), 1)
    assert "reading" not in open_store(tmp_path / "store").meta


def test_a_range_that_all_files_declare_is_theirs(tmp_path):
    def write(path, least=100, most=4000):
        tags = [(340, "H", 1, least, True), (341, "H", 1, most, True)]
        tifffile.imwrite(path, SCENE[..., 0] * 10, extratags=tags)

    root = folder(tmp_path, [write] * 2, ".tif")
    assert set(build_index("folder", root)["reading"]) == {"range 100 4000"}
    write(root / "images" / "im1.tif", most=4001)
    assert set(build_index("folder", root)["reading"]) == {"range 0 4095"}


def test_damaged_files_are_left_to_the_checks_and_unknown_channels_are_not(tmp_path):
    root = folder(tmp_path, [grey(20)] * 2)
    content = (root / "images" / "im0.png").read_bytes()
    (root / "images" / "im0.png").write_bytes(content[:200])
    assert value_range(sorted((root / "images").iterdir()), Reading(), "values", 1) == (0, 8191)
    tifffile.imwrite(
        root / "images" / "im1.tif", np.zeros((5, 24, 32), np.uint8), photometric="minisblack", planarconfig="separate"
    )
    (root / "images" / "im1.png").unlink()
    with pytest.raises(StudyError, match=r"5 channels: which are red"):
        build_index("folder", root)
    assert set(build_index("folder", root, reading=Reading(channels=(2,)))["reading"]) == {"channels 2"}

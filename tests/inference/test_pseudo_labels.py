"""A teacher labels images: what is written, what is measured, and who may not teach."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.images.label_map import binary
from segstudy.data.images.prediction_files import read_probability
from segstudy.data.images.read_masks import read_mask
from segstudy.data.store import build_store, open_store
from segstudy.inference.pseudo_labels import images_to_label, label_images, measured
from segstudy.models import model_file, registry
from tests.helpers.known_probability import META as PLAIN_META
from tests.helpers.known_probability import Oracle, write_images

SUBSETS = ["train", "val", "unlabelled", "test", "unlabelled"]
META = PLAIN_META | {"canvas": [48, 48], "settings": {"recipe": {"crop": None}}}


@pytest.fixture
def photos(tmp_path):
    """Folder, index and split of images whose red channel is a known probability, some with a mask."""
    return tmp_path, *write_images(tmp_path, SUBSETS)


def label(photos, monkeypatch, network=None, size="native", tile=None, **meta):
    folder, index, split = photos
    build_store(index, folder / "raw", folder / "store", size, "rgb", "folder", binary("cell"), 1)
    monkeypatch.setattr(model_file, "load_model", lambda path, device, **_: (network or Oracle(), META | meta))
    outputs = {"probabilities": folder / "out/probabilities"}
    outputs |= {"targets": folder / "out/targets.npy", "measures": folder / "out/measures.csv"}
    label_images(folder / "model", folder / "store", split, index, folder / "raw", outputs, "photos", tile)
    return read_csv(outputs["measures"]), np.load(outputs["targets"])


def test_images_of_train_and_unlabelled_alone_are_labelled_and_no_mask_is_read(photos, monkeypatch):
    folder, _, _ = photos
    before, targets = label(photos, monkeypatch)
    assert before["sample"].tolist() == ["0", "2", "4"]
    assert sorted(path.name for path in (folder / "out/probabilities").iterdir()) == ["0.png", "2.png", "4.png"]
    assert targets.any(axis=(1, 2)).tolist() == [True, False, True, False, True]
    for mask in (folder / "raw").glob("*_mask.png"):
        Image.fromarray(255 - np.asarray(Image.open(mask))).save(mask)
    again, same = label(photos, monkeypatch)
    pd.testing.assert_frame_equal(again, before)
    assert np.array_equal(same, targets)


def test_measures_are_those_of_the_stored_probabilities_inside_the_field_of_view(photos, monkeypatch):
    folder, _, _ = photos
    measures, _ = label(photos, monkeypatch, size={"height": 48, "width": 48})
    for row in measures.to_dict("records"):
        stored = read_probability(folder / f"out/probabilities/{row['sample']}.png")
        raw = Image.open(folder / f"raw/{row['sample']}.png")
        roi = read_mask(folder / f"raw/{row['sample']}_roi.png").array
        assert stored.shape == (raw.height, raw.width)
        assert (stored[~roi] == 0).all() and 0.2 < row["white"] < 0.8
        assert row["white"] == pytest.approx(np.count_nonzero(stored[roi] >= 0.5) / roi.sum(), abs=1e-6)
        assert row["confidence"] == pytest.approx(np.where(stored < 0.5, 1 - stored, stored)[roi].mean(), abs=1e-5)
        assert row["roi_share"] == pytest.approx(roi.sum() / stored.size, abs=1e-6)


def test_by_hand():
    probability = np.array([[0.9, 0.5], [0.1, 0.2]], np.float32)
    assert measured(probability, None) == pytest.approx(
        {"white": 0.5, "confidence": (0.9 + 0.5 + 0.9 + 0.8) / 4, "roi_share": float("nan")}, nan_ok=True
    )
    inside = np.array([[True, True], [False, True]])
    found = measured(probability, inside)
    assert found == pytest.approx({"white": 2 / 3, "confidence": 2.2 / 3, "roi_share": 0.75}, abs=1e-6)


def test_targets_lie_on_the_canvas_in_the_order_of_the_store(photos, monkeypatch):
    folder, _, _ = photos
    _, targets = label(photos, monkeypatch)
    store = open_store(folder / "store")
    assert targets.dtype == np.uint8 and targets.shape == store.masks.shape
    for row in (0, 2, 4):
        expected = store.images[row, :, :, 0] * (store.rois[row] > 0)
        assert np.array_equal(targets[row], expected)  # the red channel is 255 p


def test_a_real_network_gives_the_same_bytes_twice(photos, monkeypatch):
    folder, _, _ = photos
    torch.manual_seed(0)
    network = registry.build({"network": "unet", "width": 4, "depth": 2}, 3, 1)
    contents = []
    for _ in range(2):
        label(photos, monkeypatch, network, size={"height": 48, "width": 48})
        contents.append([path.read_bytes() for path in sorted((folder / "out").rglob("[!.]*")) if path.is_file()])
    assert contents[0] == contents[1] and len(contents[0]) == 5


REFUSED = {
    "the teacher takes 1 channels, the images of photos have 3": {"in_channels": 1},
    "tells 12 classes apart": {"outputs": 12},
    r"trained on whole images of 96x128 pixels .* those of photos are 48x48": {"canvas": [96, 128]},
}


@pytest.mark.parametrize(("message", "meta"), REFUSED.items(), ids=["channels", "classes", "canvas"])
def test_a_teacher_that_cannot_label_these_images_is_refused_and_nothing_written(photos, monkeypatch, message, meta):
    folder, _, _ = photos
    with pytest.raises(StudyError, match=message) as caught:
        label(photos, monkeypatch, size={"height": 48, "width": 48}, **meta)
    assert caught.value.remedy
    assert not (folder / "out").exists()


def test_a_teacher_that_learned_from_crops_takes_any_canvas(photos, monkeypatch):
    measures, _ = label(photos, monkeypatch, canvas=[96, 128], settings={"recipe": {"crop": [32, 32]}})
    assert len(measures) == 3


def test_tiles_take_any_canvas_and_say_the_same_where_the_network_sees_single_pixels(photos, monkeypatch):
    whole, targets = label(photos, monkeypatch)
    measures, same = label(photos, monkeypatch, canvas=[96, 128], tile=(32, 32))
    assert np.abs(same.astype(int) - targets).max() <= 1
    assert measures["white"].tolist() == pytest.approx(whole["white"].tolist(), abs=0.01)


def test_no_image_to_label_is_explained(photos):
    _, index, split = photos
    with pytest.raises(StudyError, match="'photos' has no image to label") as caught:
        images_to_label(index, split.assign(subset=["val", "val", "test", "test", "test"]), "photos")
    assert "3 in subset test" in caught.value.where and "2 in subset val" in caught.value.where


def test_an_image_that_cannot_be_written_leaves_nothing(photos, monkeypatch):
    folder, _, _ = photos
    monkeypatch.setattr("segstudy.inference.pseudo_labels.write_probability", lambda path, probability: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        label(photos, monkeypatch)
    assert not list((folder / "out").iterdir())

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from segstudy.config.evaluation import Evaluation
from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.images.geometry import to_original
from segstudy.data.images.label_map import binary, several
from segstudy.data.images.prediction_files import read_classes, read_probability, write_probability
from segstudy.data.images.read_masks import read_mask
from segstudy.data.store import build_store, open_store
from segstudy.evaluation.measure import measure
from segstudy.evaluation.thresholds import binarise, otsu_of, tune
from segstudy.inference.inputs import PredictionInputs, PredictionOutputs
from segstudy.inference.predict import predict_canvas, predict_cell
from segstudy.models import model_file, registry
from tests.helpers.known_probability import META, PLAIN, Oracle, write_images

SUBSETS = ["train", "val", "test", "train", "val", "unlabelled"]


@pytest.fixture
def cell(tmp_path):
    """Folder, index and split of images whose red channel is a known probability; labels on all but the last."""
    return tmp_path, *write_images(tmp_path, SUBSETS)


def predict(cell, monkeypatch=None, network=None, meta=META, size="native", headline="fixed", **evaluation):
    folder, index, split = cell
    build_store(index, folder / "raw", folder / "store", size, "rgb", "folder", binary("cell"), 1)
    if network is not None:
        monkeypatch.setattr(model_file, "load_model", lambda path, device, **_: (network, meta))
    predict_cell(
        folder / "model.safetensors",
        folder / "store",
        PredictionInputs(index, split, folder / "raw", binary("cell"), Evaluation(headline=headline, **evaluation)),
        PredictionOutputs(folder / "probabilities", folder / "masks", folder / "thresholds.json"),
    )
    return json.loads((folder / "thresholds.json").read_text())


def test_probabilities_come_out_at_the_original_size_where_they_belong(cell, monkeypatch):
    predict(cell, monkeypatch, Oracle())
    folder, _, _ = cell
    names = sorted(path.name for path in (folder / "probabilities").iterdir())
    assert names == [f"{i}.png" for i in range(5)] == sorted(path.name for path in (folder / "masks").iterdir())
    for name in names:
        probability = read_probability(folder / "probabilities" / name)
        red = np.asarray(Image.open(folder / "raw" / name))[:, :, 0]
        assert probability.shape == red.shape
        inside = read_mask(folder / "raw" / name.replace(".", "_roi.")).array
        assert np.abs(probability - red / 255)[inside].max() < 2e-5
        assert (probability[~inside] == 0).all() and (red[~inside] > 0).any()
        assert Image.open(folder / "probabilities" / name).mode == "I;16"


def test_a_cell_is_predicted_in_the_tiles_it_is_told(cell, monkeypatch):
    folder, index, split = cell
    seen = []

    class Watched(Oracle):
        def forward(self, images):
            seen.append(tuple(images.shape[2:]))
            return super().forward(images)

    predict(cell, monkeypatch, Watched())
    whole = [read_probability(path) for path in sorted((folder / "probabilities").iterdir())]
    assert set(seen) == {(48, 48)}
    seen.clear()
    paths = [folder / name for name in ("tiled", "tiled_masks", "tiled.json")]
    inputs = PredictionInputs(index, split, folder / "raw", binary("cell"), Evaluation())
    model, outputs = folder / "model.safetensors", PredictionOutputs(*paths)
    predict_cell(model, folder / "store", inputs, outputs, tile=(16, 32), overlap=0.25)
    assert set(seen) == {(16, 32)}
    tiled = [read_probability(path) for path in sorted(paths[0].iterdir())]
    assert all(np.abs(a - b).max() < 3e-5 for a, b in zip(tiled, whole, strict=True))


def test_masks_are_those_of_the_headline_threshold(cell, monkeypatch):
    folder, _, _ = cell
    predict(cell, monkeypatch, Oracle(), fixed_threshold=0.25)
    mask = np.asarray(Image.open(folder / "masks/1.png"))
    red = np.asarray(Image.open(folder / "raw/1.png"))[:, :, 0]
    inside = read_mask(folder / "raw/1_roi.png").array
    assert np.array_equal(mask, np.where((red >= 64) & inside, 255, 0))
    thresholds = predict(cell, monkeypatch, Oracle(), headline="validation")
    mask = np.asarray(Image.open(folder / "masks/1.png"))
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(
        mask > 0, binarise(read_probability(folder / "probabilities/1.png"), thresholds["validation"])
    )


def test_the_training_threshold_is_tuned_on_training_images_alone(cell, monkeypatch):
    folder, _, _ = cell
    for number in (1, 2, 4):  # what is not trained on says the opposite
        mask = np.asarray(Image.open(folder / f"raw/{number}_mask.png"))
        Image.fromarray(255 - mask).save(folder / f"raw/{number}_mask.png")
    thresholds = predict(cell, monkeypatch, Oracle(), policies=["fixed", "training"], headline="training")
    assert list(thresholds) == ["fixed", "training"]
    assert 149 / 255 < thresholds["training"] <= 150 / 255
    mask = np.asarray(Image.open(folder / "masks/2.png"))
    assert np.array_equal(mask > 0, binarise(read_probability(folder / "probabilities/2.png"), thresholds["training"]))


def test_the_validation_threshold_is_tuned_inside_the_roi_of_validation_images_alone(cell, monkeypatch):
    folder, _, _ = cell
    for number in (0, 2, 3):  # what is not validation says the opposite
        mask = np.asarray(Image.open(folder / f"raw/{number}_mask.png"))
        Image.fromarray(255 - mask).save(folder / f"raw/{number}_mask.png")
    for number in (1, 4):  # and so does what lies outside the roi
        mask, roi = (np.asarray(Image.open(folder / f"raw/{number}_{part}.png")) for part in ("mask", "roi"))
        mask = np.where(roi > 0, mask, 255 - mask)
        Image.fromarray(mask).save(folder / f"raw/{number}_mask.png")
    thresholds = predict(cell, monkeypatch, Oracle(), fixed_threshold=0.5)
    assert list(thresholds) == ["fixed", "validation"]
    assert thresholds["fixed"] == 0.5
    assert 149 / 255 < thresholds["validation"] <= 150 / 255
    pairs = [
        (
            read_probability(folder / f"probabilities/{number}.png"),
            read_mask(folder / f"raw/{number}_mask.png").array,
            read_mask(folder / f"raw/{number}_roi.png").array,
        )
        for number in (1, 4)
    ]
    assert thresholds["validation"] == tune(pairs)
    assert predict(cell, monkeypatch, Oracle(), policies=["fixed", "otsu"])["otsu"] == otsu_of(pairs)


def test_a_policy_that_is_not_asked_for_is_not_tuned(cell, monkeypatch):
    assert predict(cell, monkeypatch, Oracle(), policies=["fixed"]) == {"fixed": 0.5}


@pytest.mark.parametrize("headline", ["fixed", "validation"])
def test_measured_counts_are_those_of_the_mask_files_bit_for_bit(cell, headline):
    """With a real network and a resized store; the tables' numbers must be those of the masks a person looks at."""
    folder, index, split = cell
    torch.manual_seed(0)
    network = registry.build({"network": "unet", "width": 4, "depth": 2}, 3, 1)
    meta = {
        "settings": {"model": {"network": "unet", "width": 4, "depth": 2}},
        "in_channels": 3,
        "outputs": 1,
    }
    scaling = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.25]}
    model_file.save_model(folder / "model.safetensors", network, meta | {"normalisation": scaling})
    thresholds = predict(cell, size={"long_side": 64}, headline=headline)
    images = LabelledImages(index, split, folder / "raw", binary("cell"))
    counts = measure(folder / "probabilities", folder / "masks", thresholds, images).counts
    counts = counts[(counts["policy"] == headline) & (counts["region"] == "full")].set_index("sample")
    assert len(counts) == 5
    for sample in counts.index:
        mask = np.asarray(Image.open(folder / f"masks/{sample}.png")) > 0
        truth = read_mask(folder / f"raw/{sample}_mask.png").array
        assert counts.loc[sample, "tp"] == (mask & truth).sum()
        assert counts.loc[sample, "fp"] == (mask & ~truth).sum()
    assert counts["tp"].sum() + counts["fp"].sum() > 0


def test_the_same_cell_gives_the_same_bytes(cell, monkeypatch):
    folder, _, _ = cell
    contents = []
    for _ in range(2):
        predict(cell, monkeypatch, Oracle(), size={"long_side": 48})
        paths = [*sorted((folder / "probabilities").iterdir()), *sorted((folder / "masks").iterdir())]
        contents.append([path.read_bytes() for path in [*paths, folder / "thresholds.json"]])
    assert contents[0] == contents[1]


def test_a_resized_image_comes_back_without_a_shift(cell, monkeypatch):
    """The centre of a disc, through store, network and back, at half the size."""
    folder, _, _ = cell
    rows, columns = np.indices((31, 43))
    disc = ((rows - 12) ** 2 + (columns - 25) ** 2 < 64).astype(np.uint8) * 255
    Image.fromarray(np.stack([disc] * 3, 2)).save(folder / "raw/1.png")
    Image.fromarray(np.full_like(disc, 255)).save(folder / "raw/1_roi.png")
    predict(cell, monkeypatch, Oracle(), size={"height": 32, "width": 32})
    probability = read_probability(folder / "probabilities/1.png")
    assert (probability * rows).sum() / probability.sum() == pytest.approx(12, abs=0.05)
    assert (probability * columns).sum() / probability.sum() == pytest.approx(25, abs=0.05)


@pytest.mark.parametrize(("outputs", "activation"), [(1, torch.sigmoid), (3, lambda x: x.softmax(1))])
def test_canvas_probabilities_are_those_of_a_plain_forward_pass(outputs, activation):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 24, 40, 3), dtype=np.uint8)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, outputs, 1))
    scaling = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.25]}
    rows = [3, 0, 4]
    with torch.autocast("cpu", torch.bfloat16):  # must not reach the network
        found = list(predict_canvas(network.train(), images, rows, scaling, batch=2))
    x = torch.from_numpy(images[rows]).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(scaling["mean"]).view(1, 3, 1, 1)) / torch.tensor(scaling["std"]).view(1, 3, 1, 1)
    with torch.no_grad():
        expected = activation(network.eval()(x)).numpy()
    assert [p.shape for p in found] == [(outputs, 24, 40)] * 3
    assert found[0].dtype == np.float32
    assert np.allclose(np.stack(found), expected, atol=1e-6)


def test_one_pass_holds_a_bounded_number_of_pixels(monkeypatch):
    seen = []

    class Watcher(nn.Module):
        def forward(self, images):
            seen.append(tuple(images.shape))
            return images[:, :1]

    monkeypatch.setattr("segstudy.inference.predict.PIXELS_PER_PASS", 3 * 16 * 16)
    list(predict_canvas(Watcher(), np.zeros((7, 16, 16, 3), np.uint8), range(7), PLAIN))
    list(predict_canvas(Watcher(), np.zeros((2, 64, 64, 3), np.uint8), range(2), PLAIN))
    assert [shape[0] for shape in seen] == [3, 3, 1, 1, 1]


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_probability_survives_its_file(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("p") / "p.png"
    probability = np.random.default_rng(seed).random((7, 9), dtype=np.float32)
    probability[0, :3] = 0, 1, 0.5
    write_probability(path, probability)
    found = read_probability(path)
    assert found.dtype == np.float32
    assert np.abs(found - probability).max() <= 0.5 / 65535 + 1e-7
    assert found[0, 0] == 0 and found[0, 1] == 1 and found.max() <= 1
    write_probability(path, found)
    assert np.array_equal(read_probability(path), found)


def test_half_is_foreground_at_a_threshold_of_half(tmp_path):
    """A network that knows nothing says sigmoid(0) = 0.5: its file must not fall below."""
    write_probability(tmp_path / "p.png", np.full((2, 2), 0.5, np.float32))
    assert binarise(read_probability(tmp_path / "p.png"), 0.5).all()


def test_a_file_that_is_no_probability_is_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "p.png")
    with pytest.raises(StudyError, match="not a probability map: uint8"):
        read_probability(tmp_path / "p.png")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"in_channels": 1}, "takes 1 channels, the store has 3"),
        ({"outputs": 13}, "the model has 13 outputs"),
    ],
)
def test_a_model_of_another_store_is_refused(cell, monkeypatch, meta, message):
    with pytest.raises(StudyError, match=message):
        predict(cell, monkeypatch, Oracle(), META | meta)


def test_an_error_while_writing_leaves_nothing_half_done(cell, monkeypatch):
    folder, _, _ = cell

    def full(path, probability):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segstudy.inference.predict.write_probability", full)
    with pytest.raises(OSError, match="No space left"):
        predict(cell, monkeypatch, Oracle())
    assert sorted(path.name for path in folder.iterdir()) == [".store.sum", "raw", "store"]


def test_nothing_labelled_is_said(cell, monkeypatch):
    folder, index, split = cell
    with pytest.raises(StudyError, match="nothing to predict"):
        predict((folder, index, split.assign(subset="unlabelled")), monkeypatch, Oracle())


def test_reading_probabilities_needs_no_torch():
    code = "import sys, segstudy.inference.predict, segstudy.data.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stored_images_are_read_through_the_memory_map(cell, monkeypatch):
    folder, _, _ = cell
    predict(cell, monkeypatch, Oracle())
    store = open_store(folder / "store")
    first, second = (next(predict_canvas(Oracle(), store.images, [row], PLAIN)) for row in (2, 4))
    assert np.abs(first[0] - store.images[2, :, :, 0] / 255).max() < 1e-5
    assert not np.array_equal(first, second)


# --- several classes -------------------------------------------------------------------------------------------------

RGB = several({"green": 1, "blue": 2})


class LargestChannel(nn.Module):
    """The largest colour channel is the class; the softmax of these logits is the share of the channel."""

    def forward(self, images):
        return images.clamp(min=1e-6).log()


def predict_several(cell, monkeypatch, size="native", outputs=3):
    folder, index, split = cell
    for path in (folder / "raw").glob("*_mask.png"):
        colours = np.asarray(Image.open(folder / "raw" / path.name.replace("_mask", "")))
        Image.fromarray(colours.argmax(axis=2).astype(np.uint8)).save(path)
    build_store(index, folder / "raw", folder / "store", size, "rgb", "folder", RGB, 1)
    monkeypatch.setattr(
        model_file, "load_model", lambda path, device, **_: (LargestChannel(), META | {"outputs": outputs})
    )
    paths = [folder / name for name in ("probabilities", "masks", "thresholds.json")]
    inputs = PredictionInputs(index, split, folder / "raw", RGB, Evaluation())
    predict_cell(folder / "model", folder / "store", inputs, PredictionOutputs(*paths))
    thresholds = json.loads(paths[2].read_text())
    return thresholds, measure(*paths[:2], thresholds, inputs).counts


def test_of_several_classes_each_pixel_gets_the_most_probable_one(cell, monkeypatch):
    folder, _, _ = cell
    thresholds, counts = predict_several(cell, monkeypatch)
    assert thresholds == {"argmax": None}
    for sample in "01234":
        image = np.asarray(Image.open(folder / f"raw/{sample}.png")).astype(float)
        inside = read_mask(folder / f"raw/{sample}_roi.png").array
        ids = read_classes(folder / f"masks/{sample}.png", 3)
        assert np.array_equal(ids, np.where(inside, image.argmax(axis=2), 0))
        share = np.where(inside, image.max(axis=2) / image.sum(axis=2), 0)
        assert np.abs(read_probability(folder / f"probabilities/{sample}.png") - share).max() < 2e-5
        palette = Image.open(folder / f"masks/{sample}.png").getpalette()
        assert palette[:9] == [channel for colour in RGB.colours for channel in colour]
    inside = counts[counts["region"] == "roi"]
    assert (inside[["fp", "fn"]] == 0).all(axis=None) and inside["tp"].sum() > 0


@pytest.mark.parametrize("size", [{"long_side": 64}, {"long_side": 16}])
def test_classes_are_compared_at_the_original_size(cell, monkeypatch, size):
    folder, index, _ = cell
    predict_several(cell, monkeypatch, size)
    store = open_store(folder / "store")
    for row, canvas in enumerate(predict_canvas(LargestChannel(), store.images, range(5), PLAIN)):
        original = np.stack([to_original(part, store.geometry_of(row)) for part in canvas])
        inside = read_mask(folder / f"raw/{row}_roi.png").array
        ids = read_classes(folder / f"masks/{row}.png", 3)
        assert ids.shape == (int(index["height"][row]), int(index["width"][row]))
        assert np.array_equal(ids[inside], original.argmax(axis=0)[inside])


def test_a_model_of_other_classes_is_refused(cell, monkeypatch):
    with pytest.raises(StudyError, match="the model has 4 outputs, the classes of the data set ask for 3"):
        predict_several(cell, monkeypatch, outputs=4)

"""Two stores read as one, and a training on both."""

import hashlib
import json
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.data.concat_arrays import join
from segstudy.losses import pixelwise
from segstudy.runtime import signals
from segstudy.training import checkpoint, device_data, sampler
from segstudy.training.inputs import TrainingInputs, Unlabelled
from segstudy.training.step import make_forward
from segstudy.training.tasks.pseudo_labels import Mixture
from segstudy.training.trainer import train
from segstudy.training.validation import validate
from tests.helpers import small_cell
from tests.helpers.trainer import CPU, IMAGES, MASKS, ROIS, bce, network, same

DRAW = np.random.default_rng(3)
# Wider and lower than the labelled images (24x24), so that either is padded along one side.
OTHERS = tuple(DRAW.integers(0, 256, (3, 16, 30, *rest), dtype=np.uint8) for rest in ((3,), ()))
OTHERS = (*OTHERS, np.ones((3, 16, 30), np.uint8))


def padded():
    """The joined arrays, made the simple way."""
    parts = zip((IMAGES, MASKS * 255, ROIS), OTHERS, strict=True)
    shapes = [((0, 0), (0, 0), (0, 6)), ((0, 0), (0, 8), (0, 0))]
    for pair in parts:
        grown = [np.pad(a, [*s, *((0, 0),) * (a.ndim - 3)]) for a, s in zip(pair, shapes, strict=True)]
        yield np.concatenate(grown)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_it_is_read_as_the_padded_arrays_would_be(number):
    found, expected = join((IMAGES, MASKS, ROIS), OTHERS)[number], list(padded())[number]
    assert found.shape == expected.shape and len(found) == 9
    assert np.array_equal(np.array(found), expected)
    assert found.nbytes == expected.nbytes
    for key in (4, 7, [5, 6, 8], np.array([0, 8]), (2, slice(3, 9), slice(20, 29)), (8, slice(10, 20), slice(0, 5))):
        assert np.array_equal(found[key], expected[key])
    if number == 0:
        assert np.array_equal(found[7, :, :, 1], expected[7, :, :, 1])


def test_batches_windows_and_scaling_are_those_of_the_padded_arrays(monkeypatch):
    joined, plain = join((IMAGES, MASKS, ROIS), OTHERS), list(padded())
    windows = device_data.Windows([(2, 5), (0, 20), (9, 0)], (15, 10))
    for budget in (0, 2**30):  # read where it lies, and held in memory
        monkeypatch.setattr(device_data, "HOST_BUDGET", budget)
        for asked in (None, windows):
            one, other = (device_data.DeviceData(*arrays, CPU).fetch([8, 0, 6], asked) for arrays in (joined, plain))
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    rows = [1, 7]
    assert device_data.normalisation(*joined[::2], rows) == device_data.normalisation(*plain[::2], rows)


def test_crops_read_their_windows_alone():
    class Counting(np.ndarray):
        read = 0

        def __getitem__(self, key):
            found = super().__getitem__(key)
            Counting.read += np.asarray(found).nbytes
            return found

    images, masks, rois = (array.view(Counting) for array in OTHERS)
    joined = join((IMAGES, MASKS, ROIS), (images, masks, rois))[0]
    joined[7, 2:6, 3:8]
    assert 0 < Counting.read <= 4 * 5 * 3


def test_other_channels_are_refused():
    with pytest.raises(StudyError, match="3 channels, those that a teacher has labelled 1"):
        join((IMAGES, MASKS, ROIS), (OTHERS[0][..., :1], *OTHERS[1:]))


def mixture(real=None, soft=False, pseudo=(6, 7, 8)):
    return Mixture(pseudo, soft, real, (24, 24), seed=1)


def test_all_crops_of_both_or_the_share_asked_for():
    assert sorted(mixture().crops([1, 2], 2, 1)) == [1, 1, 2, 2, 6, 6, 7, 7, 8, 8]
    for real, own in ((0.5, 10), (0.6, 12), (0.75, 15), (0.001, 1), (0.999, 19)):
        found = mixture(real).crops([1, 2], 10, epoch=3)
        assert len(found) == 20
        assert np.isin(found, [1, 2]).sum() == own
        for rows in ([1, 2], [6, 7, 8]):
            visits = [int((found == row).sum()) for row in rows]
            assert max(visits) - min(visits) <= 1
    fixed = Mixture((6, 7, 8), False, 0.6, (24, 24), 1, total=50)
    assert np.isin(fixed.crops([1, 2], 1, 1), [1, 2]).sum() == 30
    assert sorted(map(len, sampler.epoch_batches(fixed.crops([1, 2], 1, 1), 20, 1, 0, 1, 50))) == [10, 20, 20]
    drawn = [tuple(sorted(mixture(0.75).crops([1, 2], 10, epoch))) for epoch in range(1, 9)]
    assert len(set(drawn)) > 1
    assert drawn[0] == tuple(sorted(mixture(0.75).crops([1, 2], 10, 1)))


def test_targets_are_ids_or_probabilities():
    batch = (IMAGES[:1], torch.tensor([[[0, 127, 128, 255]]], dtype=torch.uint8), ROIS[:1])
    assert mixture().training_batch(batch, 1, 0)[1].tolist() == [[[0, 0, 1, 1]]]
    assert mixture(soft=True).training_batch(batch, 1, 0)[1][0, 0].tolist() == pytest.approx(
        [0, 127 / 255, 128 / 255, 1]
    )


SOFT = {
    "bce": lambda p, y: -(y * p.log() + (1 - y) * (1 - p).log()),
    "bce_probability": lambda p, y: -(y * p.log() + (1 - y) * (1 - p).log()),
    "weighted_bce": lambda p, y: -(3 * y * p.log() + (1 - y) * (1 - p).log()),
    "focal": lambda p, y: -(y * 0.25 * (1 - p) ** 2 * p.log() + (1 - y) * 0.75 * p**2 * (1 - p).log()),
    "mse": lambda p, y: (p - y) ** 2,
}
OPTIONS = {
    "weighted_bce": {"positive_weight": 3.0},
    "focal": {"gamma": 2.0, "alpha": 0.25},
    "bce_probability": {"epsilon": 1e-7},
}


@pytest.mark.parametrize("kind", SOFT)
def test_losses_of_probabilities_by_their_definition(kind):
    draw = torch.Generator().manual_seed(0)
    z, y = torch.randn(2, 1, 4, 5, generator=draw, dtype=torch.float64), torch.rand(2, 4, 5, generator=draw).double()
    roi = (torch.rand(2, 4, 5, generator=draw) > 0.3).double()
    loss = getattr(pixelwise, kind)
    expected = (SOFT[kind](z[:, 0].sigmoid(), y) * roi).sum() / roi.sum()
    assert loss(z, y, roi, **OPTIONS.get(kind, {})).item() == pytest.approx(expected.item())
    hard = (y > 0.5).to(torch.uint8)  # a mask is the same, whichever type it has
    of_ids, of_floats = (loss(z, target, roi, **OPTIONS.get(kind, {})).item() for target in (hard, hard.double()))
    assert of_ids == pytest.approx(of_floats, rel=1e-12)


def test_bce_of_a_probability_is_least_where_the_network_says_it():
    y, roi = torch.full((1, 1, 1), 0.3), torch.ones(1, 1, 1)
    logits = torch.logit(torch.linspace(0.01, 0.99, 99))
    found = [pixelwise.bce(z.view(1, 1, 1, 1), y, roi).item() for z in logits]
    assert logits[int(np.argmin(found))].sigmoid().item() == pytest.approx(0.3, abs=0.006)


def both(task, net=None, loss=bce, slot=None, **options):
    """Train on four labelled images and three others."""
    recipe = {"epochs": 2, "batch_size": 3, "learning_rate": 0.01, "precision": "fp32"} | options
    arrays = join((IMAGES, MASKS, ROIS), OTHERS)
    recipe, net = Recipe.model_validate(recipe), net or network(0.2)
    inputs = TrainingInputs(arrays, [0, 1, 2, 3], [4, 5], task=task)
    return train(net, loss, inputs, recipe, 1, CPU, slot)


def test_validation_sees_the_labelled_images_as_they_are():
    joined = both(mixture(), epochs=1)
    assert joined.normalisation == device_data.normalisation(IMAGES, ROIS, range(4))
    net = network()
    net.load_state_dict(joined.weights)
    forward = make_forward(net.eval(), joined.normalisation, CPU, torch.float32)
    found = validate(forward, bce, device_data.DeviceData(IMAGES, MASKS, ROIS, CPU), [4, 5], 2, lambda: "")
    assert found == (joined.history["val_loss"][0], joined.history["val_dice"][0])


@pytest.mark.parametrize("options", [{"soft": True, "real": 0.5}, {"soft": False, "real": None}])
def test_a_training_on_both_continues_with_its_bits(tmp_path, options):
    extra = {"crop": [12, 12], "crops_per_image": 2, "augmentation": {"rotation": 20.0}}
    undisturbed, calls = both(mixture(**options), **extra), 0

    def stopping(*arguments):
        nonlocal calls
        calls += arguments[0].requires_grad
        if calls == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return bce(*arguments)

    slot = checkpoint.ResumeCheckpoint(tmp_path, {})
    with pytest.raises(signals.Interrupted):
        both(mixture(**options), loss=stopping, slot=slot, **extra)
    continued = both(mixture(**options), slot=slot, **extra)
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)
    assert undisturbed.images_seen == 2 * (8 if options["real"] else 14)


@pytest.mark.parametrize("augmentation", [{}, {"rotation": 20.0, "scale": [0.8, 1.2]}])
def test_crops_of_either_kind_lie_inside_their_own_images(augmentation):
    """Neither store's canvas is the joined one, and the second one's images lie in the middle of theirs."""
    recipe = Recipe.model_validate({"crop": [8, 8], "augmentation": augmentation})
    rectangles = np.array([[0, 0, 24, 24]] * 6 + [[2, 5, 12, 22]] * 3)
    others = np.zeros((3, 16, 30), np.uint8)
    others[:, 2:14, 5:27] = 1
    arrays = join((IMAGES, MASKS, np.ones_like(MASKS)), (*OTHERS[:2], others))
    task, rows = Mixture((6, 7, 8), False, None, (24, 24), 1, rectangles=rectangles), np.repeat(range(9), 40)
    data = device_data.DeviceData(*arrays, CPU)
    draws = (torch.Generator().manual_seed(4) for _ in range(2))
    inside, anywhere = (
        device_data.augmented_batch(data, rows, recipe, next(draws), boxes)[2].float().mean()
        for boxes in (task.image_boxes(rows), None)
    )
    assert inside == 1 and anywhere < 0.9


SETTINGS = {
    "model": {"network": "unet", "depth": 2, "width": 4},
    "loss": {"loss": "bce"},
    "recipe": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01},
}


def test_a_cell_learns_from_what_was_accepted(tmp_path):
    inputs = small_cell.write_inputs(tmp_path / "labelled")
    store, split = small_cell.write_inputs(tmp_path / "others", images=6, side=48)
    np.save(tmp_path / "targets.npy", np.load(store / "masks.npy") * 200)
    (tmp_path / "teacher.bin").write_bytes(b"weights")
    table = pd.DataFrame({"sample": [f"s{i:02d}" for i in range(6)], "accepted": [1, 0, 1, 1, 0, 0]})
    table.to_csv(tmp_path / "accepted.csv", index=False)
    pseudo = {"teacher": {"recipe": "default"}, "unlabelled": "others"}
    recipe = SETTINGS["recipe"] | {"pseudo_labels": pseudo}
    unlabelled = Unlabelled(store, split, *(tmp_path / name for name in ("targets.npy", "accepted.csv", "teacher.bin")))
    sources = {"teacher": "labelled/unet/bce/default/seed0"}
    small_cell.run(inputs, tmp_path, SETTINGS | {"recipe": recipe}, unlabelled=unlabelled, sources=sources)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["images"] == {"train": 10, "val": 3, "pseudo": 3}
    assert record["images_seen"] == 26
    read = {"pseudo/targets", "pseudo/accepted", "unlabelled/split", "unlabelled/store/images.npy"}
    assert read <= set(record["data"])
    sums = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("teacher.bin", "targets.npy")}
    told = {"cell": sources["teacher"], "sha256": sums["teacher.bin"], "targets": sums["targets.npy"]}
    assert record["sources"]["teacher"] == told and record["data"]["pseudo/targets"] == told["targets"]
    rows = np.flatnonzero(pd.read_csv(inputs[1])["subset"] == "train")
    white = int(np.load(inputs[0] / "masks.npy")[rows].sum())
    assert record["class_pixels"][1] == white  # of the masks that people drew

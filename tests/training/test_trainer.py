"""The training loop, on networks and data small enough to know what must come out."""

import copy
import logging
import math
import os
import signal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segstudy.config.recipes import Recipe
from segstudy.core import rng
from segstudy.core.errors import StudyError
from segstudy.runtime import memory, signals
from segstudy.training import checkpoint, device_data, sampler, validation
from segstudy.training.inputs import TrainingInputs
from segstudy.training.step import make_forward
from segstudy.training.tasks.base import Task
from segstudy.training.trainer import HISTORY, train
from segstudy.training.validation import random_crops
from tests.helpers.trainer import CPU, IMAGES, MASKS, ROIS, bce, network, same, small


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_a_few_images_by_heart(precision):
    found = small(epochs=40, val_rows=(0, 1, 2, 3), precision=precision)
    assert found.history["val_dice"].iloc[-1] > 0.98
    assert found.history["train_loss"].iloc[0] > 0.4
    assert found.history["train_loss"].iloc[-1] < 0.15


def test_history_has_the_columns_of_the_contract():
    history = small(epochs=12, schedule={"kind": "multistep", "milestones": [4]}, validate_every=5).history
    assert list(history.columns) == HISTORY
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["learning_rate"].tolist() == pytest.approx([0.01] * 4 + [0.001] * 8)
    assert history["train_loss"].notna().all()
    assert history.index[history["val_loss"].notna()].tolist() == [4, 9, 11]  # every fifth, and the last
    assert history.index[history["slope"].notna()].tolist() == [9, 10, 11]  # once the window of 10 is full
    assert set(history["best"]) <= {0, 1}


def test_the_best_weights_are_those_of_the_lowest_validation_loss():
    given = iter([0.5, 0.3, 0.3, 0.4])

    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))
            self.register_buffer("passes", torch.zeros(()))

        def forward(self, x):
            self.passes += self.training
            return x[:, :1] * 0 + self.bias

    def loss(logits, target, roi):
        return logits.sum() * 0 + (1.0 if logits.requires_grad else next(given))

    found = small(Counter(), loss, epochs=4, val_rows=(4,))
    assert found.history["best"].tolist() == [1, 1, 0, 0]  # an equal one later is not better
    assert found.weights["passes"] == 4  # two steps an epoch, after epoch 2


@pytest.mark.parametrize(
    "options", [{}, {"early_stopping": {"curve": {"window": 4, "threshold": 10.0, "epochs": 2, "after": 6}}}]
)
def test_without_validation_images_the_last_weights_are_kept(options):
    net = network()
    found = small(net, epochs=9, val_rows=(), **options)
    assert len(found.history) == (7 if options else 9)
    assert found.history["best"].tolist() == [0] * (len(found.history) - 1) + [1]
    assert found.history[["val_loss", "val_dice"]].isna().all(axis=None)
    assert same(found.weights, net.state_dict())
    validated = small(epochs=9, **options)
    assert found.history["train_loss"].equals(validated.history["train_loss"])  # it changes nothing else


def test_the_last_weights_are_kept_on_request_and_patience_still_counts_from_the_best():
    net = network()
    last = small(net, keep="last", learning_rate=0.05, epochs=6)
    best = small(learning_rate=0.05, epochs=6)
    assert same(last.weights, net.state_dict())
    assert last.history["best"].tolist() == [0, 0, 0, 0, 0, 1]
    assert last.history.drop(columns="best").equals(best.history.drop(columns="best"))
    given = iter([0.5, 0.3, 0.4, 0.4, 0.4, 0.4])
    loss = lambda z, y, m: bce(z, y, m) if z.requires_grad else torch.tensor(next(given))
    found = small(loss=loss, epochs=9, val_rows=(4,), early_stopping={"patience": 3}, keep="last")
    assert found.history["best"].tolist() == [0, 0, 0, 0, 1] and "for 3 epochs" in found.stopped


def test_validation_on_random_crops_is_that_of_the_crops_and_changes_nothing_else():
    shapes = []

    def watched(z, y, m):
        if not z.requires_grad:
            shapes.append(tuple(z.shape))
        return bce(z, y, m)

    found = small(loss=watched, crop=[8, 16], validation_crops=5, epochs=2)
    assert shapes == [(1, 1, 8, 16)] * 10
    whole = small(crop=[8, 16], epochs=2)
    assert found.history["train_loss"].equals(whole.history["train_loss"])
    assert not found.history["val_loss"].equals(whole.history["val_loss"])
    rows, windows = random_crops((4, 5), 5, (8, 16), (24, 24), Task(), 1)
    assert rows.tolist() in ([4, 4, 4, 5, 5], [4, 4, 5, 5, 5]) and len(set(windows.corners)) > 1
    assert all(0 <= top <= 16 and 0 <= left <= 8 for top, left in windows.corners)
    net = network()
    found = small(net, crop=[8, 16], validation_crops=5, epochs=1)  # the last weights are those that were validated
    forward = make_forward(net.eval(), found.normalisation, CPU, torch.float32)
    values = []
    for row, (top, left) in zip(rows, windows.corners, strict=True):
        image, *others = (
            torch.from_numpy(a[row, top : top + 8, left : left + 16].copy()) for a in (IMAGES, MASKS, ROIS)
        )
        with torch.inference_mode():
            values.append(float(bce(forward(image.permute(2, 0, 1)[None] / 255), *(part[None] for part in others))))
    assert found.history["val_loss"].iloc[0] == pytest.approx(np.mean(values), rel=1e-5)


def test_patience_ends_the_training():
    given = iter([0.5, 0.3, 0.4, 0.4, 0.4, 0.4])
    loss = lambda z, y, m: bce(z, y, m) if z.requires_grad else torch.tensor(next(given))
    found = small(loss=loss, epochs=9, val_rows=(4,), early_stopping={"patience": 3})
    assert len(found.history) == 5
    assert "no better validation loss for 3 epochs" in found.stopped


def test_a_flat_curve_ends_the_training_and_its_last_epoch_is_validated():
    curve = {"window": 4, "threshold": 0.01, "epochs": 2, "after": 5}
    options = {"early_stopping": {"curve": curve}, "validate_every": 100}
    found = small(loss=lambda z, y, m: z.mean() * 0 + 1.0, epochs=50, **options)
    assert len(found.history) == 6  # slopes from epoch 4 on: 4, 5 and 6 are three flat epochs, past epoch 5
    assert found.history["val_loss"].notna().sum() == 1
    assert "flat" in found.stopped
    assert found.weights


@pytest.mark.parametrize("options", [{}, {"optimiser": "sgd", "ema": 0.9}, {"precision": "bf16", "accumulate": 2}])
@pytest.mark.parametrize("stop_at", [1, 4, 5])
def test_stopped_by_a_signal_and_continued_equals_undisturbed(tmp_path, stop_at, options):
    options = options | {
        "epochs": 4,
        "schedule": {"kind": "one_cycle"},
        "augmentation": {"flip_horizontal": 0.5, "rotation": 30.0, "noise": 0.1},
    }
    undisturbed = small(network(dropout=0.3), **options)
    slot = checkpoint.ResumeCheckpoint(tmp_path, {"a": 1})
    step, before = 0, signal.getsignal(signal.SIGTERM)

    def stopping_loss(*arguments):
        nonlocal step
        step += arguments[0].requires_grad
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return bce(*arguments)

    with pytest.raises(signals.Interrupted, match=r"stopped by SIGTERM at epoch . step .; state saved; run the same"):
        small(network(dropout=0.3), stopping_loss, slot, **options)
    assert signal.getsignal(signal.SIGTERM) == before
    torch.manual_seed(99)  # nothing may depend on what was drawn in between
    continued = small(network(dropout=0.3), slot=checkpoint.ResumeCheckpoint(tmp_path, {"a": 1}), **options)
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)
    assert len(continued.starts) == 2


def test_a_signal_during_validation_loses_no_step(tmp_path):
    undisturbed = small()
    calls = 0

    def loss(*arguments):
        nonlocal calls
        calls += not arguments[0].requires_grad
        if calls == 1:
            os.kill(os.getpid(), signal.SIGUSR2)
        return bce(*arguments)

    slot = checkpoint.ResumeCheckpoint(tmp_path, {})
    with pytest.raises(signals.Interrupted, match="SIGUSR2 at epoch 1 step 2"):
        small(loss=loss, slot=slot)
    continued = small(slot=slot)
    assert same(continued.weights, undisturbed.weights)


def test_runs_repeat_and_seeds_differ():
    options = {"augmentation": {"flip_vertical": 0.5}}
    first, again = small(**options), small(**options)
    assert same(first.weights, again.weights)
    recipe = Recipe(epochs=3, batch_size=2, learning_rate=0.01, precision="fp32")
    inputs = TrainingInputs((IMAGES, MASKS, ROIS), [0, 1, 2, 3], [4, 5])
    other = train(network(), bce, inputs, recipe, 2, CPU)
    assert not same(first.weights, other.weights)


def test_continuing_elsewhere_is_allowed_and_said(tmp_path, caplog, monkeypatch):
    slot = checkpoint.ResumeCheckpoint(tmp_path, {}, interval=0)
    small(slot=slot)
    real = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: real + 1)
    with caplog.at_level(logging.WARNING, "segstudy"):
        small(slot=slot)
    assert f"threads is {real + 1}, was {real}" in caplog.text


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_the_batch_and_keeps_the_best(tmp_path, bad):
    slot, step = checkpoint.ResumeCheckpoint(tmp_path, {}, interval=0), 0

    def loss(z, y, m):
        nonlocal step
        step += z.requires_grad
        return bce(z, y, m) * (bad if step == 4 and z.requires_grad else 1)

    with pytest.raises(StudyError, match="the training has diverged") as caught:
        small(loss=loss, slot=slot)
    names = [f"s{row}" for row in sampler.epoch_batches([0, 1, 2, 3], 2, 1, 1, 2)[1]]
    assert caught.value.where == f"epoch 2, step 2, learning rate 0.01; samples {', '.join(names)}"
    from safetensors.torch import load_file

    kept = load_file(tmp_path / "best.safetensors")
    assert same(kept, small(epochs=1).weights)
    assert math.isfinite(sum(float(tensor.float().sum()) for tensor in kept.values()))


def test_a_validation_loss_that_is_not_finite_is_an_error():
    loss = lambda z, y, m: bce(z, y, m) * (1 if z.requires_grad else math.nan)
    with pytest.raises(StudyError, match="diverged") as caught:
        small(loss=loss)
    assert "epoch 1, the validation; samples s4, s5" in caught.value.where


def test_parts_of_a_batch_add_up_to_the_batch():
    plain = nn.Conv2d(3, 1, 3, padding=1)
    whole = small(copy.deepcopy(plain), batch_size=4, gradient_clip=1.0)
    parts = small(copy.deepcopy(plain), batch_size=4, accumulate=3, gradient_clip=1.0)
    for name in whole.weights:
        torch.testing.assert_close(parts.weights[name], whole.weights[name])


def test_every_image_is_seen_as_often_as_asked_and_nobody_is_left_alone():
    for count, size in ((7, 3), (7, 2), (1, 4), (9, 4), (5, 1)):
        found = sampler.epoch_batches(range(10, 10 + count), size, 2, seed=0, epoch=1)
        rows, times = np.unique(np.concatenate(found), return_counts=True)
        assert rows.tolist() == list(range(10, 10 + count))
        assert set(times) == {2}
        assert size == 1 or min(map(len, found)) > 1
    alone = sampler.epoch_batches(range(7), 3, 1, seed=0, epoch=1)
    assert [len(batch) for batch in alone] == [3, 4]
    later = sampler.epoch_batches(range(7), 3, 1, seed=0, epoch=2)
    assert np.concatenate(alone).tolist() != np.concatenate(later).tolist()


def test_crops_and_bottlenecks_of_one_pixel_train():
    found = small(epochs=1, batch_size=3, crop=[8, 8], crops_per_image=4)
    assert found.images_seen == 16
    assert found.history["val_dice"].notna().all()


def test_a_fixed_number_of_crops_falls_on_all_images_alike():
    """310 crops of 32 images, by hand: 9 of each and, drawn anew in each epoch, a tenth of 22."""
    rows = np.arange(32) * 3
    tenths = []
    for epoch in range(1, 30):
        visits = np.concatenate(sampler.epoch_batches(rows, 16, 1, 0, epoch, total=310))
        found, times = np.unique(visits, return_counts=True)
        assert len(visits) == 310 and found.tolist() == rows.tolist()
        assert sorted(times) == [9] * 10 + [10] * 22
        tenths.append(frozenset(found[times == 10].tolist()))
    assert len(set(tenths)) > 25, "others in every epoch"
    assert frozenset.union(*tenths) == frozenset(rows.tolist())
    again = sampler.epoch_batches(rows, 16, 1, 0, 29, total=310)
    assert np.array_equal(np.concatenate(again), visits)
    assert not np.array_equal(np.sort(visits), visits), "in random order"


@given(st.integers(1, 20), st.integers(1, 60), st.integers(1, 8), st.integers(1, 3))
def test_an_epoch_has_as_many_crops_as_asked_for_however_many_images_there_are(images, total, size, epoch):
    found = sampler.epoch_batches(range(images), size, 1, 5, epoch, total=total)
    times = np.bincount(np.concatenate(found), minlength=images)
    assert times.sum() == total
    assert times.max() - times.min() <= 1


def test_a_training_has_as_many_crops_as_asked_for():
    found = small(epochs=2, batch_size=3, crop=[8, 8], crops_per_epoch=7)
    assert found.images_seen == 14
    assert not same(found.weights, small(epochs=2, batch_size=3, crop=[8, 8]).weights)


def test_normalisation_is_that_of_the_training_pixels_inside_the_roi():
    rois = ROIS.copy()
    rois[:, :5] = 0
    found = device_data.normalisation(IMAGES, rois, [0, 2, 2])
    pixels = IMAGES[[0, 2]][rois[[0, 2]] == 1] / 255
    assert found["mean"] == pytest.approx(pixels.mean(0))
    assert found["std"] == pytest.approx(pixels.std(0))
    assert device_data.normalisation(np.zeros_like(IMAGES), rois, [0])["std"] == pytest.approx([1 / 255] * 3)
    with pytest.raises(StudyError, match="no pixel"):
        device_data.normalisation(IMAGES, np.zeros_like(rois), [0])


def test_batches_are_the_rows_asked_for_wherever_they_lie(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for budget in (0, 2**30):
        monkeypatch.setattr(device_data, "HOST_BUDGET", budget)
        x, y, r = device_data.DeviceData(mapped, MASKS, ROIS, CPU).fetch([3, 1])
        assert torch.equal(x.permute(0, 2, 3, 1), torch.from_numpy(IMAGES[[3, 1]]))
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(y, torch.from_numpy(MASKS[[3, 1]]))
        assert r.dtype == torch.uint8
        windows = device_data.Windows([(2, 5), (0, 4)], (8, 9))
        x, y, r = device_data.DeviceData(mapped, MASKS, ROIS, CPU).fetch([3, 1], windows)
        parts = [np.s_[3, 2:10, 5:14], np.s_[1, 0:8, 4:13]]
        assert torch.equal(x.permute(0, 2, 3, 1), torch.from_numpy(np.stack([IMAGES[part] for part in parts])))
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(y, torch.from_numpy(np.stack([MASKS[part] for part in parts])))
        assert r.shape == (2, 8, 9)


def test_dice_inside_the_roi_by_hand():
    truth = torch.tensor([[[1, 1, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    found = torch.tensor([[[1, 0, 1], [1, 0, 1]], [[0, 0, 0], [0, 0, 0]]])
    roi = torch.tensor([[1, 1, 1], [1, 1, 0]]).expand(2, 2, 3)
    scores = validation.dice((found * 2.0 - 1).unsqueeze(1), truth, roi)
    assert scores[0].item() == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert scores[1].isnan()  # nothing there and nothing found: not defined


def test_dice_of_several_classes_is_the_mean_over_those_that_occur():
    truth = torch.tensor([[[1, 1, 2, 0]]])
    found = torch.tensor([[[1, 2, 2, 0]]])
    logits = nn.functional.one_hot(found, 4).permute(0, 3, 1, 2).float()
    assert validation.dice(logits, truth, torch.ones_like(truth)).item() == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_validation_does_not_depend_on_how_many_go_together():
    net = network().eval()
    data = device_data.DeviceData(IMAGES, MASKS, ROIS, CPU)
    whole, single = (
        validation.validate(net, bce, data, [0, 1, 2, 4, 5], batch_size, lambda: "") for batch_size in (5, 1)
    )
    assert whole == pytest.approx(single)


def test_draws_are_functions_of_seed_purpose_epoch_and_step():
    assert rng.number(1, "order", 2, 3) == 6733227699115269376
    places = [(s, p, e, t) for s in (0, 1) for p in ("order", "augment") for e in (1, 2) for t in (0, 1)]
    assert len({rng.number(*place) for place in places}) == len(places)
    assert torch.rand(3, generator=rng.generator(1, "a")).equal(torch.rand(3, generator=rng.generator(1, "a")))
    assert rng.numpy_generator(1, "a").random() == rng.numpy_generator(1, "a").random()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
    ],
)
def test_out_of_memory_names_the_batch_and_what_to_lower(error):
    with (
        pytest.raises(StudyError, match="batches of 16 at 512x384") as caught,
        memory.explain_errors(16, (512, 384), 1, CPU),
    ):
        raise error
    assert "accumulate" in caught.value.remedy
    assert "batch_size" in caught.value.remedy


def test_real_exhaustion_of_memory_is_recognised():
    with pytest.raises(StudyError, match="out of memory"), memory.explain_errors(1, (8, 8), 1, CPU):
        torch.empty(2**50)


def test_an_operation_without_a_deterministic_form_is_explained():
    text = "max_unpool2d does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms"
    with pytest.raises(StudyError, match="deterministic form") as caught, memory.explain_errors(1, (8, 8), 1, CPU):
        raise RuntimeError(text)
    assert "deterministic: false" in caught.value.remedy


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="a defect"), memory.explain_errors(1, (8, 8), 1, CPU):
        raise RuntimeError("a defect")

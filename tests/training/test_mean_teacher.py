"""Mean teacher: what the running mean is, what the network is told by it, and that it survives a kill."""

import copy
import functools
import json
import logging
import math
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.models import model_file, registry
from segstudy.runtime import signals
from segstudy.training import checkpoint
from segstudy.training.inputs import TrainingInputs, Unlabelled
from segstudy.training.step import make_forward
from segstudy.training.tasks.mean_teacher import MeanTeacher, probabilities
from segstudy.training.trainer import train
from tests.helpers import small_cell
from tests.helpers.trainer import CPU, IMAGES, MASKS, ROIS, bce, network, same

SCALING = {"mean": [0.4] * 3, "std": [0.2] * 3}
DRAW = np.random.default_rng(7)
OTHERS = (
    DRAW.integers(0, 256, (5, 32, 20, 3), np.uint8),
    np.zeros((5, 32, 20), np.uint8),
    np.ones((5, 32, 20), np.uint8),
)
AUGMENTATION = {"flip_horizontal": 0.5, "rotation": 20.0, "brightness": [0.8, 1.2], "noise": 0.1}


def recipe(consistency=None, **options):
    plain = {"epochs": 3, "batch_size": 2, "learning_rate": 0.01, "precision": "fp32", "augmentation": AUGMENTATION}
    return Recipe.model_validate(plain | options | {"consistency": {"unlabelled": "x"} | (consistency or {})})


def teacher(consistency=None, net=None, steps=2, **options):
    task = MeanTeacher(OTHERS, range(5), recipe(consistency, **options), seed=1)
    to_forward = functools.partial(make_forward, scaling=SCALING, device=CPU, amp_dtype=torch.float32)
    task.begin(net or network(), to_forward, CPU, steps)
    return task


def test_the_mean_by_hand():
    """Decay 0.7: after one step half of either, after two thirds of all three, from then on 0.7 of what was."""
    net = torch.nn.Linear(1, 1)
    net.weight.data.fill_(1.0)
    task = teacher({"decay": 0.7}, net)
    seen = []
    for step, value in enumerate([4.0, 10.0, 20.0], start=1):
        net.weight.data.fill_(value)
        task.after_step(net, step)
        seen.append(task.mean.weight.item())
    expected = [2.5, 2.5 * 2 / 3 + 10 / 3]
    assert seen == pytest.approx([*expected, 0.7 * expected[1] + 0.3 * 20])
    assert task.eval_model(net) is task.mean and not task.mean.training


def test_running_statistics_are_those_of_labelled_batches_under_the_averaged_weights():
    """A layer that doubles, then normalises: with weights 2 and 6 the mean network multiplies by 4."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1, bias=False), torch.nn.BatchNorm2d(1)).train()
    net[0].weight.data.fill_(2.0)
    task = teacher({"decay": 0.9}, net)
    images_before = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = images_before.clone()
    batch = task.training_batch((images, MASKS[:2], ROIS[:2]), 1, 0)
    assert torch.equal(batch[0], images)
    batch[0].zero_()  # as the pass of the network does, which changes its images in place
    ((loss, (seen, view, roi)),) = task.extra_losses(1, 0)
    loss(net(seen), view, roi)
    assert task.mean[1].running_mean.item() == 0 and task.mean[1].num_batches_tracked == 0
    net[0].weight.data.fill_(6.0)
    net[1].running_mean.fill_(99.0)
    task.after_step(net, 1)
    values = 4 * ((images_before - 0.4) / 0.2).sum(1)
    assert task.mean[1].running_mean.item() == pytest.approx(0.1 * values.mean().item(), rel=1e-4)
    assert task.mean[1].running_var.item() == pytest.approx(0.9 + 0.1 * values.var().item(), rel=1e-4)
    assert not any(part.training for part in task.mean.modules()) and task.mean[1].track_running_stats


def test_frozen_normalisations_keep_their_statistics():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1), torch.nn.BatchNorm2d(1)).train()
    task = teacher(net=net)
    task.training_batch((torch.rand(2, 3, 8, 8), MASKS[:2], ROIS[:2]), 1, 0)
    net[1].eval().running_mean.fill_(7.0)
    task.after_step(net, 1)
    assert task.mean[1].running_mean.item() == 7


def test_the_weight_rises_by_the_formula():
    task = teacher({"weight": 8.0, "ramp_up": 4}, steps=10)
    assert task.weight(1, 0) == pytest.approx(8 * math.exp(-5))
    assert task.weight(3, 5) == pytest.approx(8 * math.exp(-5 * (1 - 2.5 / 4) ** 2))
    assert task.weight(5, 0) == task.weight(9, 9) == 8
    assert teacher({"weight": 8.0, "ramp_up": 0}).weight(1, 0) == 8


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_loss_is_the_mean_squared_difference_inside_the_roi(outputs):
    net = registry.build({"network": "unet", "depth": 2, "width": 4}, 3, outputs)
    task = teacher(net=net)
    draw = torch.Generator().manual_seed(0)
    view, logits = torch.rand(2, 3, 16, 16, generator=draw), torch.randn(2, outputs, 16, 16, generator=draw)
    before, roi = view.clone(), (torch.rand(2, 16, 16, generator=draw) > 0.5).to(torch.uint8)
    with torch.no_grad():
        said = copy.deepcopy(task.mean).train()((view - 0.4) / 0.2)  # normalised by the batch itself
    p, q = (torch.sigmoid(z) if outputs == 1 else torch.softmax(z, 1) for z in (logits, said))
    inside = (roi == 1)[:, None].expand_as(p)
    expected = torch.nn.functional.mse_loss(p[inside], q[inside]).item()
    assert task.difference(logits, view, roi).item() == pytest.approx(expected, rel=1e-4)
    assert torch.equal(view, before)  # a step may be repeated


def test_only_the_network_learns_from_the_difference():
    net = network()
    task = teacher(net=net)
    ((loss, (seen, view, roi)),) = task.extra_losses(1, 0)
    loss(net(seen), view, roi).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in list(net.parameters())[:1])
    assert all(weight.grad is None for weight in task.mean.parameters())


def test_both_views_show_the_same_places_in_other_light():
    ((_, (seen, view, roi)),) = teacher().extra_losses(2, 1)
    assert seen.shape == view.shape == (2, 3, 32, 20)
    assert not torch.equal(seen, view)
    inside = (roi == 1)[:, None].expand_as(seen)
    assert np.corrcoef(seen[inside], view[inside])[0, 1] > 0.6
    still = {"brightness": [1, 1], "noise": 0.0}
    ((_, (seen, view, _)),) = teacher(augmentation=AUGMENTATION | still).extra_losses(2, 1)
    assert torch.equal(seen, view)


def test_all_images_come_before_any_comes_again():
    task = teacher({"batch_size": 3}, steps=5)
    rows = task._rows(1)
    assert len(rows) == 15
    assert all(sorted(rows[i : i + 5]) == [0, 1, 2, 3, 4] for i in (0, 5, 10))
    assert rows.tolist() != task._rows(2).tolist()


def learned(slot=None, loss=bce, val_rows=(4, 5), consistency=None, **options):
    asked = recipe(consistency, **options)
    inputs = TrainingInputs(
        (IMAGES, MASKS, ROIS), [0, 1, 2, 3], val_rows, task=MeanTeacher(OTHERS, [0, 1, 3], asked, 1)
    )
    return train(network(0.2), loss, inputs, asked, 1, CPU, slot)


def test_what_is_published_and_validated_is_the_running_mean():
    """With a decay near 1 the mean of two steps is the plain one: of the first weights and those after each step."""
    seen = []

    class Watching(MeanTeacher):
        def begin(self, net, *others):
            seen.append({k: v.clone() for k, v in net.state_dict().items()})
            super().begin(net, *others)

        def after_step(self, net, done):
            seen.append({k: v.clone() for k, v in net.state_dict().items()})
            super().after_step(net, done)

    asked = recipe({"decay": 0.999}, epochs=1)
    task = Watching(OTHERS, [0, 1, 3], asked, 1)
    inputs = TrainingInputs((IMAGES, MASKS, ROIS), [0, 1, 2, 3], [4, 5], task=task)
    found = train(network(), bce, inputs, asked, 1, CPU)
    for name, _ in network().named_parameters():
        torch.testing.assert_close(found.weights[name], torch.stack([state[name] for state in seen]).mean(0))
    assert len(seen) == 3 and not same(found.weights, seen[-1])


@pytest.mark.parametrize("options", [{}, {"crop": [16, 16], "crops_per_image": 2, "accumulate": 2, "on_oom": "halve"}])
@pytest.mark.parametrize("stop_at", [2, 3])
def test_it_continues_with_its_bits(tmp_path, stop_at, options):
    undisturbed, step = learned(**options), 0

    def stopping(*arguments):
        nonlocal step
        step += arguments[0].requires_grad
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return bce(*arguments)

    slot = checkpoint.ResumeCheckpoint(tmp_path, {})
    with pytest.raises(signals.Interrupted):
        learned(slot, stopping, **options)
    torch.manual_seed(99)
    continued = learned(slot, **options)
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)


def test_without_weight_on_it_the_labelled_images_decide():
    """The consistency loss is part of the training loss, and moves the weights."""
    some, none = (learned(consistency={"weight": w, "ramp_up": 0}, epochs=1) for w in (100.0, 1e-9))
    assert some.history["train_loss"][0] > none.history["train_loss"][0]
    assert not same(some.weights, none.weights)


def test_probabilities_of_one_class_and_of_several():
    logits = torch.tensor([[[[0.0]]]])
    assert probabilities(logits).item() == 0.5
    assert probabilities(logits.expand(1, 4, 1, 1)).flatten().tolist() == [0.25] * 4


SETTINGS = {
    "model": {"network": "unet", "depth": 2, "width": 4},
    "loss": {"loss": "bce"},
    "recipe": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01, "consistency": {"unlabelled": "others"}},
}


def test_a_cell_with_a_mean_teacher(tmp_path, caplog):
    inputs = small_cell.write_inputs(tmp_path / "labelled")
    others = small_cell.write_inputs(tmp_path / "others", images=10, side=48)
    with caplog.at_level(logging.WARNING, "segstudy"):
        small_cell.run(inputs, tmp_path, SETTINGS, unlabelled=Unlabelled(*others))
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["images"] == {"train": 10, "val": 3, "unlabelled": 6}
    assert "unlabelled/store/images.npy" in record["data"]
    assert "changes no intensities" in caplog.text
    model_file.load_model(tmp_path / "model.safetensors")


def test_of_its_own_data_set_only_images_whose_masks_are_not_read_are_left(tmp_path):
    inputs = small_cell.write_inputs(tmp_path / "inputs")
    with pytest.raises(StudyError, match="no image for the mean teacher"):
        small_cell.run(inputs, tmp_path, SETTINGS, unlabelled=Unlabelled(*inputs))
    split = pd.read_csv(inputs[1])
    split.loc[0, "subset"] = "unlabelled"
    split.to_csv(inputs[1], index=False)
    small_cell.run(inputs, tmp_path, SETTINGS, unlabelled=Unlabelled(*inputs))
    assert json.loads((tmp_path / "run.json").read_text())["images"] == {"train": 9, "val": 3, "unlabelled": 1}

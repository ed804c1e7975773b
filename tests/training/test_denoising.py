"""Noise as strong as asked for, images that no label belongs to, and a training that learns to remove it."""

import json
import logging
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch

from segstudy.config.datasets import Split
from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import Denoising
from segstudy.core import rng
from segstudy.core.errors import StudyError
from segstudy.data.checks.split_checks import check_split
from segstudy.data.split import make_split
from segstudy.losses import build
from segstudy.models import model_file, registry
from segstudy.runtime import signals
from segstudy.training import checkpoint, device_data
from segstudy.training.inputs import TrainingInputs
from segstudy.training.tasks import denoising
from segstudy.training.trainer import train
from tests.helpers import small_cell
from tests.helpers.denoising import SETTINGS, unlabelled  # noqa: F401 - a fixture
from tests.helpers.trainer import CPU, IMAGES, MASKS, ROIS, same

LARGE = torch.full((1, 3, 400, 500), 0.5)


def noisy(kind, level, image=LARGE):
    return denoising.add_noise(image, [(kind, level)] * len(image), rng.generator(0, "noise"))


@pytest.mark.parametrize("level", [0.02, 0.1])
def test_gaussian_noise_has_the_standard_deviation_asked_for(level):
    added = noisy("gaussian", level) - 0.5
    assert added.std().item() == pytest.approx(level, rel=0.01)
    assert added.mean().item() == pytest.approx(0, abs=0.01 * level)
    assert np.corrcoef(added[0, 0].flatten(), added[0, 1].flatten())[0, 1] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("value", [0.1, 0.5])
def test_speckle_is_proportional_to_the_intensity(value):
    added = noisy("speckle", 0.2, LARGE * 0 + value) - value
    assert added.std().item() == pytest.approx(0.2 * value, rel=0.01)


def test_salt_and_pepper_set_the_share_of_pixels_asked_for_half_each_in_all_channels():
    found = noisy("salt_and_pepper", 0.1)
    assert (found == found[:, :1]).all()
    shares = [(found[0, 0] == value).float().mean().item() for value in (0, 0.5, 1)]
    assert shares == pytest.approx([0.05, 0.9, 0.05], abs=0.002)


def test_an_image_with_noise_stays_one():
    for kind in denoising.KINDS:
        found = noisy(kind, 1.0, torch.cat([LARGE * 0, LARGE * 0 + 1]))
        assert found.min() >= 0 and found.max() <= 1


def test_kinds_are_equally_frequent_and_levels_uniform_in_their_ranges():
    options = Denoising(gaussian=(0.1, 0.3), salt_and_pepper=None, speckle=(0.5, 0.5))
    drawn = denoising.draw_noise(4000, options, rng.generator(0, "noise"))
    levels = np.array([level for kind, level in drawn if kind == "gaussian"])
    assert {level for kind, level in drawn if kind == "speckle"} == {0.5}
    assert len(levels) == pytest.approx(2000, abs=100)
    assert np.quantile(levels, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([0.1, 0.15, 0.2, 0.25, 0.3], abs=0.01)


def test_validation_noise_is_that_of_the_row_whatever_comes_with_it():
    task, data = denoising.RemoveNoise(Denoising(), 3), device_data.DeviceData(IMAGES, MASKS, ROIS, CPU)
    both, one = (task.validation_batch(data.fetch(rows), rows) for rows in ([1, 4], [4]))
    assert torch.equal(both[0][1:], one[0])
    assert torch.equal(one[1], data.fetch([4])[0] / 255)
    assert not torch.equal(one[0], one[1])
    other = denoising.RemoveNoise(Denoising(), 4).validation_batch(data.fetch([4]), [4])
    assert not torch.equal(one[0], other[0])


def test_the_loss_of_images_is_the_mean_over_channels_and_counted_pixels_by_hand():
    loss = denoising.channel_by_channel(build.build_loss({"loss": "mse"}, build.ClassStatistics((0, 0))))
    draws = torch.Generator().manual_seed(0)
    logits, target = torch.randn(2, 3, 5, 4, generator=draws), torch.rand(2, 3, 5, 4, generator=draws)
    roi = torch.ones(2, 5, 4, dtype=torch.uint8)
    roi[0, :3] = 0
    inside = roi[:, None].expand_as(logits) == 1
    expected = torch.nn.functional.mse_loss(logits.sigmoid()[inside], target[inside])
    assert loss(logits, target, roi).item() == pytest.approx(expected.item())


def learned(slot=None, loss=None, seed=1, **options):
    torch.manual_seed(0)
    net = registry.build({"network": "unet", "depth": 2, "width": 4, "dropout": 0.2}, 3, 3)
    recipe = {"epochs": 3, "batch_size": 2, "learning_rate": 0.01, "precision": "fp32", "denoising": {}} | options
    recipe = Recipe.model_validate(recipe)
    mse = build.build_loss({"loss": "mse"}, build.ClassStatistics((0, 0)))
    loss = denoising.channel_by_channel(loss(mse) if loss else mse)
    task = denoising.RemoveNoise(recipe.denoising, seed)
    inputs = TrainingInputs((IMAGES, MASKS, ROIS), [0, 1, 2, 3], [4, 5], task=task)
    return train(net, loss, inputs, recipe, seed, CPU, slot)


def test_it_learns_and_measures_no_dice():
    found = learned(epochs=25).history
    assert found["val_dice"].isna().all()
    assert found["val_loss"].iloc[-1] < 0.4 * found["val_loss"].iloc[0]
    assert found["best"].sum() > 3


@pytest.mark.parametrize("options", [{}, {"on_oom": "halve", "accumulate": 2, "precision": "bf16", "crop": [16, 16]}])
def test_a_denoising_training_continues_with_its_bits(tmp_path, options):
    undisturbed, calls = learned(**options), 0

    def stopping(mse):
        def loss(*arguments):
            nonlocal calls
            calls += arguments[0].requires_grad
            if calls == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return mse(*arguments)

        return loss

    slot = checkpoint.ResumeCheckpoint(tmp_path, {})
    with pytest.raises(signals.Interrupted):
        learned(slot, stopping, **options)
    continued = learned(slot, **options)
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)


def test_groups_stay_on_one_side_and_the_share_is_met():
    rows, groups = np.arange(40) + 5, [f"p{i // 4}" if i < 24 else "" for i in range(40)]
    first, second = denoising.split_rows(rows, groups, 0.2, seed=0)
    assert sorted([*first, *second]) == rows.tolist()
    assert len(second) == pytest.approx(8, abs=1)
    names = dict(zip(rows, groups, strict=True))
    assert not ({names[r] for r in first} & {names[r] for r in second}) - {""}
    assert set(second) != set(denoising.split_rows(rows, groups, 0.2, seed=1)[1])
    assert [len(part) for part in denoising.split_rows([3, 4], ["", ""], 0.2, 0)] == [1, 1]


def test_images_of_val_and_test_and_of_their_groups_are_never_learned_from():
    names = ["train", "val", "test", "unlabelled", "unlabelled", "train"]
    split = pd.DataFrame({"sample": list("abcdef"), "subset": names})
    assert denoising.eligible_images(split, {"c": "p", "e": "p", "d": "q"}) == (["a", "d", "f"], ["", "q", ""])


def test_a_cell_learns_from_images_without_any_mask(unlabelled, tmp_path, caplog):  # noqa: F811
    with caplog.at_level(logging.INFO, "segstudy"):
        small_cell.run(unlabelled[:2], tmp_path, SETTINGS, index=unlabelled[2])
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["images"] == {"train": 8, "val": 2}
    assert "index" in record["data"]
    trained, meta = model_file.load_model(tmp_path / "model.safetensors")
    assert meta["outputs"] == 3
    assert trained(torch.rand(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    assert "val Dice" not in caplog.text and "val loss" in caplog.text


def test_who_wants_masks_is_told_that_there_are_none(unlabelled, tmp_path):  # noqa: F811
    with pytest.raises(StudyError, match="none of the data set has a mask") as caught:
        small_cell.run(unlabelled[:2], tmp_path, small_cell.SETTINGS)
    assert "denoising" in caught.value.remedy


def test_a_single_group_is_too_few(unlabelled, tmp_path):  # noqa: F811
    index = pd.read_csv(unlabelled[2]).assign(group="p")
    index.to_csv(unlabelled[2], index=False)
    with pytest.raises(StudyError, match="10 images are too few"):
        small_cell.run(unlabelled[:2], tmp_path, SETTINGS, index=unlabelled[2])


def test_a_data_set_without_masks_is_unlabelled_as_a_whole_and_passes_the_check():
    columns = {"sample": list("abc"), "mask": "", "stratum": "", "group": "", "official_subset": ["", "train", "test"]}
    index = pd.DataFrame(columns | {"image_sha256": list("xyz")})
    split = make_split(index, Split(), 0)
    assert split["subset"].tolist() == ["unlabelled"] * 3
    samples = pd.DataFrame({"sample": list("abc"), "foreground": None, "foreground_roi": None, "classes": None})
    record = check_split(index, samples, np.zeros((3, 64, 64), np.float32), split)
    assert record["split"]["subsets"] == {"train": 0, "val": 0, "test": 0, "unlabelled": 3}

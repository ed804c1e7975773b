"""Losses against hand computation, MONAI, torch, and the properties a training relies on."""

from __future__ import annotations

import doctest
import importlib
import inspect
import math
from pathlib import Path

import monai.losses
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from segstudy.config.base import Options
from segstudy.config.load import load_study
from segstudy.config.losses import LOSSES, loss_modules
from segstudy.core.errors import StudyError
from segstudy.losses import common, overlap, pixelwise
from segstudy.losses.build import REGULARISERS, ClassStatistics, build_loss, class_statistics, weights_used
from segstudy.models.encoder_unet import library
from segstudy.runtime import fingerprint
from tests.helpers.device_without_values import DEVICE, strict_device

BINARY = ClassStatistics((900, 100))
FACADE = ClassStatistics((400, 100, 200, 100))
COMPOUND = {"loss": "compound", "terms": [{"loss": "dice"}, {"loss": "bce", "weight": 0.5}]}
# One line a loss (and form): settings, statistics of a data set that it fits.
CASES = {
    "bce": ({"loss": "bce"}, BINARY),
    "bce_probability": ({"loss": "bce_probability"}, BINARY),
    "weighted_bce": ({"loss": "weighted_bce"}, BINARY),
    "focal": ({"loss": "focal"}, BINARY),
    "focal_positive": ({"loss": "focal", "form": "positive"}, BINARY),
    "focal_half": ({"loss": "focal", "gamma": 0.5}, BINARY),
    "dice_sum": ({"loss": "dice"}, BINARY),
    "dice_square": ({"loss": "dice", "form": "square"}, BINARY),
    "dice_mean": ({"loss": "dice", "form": "mean"}, BINARY),
    "dice_unsmoothed": ({"loss": "dice", "smooth": 0}, BINARY),
    "dice_batch": ({"loss": "dice", "batch": True}, BINARY),
    "dice_of_toolbelt": ({"loss": "dice", "smooth": 0, "batch": True, "skip_empty": True}, BINARY),
    "dice_classes": ({"loss": "dice"}, FACADE),
    "focal_classes": ({"loss": "focal"}, FACADE),
    "focal_classes_half": ({"loss": "focal", "gamma": 0.5, "alpha": None}, FACADE),
    "tversky": ({"loss": "tversky"}, BINARY),
    "tversky_unsmoothed": ({"loss": "tversky", "smooth": 0, "batch": True}, BINARY),
    "tversky_classes": ({"loss": "tversky"}, FACADE),
    "focal_tversky": ({"loss": "focal_tversky"}, BINARY),
    "focal_tversky_steep": ({"loss": "focal_tversky", "gamma": 3, "smooth": 0}, BINARY),
    "focal_tversky_classes": ({"loss": "focal_tversky"}, FACADE),
    "soft_cldice": ({"loss": "soft_cldice"}, BINARY),
    "soft_cldice_alone": ({"loss": "soft_cldice", "alpha": 1, "smooth": 0}, BINARY),
    "soft_cldice_classes": ({"loss": "soft_cldice", "iterations": 1}, FACADE),
    "boundary": ({"loss": "boundary"}, BINARY),
    "boundary_classes": ({"loss": "boundary"}, FACADE),
    "bce_tv": ({"loss": "bce_tv"}, BINARY),
    "total_variation": ({"loss": "total_variation"}, BINARY),
    "centered": ({"loss": "centered"}, BINARY),
    "sparsity": ({"loss": "sparsity"}, BINARY),
    "smooth_l1": ({"loss": "smooth_l1", "beta": 0.3}, BINARY),
    "mse": ({"loss": "mse"}, BINARY),
    "cross_entropy": ({"loss": "cross_entropy"}, FACADE),
    "cross_entropy_weighted": ({"loss": "cross_entropy", "class_weights": "inverse_frequency"}, FACADE),
    "compound": (COMPOUND, BINARY),
    "compound_classes": (
        {"loss": "compound", "terms": [{"loss": "cross_entropy"}, {"loss": "soft_cldice", "weight": 0.5}]},
        FACADE,
    ),
}
every_loss = pytest.mark.parametrize("case", CASES)
# Losses with pixels inside the roi that have no gradient: their value does not depend on every pixel.
NOT_EVERY_PIXEL = ("centered", "total_variation", "soft_cldice_alone", "boundary")
# The hand case: one 2x2 image. sigmoid(log 3) = 3/4, sigmoid(0) = 1/2, sigmoid(-log 3) = 1/4, sigmoid(log 4) = 4/5.
HAND_LOGITS = torch.tensor([[[[math.log(3), 0.0], [-math.log(3), math.log(4)]]]], dtype=torch.float64)
HAND_TARGET = torch.tensor([[[1, 1], [0, 0]]], dtype=torch.uint8)
HAND_ROI = torch.ones(1, 2, 2, dtype=torch.uint8)
LOG = math.log


def draw(statistics: ClassStatistics, batch: int = 3, size: tuple[int, int] = (6, 5), seed: int = 0):
    """Return float64 logits, uint8 target and bool roi that fit the statistics."""
    generator = torch.Generator().manual_seed(seed)
    classes = len(statistics.pixels)
    logits = torch.randn(batch, 1 if classes == 2 else classes, *size, generator=generator, dtype=torch.float64) * 2
    target = torch.randint(0, classes, (batch, *size), generator=generator).to(torch.uint8)
    return logits, target, torch.rand(batch, *size, generator=generator) < 0.7


def gradient(loss, logits: Tensor, target: Tensor, roi: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, target, roi)
    value.backward()
    return value.detach(), leaf.grad


@every_loss
def test_a_loss_stays_on_its_device_and_waits_for_nothing(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, roi = (x.to(DEVICE) for x in draw(statistics))
    with strict_device() as device:
        gradient(loss, logits, target, roi)
    assert not device.reads


def test_a_fingerprint_takes_the_modules_of_the_losses_that_a_cell_uses():
    assert loss_modules({"loss": "cross_entropy"}) == ["segstudy.losses.pixelwise"]
    assert loss_modules(COMPOUND) == ["segstudy.losses.overlap", "segstudy.losses.pixelwise"]
    for block in ({"loss": "bce"}, {"loss": "dice"}, COMPOUND):
        assert "boundary" not in " ".join(loss_modules(block))
    before = fingerprint.network("unet", "segstudy.losses.build")
    assert before != fingerprint.network("unet", "segstudy.losses.build", *loss_modules({"loss": "dice"}))
    assert "segstudy.losses.overlap" not in fingerprint._closure(("segstudy.training.cell",))


def test_every_key_of_the_config_has_a_function_and_a_case():
    assert {settings["loss"] for settings, _ in CASES.values()} == set(LOSSES)
    for kind in set(LOSSES) - {"compound"}:
        options, path = LOSSES[kind]
        module, _, name = path.partition(":")
        function = getattr(importlib.import_module(module), name)
        parameters = set(inspect.signature(function).parameters) - {"logits", "target", "roi"}
        assert name == kind and parameters == set(options.model_fields), kind


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"loss": "bce"}, -(LOG(0.75) + LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4),
        ({"loss": "bce_probability"}, -(LOG(0.75) + LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4),
        ({"loss": "bce_probability", "epsilon": 0.05}, -(LOG(0.75) + LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4),
        (
            {"loss": "weighted_bce", "positive_weight": 3},
            -(3 * LOG(0.75) + 3 * LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4,
        ),
        ({"loss": "weighted_bce"}, -(9 * LOG(0.75) + 9 * LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4),
        (
            {"loss": "focal", "gamma": 2, "alpha": 0.25},
            -(0.25 * 0.25**2 * LOG(0.75) + 0.25 * 0.5**2 * LOG(0.5) + 0.75 * (0.25**2 * LOG(0.75) + 0.8**2 * LOG(0.2)))
            / 4,
        ),
        (
            {"loss": "focal", "gamma": 2, "form": "positive"},
            -(0.25**2 * LOG(0.75) + 0.5**2 * LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4,
        ),
        # sum(p y) = 1.25, sum p = 2.3, sum y = 2, sum p^2 = 0.5625 + 0.25 + 0.0625 + 0.64 = 1.515
        ({"loss": "dice", "smooth": 0}, 1 - 2.5 / 4.3),
        ({"loss": "dice"}, 1 - 3.5 / 5.3),
        ({"loss": "dice", "form": "square"}, 1 - 3.5 / 4.515),
        ({"loss": "dice", "form": "mean"}, 1 - (2.5 / 4 + 1) / (4.3 / 4 + 1)),
        # true positives sum(p y) = 1.25, false sum(p (1 - y)) = 1.05, missed sum((1 - p) y) = 0.75
        ({"loss": "tversky", "smooth": 0}, 0.84 / (1.25 + 0.84)),
        ({"loss": "tversky", "alpha": 1, "beta": 0.2}, 1 - 2.25 / (1.25 + 1.05 + 0.15 + 1)),
        ({"loss": "focal_tversky"}, (1 - 2.25 / (1.25 + 0.84 + 1)) ** 0.75),
        ({"loss": "focal_tversky", "gamma": 2, "smooth": 0}, math.sqrt(0.84 / 2.09)),
        # Eroded: 0.25, 0.5 | 0.25, 0.25; opened: 0.5 everywhere. Eroded twice: 0.25 everywhere. So the skeleton of p is
        # 0.25, 0 | 0, 0.3 and then 0.25, 0.25 | 0, 0.3, that of the mask the mask.
        ({"loss": "soft_cldice", "iterations": 1, "alpha": 1}, 1 - 2 * (1.5 / 1.8) * 0.75 / (1.5 / 1.8 + 0.75)),
        (
            {"loss": "soft_cldice", "iterations": 1, "alpha": 0.2, "smooth": 0},
            0.8 * (1 - 2.5 / 4.3) + 0.2 * (1 - 2 * (0.5 / 0.8) * 0.625 / (0.5 / 0.8 + 0.625)),
        ),
        # The mask's row lies on its outline, the row below at distance 1; the diagonal is sqrt(8).
        ({"loss": "boundary"}, (0.25 + 0.8) / 4),
        ({"loss": "boundary", "normalise": True}, (0.25 + 0.8) / 4 / math.sqrt(8)),
        # down: |0.25 - 0.75| + |0.8 - 0.5|, right: |0.5 - 0.75| + |0.8 - 0.25|
        ({"loss": "total_variation"}, (0.5 + 0.3 + 0.25 + 0.55) / 4),
        (
            {"loss": "bce_tv", "weight": 2},
            -(LOG(0.75) + LOG(0.5) + LOG(0.75) + LOG(0.2)) / 4 + 2 * 1.6 / 4,
        ),
        ({"loss": "centered"}, 0.2),
        ({"loss": "sparsity"}, 2.3 / 4),
        # distances 0.25, 0.5, 0.25, 0.8
        ({"loss": "smooth_l1", "beta": 0.6}, ((0.25**2 + 0.5**2 + 0.25**2) / 1.2 + 0.8 - 0.3) / 4),
        ({"loss": "mse"}, (0.25**2 + 0.5**2 + 0.25**2 + 0.8**2) / 4),
        (
            {
                "loss": "compound",
                "terms": [{"loss": "mse", "weight": 2}, {"loss": "sparsity", "weight": 0.1}],
            },
            (0.0625 + 0.25 + 0.0625 + 0.64) / 2 + 0.23 / 4,
        ),
    ],
)
def test_two_by_two_image_by_hand(settings, expected):
    assert build_loss(settings, BINARY)(HAND_LOGITS, HAND_TARGET, HAND_ROI).item() == pytest.approx(expected, abs=2e-7)


def test_cross_entropy_by_hand():
    # softmax of logs of probabilities gives them back: (1/2, 1/4, 1/8, 1/8) at both pixels, true classes 0 and 3.
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64).log().view(1, 4, 1, 1).expand(1, 4, 1, 2)
    target, roi = torch.tensor([[[0, 3]]], dtype=torch.uint8), torch.ones(1, 1, 2, dtype=torch.bool)
    assert build_loss({"loss": "cross_entropy"}, FACADE)(logits, target, roi).item() == pytest.approx(2 * LOG(2))
    # Weights: 1/400, 1/100, 1/200, 1/100 over their mean, so 4 times more for class 3 than for class 0.
    weighted = {"loss": "cross_entropy", "class_weights": "inverse_frequency"}
    expected = (1 * LOG(2) + 4 * 3 * LOG(2)) / 5
    assert build_loss(weighted, FACADE)(logits, target, roi).item() == pytest.approx(expected)
    half = {"loss": "cross_entropy", "class_weights": [1, 1, 1, 0]}
    assert build_loss(half, FACADE)(logits, target, roi).item() == pytest.approx(LOG(2))


def test_losses_of_several_classes_by_hand():
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64).log().view(1, 4, 1, 1).expand(1, 4, 1, 2)
    target, roi = torch.tensor([[[0, 3]]], dtype=torch.uint8), torch.ones(1, 1, 2, dtype=torch.bool)
    expected = {
        # 1 - p_t is 1/2 at the background's pixel and 7/8 at the other
        "focal": (0.75 * 0.5**2 * LOG(2) + 0.25 * 0.875**2 * 3 * LOG(2)) / 2,
        # false and missed: 0.5 and 0 for class 1, 0.25 and 0 for class 2, 0.125 and 0.875 for class 3 (found 0.125)
        "tversky": (0.15 / 1.15 + 0.075 / 1.075 + (0.0375 + 0.6125) / (0.125 + 0.0375 + 0.6125 + 1)) / 3,
        # class 3 alone has an outline, the background's pixel lies 1 away
        "boundary": 0.125 / 3 / 2,
    }
    for kind, value in expected.items():
        found = build_loss({"loss": kind}, FACADE)(logits, target, roi)
        assert found.item() == pytest.approx(value, abs=2e-7), kind


def test_roi_by_hand():
    """Without its last pixel, the hand case is a mean over three, in every family of losses."""
    roi = torch.tensor([[[1, 1], [1, 0]]], dtype=torch.uint8)
    expected = {
        "bce": -(LOG(0.75) + LOG(0.5) + LOG(0.75)) / 3,
        "dice": 1 - (2 * 1.25 + 1) / (1.5 + 2 + 1),
        "tversky": (0.3 * 0.25 + 0.7 * 0.75) / (1.25 + 0.6 + 1),
        "boundary": (0.25 + 0.5 * (1 - math.sqrt(2))) / 3,  # no counted background below the second pixel
        "total_variation": (0.5 + 0.25) / 3,
        "sparsity": 0.5,
        "centered": 0.0,  # the pixel in the middle is the one that does not count
    }
    for kind, value in expected.items():
        found = build_loss({"loss": kind}, BINARY)(HAND_LOGITS, HAND_TARGET, roi)
        assert found.item() == pytest.approx(value, abs=1e-7), kind
    mean = build_loss({"loss": "dice", "form": "mean"}, BINARY)(HAND_LOGITS, HAND_TARGET, roi)
    assert mean.item() == pytest.approx(1 - (2.5 / 3 + 1) / (3.5 / 3 + 1), abs=1e-7)


def test_clamp_of_probabilities_holds_at_both_ends():
    logits = torch.tensor([[[[50.0, -50.0], [50.0, -50.0]]]])
    loss = build_loss({"loss": "bce_probability", "epsilon": 0.05}, BINARY)
    right = torch.tensor([[[1, 0], [1, 0]]], dtype=torch.uint8)
    assert loss(logits, right, HAND_ROI).item() == pytest.approx(-LOG(0.95))
    assert loss(logits, 1 - right, HAND_ROI).item() == pytest.approx(-LOG(0.05))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"loss": "bce"}, torch.nn.BCEWithLogitsLoss()),
        ({"loss": "bce_probability"}, lambda z, y: torch.nn.BCELoss()(z.sigmoid(), y)),
        ({"loss": "weighted_bce"}, torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(9.0))),
        ({"loss": "smooth_l1", "beta": 0.3}, lambda z, y: torch.nn.SmoothL1Loss(beta=0.3)(z.sigmoid(), y)),
        ({"loss": "mse"}, lambda z, y: torch.nn.MSELoss()(z.sigmoid(), y)),
        ({"loss": "focal", "gamma": 1.5, "alpha": 0.3}, monai.losses.FocalLoss(gamma=1.5, alpha=0.3)),
        ({"loss": "focal", "alpha": None}, monai.losses.FocalLoss(gamma=2.0)),
        ({"loss": "dice"}, monai.losses.DiceLoss(sigmoid=True, smooth_nr=1, smooth_dr=1)),
        (
            {"loss": "dice", "form": "square", "batch": True},
            monai.losses.DiceLoss(sigmoid=True, squared_pred=True, batch=True, smooth_nr=1, smooth_dr=1),
        ),
        (
            {"loss": "tversky", "alpha": 0.2, "beta": 0.9},
            monai.losses.TverskyLoss(sigmoid=True, alpha=0.2, beta=0.9, smooth_nr=1, smooth_dr=1),
        ),
        (
            {"loss": "focal_tversky", "gamma": 1.5, "batch": True},
            lambda z, y: (
                monai.losses.TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, smooth_nr=1, smooth_dr=1, batch=True)(z, y)
                ** (1 / 1.5)
            ),
        ),
        (
            {"loss": "soft_cldice", "alpha": 1, "iterations": 2},
            monai.losses.SoftclDiceLoss(iter_=2, sigmoid=True, smooth=1e-9),
        ),
        (
            {"loss": "soft_cldice", "alpha": 0.4},
            monai.losses.SoftDiceclDiceLoss(iter_=3, alpha=0.4, sigmoid=True, smooth=1e-9),
        ),
        (
            {"loss": "compound", "terms": [{"loss": "dice", "weight": 0.7}, {"loss": "bce", "weight": 2}]},
            monai.losses.DiceCELoss(sigmoid=True, smooth_nr=1, smooth_dr=1, lambda_dice=0.7, lambda_ce=2),
        ),
    ],
)
def test_binary_losses_agree_with_torch_and_monai(settings, reference, seed):
    logits, target, _ = draw(BINARY, seed=seed)
    found, slope = gradient(build_loss(settings, BINARY), logits, target, torch.ones_like(target))
    leaf = logits.clone().requires_grad_()
    expected = reference(leaf, target.unsqueeze(1).double())
    expected.backward()
    # MONAI's focal loss works in float32 always.
    torch.testing.assert_close(found, expected.detach().double(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(slope, leaf.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_losses_of_several_classes_agree_with_torch_and_monai(seed):
    logits, target, _ = draw(FACADE, seed=seed)
    roi, ids = torch.ones_like(target), target.long()
    plain = build_loss({"loss": "cross_entropy"}, FACADE)(logits, target, roi)
    torch.testing.assert_close(plain, torch.nn.CrossEntropyLoss()(logits, ids))
    weights = [0.2, 1.0, 3.0, 0.5]
    weighted = build_loss({"loss": "cross_entropy", "class_weights": weights}, FACADE)(logits, target, roi)
    reference = torch.nn.CrossEntropyLoss(torch.tensor(weights, dtype=torch.float64))
    torch.testing.assert_close(weighted, reference(logits, ids))
    for batch in (False, True):
        found = build_loss({"loss": "dice", "batch": batch}, FACADE)(logits, target, roi)
        dice = monai.losses.DiceLoss(
            include_background=False, to_onehot_y=True, softmax=True, smooth_nr=1, smooth_dr=1, batch=batch
        )
        torch.testing.assert_close(found, dice(logits, target.unsqueeze(1)), rtol=1e-6, atol=1e-7)
        index = monai.losses.TverskyLoss(
            include_background=False, to_onehot_y=True, softmax=True, alpha=0.3, beta=0.7, smooth_nr=1, smooth_dr=1,
            batch=batch,
        )  # fmt: skip
        found = build_loss({"loss": "tversky", "batch": batch}, FACADE)(logits, target, roi)
        torch.testing.assert_close(found, index(logits, target.unsqueeze(1)), rtol=1e-6, atol=1e-7)
    for alpha in (None, 0.3):
        focal = monai.losses.FocalLoss(gamma=1.5, alpha=alpha, use_softmax=True, to_onehot_y=True, reduction="none")
        expected = focal(logits, target.unsqueeze(1)).sum(1).mean()
        found = build_loss({"loss": "focal", "gamma": 1.5, "alpha": alpha}, FACADE)(logits, target, roi)
        torch.testing.assert_close(found, expected.double(), rtol=1e-6, atol=1e-7)
    lines = monai.losses.SoftDiceclDiceLoss(iter_=3, alpha=0.2, smooth=1e-9)
    p, y = logits.softmax(1), torch.nn.functional.one_hot(ids, 4).permute(0, 3, 1, 2).double()
    expected = torch.stack([lines(p[:, [c]], y[:, [c]]) for c in (1, 2, 3)]).mean()
    found = build_loss({"loss": "soft_cldice"}, FACADE)(logits, target, roi)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


@every_loss
def test_what_lies_outside_the_roi_does_not_matter(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, roi = draw(statistics)
    value, slope = gradient(loss, logits, target, roi)
    outside = ~roi.unsqueeze(1).expand_as(logits)
    other = torch.where(outside, logits * -7 + 3, logits)
    # Outside the roi the mask may be anything, a class that does not exist included.
    again, _ = gradient(loss, other, torch.where(roi, target, 255).to(torch.uint8), roi)
    assert torch.equal(value, again)
    assert (slope[outside] == 0).all()
    if case not in NOT_EVERY_PIXEL:
        assert (slope[~outside] != 0).all()


@pytest.mark.parametrize("case", [case for case in CASES if case != "centered"])
def test_the_border_of_the_roi_is_like_the_border_of_the_image(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, _ = draw(statistics, size=(9, 8))
    roi = torch.zeros_like(target)
    roi[:, 2:7, 1:6] = 1
    part = (..., slice(2, 7), slice(1, 6))
    value, slope = gradient(loss, logits, target, roi)
    alone, own = gradient(loss, logits[part], target[part], roi[part])
    torch.testing.assert_close(value, alone)
    torch.testing.assert_close(slope[part], own)


@every_loss
def test_an_image_without_counted_pixels_adds_nothing(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, roi = draw(statistics, size=(4, 4))
    roi[:, 2, 2] = True
    roi[1] = False
    value, slope = gradient(loss, logits, target, roi)
    without = loss(logits[[0, 2]], target[[0, 2]], roi[[0, 2]])
    torch.testing.assert_close(value, without, rtol=1e-12, atol=0)
    nothing, flat = gradient(loss, logits, target, torch.zeros_like(roi))
    assert nothing.item() == 0 and (flat == 0).all() and (slope[1] == 0).all()


@every_loss
@pytest.mark.parametrize("size", [1e4, 1e2, 0.0])
@pytest.mark.parametrize("truth", [0, 1])
def test_extreme_logits_stay_finite_in_float32(case, size, truth):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    _, target, roi = draw(statistics)
    channels = 1 if statistics is BINARY else 4
    logits = torch.full((3, channels, 6, 5), -size)
    logits[:, 0, ::2] = size
    for mask in (target, torch.full_like(target, truth)):
        value, slope = gradient(loss, logits, mask, roi)
        assert value.dtype == torch.float32
        assert value.isfinite() and slope.isfinite().all()
        assert value >= 0 or settings["loss"] == "boundary"  # which is below 0 inside the mask


@every_loss
def test_gradients_agree_with_finite_differences(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, roi = draw(statistics, batch=2, size=(4, 3))
    assert loss(logits, target, roi).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda z: loss(z, target, roi), logits.requires_grad_())


@every_loss
def test_autocast_changes_nothing(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, roi = draw(statistics)
    half = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(half, target, roi)
        assert torch.is_autocast_enabled("cpu")
    assert inside.dtype == torch.float32
    assert torch.equal(inside, loss(half.float(), target, roi))


def test_autocast_is_off_inside(monkeypatch):
    """On a GPU autocast would choose the type of single operations; on a CPU it happens to leave these alone."""
    seen = []
    monkeypatch.setattr(pixelwise, "bce", lambda z, y, m: seen.append(torch.is_autocast_enabled("cpu")) or z.sum())
    loss = build_loss({"loss": "bce"}, BINARY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss(*draw(BINARY))
    assert seen == [False]


@every_loss
def test_order_of_the_batch_and_memory_format_do_not_matter(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    logits, target, roi = draw(statistics, batch=4)
    order = torch.tensor([2, 0, 3, 1])
    value = loss(logits, target, roi)
    torch.testing.assert_close(loss(logits[order], target[order], roi[order]), value)
    last = logits.to(memory_format=torch.channels_last)
    torch.testing.assert_close(loss(last, target.long(), roi.to(torch.uint8)), value)


@every_loss
def test_a_loss_validated_first_can_train(case):
    """What is kept from a call under inference mode must serve the backward pass that follows."""
    settings, statistics = CASES[case]
    common.constant.cache_clear()
    loss = build_loss(settings, statistics)
    logits, target, roi = draw(statistics)
    with torch.inference_mode():
        before = loss(logits, target, roi)
    value, _ = gradient(loss, logits, target, roi)
    torch.testing.assert_close(value, before.clone())


@pytest.mark.parametrize("case", [case for case in CASES if case not in REGULARISERS])
def test_loss_falls_as_the_prediction_turns_right(case):
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    _, target, roi = draw(statistics)
    if statistics is BINARY:
        right = (target.double() * 2 - 1).unsqueeze(1)
    else:
        right = torch.nn.functional.one_hot(target.long(), 4).permute(0, 3, 1, 2).double()
    if case == "bce_tv":
        loss = build_loss(settings | {"weight": 0}, statistics)  # the total variation of the mask itself is not 0
    values = [loss(right * size, target, roi).item() for size in (-8, -2, 0, 2, 8, 15)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-2 < values[0]  # a third root keeps 0.007 of the last 3e-7


@pytest.mark.parametrize(
    "case", [case for case in CASES if case not in (*REGULARISERS, "soft_cldice_alone", "soft_cldice_classes")]
)
def test_descending_on_the_logits_themselves_finds_the_mask(case):
    """clDice alone does not care how thick a line is, nor for classes spread evenly: its compound is here instead."""
    settings, statistics = CASES[case]
    loss = build_loss(settings, statistics)
    target = torch.zeros(2, 12, 12, dtype=torch.uint8)
    target[0, 1:4, 2:] = target[1, :, 5:8] = 1
    target[0, 5:8] = target[1, 4:, 1:4] = min(2, len(statistics.pixels) - 1)
    target[0, 9:12, :7] = target[1, :8, 9:12] = len(statistics.pixels) - 1
    roi = torch.ones_like(target)
    logits = torch.zeros(2, 1 if statistics is BINARY else 4, 12, 12, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(60):
        optimizer.zero_grad()
        loss(logits, target, roi).backward()
        optimizer.step()
    found = logits[:, 0] > 0 if statistics is BINARY else logits.argmax(1)
    wrong = found != target
    if settings["loss"] == "boundary":  # the outermost pixels inside lie on the outline: either is right
        wrong &= torch.nn.functional.max_pool2d((target == 0).float(), 3, 1, 1) == 0
    assert not wrong.any()


@given(alpha=st.floats(0.05, 0.95), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_focal_without_focus_is_balanced_bce(alpha, seed):
    logits, target, roi = draw(BINARY, seed=seed)
    bce = build_loss({"loss": "bce"}, BINARY)(logits, target, roi)
    for form in ("balanced", "positive"):
        plain = build_loss({"loss": "focal", "gamma": 0, "alpha": None, "form": form}, BINARY)
        torch.testing.assert_close(plain(logits, target, roi), bce)
    focal = build_loss({"loss": "focal", "gamma": 0, "alpha": alpha}, BINARY)(logits, target, roi)
    weighted = build_loss({"loss": "weighted_bce", "positive_weight": alpha / (1 - alpha)}, BINARY)
    torch.testing.assert_close(focal, (1 - alpha) * weighted(logits, target, roi))


def test_positive_form_is_the_exercise_formula_unless_alpha_is_asked_for():
    logits, target, roi = draw(BINARY)
    form = build_loss({"loss": "focal", "form": "positive"}, BINARY)(logits, target, roi)
    none = build_loss({"loss": "focal", "form": "positive", "alpha": None}, BINARY)(logits, target, roi)
    half = build_loss({"loss": "focal", "form": "positive", "alpha": 0.5}, BINARY)(logits, target, roi)
    assert torch.equal(form, none)
    torch.testing.assert_close(half, form / 2)


def test_compound_is_the_weighted_sum_of_its_terms():
    logits, target, roi = draw(BINARY)
    terms = [
        {"loss": "weighted_bce", "weight": 0.3},
        {"loss": "dice", "form": "square", "weight": 2},
        {"loss": "total_variation", "weight": 0.1},
    ]
    found = gradient(build_loss({"loss": "compound", "terms": terms}, BINARY), logits, target, roi)
    parts = [
        gradient(build_loss({k: v for k, v in term.items() if k != "weight"}, BINARY), logits, target, roi)
        for term in terms
    ]
    for index in (0, 1):
        expected = sum(term["weight"] * part[index] for term, part in zip(terms, parts, strict=True))
        torch.testing.assert_close(found[index], expected)
    tv = {"loss": "compound", "terms": [{"loss": "bce"}, {"loss": "total_variation", "weight": 0.4}]}
    both = build_loss({"loss": "bce_tv", "weight": 0.4}, BINARY)(logits, target, roi)
    torch.testing.assert_close(build_loss(tv, BINARY)(logits, target, roi), both)


def test_class_statistics_counts_training_pixels_inside_the_roi():
    masks = np.array([[[0, 1], [2, 2]], [[1, 1], [1, 1]], [[0, 0], [1, 9]]], dtype=np.uint8)
    rois = np.array([[[1, 1], [1, 0]], [[1, 1], [1, 1]], [[1, 1], [1, 0]]], dtype=np.uint8)
    assert class_statistics(masks, rois, [0, 2], 3) == ClassStatistics((3, 2, 1))
    assert class_statistics(masks, rois, np.array([1]), 2) == ClassStatistics((0, 4))
    with pytest.raises(StudyError, match=r"class 2 of a data set of 2 classes") as caught:
        class_statistics(masks, rois, [1, 0], 2)
    assert "row 0" in caught.value.where


def test_weights_used():
    assert weights_used({"loss": "bce"}, BINARY) == {}
    assert weights_used({"loss": "weighted_bce"}, BINARY) == {"positive_weight": 9.0}
    assert weights_used({"loss": "weighted_bce", "positive_weight": 2}, BINARY) == {"positive_weight": 2.0}
    inverse = {"loss": "cross_entropy", "class_weights": "inverse_frequency"}
    found = weights_used(inverse, ClassStatistics((400, 100, 0, 100)))["class_weights"]
    assert found == pytest.approx([1 / 3, 4 / 3, 0, 4 / 3])
    terms = [{"loss": "dice"}, {"loss": "weighted_bce", "weight": 0.5}]
    assert weights_used({"loss": "compound", "terms": terms}, BINARY) == {"terms": [{}, {"positive_weight": 9.0}]}


def test_inverse_frequency_balances_the_classes():
    """With every pixel wrong by the same amount, foreground and background pull equally hard."""
    target = torch.zeros(1, 10, 10, dtype=torch.uint8)
    target[0, 0] = 1
    roi = torch.ones_like(target)
    statistics = class_statistics(target.numpy(), roi.numpy(), [0], 2)
    logits = torch.zeros(1, 1, 10, 10)
    _, slope = gradient(build_loss({"loss": "weighted_bce"}, statistics), logits, target, roi)
    assert slope[0, 0, 0].sum().item() == pytest.approx(-slope[0, 0, 1:].sum().item())


@pytest.mark.parametrize(
    ("settings", "statistics", "words"),
    [
        ({"loss": "dise"}, BINARY, ["dise", "'dice'", "allowed"]),
        ({"loss": "focal", "gama": 2}, BINARY, ["gama", "'gamma'"]),
        ({"loss": "bce"}, FACADE, ["bce", "has several", "cross_entropy"]),
        (
            {"loss": "compound", "terms": [{"loss": "dice"}, {"loss": "mse"}]},
            FACADE,
            ["mse", "cross_entropy"],
        ),
        ({"loss": "focal", "form": "positive"}, FACADE, ["form positive", "one foreground class", "cross_entropy"]),
        ({"loss": "tversky", "alpha": 0, "beta": 0}, BINARY, ["both 0"]),
        ({"loss": "cross_entropy"}, BINARY, ["one foreground class", "use bce"]),
        ({"loss": "cross_entropy", "class_weights": [1, 2]}, FACADE, ["2 class_weights", "4 classes"]),
        ({"loss": "weighted_bce"}, ClassStatistics((10, 0)), ["0 of the foreground", "training masks"]),
        (
            {"loss": "cross_entropy", "class_weights": "inverse_frequency"},
            ClassStatistics((0, 0, 0)),
            ["needs training pixels"],
        ),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_remedy(settings, statistics, words):
    with pytest.raises(StudyError) as caught:
        build_loss(settings, statistics)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_logits_that_do_not_fit_are_refused():
    logits, target, roi = draw(BINARY)
    loss = build_loss({"loss": "bce"}, BINARY)
    with pytest.raises(StudyError, match="2 channels, its data set asks for 1") as caught:
        loss(logits.repeat(1, 2, 1, 1), target, roi)
    assert "cross_entropy" in str(caught.value)
    with pytest.raises(ValueError, match="do not fit"):
        loss(logits, target[:, :-1], roi)


def test_a_regulariser_alone_is_remarked_on(caplog):
    build_loss({"loss": "sparsity"}, BINARY)
    assert "compound" in caplog.text


STUDY = """
study: s
datasets: {drive: {}}
models: {unet: {}}
recipes: {default: {}}
experiments: {e: {question: 'Which one is best?', datasets: [drive], models: [unet], losses: [both]}}
losses:
  both:
    loss: compound
    terms:
      - {loss: dice, weight: 2}
      - TERM
"""


def resolve(term: str, folder):
    """Return the resolved loss block of a study whose second term is `term`."""
    file = folder / "study.yaml"
    file.write_text(STUDY.replace("TERM", term))
    study = load_study(yaml.safe_load(file.read_text()), [file])
    return study.training_settings("drive", "unet", "both", "default")["loss"]


def test_config_fills_in_the_terms_of_a_compound(tmp_path):
    resolved = resolve("{loss: focal, form: positive}", tmp_path)
    assert resolved["terms"] == [
        {"loss": "dice", "weight": 2.0, "form": "sum", "smooth": 1.0, "batch": False},
        {"loss": "focal", "weight": 1.0, "gamma": 2.0, "alpha": None, "form": "positive"},
    ]
    assert build_loss(resolved, BINARY)(*draw(BINARY)).isfinite()


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("{loss: focl}", ["no loss is called 'focl'", "Did you mean 'focal'?"]),
        ("{loss: focal, gama: 1}", ["term 'focal' has no key 'gama'", "Did you mean 'gamma'?"]),
        ("{loss: focal, gamma: -1}", ["gamma of term 'focal'", "-1"]),
        ("{loss: focal, weight: heavy}", ["weight of term 'focal'", "'heavy'"]),
        ("{loss: focal, weight: -1}", ["weight of term 'focal'", ">= 0"]),
        ("{weight: 1}", ["needs 'loss: <kind>'"]),
        ("{loss: compound, terms: [{loss: bce}]}", ["a compound cannot be a term of a compound"]),
        ("{loss: bce_tv}", ["two terms", "total_variation"]),
        ("bce", ["must be a block", "'bce'"]),
    ],
)
def test_config_refuses_a_wrong_term_and_names_its_line(tmp_path, term, words):
    with pytest.raises(StudyError) as caught:
        resolve(term, tmp_path)
    message = str(caught.value)
    assert all(word in message for word in [*words, "study.yaml:12", "losses.both.terms.1"]), message


def test_the_numbers_in_the_documentation_are_true():
    page = Path(__file__).resolve().parents[2] / "docs" / "losses.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 10 and result.failed == 0
    table = page.read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in table for kind in LOSSES)
    assert "images/loss_gradients.png" in table and (page.parent / "images/loss_gradients.png").exists()


def test_adding_a_loss_takes_a_function_and_a_registry_line(monkeypatch, tmp_path):
    class JaccardOptions(Options):
        power: float = 1.0

    def jaccard(logits: Tensor, target: Tensor, roi: Tensor, *, power: float) -> Tensor:
        p, y = logits[:, 0].sigmoid() * roi, target * roi
        return (1 - (p * y).sum() / (p + y - p * y).sum()) ** power

    monkeypatch.setitem(LOSSES, "jaccard", (JaccardOptions, "segstudy.losses.overlap:jaccard"))
    monkeypatch.setattr(overlap, "jaccard", jaccard, raising=False)
    resolved = resolve("{loss: jaccard, power: 1.0, weight: 3}", tmp_path)
    logits, target, roi = draw(BINARY)
    tversky = {"loss": "tversky", "alpha": 1, "beta": 1, "smooth": 0, "batch": True}
    alone = build_loss({"loss": "jaccard"}, BINARY)(logits, target, roi)
    torch.testing.assert_close(alone, build_loss(tversky, BINARY)(logits, target, roi), rtol=1e-6, atol=0)
    both = build_loss(resolved, BINARY)(logits, target, roi)
    first = build_loss({"loss": "dice"}, BINARY)(logits, target, roi)
    torch.testing.assert_close(both, 2 * first + 3 * alone)


@pytest.mark.parametrize("weights", ["none", "inverse_frequency"])
def test_void_is_what_torch_ignores(weights):
    logits, target, counted = draw(FACADE)
    ids = torch.where(counted, target.long(), 255)
    block = {"loss": "cross_entropy", "class_weights": weights}
    tensor = None if weights == "none" else torch.tensor(weights_used(block, FACADE)["class_weights"]).double()
    expected, slope = gradient(
        lambda z, y, _: torch.nn.functional.cross_entropy(z, y, tensor, ignore_index=255), logits, ids, counted
    )
    value, own = gradient(build_loss(block, FACADE), logits, target, counted)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(own, slope)


NEIGHBOURS = ("soft_cldice", "boundary", "bce_tv", "total_variation", "centered")  # losses that look at them


@pytest.mark.parametrize("case", [name for name in CASES if not any(kind in str(CASES[name]) for kind in NEIGHBOURS)])
def test_a_loss_is_that_of_the_pixels_that_count_in_one_row(case):
    """The pixels of an image that count, taken out and put in a row, have the same loss."""
    block, statistics = CASES[case]
    logits, target, counted = draw(statistics, batch=1)
    row = logits[:, :, counted[0]].unsqueeze(2), target[:, counted[0]].unsqueeze(1)
    loss = build_loss(block, statistics)
    torch.testing.assert_close(loss(logits, target, counted), loss(*row, torch.ones_like(row[1])))


def test_the_outline_of_the_boundary_loss_has_no_void_pixel():
    """Against scipy: distances go to counted pixels of the other side, and only counted pixels have a share."""
    logits, target, counted = draw(BINARY, batch=1, size=(9, 8))
    object_, rest = ((target[0] == side) & counted[0] for side in (1, 0))
    outside, inside = (distance_transform_edt(~part.numpy()) for part in (object_, rest))
    phi = np.where(object_, 1 - inside, outside)
    expected = (phi * logits[0, 0].sigmoid().numpy())[counted[0].numpy()].mean()
    found = build_loss({"loss": "boundary", "normalise": False}, BINARY)(logits, target, counted)
    assert found.item() == pytest.approx(expected)


def test_dice_without_smoothing_is_that_of_the_library_which_the_thesis_names():
    """segmentation_models_pytorch holds pytorch-toolbelt's `DiceLoss`; a batch without foreground costs nothing."""
    theirs = library().losses.DiceLoss(mode="binary", from_logits=True)
    assert theirs.smooth == 0
    ours = build_loss(CASES["dice_of_toolbelt"][0], BINARY)
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 8, 9, generator=draw)
    some = (torch.rand(3, 8, 9, generator=draw) < 0.3).to(torch.uint8)
    for target in (some, torch.zeros_like(some)):
        a, b = (logits.clone().requires_grad_() for _ in range(2))
        one, two = ours(a, target, torch.ones_like(target)), theirs(b, target[:, None].float())
        one.backward(), two.backward()
        assert torch.allclose(one, two, atol=1e-6) and torch.allclose(a.grad, b.grad, atol=1e-7)
    counted = build_loss({"loss": "dice", "smooth": 0, "batch": True}, BINARY)
    assert one == 0 and counted(logits, target, 1 - target) > 0.99, "without skip_empty it costs 1"

"""Distance maps and soft skeletons against scipy, MONAI and hand-drawn images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses.cldice import soft_skel
from scipy.ndimage import distance_transform_edt

from segstudy.losses.build import build_loss
from segstudy.losses.class_weights import ClassStatistics
from segstudy.losses.distance_map import signed_distance, squared_distance
from segstudy.losses.skeleton import CROSS, _Extreme, soft_skeleton

BINARY = ClassStatistics((900, 100))


def masks(share: float, size: tuple[int, int] = (23, 17), seed: int = 0) -> torch.Tensor:
    return torch.rand(4, *size, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("size", [(23, 17), (1, 9), (9, 1), (16, 40)])
def test_squared_distances_are_those_of_scipy(share, size):
    sites = masks(share, size)
    sites[:, 0, 0] = True  # scipy has no answer for an image without a site
    expected = np.stack([distance_transform_edt(~image) for image in sites.numpy()]) ** 2
    found = squared_distance(sites)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), np.rint(expected))


def test_without_a_site_the_distance_is_infinite():
    assert (squared_distance(torch.zeros(2, 3, 4, dtype=torch.bool)) == torch.inf).all()


def test_signed_distance_is_that_of_the_authors_of_the_boundary_loss():
    """Their code: d(outside) - (d(inside) - 1), by scipy's Euclidean distance."""
    region = masks(0.4)
    region[2] = False
    region[2, 5:12, 3:14] = True
    for image, found in zip(region, signed_distance(region, torch.ones_like(region)), strict=True):
        inside = image.numpy()
        expected = distance_transform_edt(~inside) * ~inside - (distance_transform_edt(inside) - 1) * inside
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_signed_distance_of_a_bar_by_hand():
    bar = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 0]], dtype=torch.bool)
    everything = torch.ones_like(bar)
    assert signed_distance(bar, everything).tolist() == [[2, 1, 0, -1, -2, -1, 0, 1]]
    # Where the last two pixels do not count, nobody knows that the bar ends there.
    counted = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0]], dtype=torch.bool)
    assert signed_distance(bar, counted)[0, :6].tolist() == [2, 1, 0, -1, -2, -3]
    assert (signed_distance(bar, bar) == 0).all()
    assert (signed_distance(~everything, everything) == 0).all()


def test_boundary_is_the_mean_of_distance_and_probability():
    logits = torch.randn(4, 1, 23, 17, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    target = masks(0.3).to(torch.uint8)
    maps = []
    for image in target.numpy().astype(bool):
        maps.append(distance_transform_edt(~image) * ~image - (distance_transform_edt(image) - 1) * image)
    expected = (np.stack(maps) * logits[:, 0].sigmoid().numpy()).mean()
    found = build_loss({"loss": "boundary"}, BINARY)(logits, target, torch.ones_like(target))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_boundary_loss_calls_a_distant_mistake_worse():
    target = torch.zeros(1, 9, 9, dtype=torch.uint8)
    target[0, 3:6, 3:6] = 1
    right = (target.double() * 2 - 1).unsqueeze(1) * 20
    loss = build_loss({"loss": "boundary"}, BINARY)

    def with_false_pixel(row: int, column: int) -> float:
        logits = right.clone()
        logits[0, 0, row, column] = 20
        return loss(logits, target, torch.ones_like(target)).item()

    perfect = loss(right, target, torch.ones_like(target)).item()
    assert perfect == pytest.approx(-1 / 81, abs=1e-6)  # the pixel in the middle, 1 inside of the outline
    assert with_false_pixel(2, 4) - perfect == pytest.approx(1 / 81, abs=1e-6)
    assert with_false_pixel(0, 4) - perfect == pytest.approx(3 / 81, abs=1e-6)


@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_soft_skeleton_and_its_gradient_are_those_of_monai(iterations):
    image = torch.rand(2, 3, 12, 15, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights = torch.rand(2, 3, 12, 15, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    ours, theirs = image.clone().requires_grad_(), image.clone().requires_grad_()
    found = soft_skeleton(ours, torch.ones(2, 1, 12, 15, dtype=torch.float64), iterations)
    expected = soft_skel(theirs, iterations)
    torch.testing.assert_close(found, expected)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_skeleton_of_a_bar_is_its_middle_line():
    bar = torch.zeros(1, 1, 11, 20)
    bar[:, :, 3:8] = 1
    skeleton = soft_skeleton(bar, torch.ones_like(bar), 3)
    assert skeleton[0, 0].nonzero()[:, 0].unique().tolist() == [5]
    assert (skeleton[0, 0, 5] == 1).all()
    assert soft_skeleton(bar, torch.ones_like(bar), 1).sum() == 0  # too few iterations: it is still 3 wide


def test_a_vessel_that_leaves_the_roi_keeps_its_end():
    vessel = torch.zeros(1, 1, 9, 20)
    vessel[:, :, 3:6] = 1
    counted = torch.zeros_like(vessel)
    counted[..., :12] = 1
    skeleton = soft_skeleton(vessel * counted, counted, 3)
    assert (skeleton[0, 0, 4, :12] == 1).all() and skeleton.sum() == 12


def test_foreground_everywhere_has_no_centre_line():
    """The trap that docs/losses.md names: clDice alone calls it right, and dice must hold against it."""
    target = torch.zeros(1, 12, 12, dtype=torch.uint8)
    target[:, 5:7] = 1
    logits, roi = torch.full((1, 1, 12, 12), 30.0), torch.ones_like(target)
    alone = build_loss({"loss": "soft_cldice", "alpha": 1}, BINARY)(logits, target, roi).item()
    assert alone == pytest.approx(0, abs=1e-6)
    mixed = build_loss({"loss": "soft_cldice"}, BINARY)(logits, target, roi).item()
    assert mixed == pytest.approx(0.8 * (1 - (2 * 24 + 1) / (144 + 24 + 1)), abs=1e-6)


def test_equal_pixels_share_the_gradient():
    """On a plateau the sum of the gradients stays what it was, whatever the number of pixels that tie."""
    image = torch.ones(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    _Extreme.apply(image, CROSS, True).sum().backward()
    assert image.grad.sum().item() == pytest.approx(25)
    assert image.grad[0, 0, 2, 2].item() == pytest.approx(1)
    assert image.grad[0, 0, 0, 0].item() == pytest.approx(1 / 3 + 1 / 4 + 1 / 4)

"""Ways up and down, and smoothed skips, against torch's own operations and by hand."""

import itertools

import pytest
import torch
from scipy.ndimage import uniform_filter
from torch import nn
from torch.nn import functional

from segstudy.models import resampling
from segstudy.models.cost import count_parameters
from segstudy.models.registry import build


def maps(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 6), (5, 2), (8, 7)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bilinear_upsampling_is_that_of_torch_with_its_gradient(height, width, layout):
    x = maps(2, 3, height, width).to(memory_format=layout).requires_grad_()
    ours = resampling.Bilinear()(x)
    theirs = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    weight = maps(*ours.shape, seed=1)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(y, x, weight)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_a_smoothed_skip_is_a_mean_over_5x5_pixels_that_does_not_darken_at_the_border():
    skip, below = maps(1, 1, 9, 12), maps(1, 2, 9, 12, seed=1)
    joined = resampling.SmoothedConcat()(below, skip)
    assert torch.equal(joined[:, 1:], below)
    inside = uniform_filter(skip[0, 0].numpy(), 5)[2:-2, 2:-2]
    assert joined[0, 0, 2:-2, 2:-2].numpy() == pytest.approx(inside)
    assert joined[0, 0, 0, 0] == pytest.approx(skip[0, 0, :3, :3].mean().item())
    level = torch.full((1, 1, 9, 12), 0.25)
    assert torch.equal(resampling.SmoothedConcat()(level, level), level.repeat(1, 2, 1, 1))


def test_every_pixel_is_reached_once_by_a_transposed_convolution():
    up = resampling.transposed(1, 1)
    nn.init.constant_(up.weight, 3.0)
    assert torch.equal(up(torch.ones(1, 1, 4, 5)), torch.full((1, 1, 8, 10), 3.0))


def test_transposed_and_strided_convolutions_keep_the_scale_of_the_signal():
    torch.manual_seed(0)
    picture = torch.randn(1, 256, 32, 32)
    with torch.no_grad():
        assert resampling.transposed(256, 64)(picture).square().mean() == pytest.approx(1, rel=0.1)
        away_from_the_border = resampling.strided(256)(picture)[..., 1:, 1:]
    assert away_from_the_border.shape[-2:] == (15, 15)
    assert away_from_the_border.square().mean() == pytest.approx(1, rel=0.1)


def test_a_unet_without_skips_is_encdec():
    options = {"depth": 3, "width": 4}
    bare = build({"network": "unet", "skips": "none", **options}, 3, 1).eval()
    plain = build({"network": "encdec", **options}, 3, 1).eval()
    plain.load_state_dict(bare.state_dict())
    picture = torch.randn(1, 3, 24, 40)
    assert torch.equal(bare(picture), plain(picture))


def test_parameters_of_the_unet_of_double_convolutions_by_hand():
    """Five levels of 64 to 1024 channels, two convolutions each, batch norm, transposed upsampling that halves."""
    widths = [64, 128, 256, 512, 1024]
    double = lambda before, after: 9 * after * (before + after) + 4 * after
    down = sum(double(before, after) for before, after in zip([3, *widths], widths, strict=False))
    up = sum(double(2 * fine, fine) + 4 * coarse * fine + fine for fine, coarse in itertools.pairwise(widths))
    network = build({"network": "unet", "up": "transposed", "width": 64}, 3, 1)
    assert count_parameters(network) == down + up + 64 + 1 == 31_037_633


@pytest.mark.parametrize("up", ["nearest", "bilinear"])
def test_upsampling_without_weights_keeps_the_channels(up):
    counts = {
        kind: count_parameters(build({"network": "unet", "up": kind, "width": 4}, 1, 1)) for kind in (up, "nearest")
    }
    assert counts[up] == counts["nearest"]

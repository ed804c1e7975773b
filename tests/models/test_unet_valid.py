"""The original U-Net: sizes as in the paper, and every output pixel at the place of its input pixel."""

import numpy as np
import pytest
import torch
from torch import nn

from segstudy.models.layer_table import layer_table
from segstudy.models.registry import build
from segstudy.models.u_shape import UShape
from segstudy.models.unet_valid import MirrorPad, valid_length


def test_sizes_are_those_of_the_paper():
    """Figure 1 of Ronneberger et al.: 572 pixels in, 388 out."""
    stages = list(layer_table({"network": "unet_valid"}, 1, 2, 388, 388).itertuples())
    heights = [stage.height for stage in stages if stage.kind not in ("concat", "head", "output")]
    down = [572, 570, 568, 284, 282, 280, 140, 138, 136, 68, 66, 64, 32, 30, 28]
    up = [56, 54, 52, 104, 102, 100, 200, 198, 196, 392, 390, 388]
    assert heights == down + up
    channels = [stage.channels for stage in stages if stage.kind == "concat"]
    assert channels == [1024, 512, 256, 128]
    by_name = {stage.name: stage for stage in stages}
    sources = [by_name[stage.source].height for stage in stages if stage.source]
    assert sources == [64, 136, 280, 568]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("convolutions", [1, 2, 3])
def test_the_padding_is_the_smallest_that_fits(depth, convolutions):
    """Walked through layer by layer: which input lengths can be pooled evenly, and what comes out of them."""

    def comes_out(length):
        for _ in range(depth):
            length -= 2 * convolutions
            if length <= 0 or length % 2:
                return None
            length //= 2
        length -= 2 * convolutions
        for _ in range(depth):
            if length <= 0:
                return None
            length = 2 * length - 2 * convolutions
        return length if length > 0 else None

    possible = {length: comes_out(length) for length in range(1, 700)}
    for wanted in (1, 2, 3, 17, 64, 65, 100):
        smallest = min(length for length, out in possible.items() if out is not None and out >= wanted)
        assert valid_length(wanted, depth, convolutions) == (smallest, possible[smallest])


@pytest.mark.parametrize("height, width", [(1, 1), (2, 5), (7, 3), (30, 41)])
def test_the_border_is_mirrored_as_often_as_needed(height, width):
    picture = torch.randn(2, 3, height, width)
    padded = MirrorPad(2, 2)(picture)
    (high, out_high), (wide, out_wide) = (valid_length(length, 2, 2) for length in (height, width))
    top = (high - out_high) // 2 + (out_high - height) // 2
    left = (wide - out_wide) // 2 + (out_wide - width) // 2
    around = ((0, 0), (0, 0), (top, high - height - top), (left, wide - width - left))
    assert np.array_equal(padded.numpy(), np.pad(picture.numpy(), around, mode="reflect"))


def passing(level, depth=3, convolutions=2):
    """A network that hands values through: into `level`, across its skip (below the last level: up again), and out."""
    network = build(
        {"network": "unet_valid", "depth": depth, "width": 2, "growth": 1, "convolutions": convolutions}, 1, 1
    )
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    across = {f"decoder.{level}.0.0"}  # reads the skip, the first channels; the levels above read what comes up
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.ConvTranspose2d):
                module.weight[0, 0] = 1
            elif isinstance(module, nn.Conv2d):
                from_below = name.startswith("decoder.") and name.endswith(".0.0") and name not in across
                module.weight[0, 2 if from_below else 0, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = 1
    return network.eval()


def coarse(picture, level, depth=3, convolutions=2):
    """The same by numpy: mirrored, the maximum over blocks of 2^level pixels instead of each pixel.

    The first block begins where the convolutions of the levels above have left their border: after `convolutions`
    pixels of level 0, as many of level 1, which are two of level 0 each, and so on.
    """
    around, cut = [], []
    block, start = 2**level, convolutions * (2**level - 1)
    for length in picture.shape:
        needed, output = valid_length(length, depth, convolutions)
        first = (needed - output) // 2 + (output - length) // 2
        around.append((first, needed - length - first))
        cut.append(slice(first - start, first - start + length))
    padded = np.pad(picture, around, mode="reflect")[start:, start:]
    rows, columns = (length // block * block for length in padded.shape)
    blocks = padded[:rows, :columns].reshape(rows // block, block, columns // block, block).max((1, 3))
    return blocks.repeat(block, 0).repeat(block, 1)[tuple(cut)]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("height, width", [(1, 1), (5, 3), (17, 31), (40, 28), (44, 36), (51, 64)])
def test_every_pixel_comes_out_where_it_went_in(level, height, width):
    ramp = np.arange(1.0, height * width + 1).reshape(height, width)
    seen = passing(level)(torch.from_numpy(ramp).float()[None, None])[0, 0].detach().numpy()
    assert np.array_equal(seen, coarse(ramp, level))
    if level == 0:
        assert np.array_equal(seen, ramp)


@pytest.mark.parametrize("level", [0, 3])
def test_a_shifted_delta_lands_at_its_shifted_place(level):
    block = 2**level
    network = passing(level)
    places = []
    for shift in (0, block, 3 * block):
        picture = torch.zeros(1, 1, 60, 100)
        picture[0, 0, 11 + shift, 21 + 2 * shift] = 1
        bright = network(picture)[0, 0].nonzero()
        low, high = bright.min(0).values, bright.max(0).values
        assert (high - low + 1).tolist() == [block, block]
        assert low[0] <= 11 + shift <= high[0] and low[1] <= 21 + 2 * shift <= high[1]
        places.append((low - torch.tensor([shift, 2 * shift])).tolist())
    assert places[0] == places[1] == places[2]


@pytest.fixture
def tiled():
    torch.manual_seed(0)
    network = build({"network": "unet_valid", "depth": 2, "width": 4}, 3, 2).eval()
    assert valid_length(96, 2, 2) == (136, 96)  # 20 pixels of surroundings on each side
    return network, torch.randn(1, 3, 96, 96)


def test_a_tile_with_its_surroundings_gives_what_the_whole_image_gives(tiled):
    network, picture = tiled
    with torch.no_grad():
        whole = network(picture)
        tile = UShape.forward(network, picture[..., 20 : 20 + 60, 16 : 16 + 72])
    assert tile.shape == (1, 2, 20, 32)
    torch.testing.assert_close(tile, whole[..., 40:60, 36:68], rtol=1e-4, atol=1e-5)


def test_the_mirrored_border_reaches_no_further_than_the_surroundings(tiled):
    network, picture = tiled
    with torch.no_grad():
        whole, part = network(picture), network(picture[..., 16:80, 16:80])
    torch.testing.assert_close(part[..., 24:40, 24:40], whole[..., 40:56, 40:56], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(part[..., :4, :4], whole[..., 16:20, 16:20], rtol=1e-2, atol=1e-3)

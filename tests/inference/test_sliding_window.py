"""Overlapping tiles: every pixel is covered, no seam shows, and what comes out is what the whole canvas gives."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import SlidingWindowInferer, sliding_window_inference
from torch import nn

from segstudy.inference import sliding_window
from segstudy.inference.predict import VIEWS, predict_canvas
from segstudy.inference.sliding_window import blend_window, extended, predict_tiles, starts
from segstudy.models import registry
from segstudy.models.blocks import pad_to_multiple

PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
sides, overlaps = st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.77, 0.9])


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small_network(outputs=1, seed=0):
    """Two 3x3 convolutions: an answer depends on two pixels around it, and on nothing else."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, outputs, 3, padding=1)).eval()


class Watcher(nn.Module):
    """Notes the shape of what it is handed; answers with its first channel."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(tuple(images.shape))
        return images[:, :1]


# --- positions and weights -------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(0, 300), overlaps)
def test_tiles_cover_every_pixel_and_overlap_as_asked(tile, more, overlap):
    length = tile + more
    found = starts(length, tile, overlap)
    covered = np.zeros(length, bool)
    for first in found:
        covered[first : first + tile] = True
    assert covered.all()
    assert found[0] == 0 and found[-1] + tile == length
    assert found == sorted(set(found))
    assert max(np.diff(found), default=0) <= max(1, tile * (1 - overlap))
    assert np.ptp(np.diff(found)) <= 1 if more else found == [0]


def test_positions_by_hand():
    assert starts(100, 100, 0.5) == [0]
    assert starts(101, 100, 0.5) == [0, 1]
    assert starts(300, 128, 0.5) == [0, 57, 115, 172]
    assert starts(320, 128, 0.5) == [0, 64, 128, 192]
    assert starts(256, 128, 0.0) == [0, 128]
    assert starts(7, 4, 0.9) == [0, 1, 2, 3]


@given(st.tuples(sides, sides), st.tuples(st.integers(0, 9), st.integers(0, 9)), overlaps)
def test_there_are_as_many_tiles_as_in_monai_and_they_lie_there_where_steps_fit(tile, more, overlap):
    steps = [max(1, int(side * (1 - overlap))) for side in tile]
    for fitting in (False, True):
        size = tuple(t + (m * s if fitting else m) for t, m, s in zip(tile, more, steps, strict=True))
        theirs = {(rows.start, columns.start) for rows, columns in dense_patch_slices(size, tile, steps)}
        tops, lefts = (starts(length, side, overlap) for length, side in zip(size, tile, strict=True))
        ours = {(top, left) for top in tops for left in lefts}
        assert ours == theirs if fitting else len(ours) == len(theirs)


@pytest.mark.parametrize("tile", [(1, 1), (16, 24), (33, 128), (512, 512)])
def test_weights_are_positive_and_those_of_monai_above_its_floor(tile):
    found = torch.outer(blend_window(tile[0]), blend_window(tile[1]))
    assert (found > 0).all() and found.max() <= 1
    assert torch.equal(found, found.flip(0)) and torch.equal(found, found.flip(1))
    theirs = compute_importance_map(tile, mode="gaussian", sigma_scale=0.125)
    assert torch.allclose(found.clamp(min=float(theirs.min())), theirs, atol=1e-6)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.integers(1, 7))
@settings(deadline=None, max_examples=40)
def test_side_by_side_every_pixel_is_the_answer_of_one_tile(size, tile, batch):
    canvas = drawn(1, 1, *size)
    answers = lambda x: x - x.mean((1, 2, 3), keepdim=True)  # an answer depends on its whole tile
    found = predict_tiles(answers, canvas, tile, None, batch)
    if size[0] >= tile[0] and size[1] >= tile[1]:
        expected = torch.empty_like(canvas)
        for top in (*range(0, size[0] - tile[0], tile[0]), size[0] - tile[0]):
            for left in (*range(0, size[1] - tile[1], tile[1]), size[1] - tile[1]):
                part = (slice(None), slice(None), slice(top, top + tile[0]), slice(left, left + tile[1]))
                expected[part] = answers(canvas[part])
        assert torch.allclose(found, expected, atol=1e-6)
    assert found.shape == canvas.shape


# --- what must come back as it is ------------------------------------------------------------------------------------


@given(st.tuples(sides, sides), st.tuples(sides, sides), overlaps, st.integers(1, 7))
@settings(deadline=None, max_examples=60)
def test_a_constant_and_a_ramp_come_back(size, tile, overlap, batch):
    height, width = size
    ramp = torch.linspace(0, 1, height)[:, None] + torch.linspace(-1, 2, width)
    canvas = torch.stack([torch.full(size, 0.7), ramp])[None]
    found = predict_tiles(lambda x: x, canvas, tile, overlap, batch)
    assert found.shape == canvas.shape and found.dtype == torch.float32
    assert torch.allclose(found, canvas, atol=2e-6)


@given(st.tuples(sides, sides), st.tuples(sides, sides))
@settings(deadline=None, max_examples=40)
def test_a_canvas_smaller_than_the_tile_is_mirrored(size, tile):
    canvas = drawn(1, 2, *size)
    found = extended(canvas, tile).numpy()
    amounts = [(max(0, t - s) // 2, max(0, t - s) - max(0, t - s) // 2) for s, t in zip(size, tile, strict=True)]
    expected = np.pad(canvas.numpy(), [(0, 0), (0, 0), *amounts], mode="reflect")
    np.testing.assert_array_equal(found, expected)


# --- no seam ---------------------------------------------------------------------------------------------------------


def inner_borders(length, tile, overlap, reach):
    """Pixels along a side within `reach` of the end of a tile, the ends of the canvas left out."""
    near = np.zeros(length, bool)
    for first in starts(length, tile, overlap):
        last = first + tile
        if first > 0:
            near[first : first + reach] = True
        if last < length:
            near[last - reach : last] = True
    return near


@pytest.mark.parametrize(("overlap", "size"), [(0.5, (75, 98)), (0.25, (75, 98)), (0.0, (96, 72))])
def test_away_from_the_ends_of_tiles_it_is_the_prediction_of_the_whole_canvas(overlap, size):
    network, canvas = small_network(2), drawn(2, 3, *size)
    found = predict_tiles(network, canvas, (32, 24), overlap, 5)
    with torch.no_grad():
        whole = network(canvas)
    rows, columns = inner_borders(size[0], 32, overlap, 2), inner_borders(size[1], 24, overlap, 2)
    kept = torch.from_numpy(~(rows[:, None] | columns))
    assert kept.float().mean() > 0.3
    assert torch.allclose(found[..., kept], whole[..., kept], atol=1e-5)
    wrong = (found - whole).abs().max()
    if overlap == 0.5:  # at the ends of tiles only their least weights are wrong
        assert wrong < 2e-3 * whole.abs().max()
    if overlap == 0:
        assert wrong > 0.1, "without overlap, seams"


def test_where_only_the_middle_of_tiles_counts_it_is_the_prediction_of_the_whole_canvas_everywhere(monkeypatch):
    def middle(side):
        profile = torch.ones(side)
        profile[:2] = profile[-2:] = 1e-12  # the two pixels that the network's reach spoils
        return profile

    monkeypatch.setattr(sliding_window, "blend_window", middle)
    network, canvas = small_network(), drawn(1, 3, 75, 98)
    found = predict_tiles(network, canvas, (32, 24), 0.25, 5)
    with torch.no_grad():
        assert torch.allclose(found, network(canvas), atol=1e-5)


@pytest.mark.parametrize(("overlap", "most"), [(0.5, 1e-3), (0.25, 1e-2)])
def test_a_tile_ends_without_a_step(overlap, most):
    """The upper tiles say 1, those below 0: at their last row, next to the row of zeros, next to nothing is left."""
    side = 32
    height = side + int(side * (1 - overlap))
    rows = torch.arange(height).float().view(1, 1, -1, 1).expand(1, 1, height, 70)
    found = predict_tiles(lambda x: (x[:, :, :1, :1] == 0).float().expand_as(x), rows, (side, side), overlap)[0, 0]
    assert found[side - 1].max() < most and found[side:].max() == 0
    assert found[height - side - 1].min() > 1 - 1e-6 and found[height - side].min() > 1 - most


# --- against MONAI ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "tile", "overlap"), [((96, 128), (48, 32), 0.5), ((56, 80), (32, 32), 0.25)])
def test_it_is_monais_sliding_window_inference(size, tile, overlap):
    torch.manual_seed(0)
    network = registry.build({"network": "unet", "width": 4, "depth": 2}, 3, 3).eval()
    canvas = drawn(2, 3, *size)

    def predict(x):
        return network(x).softmax(1)

    found = predict_tiles(predict, canvas, tile, overlap, 3)
    weight = torch.outer(blend_window(tile[0]), blend_window(tile[1]))
    with torch.no_grad():
        same = sliding_window_inference(canvas, tile, 3, predict, overlap, roi_weight_map=weight)
        theirs = SlidingWindowInferer(tile, 3, overlap, mode="gaussian")(canvas, predict)
    assert torch.allclose(found, same, atol=1e-5), "the same weights: the same numbers"
    # Their floor changes what lies in a corner, and nothing else.
    assert (found - theirs).abs().mean() < 5e-3
    tops, lefts = (starts(length, side, overlap) for length, side in zip(size, tile, strict=True))
    centres = [(top + tile[0] // 2, left + tile[1] // 2) for top in tops for left in lefts]
    assert max(float((found - theirs)[..., y, x].abs().max()) for y, x in centres) < 5e-3


# --- through predict_canvas ------------------------------------------------------------------------------------------


def pictures(count, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def predicted(network, images, **options):
    return np.stack(list(predict_canvas(network, images, range(len(images)), PLAIN, **options)))


def test_probabilities_stay_within_0_and_1():
    class Certain(nn.Module):
        def forward(self, images):
            return torch.where(images[:, :1] > 0.5, 100.0, -200.0)

    images = np.full((1, 45, 61, 3), 255, np.uint8)
    assert predicted(Certain(), images, tile=(16, 16)).max() == 1
    assert predicted(Certain(), images - 255, tile=(16, 16)).max() == 0


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
def test_tiles_come_close_to_the_whole_canvas(flips, outputs):
    network, images = small_network(outputs), pictures(3, 40, 56)
    whole = predicted(network, images, flips=flips)
    tiled = predicted(network, images, flips=flips, tile=(16, 24), overlap=0.5)
    assert tiled.shape == whole.shape and tiled.dtype == np.float32
    assert np.abs(tiled - whole).max() < 1e-3
    assert np.abs(tiled - whole)[:, :, :8, :11].max() < 1e-6, "which the first tile alone holds"
    assert np.allclose(tiled.sum(1), 1, atol=1e-5) or outputs == 1


def test_flips_of_tiles_are_tiles_of_flips():
    """Tiles lie the same way from both ends, so that to mirror each of them is to mirror the canvas."""
    torch.manual_seed(1)
    network = registry.build({"network": "unet", "width": 4, "depth": 2}, 3, 1)
    images = pictures(2, 50, 71)
    options = {"tile": (16, 32), "overlap": 0.5}
    together = predicted(network, images, flips=True, **options)
    views = []
    for axes in VIEWS:
        turned = np.flip(images, [axis - 1 for axis in axes]).copy() if axes else images
        views.append(np.flip(predicted(network, turned, **options), axes))
    assert np.allclose(together, np.mean(views, axis=0), atol=1e-5)
    assert not np.allclose(together, views[0], atol=1e-3)


def test_the_network_is_handed_a_bounded_number_of_pixels_however_large_the_canvas(monkeypatch):
    monkeypatch.setattr("segstudy.inference.predict.PIXELS_PER_PASS", 5 * 16 * 16)
    for size in (16, 64, 256):
        network = Watcher()
        predicted(network, pictures(1, size, size), tile=(16, 16), flips=True)
        assert max(batch * height * width for batch, _, height, width in network.seen) <= 5 * 16 * 16
        assert {shape[2:] for shape in network.seen} == {(16, 16)}


def test_tiles_of_several_images_go_through_the_network_together():
    network = Watcher()
    images = pictures(3, 32, 32)
    found = predicted(network, images, tile=(32, 32), batch=2)
    assert network.seen == [(2, 3, 32, 32), (1, 3, 32, 32)]
    assert np.allclose(found[:, 0], torch.from_numpy(images[..., 0] / 255).sigmoid(), atol=1e-5)


def test_a_tile_that_does_not_divide_by_the_strides_is_padded_as_a_canvas_is():
    torch.manual_seed(0)
    network = registry.build({"network": "unet", "width": 4, "depth": 3}, 3, 1).eval()
    canvas = drawn(1, 3, 50, 50)
    found = predict_tiles(network, canvas, (50, 50))
    with torch.no_grad():
        padded = network(pad_to_multiple(canvas, 8))
        assert torch.allclose(found, network(canvas), atol=1e-5)
        assert torch.allclose(found, padded[..., 3:53, 3:53], atol=1e-5)
    assert predict_tiles(network, canvas, (21, 37), 0.3).shape == (1, 1, 50, 50)


def test_many_tiles_tell_how_far_they_are_and_few_do_not(caplog, monkeypatch):
    monkeypatch.setattr(sliding_window, "MANY", 10)
    caplog.set_level(logging.INFO, "segstudy")
    predict_tiles(lambda x: x, drawn(1, 1, 32, 32), (16, 16), 0.5, 4)
    assert not caplog.records
    predict_tiles(lambda x: x, drawn(1, 1, 64, 64), (16, 16), 0.5, 4)
    assert "batches of 4 tiles: 13/13 done" in caplog.text

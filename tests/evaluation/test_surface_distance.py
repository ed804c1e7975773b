import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy.ndimage import binary_dilation, gaussian_filter

from segstudy.evaluation import surface_distance as module
from segstudy.evaluation.surface_distance import outline, surfaces

SHAPE = (41, 57)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]


def blobs(seed, share):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2)
    return noise > np.quantile(noise, 1 - share)


def pixel(row, column):
    mask = np.zeros(SHAPE, bool)
    mask[row, column] = True
    return mask


DISC = np.hypot(ROWS - 20, COLUMNS - 25) < 12
ROI = np.hypot(ROWS - 20, COLUMNS - 40) < 20
EVERYTHING = np.ones(SHAPE, bool)
PAIRS = {
    "blobs": (blobs(0, 0.2), blobs(1, 0.3)),
    "nearly the same": (blobs(0, 0.2), blobs(0, 0.22)),
    "same": (DISC, DISC),
    "full": (EVERYTHING, EVERYTHING),
    "full and a disc": (EVERYTHING, DISC),
    "one pixel each": (pixel(0, 0), pixel(40, 56)),
    "one pixel and blobs": (pixel(20, 3), blobs(2, 0.3)),
    "touching the edge": (COLUMNS < 9, ROWS > 30),
    "half outside the region": (DISC & ROI, np.roll(DISC, 5, axis=1) & ROI),
    "noise": tuple(np.random.default_rng(3).random((2, *SHAPE)) < 0.3),
    "lines": (ROWS % 7 == 3, COLUMNS % 7 == 3),
}


def brute(prediction, truth, tolerance):
    """Every distance of every pair of outline pixels; the outline by its definition, pixel by pixel."""

    def edge(mask):
        framed = np.pad(mask, 1)
        around = [(-1, 0), (1, 0), (0, -1), (0, 1)]
        return np.array(
            [p for p in np.argwhere(mask) if not all(framed[p[0] + 1 + dy, p[1] + 1 + dx] for dy, dx in around)]
        )

    p, t = edge(prediction), edge(truth)
    apart = np.sqrt(((p[:, None] - t[None]) ** 2).sum(-1))
    there, back = apart.min(axis=1), apart.min(axis=0)
    return {
        "hd95": max(np.percentile(there, 95), np.percentile(back, 95)),
        "assd": np.concatenate([there, back]).mean(),
        "surface_prediction": len(p),
        "surface_truth": len(t),
        "close_prediction": (there <= tolerance).sum(),
        "close_truth": (back <= tolerance).sum(),
    }


def surface_dice(found):
    return (found.close_prediction + found.close_truth) / (found.surface_prediction + found.surface_truth)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("pixels_per_query", [0, 10**9])  # by search tree, by distance map
def test_agrees_with_every_pair_of_pixels(name, pixels_per_query, monkeypatch):
    monkeypatch.setattr(module, "PIXELS_PER_QUERY", pixels_per_query)
    for tolerance in (0, 1, 2, math.sqrt(5)):
        found = surfaces(*PAIRS[name], tolerance)._asdict()
        assert found.pop("diagonal") == math.hypot(*SHAPE)
        assert found == pytest.approx(brute(*PAIRS[name], tolerance), abs=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_agrees_with_monai(name):
    found = surfaces(*PAIRS[name], 2)
    prediction, truth = (torch.from_numpy(mask)[None, None] for mask in PAIRS[name])
    given = {"include_background": True}
    assert found.hd95 == pytest.approx(
        compute_hausdorff_distance(prediction, truth, percentile=95, **given).item(), rel=1e-5
    )
    assert found.assd == pytest.approx(
        compute_average_surface_distance(prediction, truth, symmetric=True, **given).item(), rel=1e-5
    )
    assert surface_dice(found) == pytest.approx(
        compute_surface_dice(prediction, truth, class_thresholds=[2.0], **given).item(), rel=1e-6
    )


@pytest.mark.parametrize("empty", ["prediction", "truth", "both"])
def test_an_empty_mask_has_no_distance(empty):
    nothing = np.zeros(SHAPE, bool)
    found = surfaces(nothing if empty != "truth" else DISC, nothing if empty != "prediction" else DISC, 2)
    assert math.isnan(found.hd95) and math.isnan(found.assd)
    edge = int(outline(DISC).sum())
    assert found.surface_prediction == (edge if empty == "truth" else 0)
    assert found.surface_truth == (edge if empty == "prediction" else 0)
    assert found.close_prediction == found.close_truth == 0


masks = arrays(bool, (9, 8))


@settings(max_examples=40, deadline=None)  # times of a crowded machine say nothing
@given(masks, masks)
def test_symmetry_identity_and_bounds(first, second):
    found, turned = surfaces(first, second, 1), surfaces(second, first, 1)
    assert (found.hd95, found.assd) == pytest.approx((turned.hd95, turned.assd), nan_ok=True)
    assert found[3:] == (turned[4], turned[3], turned[6], turned[5])
    if first.any():
        same = surfaces(first, first, 0)
        assert same.hd95 == same.assd == 0 and surface_dice(same) == 1
    if first.any() and second.any():
        assert 0 <= found.hd95 < found.diagonal and 0 <= found.assd < found.diagonal
        assert (found.assd == 0) == (outline(first) == outline(second)).all()


def test_place_in_the_image_does_not_matter_away_from_its_edge():
    first, second = (np.pad(PAIRS["blobs"][i], 6) for i in (0, 1))
    moved = surfaces(np.roll(first, (5, -4), (0, 1)), np.roll(second, (5, -4), (0, 1)), 2)
    assert moved == surfaces(first, second, 2)


def test_a_margin_of_two_pixels_is_two_pixels():
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    square = (abs(ROWS - 20) < 9) & (abs(COLUMNS - 25) < 9)
    wider = binary_dilation(square, np.ones((3, 3)), iterations=2)
    found = surfaces(wider, square, 2)
    assert found.hd95 == pytest.approx(2, abs=0.9) and found.hd95 >= 2
    assert surfaces(binary_dilation(square, cross), square, 1).hd95 == 1
    assert surface_dice(surfaces(wider, square, 1.9)) == 0
    assert found.close_truth == found.surface_truth

"""Objects matched one to one: by hand, and against MONAI's panoptic quality."""

from types import SimpleNamespace

import numpy as np
import pytest

from segstudy.evaluation import metrics
from segstudy.evaluation.instances import connected, matched_objects

TRUTH = np.zeros((8, 12), int)
TRUTH[1:4, 1:5] = 1  # 12 pixels
TRUTH[1:4, 7:11] = 2  # 12 pixels
TRUTH[6, 0:10] = 3  # 10 pixels


def compared(prediction, truth=TRUTH):
    return SimpleNamespace(**matched_objects(prediction, truth))


def test_the_same_objects_under_other_numbers_match_at_every_level():
    counts = compared(np.choose(TRUTH, [0, 7, 9, 5]))
    assert metrics.object_f1(counts) == metrics.object_f1_mean(counts) == metrics.panoptic_quality(counts) == 1
    assert (counts.splits, counts.merges) == (0, 0)


def test_levels_and_panoptic_quality_by_hand():
    prediction = np.zeros_like(TRUTH)
    prediction[1:4, 1:4] = 1  # 9 of 12 pixels: IoU 0.75, which is not above 0.75
    prediction[6, 5:12] = 2  # 5 pixels shared of 12: IoU 0.417
    counts = compared(prediction)
    assert [getattr(counts, f"matched_{level}") for level in (50, 70, 75)] == [1, 1, 0]
    assert metrics.object_f1(counts) == pytest.approx(2 * 1 / 5)
    assert metrics.object_f1_mean(counts) == pytest.approx(2 * 5 / (10 * 5))  # 0.5 to 0.7
    assert metrics.panoptic_quality(counts) == pytest.approx(0.75 / (1 + 0.5 * 1 + 0.5 * 2))


def test_an_iou_of_exactly_a_half_is_no_match():
    half = np.zeros_like(TRUTH)
    half[1:4, 1:3] = 1
    assert compared(half).matched_50 == 0


def test_split_and_merged_objects_are_counted():
    prediction = np.zeros_like(TRUTH)
    prediction[1:4, 1:11] = 1  # the first two in one
    prediction[6, [0, 1, 2]] = 2  # the third in two
    prediction[6, [5, 6, 7]] = 3
    counts = compared(prediction)
    assert (counts.splits, counts.merges) == (1, 1)
    assert (counts.instances_prediction, counts.instances_truth) == (3, 3)


def test_nothing_on_both_sides_has_no_value():
    counts = compared(np.zeros_like(TRUTH), np.zeros_like(TRUTH))
    assert np.isnan(metrics.object_f1(counts)) and np.isnan(metrics.panoptic_quality(counts))
    assert metrics.object_f1(compared(np.zeros_like(TRUTH))) == 0


def test_pieces_hold_together_over_corners():
    assert connected(np.eye(3, dtype=bool)).max() == 1


def test_monai_finds_the_same_panoptic_quality():
    torch, monai = pytest.importorskip("torch"), pytest.importorskip("monai.metrics.panoptic_quality")
    random = np.random.default_rng(0)
    for _ in range(20):
        truth = connected(random.random((24, 24)) < 0.3)
        shifted = connected(np.roll(truth, random.integers(0, 2, 2), (0, 1)) * (random.random((24, 24)) < 0.95) > 0)
        theirs = monai.compute_panoptic_quality(torch.tensor(shifted), torch.tensor(truth), match_iou_threshold=0.5)
        assert metrics.panoptic_quality(compared(shifted, truth)) == pytest.approx(float(theirs), abs=1e-4)

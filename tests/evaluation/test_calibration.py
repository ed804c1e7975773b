import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as reference

from segstudy.data.images.prediction_files import STEPS, read_probability, write_probability
from segstudy.evaluation.calibration import COARSE, LEVELS, coarse, histograms, scores


def as_read(levels):
    """What read_probability returns of a file that holds `levels`."""
    return levels.astype(np.float32) / np.float32(STEPS)


def test_every_level_of_a_file_is_counted_as_itself(tmp_path):
    levels = np.arange(LEVELS).reshape(256, 256)
    write_probability(tmp_path / "p.png", levels / STEPS)
    truth = levels % 3 == 0
    positive, negative = histograms(read_probability(tmp_path / "p.png"), truth)
    assert (positive == truth.ravel()).all() and (negative == ~truth.ravel()).all()


@pytest.mark.parametrize("distinct", [3, 40, LEVELS])
@pytest.mark.parametrize("share", [0.01, 0.4])
def test_agrees_with_scikit_learn(distinct, share):
    random = np.random.default_rng(distinct)
    truth, region = random.random((80, 90)) < share, random.random((80, 90)) < 0.7
    levels = np.rint((random.integers(distinct, size=truth.shape) + 0.3 * distinct * truth) / distinct / 1.4 * STEPS)
    found = scores(histograms(as_read(levels), truth, region))
    y, p = truth[region], levels[region] / STEPS
    assert (found.positives, found.negatives) == (y.sum(), (~y).sum())
    assert found.roc_auc == pytest.approx(reference.roc_auc_score(y, p), abs=1e-12)
    assert found.average_precision == pytest.approx(reference.average_precision_score(y, p), abs=1e-12)
    assert found.brier == pytest.approx(reference.brier_score_loss(y, p), abs=1e-12)


@settings(max_examples=40, deadline=None)  # times of a crowded machine say nothing
@given(arrays(np.int64, (6, 7), elements=st.integers(0, 30)), arrays(bool, (6, 7)))
def test_calibration_error_in_fractions(steps, truth):
    levels = steps * (STEPS // 30)  # every other one lies on an edge between bins
    bins = {}
    for level, y in zip(levels.ravel().tolist(), truth.ravel().tolist(), strict=True):
        p = Fraction(level, STEPS)
        bins.setdefault(max(math.ceil(p * 15), 1), []).append(p - y)
    expected = sum(abs(sum(gaps)) for gaps in bins.values()) / truth.size
    assert scores(histograms(as_read(levels), truth)).ece == pytest.approx(float(expected), abs=1e-12)


def test_a_calibrated_network_has_no_calibration_error_and_a_sure_one_has_its_error_rate():
    levels = np.full((10, 10), STEPS // 5)
    truth = np.arange(100).reshape(10, 10) < 20
    assert scores(histograms(as_read(levels), truth)).ece == pytest.approx(0, abs=1e-12)
    sure = scores(histograms(as_read(np.full((10, 10), STEPS)), truth))
    assert sure.ece == pytest.approx(0.8) and sure.brier == pytest.approx(0.8)
    assert sure.roc_auc == 0.5 and sure.average_precision == pytest.approx(0.2)


def test_what_is_not_defined_is_nan():
    levels, truth = np.arange(12).reshape(3, 4), np.zeros((3, 4), bool)
    nothing = scores(histograms(as_read(levels), truth))
    assert math.isnan(nothing.roc_auc) and math.isnan(nothing.average_precision) and nothing.brier > 0
    everything = scores(histograms(as_read(levels), ~truth))
    assert math.isnan(everything.roc_auc) and everything.average_precision == 1
    assert all(math.isnan(value) for value in scores(histograms(as_read(levels), truth, truth))[2:])


@settings(max_examples=40, deadline=None)  # times of a crowded machine say nothing
@given(arrays(np.int64, 25, elements=st.integers(0, STEPS)), arrays(bool, 25))
def test_turning_values_and_truth_around_keeps_area_brier_score_and_the_ends(levels, truth):
    found, turned = (
        scores(histograms(as_read(values), kind)) for values, kind in ((levels, truth), (STEPS - levels, ~truth))
    )
    assert turned.roc_auc == pytest.approx(found.roc_auc, abs=1e-12, nan_ok=True)
    assert turned.brier == pytest.approx(found.brier, abs=1e-12)
    assert 0 <= found.ece <= 1 and 0 <= found.brier <= 1


def test_large_images_do_not_overflow():
    levels = np.zeros((2, LEVELS), np.int64)
    levels[0, 40000] = levels[1, 20000] = 2**30  # 2**60 pairs of these
    assert scores(levels).roc_auc == 1


def test_coarse_histograms_keep_every_pixel():
    random = np.random.default_rng(0)
    levels = random.integers(LEVELS, size=(50, 60))
    truth = random.random((50, 60)) < 0.3
    found = coarse(histograms(as_read(levels), truth))
    expected = [np.bincount(levels[kind] // 256, minlength=COARSE) for kind in (truth, ~truth)]
    assert found.shape == (2, COARSE) and (found == expected).all()

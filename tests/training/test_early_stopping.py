"""Early stopping: the fitted curve against a case solved by hand, against numpy, and the two rules."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segstudy.config.recipes import CurveStopping, EarlyStopping
from segstudy.training import early_stopping

LOSSES = st.lists(st.floats(0.001, 100), min_size=4, max_size=30)


def test_hand_solved_case():
    """Ends (0, 4) and (3, 1): line 4 - x. Residuals 1 and 0 at x = 1, 2, both with weight x (x - 3) = -2.

    a = (1 * -2 + 0 * -2) / (4 + 4) = -1/4, so the curve is 4 - x - x (x - 3) / 4 = -x^2/4 - x/4 + 4,
    whose slope at x = 3 is -7/4; over the largest loss, 4, that is -7/16.
    """
    assert early_stopping.curve_fit([4, 4, 2, 1]) == pytest.approx((-0.25, -0.25, 4.0))
    assert early_stopping.curve_slope([4, 4, 2, 1], window=4) == pytest.approx(-7 / 16)


def test_a_quadratic_is_found_exactly():
    x = np.arange(10)
    assert early_stopping.curve_fit(0.3 * x**2 - 4 * x + 20) == pytest.approx((0.3, -4, 20))


@given(LOSSES)
def test_ends_are_fixed_and_no_other_bend_fits_better(losses):
    a, b, c = early_stopping.curve_fit(losses)
    x, last = np.arange(len(losses)), len(losses) - 1
    fitted = np.polyval([a, b, c], x)
    assert fitted[[0, -1]] == pytest.approx([losses[0], losses[-1]], abs=1e-9)
    error = ((fitted - losses) ** 2).sum()
    for change in (-0.01, 0.01):
        other = fitted + change * x * (x - last)
        assert error <= ((other - losses) ** 2).sum() + 1e-9


@given(LOSSES, st.floats(0.01, 1000))
def test_slope_does_not_depend_on_the_scale_of_the_loss(losses, factor):
    scaled = [factor * value for value in losses]
    assert early_stopping.curve_slope(scaled, 4) == pytest.approx(early_stopping.curve_slope(losses, 4), abs=1e-9)


def test_the_scale_is_the_largest_loss_of_all_epochs():
    assert early_stopping.curve_slope([8.0, 4, 4, 2, 1], window=4) == pytest.approx(-7 / 32)


def test_no_slope_before_the_window_is_full_and_none_in_zeros():
    assert math.isnan(early_stopping.curve_slope([1.0] * 9, window=10))
    assert early_stopping.curve_slope([0.0] * 10, window=10) == 0
    with pytest.raises(ValueError, match="at least 3"):
        early_stopping.curve_fit([1.0, 2.0])


def test_flat_for_more_than_the_given_epochs_and_never_before_after():
    options = CurveStopping(window=4, threshold=0.01, epochs=3, after=5)
    assert not early_stopping.flat([math.nan, 0.5, 0.0, 0.0, 0.0, 0.5], options)
    assert not early_stopping.flat([math.nan, 0.5, 0.5, 0.0, -0.001, 0.0], options)  # exactly 3 flat epochs
    assert early_stopping.flat([math.nan, 0.5, 0.0, 0.0, -0.001, 0.0], options)  # 4 of them, epoch 6 > 5
    assert not early_stopping.flat([0.0] * 5, options)  # epoch 5 is not past 5
    assert not early_stopping.flat([0.5, 0.5, -0.5, -0.5, -0.5, -0.5], options)  # steeply falling is not flat


def rows(*val_losses):
    best, result = math.inf, []
    for epoch, value in enumerate(val_losses, 1):
        result.append({"epoch": epoch, "val_loss": value, "slope": math.nan, "best": int(value < best)})
        best = min(best, value)
    return result


def test_patience_counts_epochs_since_the_best():
    options = EarlyStopping(patience=2)
    assert early_stopping.reason([], options) == ""
    assert early_stopping.reason(rows(3.0, 2.0, 2.5), options) == ""
    assert "no better validation loss for 2 epochs" in early_stopping.reason(rows(3.0, 2.0, 2.5, 2.0), options)
    assert early_stopping.reason(rows(3.0, 2.0, 2.5, 1.9), options) == ""
    assert early_stopping.reason(rows(3.0, 2.0, 2.5, 2.1, 2.2), EarlyStopping()) == ""

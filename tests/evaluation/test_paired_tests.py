"""Paired comparison of two rows: against scipy, by hand, and by simulation."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from segstudy.evaluation.bootstrap import bootstrap_interval, bootstrap_means
from segstudy.evaluation.metrics import COUNTS, METRICS
from segstudy.evaluation.paired_tests import holm, images_and_seeds, largest_difference, paired, verdict
from segstudy.tables.ranking import stability

NAN = math.nan


def test_one_seed_agrees_with_scipy():
    random = np.random.default_rng(0)
    a, b = random.normal(0.8, 0.1, 20), random.normal(0.78, 0.1, 20)
    found = paired(a[None], b[None])
    assert found.p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert (found.mean_a, found.mean_b) == pytest.approx((a.mean(), b.mean()))
    t = stats.ttest_rel(a, b).statistic
    assert found.dz == pytest.approx(t / math.sqrt(20))
    smaller = stats.wilcoxon(a, b).statistic  # the smaller of the two rank sums, of 210
    assert abs(found.rank_biserial) == pytest.approx(1 - 2 * smaller / 210)
    assert np.sign(found.rank_biserial) == np.sign(stats.wilcoxon(a, b, alternative="greater").statistic - 105)
    assert (found.images, found.seeds, found.seeds_agree) == (20, 1, 1)


def test_many_images_agree_with_the_normal_approximation():
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 1, 80))
    assert paired(a, b).p == pytest.approx(stats.wilcoxon(a[0], b[0], method="asymptotic").pvalue)


def test_seeds_that_share_images_are_averaged_image_by_image():
    a = np.array([[0.9, 0.8, 0.7, 0.6], [0.7, 0.8, 0.9, 0.6]])
    b = np.array([[0.5, 0.9, 0.6, 0.6], [0.6, 0.8, 0.5, 0.6]])
    found = paired(a, b)
    # differences of the images: (0.4 + 0.1) / 2, (-0.1 + 0) / 2, (0.1 + 0.4) / 2, 0 -> 0.25, -0.05, 0.25, 0
    assert found.difference == pytest.approx(0.1125)
    # ranks of 0.25, -0.05, 0.25: 2.5, 1, 2.5; of the 8 signs those as uneven as 5 to 1: +++, +-+, -+-, ---
    assert found.p == pytest.approx(0.5)
    assert found.rank_biserial == pytest.approx(4 / 6)
    assert found.dz == pytest.approx(0.1125 / np.std([0.25, -0.05, 0.25, 0], ddof=1))
    assert (found.images, found.seeds, found.seeds_agree) == (4, 2, 2)


def test_an_image_of_several_test_sets_counts_once_and_missing_ones_not_at_all():
    a = np.array([[0.9, 0.8, NAN, NAN], [0.5, NAN, 0.7, NAN]])
    b = np.array([[0.6, 0.9, NAN, NAN], [0.6, NAN, NAN, NAN]])
    measured = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)
    found = paired(a, b, measured)
    assert found.images == 2 and found.undefined == 1
    assert found.difference == pytest.approx(((0.3 - 0.1) / 2 - 0.1) / 2)  # means of the seeds: 0.1 and -0.1
    assert found.seeds_agree == 0  # the two seeds cancel
    # of the images: (0.3 - 0.1) / 2 = 0.1 and -0.1
    assert found.dz == pytest.approx(0) and found.p == 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_rows_and_rows_without_a_value(value):
    same = paired(np.full((2, 5), value), np.full((2, 5), value))
    assert (same.difference, same.p, same.rank_biserial) == (0, 1, 0) and math.isnan(same.dz)
    none = paired(np.full((2, 5), NAN), np.full((2, 5), value), np.ones((2, 5), bool))
    assert none.images == 0 and none.undefined == 10
    assert math.isnan(none.difference) and math.isnan(none.p) and math.isnan(none.rank_biserial)


def test_differences_by_the_order_of_summation_are_none():
    a = np.array([[0.1 + 0.2, 0.5, 0.4]])
    assert paired(a, np.array([[0.3, 0.5, 0.4]])).p == 1


def test_holm_by_hand():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06, 0.04 x 1 -> 0.06, as the one before
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.6, 0.5])) == pytest.approx([1, 1])
    assert holm(np.array([0.01, NAN, 0.04])) == pytest.approx([0.02, NAN, 0.04], nan_ok=True)
    assert holm(np.array([])).size == 0


@pytest.mark.parametrize(
    ("low", "high", "p", "direction", "says"),
    [
        (0.01, 0.02, 0.01, "higher", "first"),
        (0.01, 0.02, 0.01, "lower", "second"),
        (-0.02, -0.01, 0.01, "higher", "second"),
        (-0.02, -0.01, 0.01, "lower", "first"),
        (-0.01, 0.02, 0.2, "higher", "open"),
        (0.01, 0.02, 0.05, "higher", "disagree"),
        (-0.01, 0.02, 0.01, "higher", "disagree"),
        (NAN, NAN, NAN, "higher", "open"),
    ],
)
def test_a_claim_needs_interval_and_test(low, high, p, direction, says):
    assert verdict(low, high, p, direction) == says


def simulated(random, seeds, images, gain, between_seeds, rows=2):
    """Rows that share hard and easy images (sd 1), with an effect of its own on every image, luck and noise (0.3)."""
    hard = random.normal(size=(1, 1, images))
    own = random.normal(scale=0.3, size=(rows, 1, images)) + np.arange(rows)[:, None, None] * gain
    luck = random.normal(scale=between_seeds, size=(rows, seeds, 1))
    return hard + own + luck + random.normal(scale=0.3, size=(rows, seeds, images))


def test_the_paired_interval_covers_and_is_far_narrower_than_those_of_the_rows():
    random = np.random.default_rng(0)
    hits, widths, single = 0, [], []
    for _ in range(300):
        first, second = simulated(random, 3, 20, -0.2, 0.05)
        low, high, _ = images_and_seeds(first - second)
        hits += low <= 0.2 <= high
        widths.append(high - low)
        single.append(np.subtract(*bootstrap_interval(first, resamples=400)[::-1]))
    assert 0.93 <= hits / 300 <= 0.99
    assert np.mean(widths) < 0.7 * np.mean(single)


@pytest.mark.parametrize("luck", [0.02, 0.2])
def test_equal_rows_are_seldom_claimed_to_differ_whatever_the_luck_of_three_seeds(luck):
    random = np.random.default_rng(0)
    wrong, covered = 0, []
    for _ in range(150):
        tables = simulated(random, 3, 20, 0, luck, rows=4)
        found = [paired(tables[i], tables[j]) for i in range(4) for j in range(i)]
        corrected = holm(np.array([max(pair.p, pair.p_seeds) for pair in found]))
        says = {verdict(pair.low, pair.high, p, "higher") for pair, p in zip(found, corrected, strict=True)}
        wrong += bool(says & {"first", "second"})
        covered += [pair.low <= 0 <= pair.high for pair in found]
    assert wrong / 150 <= 0.12
    assert np.mean(covered) >= 0.92


def test_one_seed_has_the_interval_and_the_p_of_a_paired_t_test():
    random = np.random.default_rng(3)
    a, b = random.normal(0.8, 0.1, 20), random.normal(0.78, 0.1, 20)
    expected = stats.ttest_rel(a, b)
    low, high, p = images_and_seeds((a - b)[None])
    assert (low, high) == pytest.approx(expected.confidence_interval(0.95)) and p == pytest.approx(expected.pvalue)


def test_seeds_that_differ_and_images_that_do_not_are_a_t_test_of_the_seeds():
    own = np.array([0.01, 0.04, 0.07])
    low, high, p = images_and_seeds(np.repeat(own[:, None], 30, axis=1))
    expected = stats.ttest_1samp(own, 0)
    assert (low, high) == pytest.approx(expected.confidence_interval(0.95)) and p == pytest.approx(expected.pvalue)


def test_two_seeds_whose_interval_leaves_the_range_are_cut_there():
    """Two seeds, no spread over images: a t interval with one degree of freedom, 12.7 standard errors to each side."""
    table = np.repeat(np.array([[0.5], [0.1]]), 20, axis=1)
    reach = stats.t.ppf(0.975, 1) * np.std([0.5, 0.1], ddof=1) / np.sqrt(2)
    free, cut = paired(table, np.zeros_like(table)), paired(table, np.zeros_like(table), largest=1.0)
    assert (free.low, free.high) == pytest.approx((0.3 - reach, 0.3 + reach)) and reach > 2
    assert (cut.low, cut.high) == (-1, 1) and cut.p_seeds == free.p_seeds
    none = paired(np.full((2, 3), np.nan), np.zeros((2, 3)), largest=1.0)
    assert np.isnan(none.low) and np.isnan(none.high)


def test_every_metric_keeps_to_its_largest_difference():
    """Of random counts, no two values are further apart; distances and numbers of objects have no limit."""
    random = np.random.default_rng(0)
    values = {
        column: random.integers(0, 50, 200).astype(float) for metric in METRICS.values() for column in metric.columns
    }
    for name in {**METRICS}:
        if METRICS[name].columns == COUNTS:
            found = METRICS[name].function(SimpleNamespace(**values))
            assert np.nanmax(found) - np.nanmin(found) <= largest_difference(name), name
    assert largest_difference("mcc") == 2 and largest_difference("dice") == 1
    unlimited = {name for name, metric in METRICS.items() if "px" in metric.label or "objects" in metric.label}
    unlimited |= {"object_error", "betti0_error", "betti1_error"}
    assert {name for name in METRICS if largest_difference(name) == np.inf} == unlimited


def test_images_and_seeds_by_hand():
    table = np.array([[0.1, 0.3], [0.3, 0.5]])
    # Means of the seeds 0.2 and 0.4: their variance 0.02, of their mean 0.01, 1 degree; those of the images the same.
    low, high, p = images_and_seeds(table)
    reach = math.sqrt(0.02) * stats.t.ppf(0.975, 2)  # (0.01 + 0.01)^2 / (0.01^2 + 0.01^2)
    assert (low, high) == pytest.approx((0.3 - reach, 0.3 + reach))
    assert p == pytest.approx(2 * stats.t.sf(0.3 / math.sqrt(0.02), 2))
    # A seed and an image without any value are none; one image says nothing of others.
    padded = np.full((3, 3), NAN)
    padded[:2, :2] = table
    assert images_and_seeds(padded) == pytest.approx((low, high, p))
    assert all(math.isnan(value) for value in images_and_seeds(table[:, :1]))
    assert images_and_seeds(np.full((2, 5), 0.1)) == (pytest.approx(0.1), pytest.approx(0.1), 0)
    assert images_and_seeds(np.zeros((2, 5))) == (0, 0, 1)


def test_images_of_one_seed_each_add_what_they_vary_within_it():
    table = np.array([[0.1, 0.3, NAN, NAN], [NAN, NAN, 0.1, 0.3]])
    low, high, _ = images_and_seeds(table)
    variance = 4 / 3 * 4 * (0.1 / 2 / 2) ** 2  # each image is off its seed's mean by 0.1, of two images, of two seeds
    assert (high - low) / 2 == pytest.approx(math.sqrt(variance) * stats.t.ppf(0.975, 3))


def test_rows_of_one_resample_meet_the_same_images():
    random = np.random.default_rng(0)
    first = random.normal(size=(2, 30))
    means = bootstrap_means(np.stack([first, first + 0.1]), resamples=50)
    assert np.diff(means, axis=0) == pytest.approx(0.1)
    assert means[0].std() > 0.05
    low, high = np.quantile(bootstrap_means(first[None])[0], [0.025, 0.975])
    assert (low, high) == pytest.approx(bootstrap_interval(first))


def test_a_lead_on_every_image_is_always_first_and_equal_rows_share():
    random = np.random.default_rng(0)
    base = random.normal(size=(1, 12))
    best, second, third = stability(np.stack([base + 0.2, base, base]))
    assert best == {"rank": 1, "rank_low": 1, "rank_high": 1, "first": 1}
    assert second == third == {"rank": 2.5, "rank_low": 2.5, "rank_high": 2.5, "first": 0}
    assert [row["first"] for row in stability(np.stack([base, base]))] == [0.5, 0.5]


def test_a_lead_on_one_image_is_as_firm_as_that_image_is_likely_to_be_drawn():
    """One image of ten is better by 1, the others are worse by 0.05: ahead where that image is drawn at all."""
    other = np.full((1, 10), 0.5)
    one = other + np.array([[1] + [-0.05] * 9])
    found, rest = stability(np.stack([one, other]), resamples=8000)
    assert found["rank"] == 1
    assert found["first"] == pytest.approx(1 - 0.9**10, abs=0.02)
    assert found["first"] + rest["first"] == pytest.approx(1)
    assert (found["rank_low"], found["rank_high"]) == (1, 2)


def test_a_row_without_any_value_is_the_last():
    tables = np.stack([np.full((1, 4), NAN), np.full((1, 4), 0.1), np.full((1, 4), 0.2)])
    assert [row["rank"] for row in stability(tables)] == [3, 2, 1]
    assert [row["first"] for row in stability(tables)] == [0, 0, 1]

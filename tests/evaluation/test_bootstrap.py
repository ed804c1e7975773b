import math

import numpy as np
import pytest
from scipy import stats

from segstudy.evaluation.bootstrap import bootstrap_interval, bootstrap_pooled


def width(interval):
    return interval[1] - interval[0]


def test_one_seed_agrees_with_scipy():
    values = np.random.default_rng(0).beta(8, 2, 40)
    expected = stats.bootstrap(
        (values,), np.mean, confidence_level=0.9, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    found = bootstrap_interval(values, level=0.9, resamples=20_000)
    assert found == pytest.approx((expected.low, expected.high), abs=0.05 * width(expected))
    assert bootstrap_interval(values[None], level=0.9, resamples=20_000) == found
    nested = bootstrap_interval({7: values}, level=0.9, resamples=20_000)
    assert nested == pytest.approx(found, abs=0.05 * width(expected))


def coverage(draw, times=300, **keywords):
    """Share of intervals that hold 0, the mean of what `draw(random)` draws from."""
    random = np.random.default_rng(0)
    intervals = [bootstrap_interval(draw(random), resamples=500, seed=s, **keywords) for s in range(times)]
    return np.mean([low <= 0 <= high for low, high in intervals])


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_coverage_of_one_seed(level):
    for draw in (lambda r: r.normal(size=40), lambda r: r.exponential(size=40) - 1):
        assert coverage(draw, level=level) == pytest.approx(level, abs=0.06)


def crossed(random, seeds, images, between_seeds, between_images, noise):
    rows = random.normal(scale=between_seeds, size=(seeds, 1))
    columns = random.normal(scale=between_images, size=(1, images))
    return rows + columns + random.normal(scale=noise, size=(seeds, images))


def test_coverage_where_the_same_images_are_measured_by_every_seed():
    assert 0.9 <= coverage(lambda r: crossed(r, 3, 30, 0.02, 1, 0.3)) <= 0.99


def test_treating_shared_images_as_each_seeds_own_would_claim_too_much():
    def separate(random):
        return dict(enumerate(crossed(random, 3, 30, 0.02, 1, 0.3)))

    assert coverage(separate) < 0.88


def test_coverage_where_every_seed_has_its_own_images():
    def draw(random):
        return {s: random.normal(size=30) + random.normal(scale=0.02) for s in range(5)}

    assert 0.93 <= coverage(draw) <= 1


def test_seeds_that_differ_widen_the_interval():
    images = np.random.default_rng(3).normal(size=30)
    equal, different = np.stack([images] * 3), np.stack([images - 1, images, images + 1])
    assert width(bootstrap_interval(different)) > 1.2 * width(bootstrap_interval(equal))
    assert width(bootstrap_interval(equal)) == pytest.approx(width(bootstrap_interval(images)), rel=0.1)


def test_an_image_without_a_value_changes_nothing():
    values = np.random.default_rng(4).normal(size=(3, 20))
    with_gap = np.insert(values, 7, np.nan, axis=1)
    assert bootstrap_interval(with_gap) == bootstrap_interval(values)
    with_gap = {s: np.append(row, np.nan) for s, row in enumerate(values)}
    assert bootstrap_interval(with_gap) == bootstrap_interval(dict(enumerate(values)))


def test_images_that_only_some_seeds_measured():
    values = np.random.default_rng(5).normal(5, 1, size=(2, 40))
    values[0, 20:] = np.nan
    values[1, :10] = np.nan
    low, high = bootstrap_interval(values)
    assert low < np.mean(np.nanmean(values, axis=1)) < high
    alone = bootstrap_interval({s: row for s, row in enumerate(values)})
    assert 0.5 < width((low, high)) / width(alone) < 2


def test_the_same_call_gives_the_same_interval():
    values = np.random.default_rng(6).normal(size=(3, 10))
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


@pytest.mark.parametrize(
    "values",
    [
        np.array([]),
        np.array([0.5]),
        np.array([0.5, np.nan]),
        np.full((3, 4), np.nan),
        {},
        {0: np.array([0.5])},
    ],
)
def test_fewer_than_two_images_give_no_interval(values):
    assert all(math.isnan(bound) for bound in bootstrap_interval(values))


def test_images_that_agree_give_a_point():
    assert bootstrap_interval(np.full((2, 5), 0.75)) == pytest.approx((0.75, 0.75))


def test_pooled_intervals_are_those_of_a_plain_bootstrap_of_images():
    counts = np.random.default_rng(1).integers(0, 50, (1, 30, 3, 4))

    def mean_iou(sums):
        return (sums[..., 0] / sums[..., :3].sum(axis=-1)).mean(axis=-1)

    (found,) = bootstrap_pooled(counts, lambda sums: {"iou": mean_iou(sums)}, resamples=4000).values()
    random = np.random.default_rng(2)
    plain = [mean_iou(counts[0, random.integers(30, size=30)].sum(axis=0)) for _ in range(4000)]
    assert found == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.01)
    assert found[0] < mean_iou(counts[0].sum(axis=0)) < found[1]


def test_pooled_intervals_of_several_seeds_are_wider_where_seeds_differ():
    counts = np.full((2, 20, 2), 10)
    counts[1, :, 0] = 30

    def interval(table):
        return bootstrap_pooled(table, lambda sums: {"share": sums[:, 0] / sums.sum(axis=1)})["share"]

    assert interval(counts[:1]) == (0.5, 0.5)
    assert interval(counts) == (0.5, 0.75)  # both seeds drawn alike once in two
    assert np.isnan(interval(counts[:, :1])).all()
    counts[1, 10:] = 0  # a seed that did not measure these images
    assert interval(counts[1:]) == (0.75, 0.75)

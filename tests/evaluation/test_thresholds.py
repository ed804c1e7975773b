import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import confusion
from segstudy.evaluation.metrics import dice
from segstudy.evaluation.thresholds import LEVELS, best_of, binarise, dice_curve, otsu, otsu_of, tune

EVERYWHERE = np.ones((4, 5), dtype=bool)


def test_a_pixel_at_the_threshold_is_foreground():
    assert binarise(np.float32([0.25, 0.5, 0.75]), 0.5).tolist() == [False, True, True]


def mean_dice(pairs, threshold):
    scores = [
        dice(confusion(binarise(probability, threshold), truth, region))
        for probability, truth, region in pairs
        if (truth & region).any()
    ]
    return float(np.mean(scores))


def draw(seed, images=3, levels=65535):
    random = np.random.default_rng(seed)
    for _ in range(images):
        truth = random.random((4, 5)) < 0.4
        probability = np.clip(random.normal(0.4 + 0.2 * truth, 0.2), 0, 1)
        yield (
            (np.round(probability * levels) / levels).astype(np.float32),
            truth,
            random.random((4, 5)) < 0.8,
        )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([4, 256, 65535]))
def test_equals_a_search_over_every_level(seed, levels):
    pairs = list(draw(seed, levels=levels))
    scores = np.array([mean_dice(pairs, level / LEVELS) for level in range(LEVELS + 1)])
    curve = dice_curve(pairs)
    assert curve == pytest.approx(scores, abs=1e-12)
    found = tune(pairs)
    assert found == best_of(curve)
    assert float(found * LEVELS).is_integer()
    assert scores[round(found * LEVELS)] == pytest.approx(scores.max(), abs=1e-12)


def test_reads_its_pairs_once():
    assert tune(draw(5)) == tune(list(draw(5)))


def test_returns_the_middle_of_what_is_equally_good():
    truth = np.array([[True, False]])
    probability = np.float32([[0.75, 0.25]])
    assert tune([(probability, truth, np.ones((1, 2), dtype=bool))]) == pytest.approx(0.5, abs=1 / LEVELS)
    probability = np.float32([[1.0, 0.75]])
    assert tune([(probability, truth, np.ones((1, 2), dtype=bool))]) == pytest.approx(0.875, abs=1 / LEVELS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [  # Dice is 2/3 down to the second value (one of two found, no error) and again from the last one (both, 2 errors)
        ([0.9, 0.3, 0.3, 0.2], 0.6),
        ([0.6, 0.5, 0.5, 0.45], 0.225),
        (
            [768 / LEVELS, 512 / LEVELS, 512 / LEVELS, 255 / LEVELS],
            640 / LEVELS,
        ),  # as long: the one nearer to 0.5
    ],
)
def test_of_two_stretches_the_longer_wins(values, expected):
    truth = np.array([[True, False, False, True]])
    found = tune([(np.float32([values]), truth, np.ones((1, 4), dtype=bool))])
    assert found == pytest.approx(expected, abs=1.01 / LEVELS)


def test_pixels_outside_the_region_have_no_say():
    probability, truth, region = next(draw(1))
    other = np.where(region, probability, 1 - probability)
    assert tune([(other, np.where(region, truth, ~truth), region)]) == tune([(probability, truth, region)])


def test_images_without_foreground_are_left_out():
    pairs = list(draw(2))
    empty = (np.ones((4, 5), np.float32), np.zeros((4, 5), dtype=bool), EVERYWHERE)
    assert tune([empty, *pairs, empty]) == tune(pairs)


@pytest.mark.parametrize("images", [0, 2])
def test_nothing_to_tune_on_is_an_error_that_says_what_to_do(images):
    empty = (np.ones((4, 5), np.float32), np.zeros((4, 5), dtype=bool), EVERYWHERE)
    with pytest.raises(StudyError, match=rf"none of the {images} images.*\n.*out of evaluation: a policy"):
        tune([empty] * images)


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.1])
def test_what_is_no_probability_is_refused(bad):
    probability = np.full((4, 5), bad, np.float32)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        tune([(probability, EVERYWHERE, EVERYWHERE)])


def test_otsu_agrees_with_scikit_image():
    random = np.random.default_rng(0)
    grey = np.concatenate([random.normal(60, 10, 500), random.normal(180, 20, 300)]).clip(0, 255)
    for values in (grey.astype(np.uint8), grey, (grey / 255).astype(np.float32)):
        assert (binarise(values, otsu(values)) == (values > threshold_otsu(values))).all()


def test_otsu_of_whole_numbers_lies_between_two_of_them():
    assert otsu(np.array([10] * 5 + [200] * 5, dtype=np.uint8)) == 10.5


@pytest.mark.parametrize("value", [np.uint8(0), np.uint8(255), np.float32(0.3), np.float64(1)])
def test_otsu_of_a_constant_puts_all_in_the_lower_class(value):
    values = np.full((3, 3), value)
    assert not binarise(values, otsu(values)).any()


def test_otsu_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        otsu(np.empty(0, np.uint8))


def test_otsu_of_images_is_otsu_of_all_their_probabilities_inside_the_region():
    pairs = list(draw(7, images=4, levels=LEVELS))
    inside = np.concatenate([probability[region] for probability, _, region in pairs])
    levels = np.round(inside * LEVELS).astype(int)
    spread = []
    for cut in range(1, LEVELS + 1):
        low, high = levels[levels < cut], levels[levels >= cut]
        spread.append(low.size * high.size * (low.mean() - high.mean()) ** 2 if low.size and high.size else 0)
    assert spread[round(otsu_of(pairs) * LEVELS) - 1] == pytest.approx(max(spread))
    with_other_truth = [(probability, ~truth, region) for probability, truth, region in pairs]
    assert otsu_of(with_other_truth) == otsu_of(iter(pairs))


def test_otsu_of_probabilities_that_do_not_differ_makes_nothing_foreground():
    same = np.full((4, 5), 0.25, np.float32)
    assert not binarise(same, otsu_of([(same, EVERYWHERE, EVERYWHERE)])).any()

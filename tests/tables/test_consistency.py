"""The scores of one table row contradict each other in no averaging, by the consistency tests of others."""

import pytest

from segstudy.config.cell import Cell
from tests.helpers.consistency import contradicts, tidy_scores, wide_scores
from tests.helpers.results import run, write

# Counts (tp, fp, fn, tn) as vessels of DRIVE have them; the shares of vessels differ.
IMAGES = [
    ("a", 25_113, 3_071, 4_299, 191_894),
    ("b", 21_004, 2_507, 9_719, 188_857),
    ("c", 18_350, 5_022, 2_201, 199_514),
]


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    folder = tmp_path_factory.mktemp("consistency")
    cells = [(Cell("drive", "unet", "dice", "default", 0), write(folder, "counts.csv", IMAGES))]
    return run(folder, cells, [], metrics=["dice", "accuracy", "sensitivity", "specificity"])["wide"].iloc[0]


PIXELS = [(tp + fn, fp + tn) for _, tp, fp, fn, tn in IMAGES]


def test_the_row_of_a_table_can_come_from_its_images(row):
    assert contradicts(wide_scores(row), [PIXELS]) == set()


@pytest.mark.parametrize("metric", ["accuracy", "sensitivity", "specificity", "dice"])
def test_one_wrong_score_cannot(row, metric):
    assert "pooled" in contradicts(wide_scores(row), [PIXELS], {metric: 0.002})


def test_a_wrong_mean_over_images_cannot(row):
    """Means leave more freedom than sums: which image has which score is open."""
    assert contradicts(wide_scores(row), [PIXELS], {"accuracy": 0.01}) == {"pooled", "mean"}


def test_scores_of_another_region_cannot(row):
    """Accuracy over the full frame beside pixels of the field of view."""
    assert "pooled" in contradicts(
        wide_scores(row), [[(positive, negative + 105_000) for positive, negative in PIXELS]]
    )


def test_a_mean_over_seeds_of_other_images_is_tested_with_the_images_of_each(tmp_path):
    """Dice of two seeds is no number of one confusion matrix; the others are still means of what the images allow."""
    cell = Cell("drive", "unet", "dice", "default", 0)
    second = [(name, tp - 500, fp, fn + 900, tn) for name, tp, fp, fn, tn in IMAGES]
    cells = [(cell, write(tmp_path, "0.csv", IMAGES)), (cell._replace(seed=1), write(tmp_path, "1.csv", second))]
    made = run(tmp_path, cells, [], metrics=["dice", "accuracy", "sensitivity", "specificity"])
    pixels = [PIXELS, [(tp + fn, fp + tn) for _, tp, fp, fn, tn in second]]
    tidy = made["long"].query("subset == 'test'")
    scores = tidy_scores(tidy, ["dataset", "model"])["drive", "unet"]
    assert scores["mean"] == pytest.approx(wide_scores(made["wide"].iloc[0])["mean"])
    assert contradicts(scores, pixels) == set()
    assert contradicts(scores, pixels, {"dice": 0.1}) == set(), "not looked at"
    assert contradicts(scores, pixels, {"specificity": 0.01}) == {"pooled", "mean"}
    assert contradicts(scores, [PIXELS, PIXELS]), "the images of the other seed have more of the object"

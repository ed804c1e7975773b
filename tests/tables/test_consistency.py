"""The scores of one table row contradict each other in no averaging, by the consistency tests of others."""

import pytest

from segstudy.config.cell import Cell
from tests.helpers.consistency import contradicts
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
    assert contradicts(row, PIXELS) == set()


@pytest.mark.parametrize("metric", ["accuracy", "sensitivity", "specificity", "dice"])
def test_one_wrong_score_cannot(row, metric):
    assert "pooled" in contradicts(row, PIXELS, {metric: 0.002})


def test_a_wrong_mean_over_images_cannot(row):
    """Means leave more freedom than sums: which image has which score is open."""
    assert contradicts(row, PIXELS, {"accuracy": 0.01}) == {"pooled", "mean"}


def test_scores_of_another_region_cannot(row):
    """Accuracy over the full frame beside pixels of the field of view."""
    assert "pooled" in contradicts(row, [(positive, negative + 105_000) for positive, negative in PIXELS])

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from segstudy.config.cell import Cell
from segstudy.evaluation.aggregate import Counts, confusion
from segstudy.evaluation.calibration import coarse, histograms
from segstudy.evaluation.metrics import dice
from segstudy.figures.failures import draw_failures
from segstudy.tables.failures import (
    THRESHOLDS,
    calibration,
    dice_over_thresholds,
    operating_points,
    read_bins,
    worst_first,
)
from tests.helpers.results import inputs, paths

COLUMNS = ["sample", "subset", "class", "region", "policy", "threshold", "tp", "fp", "fn", "tn"]


def drawn(seed, size=40, sharp=1.5):
    """A truth and probabilities that see it, on the levels where bins begin, so that no pixel lies within a bin."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    truth = np.hypot(y - size / 2, x - size / 2) < random.uniform(2, size / 2)
    logit = sharp * (2 * truth - 1) + random.normal(0, 1.5, truth.shape)
    levels = np.floor(256 / (1 + np.exp(-logit))).clip(0, 255) * 256
    return (levels / 65535).astype(np.float32), truth


PAIRS = [drawn(seed) for seed in range(4)]
BINS = np.stack([coarse(histograms(*pair)) for pair in PAIRS])


def test_dice_over_thresholds_is_that_of_the_masks():
    curve = dice_over_thresholds(BINS)
    for place in (0, 1, 77, 128, 255):
        threshold = np.float32(THRESHOLDS[place])
        own = [dice(confusion(probability >= threshold, truth)) for probability, truth in PAIRS]
        assert curve[place] == pytest.approx(np.mean(own), abs=1e-12)


def test_images_without_foreground_are_left_out():
    empty = BINS.copy()
    empty[0, 1] += empty[0, 0]
    empty[0, 0] = 0
    np.testing.assert_array_equal(dice_over_thresholds(empty), dice_over_thresholds(BINS[1:]))


def test_operating_points_are_those_of_scikit_learn():
    points = operating_points(BINS)
    truth = np.concatenate([truth.ravel() for _, truth in PAIRS])
    score = np.concatenate([probability.ravel() for probability, _ in PAIRS])
    false, true, thresholds = roc_curve(truth, score, drop_intermediate=False)
    places = np.rint(thresholds[1:] * 65535 / 256).astype(int)  # scikit-learn's first threshold is infinite
    assert points["sensitivity"].to_numpy()[places] == pytest.approx(true[1:])
    assert points["fall_out"].to_numpy()[places] == pytest.approx(false[1:])
    precision, recall, thresholds = precision_recall_curve(truth, score)
    places = np.rint(thresholds * 65535 / 256).astype(int)
    assert points["precision"].to_numpy()[places] == pytest.approx(precision[:-1])
    assert points["sensitivity"].to_numpy()[places] == pytest.approx(recall[:-1])


def test_calibration_lies_on_the_diagonal_where_probabilities_hold():
    random = np.random.default_rng(0)
    probability = random.random((500, 500)).astype(np.float32)
    kept = probability < 0.9  # no pixel in the last bin
    bent = calibration(coarse(histograms(probability, random.random((500, 500)) < probability, kept))[None])
    assert len(bent) == 15 and bent["pixels"].sum() == kept.sum()
    assert bent["foreground"].to_numpy() == pytest.approx(bent["probability"].to_numpy(), abs=0.02)
    assert bent["probability"].iloc[0] == pytest.approx(1 / 32, abs=0.003)


def save_bins(path, samples, subsets, regions, bins):
    np.savez(
        path,
        sample=np.array(samples),
        subset=np.array(subsets),
        region=np.array(regions),
        positives=bins[:, 0],
        negatives=bins[:, 1],
    )


def test_an_image_without_a_roi_is_read_in_full(tmp_path):
    path = tmp_path / "h.npz"
    save_bins(path, ["a", "a", "b", "c"], ["test", "test", "test", "val"], ["full", "roi", "full", "full"], BINS)
    np.testing.assert_array_equal(read_bins(path, "test", "roi"), BINS[[1, 2]])
    np.testing.assert_array_equal(read_bins(path, "test", "full"), BINS[[0, 2]])
    np.testing.assert_array_equal(read_bins(path, "val", "roi"), BINS[[3]])
    assert read_bins(path, "train", "roi").shape == (0, 2, 256)


@pytest.fixture
def study(tmp_path):
    """Two losses, two seeds; counts, histograms and index of a data set of 24 images, the last four for validation."""
    subsets = ["test"] * 20 + ["val"] * 4
    cells, files = [], []
    for loss, sharp in (("bce", 2.0), ("focal", 0.8)):
        for seed in (0, 1):
            pairs = [drawn(100 * seed + number, sharp=sharp) for number in range(24)]
            rows = [
                [str(i), subsets[i], "cell", "full", "fixed", 0.5, *confusion(p >= 0.5, truth)]
                for i, (p, truth) in enumerate(pairs)
            ]
            name = tmp_path / f"{loss}{seed}"
            pd.DataFrame(rows, columns=COLUMNS).to_csv(f"{name}.csv", index=False)
            bins = np.stack([coarse(histograms(*pair)) for pair in pairs])
            save_bins(f"{name}.npz", [str(i) for i in range(24)], subsets, ["full"] * 24, bins)
            cells.append((Cell("cells", "unet", loss, "default", seed), f"{name}.csv"))
            files.append(f"{name}.npz")
    index = pd.DataFrame({"sample": [str(i) for i in range(24)], "stratum": ["odd", "even"] * 12})
    index.to_csv(tmp_path / "index.csv", index=False)
    return cells, files, {"cells": tmp_path / "index.csv"}


def drawn_failures(folder, cells, histograms, indexes):
    outputs = paths(folder, "svg", "png", "csv")
    draw_failures(inputs(cells, outputs=outputs, regions={"cells": "roi"}, phantoms=["cells"]), histograms, indexes)
    return outputs


def test_the_figure_and_its_list_of_images(tmp_path, study):
    outputs = drawn_failures(tmp_path, *study)
    text = outputs["svg"].read_text()
    assert text.count("<svg") == 1 and outputs["png"].stat().st_size > 20_000
    images = pd.read_csv(outputs["csv"], dtype={"sample": str})
    assert len(images) == 20 * 2 and set(images["stratum"]) == {"odd", "even"}
    for _, stratum in images.groupby("stratum"):
        assert stratum["hardest"].is_monotonic_increasing
    own = [pd.read_csv(path, dtype={"sample": str}).set_index("sample").loc["7"] for _, path in study[0][:2]]
    expected = np.mean([dice(Counts(row["tp"], row["fp"], row["fn"], row["tn"])) for row in own])
    assert images.query("sample == '7' and loss == 'bce'")["dice"].item() == pytest.approx(expected)
    first = outputs["svg"].read_bytes()
    assert drawn_failures(tmp_path, *study)["svg"].read_bytes() == first


def test_without_scores_the_sizes_are_drawn_alone(tmp_path, study):
    for path in study[1]:
        save_bins(path, [], [], [], np.zeros((0, 2, 256), np.int64))
    assert drawn_failures(tmp_path, *study)["png"].exists()


def test_worst_first_is_sorted_within_a_stratum():
    rows = [("a", 8, 2), ("b", 2, 8), ("c", 5, 5)]
    counts = pd.DataFrame(
        [[s, "test", "x", "full", "fixed", 0.5, tp, 1, fn, 90] for s, tp, fn in rows], columns=COLUMNS
    ).assign(dataset="d", row="cell", model="unet", loss="bce", recipe="default", seed=0)
    strata = pd.DataFrame({"dataset": "d", "sample": list("abc"), "stratum": ["s", "s", "r"]})
    found = worst_first(counts, strata)
    assert found["sample"].tolist() == ["c", "b", "a"]
    assert found["share"].tolist() == pytest.approx([10 / 101] * 3)

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as reference

from segstudy.evaluation.aggregate import Counts, confusion, per_image, pooled, summarise
from segstudy.evaluation.metrics import COUNTS, measured

TRUTH = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
PREDICTION = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
HAND = {  # tp 2, fp 2, fn 1, tn 4
    "dice": 4 / 7,
    "iou": 2 / 5,
    "accuracy": 6 / 9,
    "sensitivity": 2 / 3,
    "specificity": 4 / 6,
    "precision": 2 / 4,
    "pixel_error": 3 / 9,
    "balanced_accuracy": 2 / 3,
    "mcc": (2 * 4 - 2 * 1) / math.sqrt(4 * 3 * 6 * 5),
}
NAMES = list(measured(COUNTS))
pixels = st.integers(0, 10_000)
masks = arrays(bool, (6, 5))


def values(counts):
    return {name: float(metric.function(counts)) for name, metric in measured(COUNTS).items()}


def test_three_by_three_by_hand():
    counts = confusion(PREDICTION, TRUTH)
    assert counts == Counts(tp=2, fp=2, fn=1, tn=4)
    assert values(counts) == pytest.approx(HAND)


def test_pixels_outside_the_region_do_not_count():
    region = np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]], dtype=bool)
    assert confusion(PREDICTION, TRUTH, region) == Counts(tp=1, fp=0, fn=1, tn=1)
    everywhere, nowhere = np.ones_like(TRUTH), np.zeros_like(TRUTH)
    assert confusion(PREDICTION, TRUTH, everywhere) == confusion(PREDICTION, TRUTH)
    assert confusion(PREDICTION, TRUTH, nowhere) == Counts(0, 0, 0, 0)
    assert all(math.isnan(value) for value in values(Counts(0, 0, 0, 0)).values())


@given(masks, masks, masks)
def test_the_two_sides_of_a_region_add_up(prediction, truth, region):
    halves = confusion(prediction, truth, region), confusion(prediction, truth, ~region)
    assert Counts(*map(sum, zip(*halves, strict=True))) == confusion(prediction, truth)


def test_inputs_stay_as_they_were():
    prediction, truth, region = PREDICTION.copy(), TRUTH.copy(), np.eye(3, dtype=bool)
    confusion(prediction, truth, region)
    assert (prediction == PREDICTION).all() and (truth == TRUTH).all() and (region == np.eye(3)).all()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_agrees_with_scikit_learn(share):
    random = np.random.default_rng(round(share * 100))
    truth, prediction = random.random((2, 40, 50)) < share
    y, p = truth.ravel(), prediction.ravel()
    expected = {
        "dice": reference.f1_score(y, p),
        "iou": reference.jaccard_score(y, p),
        "accuracy": reference.accuracy_score(y, p),
        "sensitivity": reference.recall_score(y, p),
        "specificity": reference.recall_score(y, p, pos_label=False),
        "precision": reference.precision_score(y, p),
        "pixel_error": reference.zero_one_loss(y, p),
        "balanced_accuracy": reference.balanced_accuracy_score(y, p),
        "mcc": reference.matthews_corrcoef(y, p),
    }
    counts = confusion(prediction, truth)
    tn, fp, fn, tp = reference.confusion_matrix(y, p).ravel()
    assert counts == (tp, fp, fn, tn)
    assert values(counts) == pytest.approx(expected, abs=1e-12)


@given(pixels, pixels, pixels, pixels)
def test_identities_and_ranges(tp, fp, fn, tn):
    found = values(Counts(tp, fp, fn, tn))
    assert -1 - 1e-12 <= found["mcc"] <= 1 + 1e-12 or math.isnan(found["mcc"])
    assert all(math.isnan(value) or 0 <= value <= 1 for name, value in found.items() if name != "mcc")
    assert found["dice"] == pytest.approx(2 * found["iou"] / (1 + found["iou"]), nan_ok=True)
    assert found["pixel_error"] == pytest.approx(1 - found["accuracy"], nan_ok=True)
    if tp:
        harmonic = 2 / (1 / found["precision"] + 1 / found["sensitivity"])
        assert found["dice"] == pytest.approx(harmonic)


@given(pixels, pixels, pixels, pixels)
def test_swapping_prediction_and_truth(tp, fp, fn, tn):
    found, swapped = values(Counts(tp, fp, fn, tn)), values(Counts(tp, fn, fp, tn))
    assert swapped["sensitivity"] == pytest.approx(found["precision"], nan_ok=True)
    for name in ("dice", "iou", "accuracy", "pixel_error", "mcc"):
        assert swapped[name] == pytest.approx(found[name], nan_ok=True)


@given(pixels, pixels, pixels, pixels)
def test_swapping_foreground_and_background(tp, fp, fn, tn):
    found, swapped = values(Counts(tp, fp, fn, tn)), values(Counts(tn, fn, fp, tp))
    assert swapped["specificity"] == pytest.approx(found["sensitivity"], nan_ok=True)
    for name in ("balanced_accuracy", "mcc"):
        assert swapped[name] == pytest.approx(found[name], nan_ok=True)
    assert swapped["accuracy"] == pytest.approx(found["accuracy"], nan_ok=True)


EMPTY, FULL = np.zeros((3, 3), dtype=bool), np.ones((3, 3), dtype=bool)
ONE = EMPTY.copy()
ONE[1, 1] = True
NAN = math.nan


@pytest.mark.parametrize(
    (
        "prediction",
        "truth",
        "expected",
    ),  # dice, iou, accuracy, sensitivity, specificity, precision, pixel_error, balanced_accuracy, mcc
    [
        (EMPTY, EMPTY, [NAN, NAN, 1, NAN, 1, NAN, 0, NAN, NAN]),
        (FULL, FULL, [1, 1, 1, 1, NAN, 1, 0, NAN, NAN]),
        (EMPTY, FULL, [0, 0, 0, 0, NAN, NAN, 1, NAN, NAN]),
        (FULL, EMPTY, [0, 0, 0, NAN, 0, 0, 1, NAN, NAN]),
        (EMPTY, ONE, [0, 0, 8 / 9, 0, 1, NAN, 1 / 9, 0.5, NAN]),
        (ONE, EMPTY, [0, 0, 8 / 9, NAN, 8 / 9, 0, 1 / 9, NAN, NAN]),
        (ONE, ONE, [1, 1, 1, 1, 1, 1, 0, 1, 1]),
    ],
)
def test_empty_full_and_one_pixel(prediction, truth, expected):
    assert list(values(confusion(prediction, truth)).values()) == pytest.approx(expected, nan_ok=True)


def test_masks_that_would_be_counted_wrongly_are_refused():
    with pytest.raises(TypeError, match="bool"):
        confusion(PREDICTION.astype(np.uint8) * 255, TRUTH)
    with pytest.raises(ValueError, match=r"\(3, 3\).*\(1, 3\)"):
        confusion(PREDICTION, TRUTH[:1])
    with pytest.raises(ValueError, match="shape"):
        confusion(PREDICTION, TRUTH, TRUTH[:, :1])


def table(*rows, **keys):
    """Rows are (sample, seed, tp, fp, fn, tn)."""
    counts = pd.DataFrame(rows, columns=["sample", "seed", "tp", "fp", "fn", "tn"])
    return counts.assign(**{"class": "x", "subset": "test", "region": "full", "policy": "fixed"} | keys)


def test_columns_of_counts_give_what_single_counts_give():
    random = np.random.default_rng(0)
    rows = [("s", 0, *row) for row in random.integers(0, 3, (200, 4))]
    images = per_image(table(*rows))
    for number in range(200):
        single = values(Counts(*rows[number][2:]))
        assert images.loc[number, list(single)].tolist() == pytest.approx(list(single.values()), nan_ok=True)


def test_pooled_sums_counts_before_the_ratio():
    sums = pooled(table(("a", 0, 1, 0, 1, 8), ("b", 0, 10, 5, 5, 80), ("a", 1, 1, 1, 1, 1)), ["seed"])
    assert sums["seed"].tolist() == [0, 1]
    assert sums["dice"].tolist() == pytest.approx([22 / (22 + 5 + 6), 0.5])


def cell(tidy, metric, averaging):
    (row,) = tidy[(tidy["metric"] == metric) & (tidy["averaging"] == averaging)].to_dict("records")
    return row


def test_summary_over_two_seeds_by_hand():
    counts = table(
        ("a", 0, 1, 0, 1, 8),  # dice 2/3
        ("b", 0, 0, 0, 0, 10),  # dice not defined
        ("a", 1, 1, 0, 0, 9),  # dice 1
        ("b", 1, 0, 1, 0, 9),  # dice 0
        model="unet",
    )
    tidy = summarise(counts, ["model"])
    dice = cell(tidy, "dice", "image")
    assert (dice["model"], dice["images"], dice["seeds"], dice["undefined"]) == ("unet", 2, 2, 1)
    assert dice["mean"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert dice["sd"] == pytest.approx(np.std([2 / 3, 0.5], ddof=1))
    pool = cell(tidy, "dice", "pooled")
    assert pool["mean"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert (pool["images"], pool["undefined"]) == (2, 0)


def test_what_no_image_defines_is_nan_and_counted():
    tidy = summarise(table(("a", 0, 0, 0, 0, 10), ("b", 0, 0, 0, 0, 10), model="unet"), ["model"])
    for averaging in ("image", "pooled"):
        row = cell(tidy, "dice", averaging)
        assert math.isnan(row["mean"]) and math.isnan(row["sd"]) and row["undefined"] == 2
        row = cell(tidy, "accuracy", averaging)
        assert (row["mean"], row["undefined"]) == (1, 0) and math.isnan(row["sd"])


def test_a_seed_without_a_value_is_left_out_of_the_mean():
    tidy = summarise(table(("a", 0, 0, 0, 0, 10), ("a", 1, 1, 0, 1, 8), model="unet"), ["model"])
    for averaging in ("image", "pooled"):
        row = cell(tidy, "dice", averaging)
        assert (row["mean"], row["seeds"], row["undefined"]) == (pytest.approx(2 / 3), 2, 1)
        assert math.isnan(row["sd"])


def test_every_condition_has_its_own_rows_in_order_of_appearance():
    parts = [
        table(("a", 0, 1, 1, 1, 1), model=model, subset=subset, region=region, policy=policy, loss="")
        for model in ("unet", "encdec")
        for subset in ("train", "test")
        for region in ("full", "roi")
        for policy in ("fixed", "validation")
    ]
    tidy = summarise(pd.concat(parts), ["model", "loss"])
    assert list(tidy)[:6] == ["model", "loss", "class", "subset", "region", "policy"]
    assert len(tidy) == 16 * len(NAMES) * 2
    assert tidy["model"].drop_duplicates().tolist() == ["unet", "encdec"]
    assert tidy["metric"][: 2 * len(NAMES)].tolist() == [name for name in NAMES for _ in range(2)]
    assert tidy["averaging"][:2].tolist() == ["image", "pooled"]
    assert (tidy["loss"] == "").all() and (tidy[["images", "seeds"]] == 1).all(axis=None)


def test_folds_of_different_size_show_their_mean_number_of_images():
    tidy = summarise(table(("a", 0, 1, 1, 1, 1), ("b", 1, 1, 1, 1, 1), ("c", 1, 1, 1, 1, 1), model="u"), ["model"])
    assert set(tidy["images"]) == {1.5}


def test_cells_that_the_keys_do_not_tell_apart_are_refused():
    counts = pd.concat([table(("a", 0, 1, 1, 1, 1), model=m, loss=k) for m in "uv" for k in "bd"])
    with pytest.raises(ValueError, match="counted twice"):
        summarise(counts, ["model"])
    assert len(summarise(counts, ["model", "loss"])) == 4 * len(NAMES) * 2


def test_the_summary_equals_a_plain_loop_on_many_cells():
    random = np.random.default_rng(1)
    keys = [(m, s, i) for m in range(40) for s in range(3) for i in range(20)]
    counts = pd.DataFrame(keys, columns=["model", "seed", "sample"]).assign(
        **dict(zip(["tp", "fp", "fn", "tn"], random.integers(0, 2, (4, len(keys))), strict=True)),
        **{"class": "x", "subset": "test", "region": "full", "policy": "fixed"},
    )
    tidy = summarise(counts, ["model"])
    for model in (0, 17, 39):
        per_seed = [
            np.nanmean([values(Counts(*row))["dice"] for row in rows[["tp", "fp", "fn", "tn"]].to_numpy()])
            for _, rows in counts[counts["model"] == model].groupby("seed")
        ]
        row = cell(tidy[tidy["model"] == model], "dice", "image")
        assert row["mean"] == pytest.approx(np.mean(per_seed))
        assert row["sd"] == pytest.approx(np.std(per_seed, ddof=1))

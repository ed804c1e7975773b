"""What is measured beside pixels: its columns in counts.csv, its formulas, and its place in the tables."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydantic import ValidationError
from skimage.morphology import skeletonize
from sklearn.metrics import average_precision_score, roc_auc_score

from segstudy.config import evaluation as config
from segstudy.core.arrays import write_arrays
from segstudy.core.files import read_csv, write_csv
from segstudy.data.images.label_map import binary, several
from segstudy.data.images.prediction_files import write_classes, write_probability
from segstudy.evaluation.aggregate import per_image, summarise
from segstudy.evaluation.calibration import COARSE
from segstudy.evaluation.metrics import COUNTS, LINES, MEASURES, METRICS, SUMMABLE, measured
from segstudy.evaluation.shape_metrics import Measures, compared, shape_of
from segstudy.evaluation.surface_distance import surfaces
from tests.helpers.measured import measure, measure_controls

ALL = Measures(tuple(MEASURES), 1.0)
SHAPES = ("surface", "cldice", "objects")
COMB = np.zeros((24, 30), bool)
COMB[4:7, 3:27] = True  # a back with three teeth
COMB[4:20, [4, 5, 14, 15, 24, 25]] = True
CUT = COMB.copy()
CUT[10:12, 13:17] = False  # the middle tooth in two
ROI = np.zeros_like(COMB)
ROI[:, :20] = True


def values(prediction, truth, tolerance=1.0):
    """Every metric of the shapes of two masks."""
    found = compared(shape_of(prediction, SHAPES), shape_of(truth, SHAPES), Measures(SHAPES, tolerance))
    return per_image(pd.DataFrame([found])).iloc[0]


def test_config_and_formulas_name_the_same_measures():
    assert list(config.MEASURES) == list(MEASURES) and list(config.NEEDS) == list(METRICS)
    for name, metric in METRICS.items():
        needed = MEASURES[config.NEEDS[name]] if config.NEEDS[name] else COUNTS
        assert set(metric.columns) <= set(needed)
        assert not metric.ranked_by or METRICS[metric.ranked_by].columns == metric.columns


def test_a_cut_tooth_is_a_small_error_of_pixels_and_a_large_one_of_objects():
    found = values(CUT, COMB)
    assert found["betti0_error"] == found["object_error"] == 1 and found["betti1_error"] == 0
    line = skeletonize(COMB)
    lost = (line & ~CUT).sum()
    assert lost > 0 and (skeletonize(CUT) <= COMB).all()
    assert found["cldice"] == pytest.approx(2 / (1 + 1 / (1 - lost / line.sum())))
    assert found["surface_dice"] == pytest.approx(1, abs=0.02)


def test_missing_and_double_objects():
    dots = np.zeros((9, 20), bool)
    dots[4, ::4] = True
    assert values(dots & (np.arange(20) < 7), dots)["object_error"] == 3 / 5
    assert values(dots, dots & (np.arange(20) < 7))["object_error"] == 3 / 2
    ring = np.pad(np.pad(np.zeros((2, 3), bool), 1, constant_values=True), 2)
    filled = np.pad(np.ones((4, 5), bool), 2)
    assert values(filled, ring)["betti1_error"] == 1 and values(filled, ring)["betti0_error"] == 0


def test_empty_masks():
    nothing = np.zeros_like(COMB)
    both, missed, invented = values(nothing, nothing), values(nothing, COMB), values(COMB, nothing)
    for name in ("surface_dice", "hd95", "assd", "hd95_ranked", "assd_ranked", "cldice", "object_error"):
        assert math.isnan(both[name])
    assert both["betti0_error"] == both["betti1_error"] == 0
    for found in (missed, invented):
        assert found["surface_dice"] == found["cldice"] == 0 and found["betti0_error"] == 1
        assert math.isnan(found["hd95"]) and math.isnan(found["assd"])
        assert found["hd95_ranked"] == found["assd_ranked"] == math.hypot(*COMB.shape)
    assert missed["object_error"] == 1 and math.isnan(invented["object_error"])


def test_lines_that_miss_each_other_have_no_overlap():
    assert values(np.roll(COMB, 12, axis=0) & ~COMB, COMB & ~np.roll(COMB, 12, axis=0))["cldice"] == 0


@settings(max_examples=40, deadline=None)  # times of a crowded machine say nothing
@given(arrays(bool, (9, 9)), arrays(bool, (9, 9)))
def test_symmetry_identity_and_range(prediction, truth):
    found, turned = values(prediction, truth), values(truth, prediction)
    for name in ("surface_dice", "hd95", "assd", "hd95_ranked", "cldice", "betti0_error", "betti1_error"):
        assert turned[name] == pytest.approx(found[name], nan_ok=True)
    assert all(math.isnan(found[name]) or 0 <= found[name] <= 1 for name in ("surface_dice", "cldice"))
    if truth.any():
        same = values(truth, truth)
        assert same["cldice"] == same["surface_dice"] == 1
        assert same["hd95"] == same["assd"] == same["object_error"] == same["betti1_error"] == 0


@pytest.fixture
def cell(tmp_path):
    """A training and a test image of one class, the test image with a roi and a second human."""
    random = np.random.default_rng(0)
    rows = []
    for sample, roi in (("a", ""), ("b", "roi.png")):
        Image.fromarray(COMB).save(tmp_path / f"{sample}.png")
        probability = np.clip(0.6 * CUT + 0.4 * random.random(COMB.shape), 0, 1)
        (tmp_path / "probabilities").mkdir(exist_ok=True)
        write_probability(tmp_path / f"probabilities/{sample}.png", probability)
        rows.append({"sample": sample, "image": f"{sample}.png", "mask": f"{sample}.png", "roi": roi})
    Image.fromarray(ROI).save(tmp_path / "roi.png")
    Image.fromarray(CUT).save(tmp_path / "second.png")
    return {
        "probabilities": tmp_path / "probabilities",
        "masks": tmp_path / "masks",
        "thresholds": {"fixed": 0.5, "validation": 0.9},
        "index": pd.DataFrame(rows).assign(second_mask=["", "second.png"]),
        "split": pd.DataFrame({"sample": ["a", "b"], "subset": ["train", "test"]}),
        "root": tmp_path,
        "labels": binary("vessel"),
    }


def test_every_measure_is_a_column_of_the_counts(cell):
    counts, histograms = measure(**cell, measures=ALL)
    assert list(counts)[-len(ALL.columns) :] == ALL.columns and measured(counts) == METRICS
    assert counts[ALL.columns].notna().all(axis=None)
    row = counts[(counts["region"] == "roi") & (counts["policy"] == "fixed")].iloc[0]
    assert row[list(surfaces(CUT, COMB, 1)._fields)].tolist() == pytest.approx(surfaces(CUT & ROI, COMB & ROI, 1))
    assert row["line_truth"] == skeletonize(COMB & ROI).sum() and row["objects_prediction"] == 2
    levels = np.asarray(Image.open(cell["probabilities"] / "b.png"))[ROI]
    for policy in ("fixed", "validation"):  # a threshold does not change what probabilities score
        own = counts[(counts["region"] == "roi") & (counts["policy"] == policy)].iloc[0]
        assert own["roc_auc"] == pytest.approx(roc_auc_score(COMB[ROI], levels))
        assert own["average_precision"] == pytest.approx(average_precision_score(COMB[ROI], levels))
    assert list(zip(histograms["sample"], histograms["region"], strict=True)) == [
        ("a", "full"),
        ("b", "full"),
        ("b", "roi"),
    ]
    assert (histograms["positives"][2] == np.bincount(levels[COMB[ROI]] >> 8, minlength=COARSE)).all()
    assert histograms["negatives"].sum(axis=1).tolist() == [(~COMB).sum(), (~COMB).sum(), (~COMB & ROI).sum()]


def test_only_what_is_asked_for_is_measured(cell):
    counts, histograms = measure(**cell, measures=Measures(("cldice",)))
    assert list(counts)[-len(LINES) :] == list(LINES) and "hd95" not in counts
    assert len(histograms["sample"]) == 0 and histograms["positives"].shape == (0, COARSE)
    plain = measure(**cell).counts
    assert list(plain)[-4:] == list(COUNTS)
    pd.testing.assert_frame_equal(counts[list(plain)], plain)


def test_a_mask_outside_the_region_has_no_say(cell):
    roi = measure(**cell, measures=ALL).counts.query("region == 'roi'").reset_index(drop=True)
    Image.fromarray(COMB | ~ROI).save(cell["root"] / "b.png")
    again = measure(**cell, measures=ALL).counts.query("region == 'roi'").reset_index(drop=True)
    pd.testing.assert_frame_equal(roi[ALL.columns], again[ALL.columns])


def test_classes_are_measured_each_against_the_others(cell, tmp_path):
    labels = several({"back": 1, "nowhere": 7})
    (tmp_path / "masks").mkdir()
    for sample in "ab":
        write_classes(tmp_path / f"masks/{sample}.png", CUT.astype(np.uint8), labels.colours)
    counts, histograms = measure(**cell | {"labels": labels, "thresholds": {"argmax": None}}, measures=ALL)
    back = counts[(counts["class"] == "back") & (counts["region"] == "full")].iloc[0]
    assert back[list(surfaces(CUT, COMB, 1)._fields)].tolist() == pytest.approx(surfaces(CUT, COMB, 1))
    assert counts.loc[counts["class"] == "nowhere", "hd95"].isna().all() and len(histograms["sample"]) == 0
    assert counts["roc_auc"].isna().all()


def test_controls_have_shapes_but_no_scores_and_a_full_frame_has_no_line(cell):
    study = {name: cell[name] for name in ("index", "split", "root", "labels")}
    counts = measure_controls(**study, seed=0, names=["all_foreground", "second_human"], measures=ALL)
    assert not set(MEASURES["scores"]) & set(counts)
    found = per_image(counts).set_index(["control", "subset", "region"]).sort_index()
    human = found.loc[("second_human", "test", "full")]
    assert human["cldice"] == pytest.approx(values(CUT, COMB)["cldice"])
    assert human["betti0_error"] == 1 and human["surface_dice"] == pytest.approx(values(CUT, COMB)["surface_dice"])
    assert found.loc["all_foreground", "cldice"].isna().all() and found.loc["all_foreground", "hd95"].notna().all()


def test_averages_pool_what_can_be_summed_and_tell_not_measured_from_not_defined(cell, tmp_path):
    counts = measure(**cell, measures=ALL).counts
    background = measure_controls(
        **{name: cell[name] for name in ("index", "split", "root", "labels")}, seed=0, names=["all_background"],
        measures=ALL,
    )  # fmt: skip
    both = pd.concat([counts.assign(model="net"), background.assign(model="nothing")]).assign(seed=0)
    tidy = summarise(both, ["model"])
    assert set(tidy.loc[tidy["model"] == "net", "metric"]) == set(METRICS)
    nothing = tidy[(tidy["model"] == "nothing") & (tidy["averaging"] == "image")].set_index(["metric", "subset"])
    assert not {"roc_auc", "brier"} & set(nothing.index.get_level_values(0))
    assert nothing.loc[("hd95", "train"), "undefined"] == 1
    assert nothing.loc[("hd95_ranked", "train"), "mean"] == math.hypot(*COMB.shape)
    pooled = tidy[tidy["averaging"] == "pooled"]
    assert set(pooled["metric"]) == {name for name, metric in METRICS.items() if set(metric.columns) <= set(SUMMABLE)}
    own = counts[(counts["policy"] == "fixed") & (counts["region"] == "full")]
    sums = own[list(SUMMABLE)].sum()
    twice = pd.concat([own.assign(subset="test")]).assign(model="net", seed=0)
    found = summarise(twice, ["model"]).set_index(["metric", "averaging"])["mean"]
    close, outlines = sums["close_prediction"] + sums["close_truth"], sums["surface_prediction"] + sums["surface_truth"]
    assert found["surface_dice", "pooled"] == pytest.approx(close / outlines)
    first = summarise(twice[twice["sample"] == "a"], ["model"]).set_index(["metric", "averaging"])["mean"]
    assert first["cldice", "pooled"] == pytest.approx(first["cldice", "image"])


def test_files_come_back_and_are_the_same_bytes(cell, tmp_path):
    counts, histograms = measure(**cell, measures=ALL)
    write_csv(tmp_path / "counts.csv", counts)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "counts.csv"), counts)
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, histograms)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as back:
        assert sorted(back) == sorted(histograms)
        assert all((back[name] == histograms[name]).all() for name in back)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["dice", "hd96"]}, "'hd96', which is none of"),
        ({"metrics": ["hd95"], "measures": ["cldice"]}, "'hd95', which needs 'surface'"),
        ({"metrics": ["dice", "dice"]}, "'dice' stands in the list twice"),
        ({"metrics": []}, "at least 1 item"),
        ({"measures_of_several": ["scores"]}, "'surface', 'cldice', 'objects' or 'instances'"),
        ({"tolerance": -1}, "greater than or equal to 0"),
    ],
)
def test_a_table_cannot_show_what_is_not_measured(options, message):
    with pytest.raises(ValidationError, match=message):
        config.Evaluation(**options)


def test_counts_of_pixels_can_be_shown_without_any_measure():
    assert config.Evaluation(measures=[], metrics=["mcc", "dice"]).metrics == ["mcc", "dice"]

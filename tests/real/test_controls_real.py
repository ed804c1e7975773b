"""Controls on the real DRIVE: numbers that are known from elsewhere, through the very functions that a study runs."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segstudy.data.images.label_map import binary
from segstudy.evaluation.aggregate import per_image, summarise
from tests.helpers.measured import measure_controls

DATA = Path(os.environ.get("SEGSTUDY_REAL_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
ROOT = DATA / "DRIVE"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no real DRIVE below {DATA} (SEGSTUDY_REAL_DATA)")


@pytest.fixture(scope="module")
def counts():
    """Every control on the official split, the index written out by hand from the file layout."""
    rows = []
    for number in range(1, 41):
        folder, name = ("test", "test") if number <= 20 else ("training", "training")
        rows.append(
            {
                "sample": f"{number:02d}",
                "image": f"{folder}/images/{number:02d}_{name}.tif",
                "mask": f"{folder}/1st_manual/{number:02d}_manual1.gif",
                "roi": f"{folder}/mask/{number:02d}_{name}_mask.gif",
                "second_mask": f"test/2nd_manual/{number:02d}_manual2.gif" if number <= 20 else "",
                "subset": "test" if number <= 20 else "train",
            }
        )
    index = pd.DataFrame(rows)
    names = ["all_background", "all_foreground", "random", "otsu", "frangi", "second_human"]
    return measure_controls(
        index=index,
        split=index[["sample", "subset"]],
        root=ROOT,
        labels=binary("vessel"),
        seed=0,
        names=names,
        threads=2,
    )


@pytest.fixture(scope="module")
def summary(counts):
    tidy = summarise(counts.assign(seed=0), ["control"])
    return tidy.set_index(["control", "subset", "region", "metric", "averaging"]).sort_index()


def test_every_control_measures_the_images_it_can(counts):
    measured = counts.groupby(["control", "subset", "region"]).size()
    assert set(measured) == {20}
    assert set(counts.loc[counts["control"] == "second_human", "subset"]) == {"test"}
    assert (counts[["tp", "fp", "fn", "tn"]].sum(axis=1)[counts["region"] == "full"] == 565 * 584).all()


def test_second_human_against_the_first(counts, summary):
    inside = summary.loc["second_human", "test", "roi", "dice"]
    assert inside.loc["image", "mean"] == pytest.approx(0.7881, abs=5e-5)
    assert inside.loc["pooled", "mean"] == pytest.approx(0.7891, abs=5e-5)
    assert summary.loc[("second_human", "test", "full", "dice", "image"), "mean"] == pytest.approx(0.7879, abs=5e-5)
    images = per_image(counts[(counts["control"] == "second_human") & (counts["region"] == "roi")])
    assert images["dice"].std(ddof=1) == pytest.approx(0.0206, abs=5e-5)


def test_all_background_looks_accurate_and_finds_nothing(summary):
    for region, accuracy in (("roi", 0.8727), ("full", 0.9124)):
        found = summary.loc["all_background", "test", region]["mean"].unstack()
        assert found.loc["accuracy", "image"] == pytest.approx(accuracy, abs=5e-5)
        assert (found.loc[["dice", "iou", "sensitivity"]] == 0).all(axis=None)
        assert (found.loc["specificity"] == 1).all() and np.isnan(found.loc["precision", "image"])


def test_a_ridge_filter_lies_between_otsu_and_the_second_human(summary):
    dice = summary["mean"].xs(("test", "roi", "dice", "image"), level=["subset", "region", "metric", "averaging"])
    assert dice["frangi"] == pytest.approx(0.717, abs=5e-3)  # not to the digit: the filter may change with its library
    assert dice["otsu"] < dice["frangi"] < dice["second_human"]


def test_no_control_without_learning_reaches_the_second_human(summary):
    dice = summary["mean"].xs(("test", "roi", "dice", "image"), level=["subset", "region", "metric", "averaging"])
    assert dice.idxmax() == "second_human"
    assert dice["all_foreground"] == pytest.approx(0.2257, abs=5e-5)
    assert dice["random"] == pytest.approx(1 - 0.8727, abs=0.01)

"""Which pseudo-labels are believed: the range of the training masks, the reasons, and what is said when none is."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from pydantic import ValidationError

from segstudy.config.semi_supervised import Accept
from segstudy.core.errors import StudyError
from segstudy.inference.pseudo_selection import (
    accept,
    check_some_accepted,
    described,
    eligible,
    foreground_range,
    learned_samples,
    reason,
)

LEARNED = ["a", "b", "c", "d", "e"]


def masks(shares=(0.10, 0.11, 0.12, 0.13, 0.14), roi=True):
    """What is known of training masks; `z` is not learned from, and would widen any range."""
    shares = [*shares, 0.9]
    inside = shares if roi else [np.nan] * len(shares)
    names = [*LEARNED[: len(shares) - 1], "z"]
    return pd.DataFrame({"sample": names, "foreground": np.array(shares) / 2, "foreground_roi": inside})


def found(white, confidence=0.9, roi_share=0.5):
    names = [f"p{i}" for i in range(len(white))]
    return pd.DataFrame({"sample": names, "white": white, "confidence": confidence, "roi_share": roi_share})


def test_the_range_by_hand():
    # Quartiles 0.11 and 0.13, so that the fences lie 1.5 times 0.02 beyond them.
    fences = foreground_range([0.10, 0.14, 0.11, 0.13, 0.12], 1.5)
    assert (fences["low"], fences["high"]) == pytest.approx((0.08, 0.16))
    assert fences["images"] == 5 and fences["median"] == 0.12


def test_the_range_is_tukeys_by_another_implementation_and_stays_a_share():
    shares = np.random.default_rng(1).beta(2, 15, 40)
    distance = scipy.stats.iqr(shares)
    q1, q3 = scipy.stats.scoreatpercentile(shares, [25, 75])
    fences = foreground_range(shares, 0.7)
    assert fences["low"] == pytest.approx(q1 - 0.7 * distance, abs=1e-6)
    assert fences["high"] == pytest.approx(q3 + 0.7 * distance, abs=1e-6)
    assert foreground_range(shares, 50)["low"] == 0 and foreground_range(shares, 50)["high"] == 1
    assert foreground_range([0.1, 0.1, 0.1, 0.1], 1.5)["low"] == 0.1  # four masks say that nothing else is usual


def test_few_masks_have_no_quartiles_and_the_range_is_wide(caplog):
    fences = foreground_range([0.1], 1.5)
    assert (fences["low"], fences["high"]) == pytest.approx((0.025, 0.175))
    assert "1 training masks alone" in caplog.text


def test_every_reason_is_told():
    assert reason(0.1, 0.9, [0.05, 0.2], 0.8) == reason(0.05, 0.8, [0.05, 0.2], 0.8) == reason(0.2, 1, None, None) == ""
    assert reason(0.01, 0.9, [0.05, 0.2], 0.8) == "too little white (0.0100 < 0.0500)"
    assert reason(0.3, 0.7, [0.05, 0.2], 0.8) == "too much white (0.3000 > 0.2000); too unsure (0.7000 < 0.8000)"


def test_pseudo_labels_are_judged_by_the_masks_that_the_student_learns_from():
    table, selection = accept(found([0.07, 0.1, 0.2]), masks(), LEARNED, Accept(), "here")
    assert table.columns.tolist() == ["sample", "white", "confidence", "accepted", "reason"]
    assert table["accepted"].tolist() == [0, 1, 0]
    assert table["reason"].str.partition(" (")[0].tolist() == ["too little white", "", "too much white"]
    assert selection["white"] == [0.08, 0.16] and selection["region"] == "roi"
    assert (selection["images"], selection["accepted"], selection["computed"]["images"]) == (3, 1, 5)


@pytest.mark.parametrize(
    ("measures", "samples"),
    [(found([0.06], roi_share=np.nan), masks()), (found([0.12]), masks(roi=False))],
    ids=["the photographs have no field of view", "the training images have none"],
)
def test_without_a_field_of_view_on_either_side_both_count_the_whole_frame(measures, samples):
    table, selection = accept(measures, samples, LEARNED, Accept(), "here")
    assert selection["region"] == "full" and selection["white"] == pytest.approx([0.04, 0.08])
    assert table["white"].item() == 0.06 and table["accepted"].item() == 1


def test_training_masks_without_a_field_of_view_are_left_out_where_they_are_few():
    samples = masks()
    samples.loc[samples["sample"] == "a", "foreground_roi"] = np.nan
    table, selection = accept(found([0.12]), samples, LEARNED, Accept(), "here")
    assert selection["region"] == "roi" and selection["computed"]["images"] == 4
    assert selection["computed"]["minimum"] == 0.11 and table["white"].item() == 0.12


def test_a_given_range_and_a_least_confidence_need_no_masks():
    options = Accept(white=(0.0, 0.5), confidence=0.8)
    measures = found([0.1, 0.6, 0.2], confidence=[0.9, 0.9, 0.7])
    table, selection = accept(measures, masks(), LEARNED, options, "here")
    assert table["accepted"].tolist() == [1, 0, 0]
    assert selection["white"] == [0.0, 0.5] and selection["computed"] is None
    assert described(selection) == (
        "share of white inside the field of view 0.0000 to 0.5000, mean confidence at least 0.8"
    )


def test_what_is_not_asked_for_rejects_nothing():
    table, selection = accept(found([0.0, 1.0], confidence=0.5), masks(), LEARNED, Accept(white=None), "here")
    assert table["accepted"].tolist() == [1, 1] and described(selection) == "all are believed"


def test_when_all_are_rejected_the_message_has_range_and_spread_and_what_to_change():
    rejected = accept(found([0.3, 0.5, 0.01]), masks(), LEARNED, Accept(), "here")
    with pytest.raises(
        StudyError, match="none of the 3 pseudo-labels is accepted: 2 too much white, 1 too little"
    ) as e:
        check_some_accepted(*rejected, "recipes.pseudo")
    assert "share of white 0.0100 / 0.1550 / 0.3000 / 0.4000 / 0.5000" in str(e.value)
    assert "0.0800 to 0.1600 (computed from 5 training masks: quartiles 0.1100 and 0.1300, widen 1.5)" in str(e.value)
    assert "recipes.pseudo" in e.value.where and "'widen'" in e.value.remedy


def test_one_that_is_believed_is_enough():
    some = accept(found([0.3, 0.5, 0.12]), masks(), LEARNED, Accept(), "here")
    assert check_some_accepted(*some, "here") == {"accepted": 1, "images": 3}


def test_no_pseudo_label_at_all_is_explained():
    with pytest.raises(StudyError, match="no image left to take pseudo-labels for"):
        accept(found([]), masks(), LEARNED, Accept(), "here")


INDEX = pd.DataFrame({"sample": [f"s{i}" for i in range(8)], "mask": ["m"] * 7 + [""], "stratum": ["x", "y"] * 4})


def test_the_masks_that_a_cell_learns_from_are_those_of_its_training():
    split = pd.DataFrame({"sample": INDEX["sample"], "subset": ["train"] * 4 + ["val", "test", "train", "train"]})
    assert learned_samples(INDEX, split, 1.0) == ["s0", "s1", "s2", "s3", "s6"]
    for share, count in ((0.4, 2), (0.01, 1)):
        some = learned_samples(INDEX, split, share)
        assert len(some) == count and set(some) < {"s0", "s1", "s2", "s3", "s6"}


def test_a_student_takes_none_of_its_measured_images_and_none_that_it_has_the_mask_of():
    split = pd.DataFrame({"sample": ["p0", "p1", "p2", "p3"], "subset": ["train", "val", "unlabelled", "train"]})
    assert eligible(found([0.1, 0.2, 0.3, 0.4]), split, ["p3"])["sample"].tolist() == ["p0", "p2"]


@pytest.mark.parametrize("white", [(0.2, 0.1), (0.1, 0.1), (-0.1, 0.5), (0.5, 1.1)])
def test_a_range_that_is_none_is_refused(white):
    with pytest.raises(ValidationError, match="0 <= low < high <= 1"):
        Accept(white=white)

import logging

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.ndimage import gaussian_filter

from segstudy.config.datasets import EXCEPTION_KINDS, DatasetConfig, DeclaredException
from segstudy.core.errors import StudyError
from segstudy.data.checks.findings import NAMED
from segstudy.data.checks.image_checks import check_images
from segstudy.data.checks.split_checks import check_split
from segstudy.data.images.label_map import binary, several
from segstudy.data.images.thumbnails import thumbnail

COUNT = 12


CELL = binary("cell")


def inspect(samples, index, exceptions=(), labels=CELL, **more):
    return check_images(samples, index, exceptions, labels=labels, **more)


def pictures(count=COUNT):
    random = np.random.default_rng(0)
    smooth = [gaussian_filter(random.normal(size=(96, 96)), 3) for _ in range(count)]
    return [np.clip(128 + 60 * s / s.std(), 0, 255).astype(np.uint8) for s in smooth]


@pytest.fixture
def data():
    """A sound data set: index, samples, thumbnails, split."""
    names = [f"{n:02d}" for n in range(COUNT)]
    index = pd.DataFrame(
        {
            "sample": names,
            "mask": "m.png",
            "stratum": ["a", "b"] * 6,
            "group": [f"g{n}" for n in range(COUNT)],
            "official_subset": "",
            "image_sha256": [f"hash{n}" for n in range(COUNT)],
        }
    )
    samples = pd.DataFrame({"sample": names, "readable": 1, "problem": "", "mask_values": 2, "foreground": 0.2})
    samples["mask_counts"], samples["foreground_roi"], samples["classes"] = "0=80 255=20", np.nan, ""
    samples["foreground_border"], samples["mask_mode"] = 0.0, "PNG L: above 127 is foreground"
    split = pd.DataFrame({"sample": names, "subset": ["train"] * 6 + ["val"] * 3 + ["test"] * 3})
    return index, samples, np.stack([thumbnail(p) for p in pictures()]), split


def exception(kind, *samples):
    return DeclaredException(kind=kind, samples=list(samples), reason="known and looked at")


def proposed(error):
    """The exceptions of the YAML that an error tells the user to paste."""
    text = str(error)
    blocks = yaml.safe_load(text[text.index("datasets:") :])
    (entries,) = [block["exceptions"] for block in blocks["datasets"].values()]
    return DatasetConfig(reader="drive", exceptions=entries).exceptions


def test_a_sound_data_set_passes(data):
    index, samples, thumbnails, split = data
    assert inspect(samples, index) == {"findings": [], "accepted": [], "warnings": [], "images": COUNT}
    record = check_split(index, samples, thumbnails, split)
    assert (record["findings"], record["accepted"], record["warnings"]) == ([], [], [])
    assert record["pairs_compared"] == 6 * 3 + 6 * 3 + 3 * 3
    assert (record["near_duplicates"], record["groups"], record["grouped_images"]) == (0, 0, 0)
    assert record["split"]["subsets"] == {"train": 6, "val": 3, "test": 3, "unlabelled": 0}


def break_image(kind, index, samples):
    if kind == "unreadable":
        samples.loc[3, ["readable", "problem"]] = [0, "unreadable: image x.png: cut off"]
    elif kind == "size_mismatch":
        samples.loc[3, "problem"] = "size_mismatch: mask is 10x12, image 20x12"
    elif kind == "mask_not_binary":
        samples.loc[3, "problem"] = "mask_not_binary: 40 % of the pixels are neither black nor white"
    elif kind == "unknown_label":
        samples.loc[3, "problem"] = "unknown_label: m.png holds 13 (0.10% of its pixels), which is no class"
    elif kind == "no_class_values":
        samples.loc[3, "problem"] = "no_class_values: mask m.png: a picture of mode RGB holds no class values"
    elif kind in ("orientation", "image_range", "roi_empty"):
        samples.loc[3, "problem"] = f"{kind}: words"
    elif kind == "mask_constant":
        samples.loc[3, "foreground"] = 1.0
    elif kind == "mask_missing":
        index.loc[3, "mask"] = ""
        samples.loc[3, "foreground"] = np.nan


IMAGE_KINDS = [
    *("unreadable", "size_mismatch", "mask_not_binary", "no_class_values", "unknown_label"),
    *("orientation", "image_range", "roi_empty", "mask_constant", "mask_missing"),
]


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_each_problem_of_an_image_stops_the_run_until_it_is_declared(data, kind):
    index, samples, _, _ = data
    break_image(kind, index, samples)
    with pytest.raises(StudyError, match=f"has 1 finding\n  {kind}: 03: ") as caught:
        inspect(samples, index, dataset="mine")
    (found,) = inspect(samples, index, proposed(caught.value))["accepted"]
    assert (found["kind"], found["subjects"]) == (kind, ["03"])
    other = [exception(k) for k in EXCEPTION_KINDS if k != kind] + [exception(kind, "04")]
    with pytest.raises(StudyError, match=kind):
        inspect(samples, index, other)


def break_split(kind, index, samples, thumbnails, split):
    if kind == "duplicate":
        index.loc[[0, 9], "image_sha256"] = "same"
        thumbnails[9] = thumbnails[0]
    elif kind == "near_duplicate":
        thumbnails[9] = np.rot90(thumbnails[0]) * 0.9 + 10
    elif kind == "group_straddles":
        index.loc[[0, 9], "group"] = "patient7"
    elif kind == "no_foreground":
        samples.loc[6:8, "foreground"] = 0.0
    elif kind == "class_missing":
        samples["classes"] = ["wall"] * 9 + ["wall door"] * 3
    elif kind == "stratum_empty":
        index["stratum"] = ["rare"] * 4 + ["b"] * 8


SUBJECTS = {
    "duplicate": ["00", "09"],
    "near_duplicate": ["00", "09"],
    "group_straddles": ["patient7"],
    "no_foreground": ["val"],
    "class_missing": ["door"],
    "stratum_empty": ["rare"],
}


@pytest.mark.parametrize("kind", SUBJECTS)
def test_each_problem_of_a_split_stops_the_run_until_it_is_declared(data, kind):
    index, samples, thumbnails, split = data
    break_split(kind, index, samples, thumbnails, split)
    with pytest.raises(StudyError, match=f"has 1 finding\n  {kind}: ") as caught:
        check_split(index, samples, thumbnails, split, dataset="mine")
    (found,) = check_split(index, samples, thumbnails, split, proposed(caught.value))["accepted"]
    assert (found["kind"], found["subjects"]) == (kind, SUBJECTS[kind])
    assert found["reason"] == "SAY WHY THIS IS RIGHT"
    with pytest.raises(StudyError, match=kind):
        check_split(index, samples, thumbnails, split, [exception(k) for k in SUBJECTS if k != kind])


def test_the_record_counts_what_was_compared_and_met(data):
    index, samples, thumbnails, split = data
    index["group"] = ["case1", "case1", "case2", "case2", "case2", "alone"] + [""] * 6
    thumbnails[9] = np.rot90(thumbnails[0])
    record = check_split(index, samples, thumbnails, split, [exception("near_duplicate")])
    assert record["near_duplicates"] == len(record["accepted"]) == 1 and record["moved_copies"] == 0
    assert (record["groups"], record["grouped_images"]) == (2, 5)


def test_every_kind_of_the_config_is_exercised():
    # What a source has seen, and masks of values, have tests of their own.
    assert set(IMAGE_KINDS) | set(SUBJECTS) | {"seen_by_source", "mask_of_values"} == set(EXCEPTION_KINDS)


def test_an_exception_for_one_pair_does_not_cover_another(data):
    index, samples, thumbnails, split = data
    index.loc[[0, 9, 10], "image_sha256"] = "same"
    thumbnails[[9, 10]] = thumbnails[0]
    with pytest.raises(StudyError, match=r"00 \(train\) and 09 \(test\) and 10 \(test\) are the same file"):
        check_split(index, samples, thumbnails, split, [exception("duplicate", "00", "09")])
    assert check_split(index, samples, thumbnails, split, [exception("duplicate", "00", "09", "10")])["accepted"]


def test_copies_that_leak_nothing_are_no_findings(data):
    index, samples, thumbnails, split = data
    index.loc[[0, 1], "image_sha256"] = "same"  # both in train
    thumbnails[1] = thumbnails[0]
    thumbnails[2] = thumbnails[11] = 0  # not decoded: alike only in being nothing
    assert check_split(index, samples, thumbnails, split)["accepted"] == []


def test_a_copy_among_the_unlabelled_images_is_found_in_test_but_not_in_train(data):
    index, samples, thumbnails, split = data
    split.loc[5, "subset"], index.loc[5, "mask"] = "unlabelled", ""
    index.loc[[0, 5], "image_sha256"] = "same"
    assert check_split(index, samples, thumbnails, split)["accepted"] == []
    index.loc[[9, 5], "image_sha256"] = "other"
    with pytest.raises(StudyError, match=r"05 \(unlabelled\) and 09 \(test\) are the same file"):
        check_split(index, samples, thumbnails, split)


def test_strata_of_two_groups_need_not_be_everywhere(data):
    index, samples, thumbnails, split = data
    index["stratum"] = ["rare"] * 2 + ["b"] * 10
    assert check_split(index, samples, thumbnails, split)["accepted"] == []
    index["stratum"] = ["rare"] * 4 + ["b"] * 8
    index.loc[:3, "group"] = "one"  # four images of one patient
    assert check_split(index, samples, thumbnails, split)["accepted"] == []


def test_an_image_without_mask_is_legal_where_the_data_set_says_so(data):
    index, samples, _, _ = data
    index.loc[[3, 4], "mask"] = ""
    index.loc[[3, 4], "official_subset"] = ["test", "unlabelled"]
    samples.loc[[3, 4], "foreground"] = np.nan
    assert inspect(samples, index)["accepted"] == []


def test_masks_of_many_classes_are_constant_when_they_hold_one_value(data):
    index, samples, _, _ = data
    samples["foreground"], samples["mask_values"], samples["mask_counts"] = 1.0, 12, np.nan
    assert inspect(samples, index, labels=several({str(i): i for i in range(1, 13)}))["accepted"] == []
    samples.loc[7, "mask_values"] = 1
    with pytest.raises(StudyError, match="1 finding\n  mask_constant: 07: the mask holds one value only"):
        inspect(samples, index, labels=several({str(i): i for i in range(1, 13)}))


def test_several_problems_of_one_sample_are_several_findings(data):
    index, samples, _, _ = data
    samples.loc[2, "problem"] = "unreadable: roi a; b.png: cut off; size_mismatch: mask is 1x1, image 2x2"
    with pytest.raises(StudyError) as caught:
        inspect(samples, index)
    assert "  unreadable: 02: roi a; b.png: cut off\n  size_mismatch: 02: mask is 1x1, image 2x2\n" in str(caught.value)
    samples.loc[2, "problem"] = "strange: words"
    with pytest.raises(ValueError, match="no known kind"):
        inspect(samples, index)


def test_long_lists_are_cut_and_everything_is_still_accepted_by_what_is_proposed():
    count = NAMED + 30
    names = [f"{n:04d}" for n in range(count)]
    index = pd.DataFrame({"sample": names, "mask": "", "official_subset": ""})
    samples = pd.DataFrame({"sample": names, "readable": 1, "problem": "", "mask_values": np.nan, "foreground": np.nan})
    samples["foreground_border"], samples["mask_counts"], samples["mask_mode"] = np.nan, np.nan, ""
    with pytest.raises(StudyError) as caught:
        inspect(samples, index)
    assert str(caught.value).count("\n  mask_missing: ") == 50
    assert f"\n  and {count - 50} more" in str(caught.value)
    (entry,) = proposed(caught.value)
    assert entry.samples == []
    assert len(inspect(samples, index, [entry])["accepted"]) == count


def test_an_exception_that_matches_nothing_is_a_warning(data, caplog):
    index, samples, thumbnails, split = data
    with caplog.at_level(logging.WARNING, "segstudy"):
        record = inspect(samples, index, [exception("mask_constant", "05"), exception("duplicate")])
    assert len(record["warnings"]) == 1 and "mask_constant (05: known" in record["warnings"][0]
    assert "matches nothing" in caplog.text
    assert len(check_split(index, samples, thumbnails, split, [exception("duplicate")])["warnings"]) == 1


def test_a_split_without_validation_images_lacks_no_stratum_there(data):
    index, samples, thumbnails, split = data
    split = split.replace({"subset": {"val": "train"}})
    record = check_split(index, samples, thumbnails, split)
    assert record["findings"] == [] and record["pairs_compared"] == 9 * 3
    index["stratum"] = ["rare"] * 2 + ["b"] * 10  # two groups are enough for the two subsets
    with pytest.raises(StudyError, match="stratum rare: none of its 2 groups"):
        check_split(index, samples, thumbnails, split)


def test_a_split_that_cannot_be_used_is_refused(data):
    index, samples, thumbnails, split = data
    with pytest.raises(StudyError, match="train holds no image"):
        check_split(index, samples, thumbnails, split.replace({"subset": {"train": "val"}}))
    index.loc[0, "mask"] = ""
    with pytest.raises(StudyError, match="00 has no mask but is in train"):
        check_split(index, samples, thumbnails, split)
    with pytest.raises(StudyError, match="do not name the same samples"):
        check_split(index, samples, thumbnails, split[::-1])
    with pytest.raises(StudyError, match="do not name the same samples"):
        inspect(samples[1:], index)

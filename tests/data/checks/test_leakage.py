"""What a cell's sources have seen, and what of it must not be measured on."""

import numpy as np
import pandas as pd
import pytest

from segstudy.config.datasets import DeclaredException
from segstudy.config.dependencies import seen
from segstudy.core.errors import StudyError
from segstudy.data.checks.leakage import Images, check_chain
from segstudy.data.images.thumbnails import SIDE
from tests.helpers.dependencies import cell, study


def images(count, draw, name):
    """Distinct pictures: blurred noise, so that they have structure to compare."""
    pictures = draw.normal(size=(count, SIDE, SIDE)).cumsum(axis=1).cumsum(axis=2)
    pictures = (pictures - pictures.min((1, 2), keepdims=True)) / np.ptp(pictures, axis=(1, 2))[:, None, None]
    samples = [f"{name}{row}" for row in range(count)]
    index = pd.DataFrame({"sample": samples, "image_sha256": [f"sha-{sample}" for sample in samples]})
    return Images(index, pictures.astype(np.float32))


def split(found, subsets):
    return pd.DataFrame({"sample": found.table["sample"], "subset": subsets})


@pytest.fixture
def sets():
    draw = np.random.default_rng(4)
    found = {"hrf": images(6, draw, "h"), "rfmid": images(8, draw, "r")}
    parts = ["train", "train", "train", "val", "test", "test"]
    splits = {("hrf", 0): split(found["hrf"], parts), ("rfmid", 0): split(found["rfmid"], ["unlabelled"] * 8)}
    return found, splits


def checked(sets, recipe="pseudo", exceptions=(), **changes):
    few = study(**changes)
    own = cell(recipe)
    return check_chain("hrf", own.seed, seen(few, own), *sets, exceptions)


def test_what_each_kind_of_chain_has_seen():
    few = study()
    assert seen(few, cell("default")) == []
    assert [(s.dataset, s.subsets, s.by) for s in seen(few, cell("finetuned"))] == [
        ("rfmid", ("train", "unlabelled"), "rfmid/unet/mse/denoising/seed0")
    ]
    teacher, student = "hrf/unet/dice/default/seed0", "hrf/unet/dice/pseudo/seed0"
    assert [(s.dataset, s.subsets, s.by, s.chosen_by) for s in seen(few, cell("pseudo"))] == [
        ("hrf", ("train",), teacher, False),
        ("hrf", ("val",), teacher, True),
        ("rfmid", ("train", "unlabelled"), student, False),
    ]
    rounds = seen(study(recipes__pseudo__pseudo_labels__rounds=2), cell("pseudo"))
    assert {s.by.split("/")[3] for s in rounds} == {"default", "pseudo_round1", "pseudo"}


def test_a_teacher_of_the_same_split_is_accepted_though_both_choose_by_the_same_images(sets):
    record = checked(sets)
    assert record["findings"] == record["accepted"] == []
    assert (record["measured"], record["seen"], record["pairs_compared"]) == (3, 12, 24)
    assert record["sources"] == ["hrf/unet/dice/default/seed0", "hrf/unet/dice/pseudo/seed0"]


def test_a_teacher_of_another_split_saw_what_the_student_is_measured_on(sets):
    found, splits = sets
    splits["hrf", 1] = split(found["hrf"], ["val", "train", "train", "train", "test", "train"])
    splits["rfmid", 1] = splits["rfmid", 0]
    with pytest.raises(StudyError) as error:
        checked(sets, recipes__pseudo__pseudo_labels__teacher__seed=1)
    text = str(error.value)
    assert "h3 (val): hrf/unet/dice/default/seed1 was trained on it" in text
    assert "h5 (test): hrf/unet/dice/default/seed1 was trained on it" in text
    assert text.count("seen_by_source: h") == 2 and "fixed_split" in text
    splits["hrf", 1] = split(found["hrf"], ["train", "train", "train", "test", "val", "test"])
    with pytest.raises(StudyError, match=r"h4 \(test\): .*seed1 chose its best epoch on it"):
        checked(sets, recipes__pseudo__pseudo_labels__teacher__seed=1)


def test_the_same_file_and_the_same_picture_are_found_in_another_data_set(sets):
    found, _ = sets
    found["rfmid"].table.loc[2, "image_sha256"] = "sha-h5"
    darker_and_turned = 0.8 * np.rot90(found["hrf"].thumbnails[3]) + 0.1
    found["rfmid"].thumbnails[7] = darker_and_turned
    for recipe, by in (("pseudo", "hrf/unet/dice/pseudo"), ("finetuned", "rfmid/unet/mse/denoising")):
        with pytest.raises(StudyError) as error:
            checked(sets, recipe)
        text = str(error.value)
        assert f"h5 (test) and rfmid/r2 are the same file: {by}/seed0" in text
        assert "h3 (val) and rfmid/r7 show the same picture (similarity" in text
        assert "samples: [h5, rfmid/r2, h3, rfmid/r7]" in text
    reason = "the thesis did it so"
    named = [
        DeclaredException(kind="seen_by_source", samples=["h5", "rfmid/r2", "h3", "rfmid/r7"], reason=reason),
        DeclaredException(kind="near_duplicate", reason="another matter"),
    ]
    record = checked(sets, exceptions=named)
    assert [item["reason"] for item in record["accepted"]] == [reason] * 2 and record["warnings"] == []


def test_training_images_may_be_anywhere_and_broken_thumbnails_match_nothing(sets):
    found, _ = sets
    found["rfmid"].table.loc[2, "image_sha256"] = "sha-h0"
    found["rfmid"].thumbnails[3] = found["hrf"].thumbnails[1]
    found["rfmid"].thumbnails[4] = found["hrf"].thumbnails[4] = 0
    assert checked(sets)["findings"] == []


def test_a_source_of_a_source_counts(sets):
    found, splits = sets
    splits["hrf", 1] = split(found["hrf"], ["train", "train", "val", "test", "train", "test"])
    changes = {"recipes__default__start_from": {"recipe": "other", "seed": 1}, "recipes__other": {}}
    with pytest.raises(StudyError, match=r"h4 \(test\): hrf/unet/dice/other/seed1 was trained on it"):
        checked(sets, **changes)

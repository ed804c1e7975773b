import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from segstudy.config.datasets import Split
from segstudy.core.errors import StudyError
from segstudy.data import stratified_groups
from segstudy.data.split import describe_split, make_split, split_words


def make_index(count, **columns):
    base = {"sample": [f"s{n}" for n in range(count)], "mask": "m.png", "stratum": "", "group": ""}
    return pd.DataFrame(base | {"official_subset": ""} | columns)


def counts(index, options=None, seed=0):
    split = make_split(index, options or Split(), seed)
    return split["subset"].value_counts().to_dict()


@st.composite
def indexes(draw):
    """Labelled and unlabelled images in groups of one stratum each, strata of at least three groups."""
    rows = []
    for stratum in range(draw(st.integers(1, 4))):
        for group in range(draw(st.integers(3, 12))):
            rows += [(f"d{stratum}", f"{stratum}-{group}")] * draw(st.integers(1, 5))
    index = make_index(len(rows), stratum=[r[0] for r in rows], group=[r[1] for r in rows])
    for position in draw(st.lists(st.integers(0, len(rows) - 1), max_size=2, unique=True)):
        extra = index.iloc[[position]].assign(sample=f"u{position}", mask="")
        index = pd.concat([index, extra], ignore_index=True)
    return index.sample(frac=1, random_state=draw(st.integers(0, 99))).reset_index(drop=True)


@settings(max_examples=60, deadline=None)
@given(indexes(), st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.3]))
def test_groups_stay_whole_strata_stand_everywhere_and_shares_are_near(index, seed, share):
    options = Split(test=share, validation=share)
    split = make_split(index, options, seed)
    assert split.equals(make_split(index, options, seed))
    assert split["sample"].tolist() == index["sample"].tolist()
    assert ((split["subset"] == "unlabelled") == (index["mask"] == "")).all()
    used = index.assign(subset=split["subset"])[index["mask"] != ""]
    assert (used.groupby("group")["subset"].nunique() == 1).all()
    assert (used.groupby("stratum")["subset"].nunique() == 3).all()
    largest = used.groupby("group").size().max()
    strata = used["stratum"].nunique()
    for name, whole in (("test", used), ("val", used[used["subset"] != "test"])):
        assert abs((used["subset"] == name).sum() - share * len(whole)) <= largest * strata


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 60), st.integers(1, 3), st.integers(0, 1000))
def test_single_images_meet_the_shares_to_the_image(count, strata, seed):
    strata = 1 if count < 20 else strata
    tolerance = 0.5 if strata == 1 else 1  # with strata, whole images of each are weighed against the total
    index = make_index(count, stratum=[f"d{n % strata}" for n in range(count)])
    found = counts(index, seed=seed)
    assert abs(found["test"] - 0.2 * count) <= tolerance + 1e-9
    assert abs(found["val"] - 0.2 * (count - found["test"])) <= tolerance + 1e-9


def test_strata_keep_their_proportions():
    index = make_index(200, stratum=["common"] * 80 + ["atypical"] * 80 + ["melanoma"] * 40)
    split = make_split(index, Split(test=0.25), 3)
    table = pd.crosstab(index["stratum"], split["subset"])
    assert table["test"].to_dict() == {"common": 20, "atypical": 20, "melanoma": 10}
    assert table["val"].to_dict() == {"common": 12, "atypical": 12, "melanoma": 6}
    loose = [make_split(index, Split(test=0.25, stratify=False), seed)["subset"] for seed in range(5)]
    assert {s.value_counts()["test"] for s in loose} == {50}
    assert len({((index["stratum"] == "melanoma") & (s == "test")).sum() for s in loose}) > 1


def test_every_image_is_as_likely_as_any_other_to_be_tested():
    index = make_index(10, group=["big"] * 3 + [""] * 7)
    tested = np.mean([make_split(index, Split(test=0.3), seed)["subset"] == "test" for seed in range(400)], axis=0)
    assert abs(tested.mean() - 0.3) < 0.02
    assert 0.1 < tested[0] < 0.5 and tested[0] == tested[1] == tested[2]
    assert tested[3:].std() < 0.05


def test_a_group_with_several_strata_stays_whole():
    rows = [(f"g{n % 20}", f"d{(n * 7) % 3}") for n in range(120)]
    index = make_index(120, group=[r[0] for r in rows], stratum=[r[1] for r in rows])
    split = make_split(index, Split(), 1)
    assert (pd.DataFrame({"g": index["group"], "s": split["subset"]}).groupby("g")["s"].nunique() == 1).all()
    assert (pd.crosstab(index["stratum"], split["subset"]) > 0).all(axis=None)


def test_repeat_says_what_a_seed_changes():
    index = make_index(50)
    new = [make_split(index, Split(), seed)["subset"].tolist() for seed in range(4)]
    assert len({tuple(split) for split in new}) == 4
    fixed = Split(repeat="fixed_split")
    assert {tuple(make_split(index, fixed, seed)["subset"]) for seed in range(4)} == {tuple(new[0])}


OFFICIAL = [*["train"] * 20, *["test"] * 20]


def test_official_test_set_is_kept_and_validation_carved_from_training():
    index = make_index(40, official_subset=OFFICIAL)
    for seed in range(3):
        split = make_split(index, Split(), seed)
        assert (split["subset"][20:] == "test").all()
        assert split["subset"][:20].value_counts().to_dict() == {"train": 16, "val": 4}
    described = describe_split(split, index)
    assert described["rule"] == {"val": "carved", "test": "official"}
    assert described["subsets"] == {"train": 16, "val": 4, "test": 20, "unlabelled": 0}


def test_official_validation_set_is_kept():
    index = make_index(40, official_subset=[*["train"] * 25, *["val"] * 5, *["test"] * 10])
    split = make_split(index, Split(), 0)
    assert split["subset"].tolist() == index["official_subset"].tolist()
    assert describe_split(split, index)["rule"] == {"val": "official", "test": "official"}
    without_test = index.assign(official_subset=[*["train"] * 35, *["val"] * 5])
    split = make_split(without_test, Split(), 0)
    assert (split["subset"][35:] == "val").all()
    assert split["subset"].value_counts().to_dict() == {"train": 28, "val": 5, "test": 7}


def test_some_official_test_images_without_mask_are_unlabelled():
    index = make_index(40, official_subset=OFFICIAL, mask=["m"] * 37 + [""] * 3)
    assert counts(index) == {"train": 16, "val": 4, "test": 17, "unlabelled": 3}
    described = describe_split(make_split(index, Split(), 0), index)
    assert described["official_test_without_mask"] == 3 and described["rule"]["test"] == "official"


def test_official_test_set_without_any_mask_is_carved_or_refused(caplog):
    index = make_index(40, official_subset=OFFICIAL, mask=["m"] * 20 + [""] * 20)
    with caplog.at_level(logging.INFO, "segstudy"):
        split = make_split(index, Split(), 0)
    assert "none of the 20 official test images has a mask" in caplog.text
    assert (split["subset"][20:] == "unlabelled").all()
    assert split["subset"][:20].value_counts().to_dict() == {"train": 13, "test": 4, "val": 3}
    assert describe_split(split, index)["rule"]["test"] == "carved"
    with pytest.raises(StudyError, match="none of the 20 official test images has a mask"):
        make_split(index, Split(fallback="error"), 0)


def test_official_sets_can_be_set_aside():
    index = make_index(40, official_subset=OFFICIAL)
    split = make_split(index, Split(official=False), 0)
    assert split["subset"].value_counts()["test"] == 8
    assert {"train"} < set(split["subset"][20:])


def test_folds_partition_the_images_and_keep_strata_and_groups():
    random = np.random.default_rng(0)
    groups = [f"g{n}" for n in random.integers(60, size=300)]
    stratum_of = {g: f"d{n}" for g, n in zip(sorted(set(groups)), random.integers(3, size=60), strict=False)}
    index = make_index(300, group=groups, stratum=[stratum_of[g] for g in groups])
    options = Split(repeat="kfold", folds=5)
    splits = [make_split(index, options, fold) for fold in range(5)]
    tested = np.array([split["subset"] == "test" for split in splits])
    assert (tested.sum(axis=0) == 1).all()
    for split in splits:
        assert (pd.DataFrame({"g": groups, "s": split["subset"]}).groupby("g")["s"].nunique() == 1).all()
        assert (pd.crosstab(index["stratum"], split["subset"]) > 0).all(axis=None)
    # As even as scikit-learn's folds, in size and in strata.
    table = pd.get_dummies(index["stratum"]).to_numpy()
    reference = StratifiedGroupKFold(5).split(index, index["stratum"], groups)
    theirs = np.array([table[test].sum(axis=0) for _, test in reference])
    ours = np.array([table[mask].sum(axis=0) for mask in tested])
    assert ours.sum(axis=1).std() <= theirs.sum(axis=1).std() + 1
    assert ours.std(axis=0).max() <= theirs.std(axis=0).max() + 1


def test_folds_of_an_official_training_set_are_validation_sets():
    index = make_index(40, official_subset=OFFICIAL)
    splits = [make_split(index, Split(repeat="kfold", folds=4), fold)["subset"] for fold in range(4)]
    assert all((split[20:] == "test").all() for split in splits)
    assert (np.sum([split[:20] == "val" for split in splits], axis=0) == 1).all()
    assert all((split == "val").sum() == 5 for split in splits)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=4, max_size=30), st.integers(0, 99))
def test_dealt_folds_hold_every_stratum_that_has_a_unit_for_each(units, seed):
    table = np.zeros((len(units), 3), dtype=np.int64)
    for row, (stratum, size) in enumerate(units):
        table[row, stratum] = size
    folds = stratified_groups.deal(table, 4, np.random.default_rng(seed))
    assert set(folds) <= set(range(4))
    for stratum in range(3):
        if (table[:, stratum] > 0).sum() >= 4:
            assert set(folds[table[:, stratum] > 0]) == set(range(4))


@pytest.mark.parametrize(
    ("index", "options", "seed", "message"),
    [
        (make_index(2), Split(), 0, "only 2 groups of labelled images are left"),
        (make_index(9, group="one"), Split(), 0, "only 1 groups"),
        (
            make_index(9, official_subset=["test"] * 8 + ["train"]),
            Split(),
            0,
            "too few to carve a validation set",
        ),
        (make_index(9, official_subset=["test"] * 4 + ["val"] * 5), Split(), 0, "no image is left for train"),
        (make_index(9, official_subset="training"), Split(), 0, "names the official subset 'training'"),
        (make_index(9), Split(repeat="kfold", folds=3), 3, "seed 3 asks for fold 3, but there are 3"),
        (make_index(4), Split(repeat="kfold"), 0, "4 groups of labelled images cannot be dealt into 5 folds"),
        (make_index(2), Split(repeat="kfold", folds=2), 0, "only 1 groups"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_reason(index, options, seed, message):
    with pytest.raises(StudyError, match=message) as caught:
        make_split(index, options, seed)
    assert caught.value.remedy or caught.value.allowed


def test_validation_0_trains_on_all_that_is_not_test():
    official = make_index(12, official_subset=["train"] * 5 + ["val"] * 3 + ["test"] * 4)
    everything = Split(validation=0)
    assert make_split(official, everything, 0)["subset"].tolist() == ["train"] * 8 + ["test"] * 4
    assert counts(make_index(20), everything) == {"train": 16, "test": 4}
    assert counts(make_index(2), everything) == {"train": 1, "test": 1}
    with pytest.raises(StudyError, match="no image is left for train") as caught:
        make_split(make_index(4, official_subset="test"), everything, 0)
    assert caught.value.allowed == "at least one image in each of train and test"
    with pytest.raises(ValueError, match="kfold needs validation images"):
        Split(repeat="kfold", validation=0)


def test_three_images_are_enough():
    assert counts(make_index(3)) == {"train": 1, "val": 1, "test": 1}


def test_describe_counts_images_and_groups():
    index = make_index(30, stratum=["a"] * 15 + ["b"] * 15, group=[f"g{n // 3}" for n in range(30)])
    split = make_split(index, Split(), 0)
    described = describe_split(split, index)
    assert sum(described["subsets"].values()) == described["images"] == 30
    assert sum(described["groups"].values()) == 10
    assert {s: sum(c.values()) for s, c in described["strata"].items()} == {"a": 15, "b": 15}
    assert described["rule"] == {"val": "carved", "test": "carved"}


def test_ungrouped_parts_groups_keeps_strata_and_counts_the_leak():
    index = make_index(120, stratum=["a"] * 60 + ["b"] * 60, group=[f"g{n // 6}" for n in range(120)])
    whole, parted = (make_split(index, Split(grouped=grouped), 0) for grouped in (True, False))
    subsets = parted.groupby(index["group"])["subset"].nunique()
    assert (subsets > 1).sum() > 10 and (whole.groupby(index["group"])["subset"].nunique() == 1).all()
    assert parted.groupby(index["stratum"])["subset"].value_counts().unstack()["test"].to_dict() == {"a": 12, "b": 12}
    trained = set(index["group"][parted["subset"] == "train"])
    shared = int(index["group"][parted["subset"] == "test"].isin(trained).sum())
    assert describe_split(parted, index)["test_in_training"] == shared > 20
    assert describe_split(whole, index)["test_in_training"] == 0
    pd.testing.assert_frame_equal(parted, make_split(index.assign(group=""), Split(), 0))


def test_words_for_captions():
    assert split_words(Split(), True) == (
        "official test set; validation 20% of the training images, new split per seed"
    )
    none = Split(repeat="fixed_split", validation=0)
    assert split_words(Split(), False, True) == "test 20% of all; official validation set, new split per seed"
    assert "fold is the test set; validation 20%" in split_words(Split(repeat="kfold"), False, True)
    assert split_words(none, True) == "official test set; no validation images, the same split for all seeds"
    fixed = Split(repeat="fixed_split", test=0.3)
    assert split_words(fixed, False) == "test 30% of all; validation 20% of the rest, the same split for all seeds"
    assert "5-fold cross-validation, the fold is the test set" in split_words(Split(repeat="kfold"), False)
    assert "the fold is the validation set" in split_words(Split(repeat="kfold"), True)


def test_a_data_set_without_any_mask_is_unlabelled_as_a_whole():
    assert set(make_split(make_index(9, mask=""), Split(), 0)["subset"]) == {"unlabelled"}

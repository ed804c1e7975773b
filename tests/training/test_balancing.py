"""Strata made equally frequent in training, and nowhere else."""

import copy
import json
import os
import signal
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segstudy.config.recipes import Augmentation, Recipe
from segstudy.core.errors import StudyError
from segstudy.data.store import open_store
from segstudy.runtime import signals
from segstudy.training import added_copies, checkpoint, sampler
from segstudy.training.inputs import load_inputs, strata_of
from tests.helpers import small_cell
from tests.helpers.trainer import bce, network, same, small

ROWS, STRATA = [7, 3, 9, 1, 4, 8, 2], ["polyp", "normal", "polyp", "polyp", "polyp", "polyp", "normal"]


def counts(epoch, seed=0):
    return Counter(sampler.balanced(ROWS, STRATA, seed, epoch).tolist())


def test_by_hand():
    """Five polyps once each; two normal images stand for five: twice each, and one of them a third time."""
    found = counts(epoch=1)
    assert {row: found[row] for row in (7, 9, 1, 4, 8)} == dict.fromkeys((7, 9, 1, 4, 8), 1)
    assert sorted((found[3], found[2])) == [2, 3]


def test_who_comes_once_more_is_drawn_by_seed_and_epoch():
    assert counts(epoch=3) == counts(epoch=3)
    threes = [tuple(row for row in (3, 2) if counts(epoch)[row] == 3) for epoch in range(1, 21)]
    assert set(threes) == {(3,), (2,)}
    assert threes != [tuple(row for row in (3, 2) if counts(epoch, seed=1)[row] == 3) for epoch in range(1, 21)]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), st.integers(1, 5))
def test_strata_are_equally_frequent_and_nobody_is_left_out(strata, epoch):
    rows = np.arange(len(strata)) + 100
    found = sampler.balanced(rows, strata, 0, epoch)
    of = dict(zip(rows.tolist(), strata, strict=True))
    largest = max(Counter(strata).values())
    assert Counter(of[row] for row in found.tolist()) == dict.fromkeys(strata, largest)
    times = Counter(found.tolist())
    for name in set(strata):
        visits = [times[row] for row in of if of[row] == name]
        assert min(visits) >= 1
        assert max(visits) - min(visits) <= 1


def test_one_stratum_is_visited_as_without_balance():
    assert sorted(sampler.balanced(ROWS, ["a"] * 7, 0, 1)) == sorted(ROWS)


def test_a_balanced_training_continues_with_its_bits(tmp_path):
    options = {"strata": ["a", "a", "a", "b"], "epochs": 4, "augmentation": {"flip_horizontal": 0.5, "noise": 0.1}}
    undisturbed = small(network(0.2), **options)
    assert undisturbed.images_seen == 4 * 6
    assert not same(undisturbed.weights, small(network(0.2), **options | {"strata": None}).weights)
    calls = 0

    def stopping(*arguments):
        nonlocal calls
        calls += arguments[0].requires_grad
        if calls == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return bce(*arguments)

    slot = checkpoint.ResumeCheckpoint(tmp_path, {})
    with pytest.raises(signals.Interrupted):
        small(network(0.2), stopping, slot, **options)
    continued = small(network(0.2), slot=slot, **options)
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small_cell.write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(autouse=True)
def torch_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)


def index(path, strata):
    table = pd.DataFrame({"sample": [f"s{row:02d}" for row in range(16)], "stratum": strata})
    table.to_csv(path, index=False)
    return path


def settings(**recipe):
    changed = copy.deepcopy(small_cell.SETTINGS)
    changed["recipe"] |= {"epochs": 2, "balance": "strata"} | recipe
    return changed


def test_a_cell_records_its_strata_and_the_index_it_read(inputs, tmp_path):
    strata = ["rare" if row < 3 else "common" for row in range(16)]  # rows 0 to 2 are in training, with seven others
    small_cell.run(inputs, tmp_path, settings(crops_per_image=2), index=index(tmp_path / "index.csv", strata))
    record = json.loads((tmp_path / "run.json").read_text())
    wanted = {"common": {"images": 7, "per_epoch": 14}, "rare": {"images": 3, "per_epoch": 14}}
    assert record["strata"] == wanted
    assert record["images_seen"] == 2 * 28
    assert record["images"]["train"] == 10
    assert "index" in record["data"]


def test_a_cell_without_balance_neither_reads_nor_records_an_index(inputs, tmp_path):
    small_cell.run(inputs, tmp_path, settings(balance="none"))
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["strata"] == {}
    assert "index" not in record["data"]


@pytest.mark.parametrize(
    ("strata", "lacking", "named"),
    [
        ([""] * 16, 10, "s00, s01, s02, s05, s06 ..."),
        (["a"] * 10 + [""] * 6, 4, "s10, s11, s12, s15"),
    ],
)
def test_images_without_a_stratum_are_named(inputs, tmp_path, strata, lacking, named):
    with pytest.raises(StudyError, match=rf"{lacking} of 10 training images have none \({named}\)") as caught:
        small_cell.run(inputs, tmp_path, settings(), index=index(tmp_path / "index.csv", strata))
    assert "balance: none" in caught.value.remedy


def test_strata_of_rows_follow_the_names_not_the_order(inputs, tmp_path):
    path = index(tmp_path / "index.csv", [f"of{row}" for row in range(16)])
    pd.read_csv(path).sample(frac=1, random_state=0).to_csv(path, index=False)
    assert strata_of(open_store(inputs[0]), path, np.array([4, 0])) == ["of4", "of0"]


ADDED = {"balance": {"augment": "added_only"}, "augmentation": {"flip_horizontal": 1.0, "brightness": [0.5, 0.5]}}


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=40))
def test_copies_bring_every_stratum_to_the_largest_and_the_largest_gets_none(strata):
    rows = np.arange(len(strata)) + 100
    copied = added_copies.copied_rows(rows, strata, 0)
    of = dict(zip(rows.tolist(), strata, strict=True))
    before, largest = Counter(strata), max(Counter(strata).values())
    added = Counter(of[row] for row in copied.tolist())
    assert {name: before[name] + added[name] for name in before} == dict.fromkeys(before, largest)
    times = Counter(copied.tolist())
    for name in before:
        visits = [times[row] for row in of if of[row] == name]
        assert max(visits) - min(visits) <= 1


def test_added_copies_are_augmented_and_the_images_stay_as_they_are(inputs, tmp_path):
    """Every image is mirrored and half as bright in its copy; the seven common images and the three rare are not."""
    strata = index(tmp_path / "index.csv", ["rare" if row < 3 else "common" for row in range(16)])
    store, recipe = open_store(inputs[0]), Recipe.model_validate(ADDED)
    found = load_inputs(store, inputs[1], recipe, 0, strata)
    images, masks, rois = (np.asarray(array) for array in found.arrays)
    first = len(store.images)
    assert (images[:first] == store.images).all() and (masks[:first] == store.masks).all()
    assert len(images) - first == found.further_images["copies"] == 4 and found.originals == 10
    assert found.train_rows[-4:].tolist() == [first, first + 1, first + 2, first + 3]
    for row, name in zip(range(first, first + 4), found.names[first:], strict=True):
        source = found.names.index(name.removesuffix(" (copy)"))
        assert source < 3, "the rare ones alone are copied"
        assert (masks[row] == store.masks[source][:, ::-1]).all() and (rois[row] == store.rois[source]).all()
        assert np.abs(images[row].astype(float) - store.images[source][:, ::-1] / 2.0).max() <= 0.51
    assert Counter(found.strata) == {"rare": 7, "common": 7}
    assert recipe.in_training.augmentation == Augmentation(), "the loop changes nothing more"


def test_a_cell_with_added_copies_records_what_it_saw(inputs, tmp_path):
    strata = index(tmp_path / "index.csv", ["rare" if row < 3 else "common" for row in range(16)])
    small_cell.run(inputs, tmp_path, settings(**ADDED), index=strata)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["images"] == {"train": 10, "val": 3, "copies": 4}
    assert record["strata"] == {"common": {"images": 7, "per_epoch": 7}, "rare": {"images": 3, "per_epoch": 7}}
    assert record["images_seen"] == 2 * 14

"""Which images keep their labels when a recipe uses a share of them."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from segstudy.data.subsets import labelled_rows
from tests.helpers import small_cell


def chosen(share, images=40, strata=None, shuffle=None):
    rows = np.arange(100, 100 + images)
    names = [f"s{row}" for row in rows]
    strata = strata or [""] * images
    order = np.random.default_rng(shuffle).permutation(images) if shuffle is not None else np.arange(images)
    found = labelled_rows(rows[order], [names[i] for i in order], [strata[i] for i in order], share)
    return {f"s{row}" for row in found}


def test_smaller_shares_lie_in_larger_ones_and_all_is_all():
    shares = [0.01, 0.05, 0.1, 0.25, 0.5, 1]
    sets = [chosen(share) for share in shares]
    assert [len(found) for found in sets] == [1, 2, 4, 10, 20, 40]
    assert all(small <= large for small, large in pairwise(sets))
    assert len(chosen(0.001, images=3)) == 1


def test_strata_keep_their_proportions_in_every_share():
    strata = ["a"] * 20 + ["b"] * 10 + ["c"] * 10
    for share in (0.1, 0.25, 0.5, 0.75):
        counts = Counter(strata[int(name[1:]) - 100] for name in chosen(share, strata=strata))
        for name, total in (("a", 20), ("b", 10), ("c", 10)):
            assert abs(counts[name] - share * total) <= 1, (share, counts)


def test_the_draw_follows_the_images_not_their_order():
    assert chosen(0.25) == chosen(0.25, shuffle=3)
    assert chosen(0.25) != chosen(0.25, images=41)
    rows = labelled_rows(np.array([9, 3, 7, 1]), list("wxyz"), [""] * 4, 0.5)
    assert [row for row in (9, 3, 7, 1) if row in rows] == rows.tolist(), "in the order they had"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small_cell.write_inputs(tmp_path_factory.mktemp("inputs"), images=10, side=16)


def test_a_cell_learns_from_its_share_alone_and_its_record_names_it(inputs, tmp_path):
    index = tmp_path / "index.csv"
    samples = [f"s{row:02d}" for row in range(10)]
    pd.DataFrame({"sample": samples, "stratum": ["x", "y"] * 5, "group": ""}).to_csv(index, index=False)
    settings = json.loads(json.dumps(small_cell.SETTINGS))
    settings["recipe"] |= {"epochs": 1, "labels": 0.34}
    small_cell.run(inputs, tmp_path / "cell", settings, index=index)
    record = json.loads((tmp_path / "cell" / "run.json").read_text())
    assert record["labels"]["images"] == record["images"]["train"] == 2 and record["labels"]["of"] == 6
    assert set(record["labels"]["samples"]) < {"s00", "s01", "s02", "s05", "s06", "s07"}
    assert record["images_seen"] == 2 and "index" in record["data"]
    masks = np.load(inputs[0] / "masks.npy")[[samples.index(name) for name in record["labels"]["samples"]]]
    assert record["class_pixels"] == [int((masks == 0).sum()), int((masks == 1).sum())]

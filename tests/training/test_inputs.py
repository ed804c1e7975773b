"""What a training is given: where pixels count, for cells that look at masks and for those that do not."""

import json

import numpy as np
import pytest

from segstudy.config.recipes import Recipe
from segstudy.data.store import open_store
from segstudy.training.inputs import Unlabelled, load_inputs
from tests.helpers import small_cell


@pytest.fixture
def with_void(tmp_path):
    """A store whose masks are void in their upper third."""
    store, split = small_cell.write_inputs(tmp_path)
    counted = np.load(store / "rois.npy")
    counted[:, :10] = 0
    np.save(store / "counted.npy", counted)
    meta = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps(meta | {"void": [255]}))
    return store, split, counted


def test_void_is_left_out_where_masks_are_looked_at_and_nowhere_else(with_void):
    path, split, counted = with_void
    store = open_store(path)
    inputs = load_inputs(store, split, Recipe(), 0)
    np.testing.assert_array_equal(inputs.arrays[2], counted)
    rows = inputs.train
    expected = [((store.masks[rows] == value) & (counted[rows] > 0)).sum() for value in (0, 1)]
    assert list(inputs.statistics.pixels) == expected
    denoising = load_inputs(store, split, Recipe.model_validate({"denoising": {}}), 0)
    np.testing.assert_array_equal(denoising.arrays[2], store.rois)
    student = Recipe.model_validate({"labels": 0.5, "consistency": {"unlabelled": "mine"}})
    inputs = load_inputs(store, split, student, 0, None, Unlabelled(path, split))
    np.testing.assert_array_equal(inputs.arrays[2], counted)
    np.testing.assert_array_equal(inputs.task.arrays[2], store.rois)


def test_masks_and_logits_in_void_change_no_weight(with_void, tmp_path):
    """Two trainings whose masks differ in void alone end with the same bytes."""
    store, split, counted = with_void
    small_cell.run((store, split), tmp_path / "one", small_cell.SETTINGS)
    masks = np.load(store / "masks.npy")
    np.save(store / "masks.npy", np.where(counted > 0, masks, 1 - masks))
    small_cell.run((store, split), tmp_path / "two", small_cell.SETTINGS)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert (tmp_path / "one/history.csv").read_bytes() == (tmp_path / "two/history.csv").read_bytes()

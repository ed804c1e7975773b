"""A training whose outputs Snakemake deleted, since a later job of the same submission failed, is not trained again."""

import os

import pytest

from segstudy.training.kept_outputs import KeptOutputs
from tests.helpers import small_cell


@pytest.fixture
def inputs(tmp_path):
    return small_cell.write_inputs(tmp_path / "inputs")


@pytest.fixture
def steps(monkeypatch):
    """Return a list that grows with every step."""
    from segstudy.training import trainer

    taken, real = [], trainer.training_step
    monkeypatch.setattr(trainer, "training_step", lambda *args: taken.append(1) or real(*args))
    return taken


def test_what_was_published_is_put_back_without_a_step(inputs, tmp_path, steps):
    kept = KeptOutputs.of_training(tmp_path / "resume")
    small_cell.run(inputs, tmp_path, kept=kept)
    outputs = small_cell.outputs(tmp_path).values()
    before, taken = [path.read_bytes() for path in outputs], len(steps)
    assert taken
    for path in outputs:
        path.unlink()
    small_cell.run(inputs, tmp_path, kept=kept)
    assert [path.read_bytes() for path in outputs] == before
    assert len(steps) == taken


@pytest.mark.parametrize("change", [{"seed": 2}, {"code": "other"}])
def test_another_training_is_trained(inputs, tmp_path, steps, change):
    kept = KeptOutputs.of_training(tmp_path / "resume")
    small_cell.run(inputs, tmp_path, kept=kept)
    taken = len(steps)
    small_cell.run(inputs, tmp_path, kept=kept, **change)
    assert len(steps) == 2 * taken


def test_half_kept_is_not_kept(inputs, tmp_path, steps):
    kept = KeptOutputs.of_training(tmp_path / "resume")
    small_cell.run(inputs, tmp_path, kept=kept)
    taken = len(steps)
    (kept.path / "history").unlink()
    small_cell.run(inputs, tmp_path, kept=kept)
    assert len(steps) == 2 * taken


def test_a_damaged_output_does_not_reach_what_is_kept(inputs, tmp_path):
    """Published files are replaced, never written into; and what is put back is a copy."""
    kept = KeptOutputs.of_training(tmp_path / "resume")
    small_cell.run(inputs, tmp_path, kept=kept)
    model = small_cell.outputs(tmp_path)["model"]
    content = model.read_bytes()
    os.remove(model)
    small_cell.run(inputs, tmp_path, kept=kept)
    model.write_bytes(b"damaged")
    assert (kept.path / "model").read_bytes() == content

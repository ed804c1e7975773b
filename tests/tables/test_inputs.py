"""What the rules hand over reaches the tables as the functions take it."""

import inspect
import json
from types import SimpleNamespace

import pytest

from segstudy.config.cell import Cell
from segstudy.core.files import write_json
from segstudy.tables.by_class import compare_classes
from segstudy.tables.by_group import compare_strata
from segstudy.tables.inputs import gain_inputs, table_inputs
from segstudy.tables.pairwise import compare_pairs
from segstudy.tables.results import compare
from segstudy.tables.variants import gains_of
from tests.helpers.of_captions import MET

CELLS = [Cell("drive", "unet", "bce", "default", seed) for seed in (0, 1)]


@pytest.fixture
def snakemake(tmp_path):
    check = tmp_path / "data/drive/checks/seed0.json"
    split = {"rule": {"val": "carved", "test": "official"}, "test_in_training": 0, "subsets": {"test": 20}}
    write_json(check, MET | {"accepted": [], "split": split})
    gains = gains_of(CELLS, flips=True, together=True)
    params = {"cells": CELLS, "pairs": [("drive", 0), ("drive", 1)], "question": "Which?", "policy": "fixed"}
    params |= {"gains": gains, "datasets": {"drive": {"reader": "drive", "region": "roi"}}, "chains": {}}
    files = {"counts": ["0.csv", "1.csv"], "controls": ["c0.csv", "c1.csv"], "checks": [check]}
    return SimpleNamespace(
        params=SimpleNamespace(**json.loads(json.dumps(params))),  # Snakemake makes lists of them
        input=SimpleNamespace(**files, gains=[f"g{i}.csv" for i in range(len(gains))]),
        output={"csv": "x.csv"},
        wildcards=SimpleNamespace(experiment="losses"),
    )


def test_cells_and_controls_have_their_counts(snakemake):
    found = table_inputs(snakemake)
    assert found["cells"] == list(zip(CELLS, ["0.csv", "1.csv"], strict=True))
    assert found["controls"] == [("drive", 0, "c0.csv"), ("drive", 1, "c1.csv")]
    assert found["regions"] == {"drive": "roi"} and found["outputs"] == {"csv": "x.csv"}
    assert "copies sought among 1,320 pairs" in found["protocols"]["drive"]["split"]
    gains = gain_inputs(snakemake)
    assert [gain.cell.recipe for gain, _ in gains][-1] == "default + flips, 2 seeds together"
    assert [path for _, path in gains] == ["g0.csv", "g1.csv", "g2.csv", "g3.csv"]


@pytest.mark.parametrize("function", [compare, compare_pairs, compare_classes, compare_strata])
def test_every_table_takes_them(snakemake, function):
    assert set(table_inputs(snakemake)) <= set(inspect.signature(function).parameters)


def test_a_file_too_few_is_an_error(snakemake):
    snakemake.input.counts.pop()
    with pytest.raises(ValueError, match="shorter"):
        table_inputs(snakemake)

"""What the rules hand over reaches the tables as the functions take it."""

import json
from types import SimpleNamespace

import pytest

from segstudy.config.cell import Cell
from segstudy.core.files import write_json
from segstudy.tables.inputs import figure_inputs, table_inputs
from segstudy.tables.variants import variants_of
from tests.helpers.captions import MET

CELLS = [Cell("drive", "unet", "bce", "default", seed) for seed in (0, 1)]


@pytest.fixture
def snakemake(tmp_path):
    check = tmp_path / "data/drive/checks/seed0.json"
    split = {"rule": {"val": "carved", "test": "official"}, "test_in_training": 0, "subsets": {"test": 20}}
    write_json(check, MET | {"accepted": [], "split": split})
    variants = variants_of(CELLS, flips=True, together=True)
    params = {"cells": CELLS, "pairs": [("drive", 0), ("drive", 1)], "question": "Which?", "policy": "fixed"}
    params |= {"variants": variants, "datasets": {"drive": {"reader": "drive", "region": "roi"}}, "chains": {}}
    files = {"counts": ["0.csv", "1.csv"], "controls": ["c0.csv", "c1.csv"], "checks": [check]}
    return SimpleNamespace(
        params=SimpleNamespace(**json.loads(json.dumps(params))),  # Snakemake makes lists of them
        input=SimpleNamespace(**files, variants=[f"v{i}.csv" for i in range(len(variants))]),
        output={"csv": "x.csv"},
        wildcards=SimpleNamespace(experiment="losses"),
    )


def test_cells_and_controls_have_their_counts(snakemake):
    inputs = table_inputs(snakemake)
    assert inputs.cells == list(zip(CELLS, ["0.csv", "1.csv"], strict=True))
    assert inputs.controls == [("drive", 0, "c0.csv"), ("drive", 1, "c1.csv")]
    assert inputs.regions == {"drive": "roi"} and inputs.outputs == {"csv": "x.csv"}
    assert (inputs.experiment, inputs.question, inputs.policy, inputs.phantoms) == ("losses", "Which?", "fixed", [])
    assert "copies sought among 1,320 pairs" in inputs.protocols["drive"]["split"]
    assert inputs.variants[-1][0].cell.recipe == "default + flips, 2 seeds together"
    assert [path for _, path in inputs.variants] == ["v0.csv", "v1.csv", "v2.csv", "v3.csv"]


def test_a_drawn_data_set_is_a_phantom(snakemake):
    snakemake.params.datasets["drive"]["phantom"] = {}
    assert table_inputs(snakemake).phantoms == ["drive"]


def test_a_figure_takes_the_same_files_and_may_do_without_some(snakemake):
    snakemake.params.regions, snakemake.params.phantoms = {"drive": "full"}, ["drive"]
    drawn, table = figure_inputs(snakemake), table_inputs(snakemake)
    assert (drawn.cells, drawn.controls, drawn.variants) == (table.cells, table.controls, table.variants)
    assert (drawn.regions, drawn.phantoms) == ({"drive": "full"}, ["drive"])
    del snakemake.params.variants, snakemake.input.variants, snakemake.params.pairs, snakemake.input.controls
    assert (figure_inputs(snakemake).variants, figure_inputs(snakemake).controls) == ([], [])


def test_a_file_too_few_is_an_error(snakemake):
    snakemake.input.counts.pop()
    with pytest.raises(ValueError, match="shorter"):
        table_inputs(snakemake)

"""Helpers of the tests of denoising, which other tests use too."""

import pandas as pd
import pytest

from tests.helpers import small_cell

SETTINGS = {
    "model": {"network": "unet", "depth": 2, "width": 4},
    "loss": {"loss": "mse"},
    "recipe": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01, "denoising": {"speckle": None}},
}


@pytest.fixture
def unlabelled(tmp_path):
    """Store, split and index of images without any mask."""
    store, split = small_cell.write_inputs(tmp_path / "inputs", images=10)
    geometry = pd.read_csv(store / "geometry.csv")
    geometry.assign(labelled=0).to_csv(store / "geometry.csv", index=False)
    table = pd.read_csv(split).assign(subset="unlabelled")
    table.to_csv(split, index=False)
    index = tmp_path / "inputs/index.csv"
    groups = [f"p{i // 2}" for i in range(10)]
    pd.DataFrame({"sample": table["sample"], "stratum": "", "group": groups}).to_csv(index, index=False)
    return store, split, index

"""What a whole study is: the demo, and which pictures are drawn without being asked for."""

from pathlib import Path

import pytest

from segstudy.config.load import load_study, read_config
from segstudy.study import targets

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo():
    files = [ROOT / "config.yaml", ROOT / "studies/demo.yaml"]
    return load_study(read_config(*files), files)


def test_a_network_is_sketched_for_the_first_data_set_that_uses_it(demo):
    wanted = [f"results/demo/figures/networks/ph2/{model}.png" for model in ("encdec", "unet")]
    assert [path for path in targets.pictures(demo) if "/networks/" in path] == wanted
    assert targets.networks(demo, "{dataset}/{model}") == [
        "results/demo/ph2/encdec",
        "results/demo/ph2/unet",
    ]


def test_the_demo_shows_what_a_study_has_with_few_trainings(demo):
    """Two data sets, networks, losses and seeds; more than twelve trainings are more than a first look may take."""
    kinds = [{getattr(cell, name) for cell in demo.cells} for name in ("dataset", "model", "loss", "seed")]
    assert [len(kind) for kind in kinds] == [2, 2, 2, 2]
    assert len(demo.cells) <= 12
    assert all(demo.recipe(cell.dataset, cell.recipe).early_stopping.patience for cell in demo.cells)

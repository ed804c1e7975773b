"""What a study asks of its data sets, from the studies that are kept here."""

from pathlib import Path

from segstudy.config.load import load_study, merged, read_config
from segstudy.study.targets import balances

ROOT = Path(__file__).parents[2]


def test_the_card_counts_the_strata_of_recipes_that_balance_them():
    files = [ROOT / "config.yaml", ROOT / "studies/ebhi.yaml"]
    study = load_study(merged(read_config(*files), {}), files)
    split = study.dataset_settings("ebhi_cases", "split")["split"]
    assert balances(study, "ebhi_cases") == [
        {"recipes": ["added_copies"], "adds_copies": True, "seed": 0, "split": split},
        {"recipes": ["balanced_only", "balanced"], "adds_copies": False, "seed": 0, "split": split},
    ]
    assert balances(study, "ebhi_cases_128") == [
        {"recipes": ["added_copies"], "adds_copies": True, "seed": 0, "split": split}
    ]
    assert study.evaluation.fixed == {"fixed": 0.5, "fixed_0.3": 0.3, "fixed_0.7": 0.7}


def test_the_demo_shows_what_a_study_has_with_few_trainings():
    """Two data sets, networks, losses and seeds; more than twelve trainings are more than a first look may take."""
    files = [ROOT / "config.yaml", ROOT / "studies/demo.yaml"]
    study = load_study(read_config(*files), files)
    kinds = [{getattr(cell, name) for cell in study.cells} for name in ("dataset", "model", "loss", "seed")]
    assert [len(kind) for kind in kinds] == [2, 2, 2, 2]
    assert len(study.cells) <= 12
    assert all(study.recipe(cell.dataset, cell.recipe).early_stopping.patience for cell in study.cells)

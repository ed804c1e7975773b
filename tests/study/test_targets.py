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

"""Rows that cost no training: mirror images averaged, seeds together, and the upper bound beside them."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

ROW = "drive/unet/bce/default"


@pytest.fixture(scope="module")
def gained(tmp_path_factory):
    from tests.helpers.study_copies import new_copy

    copy = new_copy(tmp_path_factory.mktemp("gained"))
    copy.study["evaluation"] = {"tta": "flips", "ensemble": True, "policies": ["fixed", "validation", "oracle"]}
    copy.study["experiments"]["losses"] |= {"datasets": ["drive"], "losses": ["bce"]}
    wanted = ("tables/losses.html", "tables/losses.comparisons.html", "figures/losses/ranking.png")
    outcome = copy.snakemake(*(f"results/tiny/{path}" for path in wanted))
    assert outcome.code == 0, outcome.text
    assert outcome.jobs["train"] == outcome.jobs["predict_flips"] == 2
    assert outcome.jobs["ensemble"] == outcome.jobs["measure_ensemble"] == 2
    return copy


def table(copy):
    rows = pd.read_csv(copy.file("results/tiny/tables/losses.csv"))
    return rows[rows["row"] == "cell"].set_index("recipe")


@pytest.mark.slow
def test_each_stands_beside_its_row_with_the_same_images(gained):
    rows = table(gained)
    assert list(rows.index) == [
        "default",
        "default + flips",
        "default, 2 seeds together",
        "default + flips, 2 seeds together",
    ]
    assert rows["seeds"].tolist() == [2, 2, 1, 1]
    assert rows["test_images"].nunique() == 1
    assert rows["seconds_mean"].notna().tolist() == [True, False, False, False]
    assert rows["test_dice_mean"].nunique() > 1
    text = gained.file("results/tiny/tables/losses.md").read_text()
    assert "'+ flips'" in text and "'seeds together'" in text


@pytest.mark.slow
def test_its_gain_is_compared_and_ranked(gained):
    pairs = pd.read_csv(gained.file("results/tiny/tables/losses.comparisons.csv"))
    means = table(gained)["test_dice_mean"]
    assert list(pairs["recipe_a"]) == list(means.index[1:]) and set(pairs["recipe_b"]) == {"default"}
    assert list(pairs["difference"]) == pytest.approx(list(means.iloc[1:] - means.iloc[0]))
    ranked = pd.read_csv(gained.file("results/tiny/tables/losses.ranking.csv"))
    gains = ranked[ranked["row"] == "gain"].set_index("recipe")["mean"]
    assert gains.to_dict() == pytest.approx(means.iloc[1:].to_dict())


@pytest.mark.slow
def test_the_ensemble_is_the_mean_of_the_files_of_its_seeds(gained):
    def levels(folder):
        files = sorted(gained.file(f"results/tiny/{folder}/probabilities").glob("*.png"))
        return np.stack([np.asarray(Image.open(file)).astype(float) for file in files])

    for views in ("", "/tta"):
        seeds = [levels(f"cells/{ROW}/seed{seed}{views}") for seed in (0, 1)]
        assert not np.array_equal(*seeds)
        together = levels(f"ensembles/{ROW}/seeds0-1{views}")
        assert np.abs(together - np.mean(seeds, axis=0)).max() <= 0.5 + 1e-2


@pytest.mark.slow
def test_no_tuned_row_exceeds_its_upper_bound(gained):
    tidy = pd.read_csv(gained.file("results/tiny/tables/losses.tidy.csv"))
    own = tidy[(tidy["subset"] == "test") & (tidy["region"] == "roi") & (tidy["row"] == "cell")]
    own = own[(own["metric"] == "dice") & (own["averaging"] == "image")]
    wide = own.pivot(index="recipe", columns="policy", values="mean")
    assert (wide["oracle"] >= wide[["fixed", "validation"]].max(axis=1) - 1e-12).all()
    assert table(gained)["test_dice_oracle_mean"].to_dict() == pytest.approx(wide["oracle"].to_dict())


def test_splits_that_differ_between_seeds_end_the_run_with_a_message(fresh):
    fresh.study["evaluation"] = {"ensemble": True}
    outcome = fresh.snakemake("-n")
    assert outcome.code == 1
    assert "those of ph2 have different splits" in " ".join(outcome.text.split())
    assert "Traceback" not in outcome.text


def test_asking_for_gains_trains_nothing_and_predicts_nothing_again(changed):
    changed.study["evaluation"] = {"tta": "flips", "policies": ["fixed", "validation", "oracle"]}
    plan = changed.plan("results/tiny/tables/losses.html")
    assert not plan.trained and plan.jobs["predict"] == 0
    assert plan.jobs["predict_flips"] == plan.jobs["measure_flips"] == plan.jobs["measure"] == 8

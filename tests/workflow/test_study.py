"""The tiny study from drawn data to tables, and what a second call does."""

import json

import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.core.files import read_csv
from tests.helpers import results
from tests.helpers.consistency import contradicts, tidy_scores, wide_scores

CELL = "results/tiny/cells/drive/unet/focal/default/seed0"


def test_everything_is_there(finished):
    for path in (
        "results/tiny/tables/losses.csv",
        "results/tiny/tables/losses.md",
        "results/tiny/tables/losses.tex",
        "results/tiny/tables/losses.html",
        "results/tiny/tables/losses.strata.csv",
        "results/tiny/tables/losses.strata.html",
        "results/tiny/tables/losses.comparisons.csv",
        "results/tiny/tables/losses.comparisons.html",
        "results/tiny/tables/losses.annotators.csv",
        "results/tiny/tables/losses.annotators.html",
        "results/tiny/tables/losses.ranking.csv",
        "results/tiny/figures/losses/ranking.svg",
        "results/tiny/figures/losses/strips.png",
        "results/tiny/figures/losses/curves.png",
        "results/tiny/figures/losses/ablation.svg",
        "results/tiny/figures/gallery/ph2/unet/bce/default/seed0.jpg",
        "results/tiny/figures/networks/drive/unet.svg",
        "results/tiny/figures/augmented/drive/default/seed0.png",
        "results/tiny/data/ph2/card.md",
        f"{CELL}/model.safetensors",
        f"{CELL}/history.csv",
        f"{CELL}/run.json",
        f"{CELL}/counts.csv",
    ):
        assert finished.file(path).stat().st_size > 0, path


def test_no_resume_state_is_left(finished):
    assert not [p for p in finished.file("results/tiny").rglob("state.pt*")]


def test_a_second_call_has_nothing_to_do(finished):
    outcome = finished.snakemake()
    assert outcome.code == 0
    assert "Nothing to be done" in outcome.text
    assert not outcome.jobs


def test_counts_add_up_to_the_images(finished):
    counts = read_csv(finished.file(f"{CELL}/counts.csv"))
    index = read_csv(finished.file("results/tiny/data/drive/index.csv")).set_index("sample")
    pixels = counts[["tp", "fp", "fn", "tn"]].sum(axis=1)
    full = counts["region"] == "full"
    size = (index["width"] * index["height"]).loc[counts["sample"]].to_numpy()
    assert (pixels[full] == size[full]).all()
    assert (pixels[~full] < size[~full]).all()
    assert set(counts["subset"]) == {"train", "val", "test"}


def test_the_table_repeats_the_counts(finished):
    dice = []
    for seed in (0, 1):
        counts = read_csv(finished.file(f"{CELL[:-1]}{seed}/counts.csv"))
        own = counts.query("subset == 'test' and region == 'roi' and policy == 'fixed'")
        values = 2 * own["tp"] / (2 * own["tp"] + own["fp"] + own["fn"])
        dice.append(values.mean())
    table = pd.read_csv(finished.file("results/tiny/tables/losses.csv"))
    row = table.query("dataset == 'drive' and model == 'unet' and loss == 'focal'").iloc[0]
    assert row["test_dice_mean"] == pytest.approx(sum(dice) / 2, abs=1e-9)


def sizes_of(finished, dataset, seed, subset="test", region="roi"):
    """(pixels of the object, other pixels) of each image of a subset, by the counts of one cell."""
    counts = read_csv(finished.file(f"results/tiny/cells/{dataset}/unet/focal/default/seed{seed}/counts.csv"))
    region = region if region in set(counts["region"]) else "full"
    own = counts.query("subset == @subset and region == @region and policy == 'fixed'")
    return list(zip(own["tp"] + own["fn"], own["fp"] + own["tn"], strict=True))


def test_no_row_of_a_table_contradicts_itself(finished):
    """Every binary row of every table that the study writes, at every policy, on every subset, in every region."""
    tables = finished.file("results/tiny/tables")
    tested = 0
    keys = ["dataset", "subset", "region", "row", "model", "loss", "recipe", "class", "policy"]
    tidy = tidy_scores(read_csv(tables / "losses.tidy.csv"), keys)
    for (dataset, subset, region, *names), scores in tidy.items():
        images = [sizes_of(finished, dataset, seed, subset, region) for seed in (0, 1)]
        assert contradicts(scores, images) == set(), (dataset, subset, region, names)
        tested += 1
    assert {key[0] for key in tidy} == {"ph2", "drive"} and {key[1] for key in tidy} == {"train", "val", "test"}
    wide = [read_csv(tables / f"losses{kind}.csv").to_dict("records") for kind in ("", ".thresholds")]
    for row in (row for rows in wide for row in rows):
        images = [sizes_of(finished, row["dataset"], seed) for seed in (0, 1)]
        assert contradicts(wide_scores(row), images) == set(), row
        assert contradicts(wide_scores(row), images, {"accuracy": 0.05})
        tested += 1
    annotators = read_csv(tables / "losses.annotators.csv").query("against == 'human 1'")
    for names, part in annotators.groupby(["model", "loss"]):
        images = [sizes_of(finished, "drive", 0)] * int(part["seeds"].max())
        scores = {"mean": part.set_index("metric")["mean"].to_dict()}
        assert contradicts(scores, images) == set(), names
        tested += 1
    assert tested > 50


@pytest.fixture(scope="module")
def one_seed(finished, tmp_path_factory):
    """The results table of the study's first seed alone: only there all four scores are of one confusion matrix."""
    folder, study = tmp_path_factory.mktemp("one-seed"), finished.file("results/tiny")
    cells = [Cell(data, "unet", loss, "default", 0) for data in ("ph2", "drive") for loss in ("bce", "focal")]
    counts = [(cell, study / f"cells/{cell.path}/counts.csv") for cell in cells]
    controls = [(data, 0, study / f"controls/{data}/seed0.csv") for data in ("ph2", "drive")]
    return results.run(folder, counts, controls)["wide"].to_dict("records")


def test_every_row_of_one_seed_is_one_confusion_matrix(finished, one_seed):
    assert len(one_seed) > 8
    for row in one_seed:
        images = [sizes_of(finished, row["dataset"], 0)]
        assert contradicts(wide_scores(row), images) == set(), row["model"]


@pytest.mark.parametrize("metric", ["accuracy", "sensitivity", "specificity", "dice"])
def test_a_false_score_of_any_network_is_found(finished, one_seed, metric):
    networks = [row for row in one_seed if row["row"] == "cell"]
    for row in networks:
        assert "pooled" in contradicts(wide_scores(row), [sizes_of(finished, row["dataset"], 0)], {metric: 0.01}), row


def test_humans_against_each_other_are_the_control_row(finished):
    """The table of annotators reads masks, the table of results counts: two ways to one number."""
    table = pd.read_csv(finished.file("results/tiny/tables/losses.csv"))
    row = table.query("dataset == 'drive' and model == 'second_human'").iloc[0]
    network = table.query("dataset == 'drive' and model == 'unet' and loss == 'focal'").iloc[0]
    annotators = pd.read_csv(finished.file("results/tiny/tables/losses.annotators.csv"))
    assert set(annotators["dataset"]) == {"drive"}
    values = annotators.set_index(["model", "against", "metric"])["mean"].sort_index()
    for metric in ("dice", "sensitivity", "precision"):
        assert values["human 2", "human 1", metric] == pytest.approx(row[f"test_{metric}_mean"], abs=1e-9)
    own = annotators.query("model == 'unet' and loss == 'focal' and against == 'human 1' and metric == 'dice'").iloc[0]
    assert own["mean"] == pytest.approx(network["test_dice_mean"], abs=1e-9)
    assert own["sd"] == pytest.approx(network["test_dice_sd"], abs=1e-9)


def test_control_rows_stand_in_the_table(finished):
    table = pd.read_csv(finished.file("results/tiny/tables/losses.csv"))
    controls = table[table["row"] == "control"]
    assert set(controls[controls["dataset"] == "drive"]["model"]) == {
        "all_background",
        "all_foreground",
        "random",
        "otsu",
        "frangi",
        "second_human",
    }
    assert not {"frangi", "second_human"} & set(controls[controls["dataset"] == "ph2"]["model"])


def test_drawn_data_is_marked(finished):
    for path in ("tables/losses.md", "tables/losses.html", "tables/losses.tex", "data/drive/card.md"):
        assert "PHANTOM" in finished.file(f"results/tiny/{path}").read_text(), path


def test_a_run_says_how_to_repeat_it(finished):
    run = json.loads(finished.file(f"{CELL}/run.json").read_text())
    assert run["settings"]["loss"] == {"loss": "focal", "gamma": 2.0, "alpha": 0.25, "form": "balanced"}
    assert run["packages"]["torch"] and run["code"] and run["data"]["split"] and run["device"]
    assert run["command"] == (
        f"snakemake --cores 1 --set-threads train=1 --configfile study.yaml --force -- {CELL}/model.safetensors"
    )


def test_the_command_of_a_run_gives_the_same_bytes_again(changed):
    paths = [changed.file(f"{CELL}/{name}") for name in ("model.safetensors", "history.csv")]
    before = [path.read_bytes() for path in paths]
    command = json.loads(changed.file(f"{CELL}/run.json").read_text())["command"]
    assert not changed.file("results/.trained").exists(), "the cell is trained, not taken over"
    outcome = changed.run(*command.split(), plain=True)
    assert outcome.code == 0, outcome.text
    assert outcome.trained == {"drive/unet/focal/0"}
    assert [path.read_bytes() for path in paths] == before


def test_the_report_is_one_file(finished):
    outcome = finished.snakemake("--report", "report.html")
    assert outcome.code == 0, outcome.text
    text = finished.file("report.html").read_text()
    assert "Tables" in text and "System Message" not in text

"""External test sets and corrupted images in a whole study: what is done for them, and that nothing is trained."""

import json

import pandas as pd
from PIL import Image

from segstudy.evaluation.threshold_files import read_thresholds

CELL = "results/tiny/cells/drive/unet/bce/default/seed0"


def with_external_set(study, **changes):
    """Add a data set of other drawn images, on which the vessel networks are tested too; return its block."""
    block = {"reader": "drive", "phantom": {"images": 6, "height": 96, "width": 96, "seed": 7}, "scale": 90}
    study["datasets"]["other"] = block | changes
    study["datasets"]["drive"]["scale"] = 60
    study["experiments"]["losses"] |= {"datasets": ["drive"], "tested_on": ["other"]}
    return study["datasets"]["other"]


def test_a_test_set_more_trains_nothing_and_its_images_are_measured_at_their_size(changed):
    with_external_set(changed.study)
    jobs = changed.plan().jobs
    assert jobs["measure_external"] == 4 and jobs["check_external"] == 2
    assert not {"train", "predict", "measure", "preprocess", "split", "check_split"} & set(jobs)

    outcome = changed.snakemake("results/tiny/tables/losses.external.csv", "results/tiny/figures/losses/matrix.png")
    assert outcome.code == 0, outcome.text
    table = pd.read_csv(changed.file("results/tiny/tables/losses.external.csv"))
    networks = table[table["row"] == "cell"]
    assert set(table["pair"]) == {"drive → drive", "drive → other"} and len(networks) == 4
    assert set(networks.loc[networks["own"] == 0, "images"]) == {6} and "otsu" in set(table["model"])
    counts = pd.read_csv(changed.file(f"{CELL}/on/other/counts.csv"))
    whole = counts[counts["region"] == "full"]
    assert set(whole["subset"]) == {"test"} and whole["sample"].nunique() == 6
    assert (whole[["tp", "fp", "fn", "tn"]].sum(axis=1) == 96 * 96).all()
    tuned = read_thresholds(changed.file(f"{CELL}/thresholds.json"))
    assert dict(zip(counts["policy"], counts["threshold"], strict=True)) == tuned
    checked = json.loads(changed.file("results/tiny/checks/external/other/drive/seed0.json").read_text())
    assert checked["measured"] == 6 and checked["pairs_compared"] > 0


def test_its_test_images_alone_are_measured_by_views_seeds_and_controls_too(changed):
    with_external_set(changed.study, external_images="test", split={"repeat": "fixed_split"})
    changed.study["experiments"]["losses"] |= {"losses": ["bce"]}
    changed.study["evaluation"] = {"tta": "flips", "ensemble": True, "controls": ["otsu", "second_human"]}
    targets = ("results/tiny/tables/losses.external.csv", "results/tiny/figures/losses/external_strips.png")
    outcome = changed.snakemake(*targets)
    assert outcome.code == 0, outcome.text
    assert "train" not in outcome.jobs
    for rule in ("measure_external", "measure_external_flips", "ensemble_external", "controls_external"):
        assert outcome.jobs[rule] == 2, rule
    split = pd.read_csv(changed.file("results/tiny/data/other/splits/seed0.csv"))
    test = sorted(split.loc[split["subset"] == "test", "sample"])
    ensemble = "results/tiny/ensembles/drive/unet/bce/default/seeds0-1"
    files = [f"{CELL}/on/other/counts.csv", f"{CELL}/on/other/tta/counts.csv", f"{ensemble}/on/other/tta/counts.csv"]
    for path in (*files, "results/tiny/controls/drive/seed0/on/other.csv"):
        assert sorted(set(pd.read_csv(changed.file(path))["sample"].astype(str))) == list(map(str, test)), path
    tuned = read_thresholds(changed.file(f"{ensemble}/tta/thresholds.json"))
    counts = pd.read_csv(changed.file(files[2]))
    assert dict(zip(counts["policy"], counts["threshold"], strict=True)) == tuned
    table = pd.read_csv(changed.file(targets[0]))
    there = table[table["own"] == 0]
    assert there["row"].tolist() == ["cell", "gain", "gain", "gain", "control", "control"]
    assert set(there["images"]) == {len(test)} and "second_human" in set(there["model"])
    assert Image.open(changed.file(targets[1])).size[1] > 3 * 240, "three images"


def test_an_image_that_networks_are_to_learn_from_stops_the_study_before_they_do(fresh):
    """The same pictures under another name, drawn from the same seed."""
    with_external_set(fresh.study, phantom={"images": 10, "height": 64, "width": 64, "seed": 0})
    fresh.study["experiments"]["losses"] |= {"losses": ["bce"], "seeds": 1}
    outcome = fresh.snakemake("results/tiny/tables/losses.external.csv", "--cores", "1")
    assert outcome.code == 1
    assert "the check of other has" in outcome.text and "networks of drive/seed0 were trained on it" in outcome.text
    assert outcome.jobs["check_external"] == 1 and "train" not in outcome.jobs


def test_what_the_sources_of_a_network_have_seen_is_checked_too(fresh):
    with_external_set(fresh.study)
    fresh.study["recipes"]["tuned"] = {"start_from": {"recipe": "default", "dataset": "ph2"}}
    fresh.study["experiments"]["losses"] |= {"recipes": ["default", "tuned"], "losses": ["bce"], "seeds": 1}
    jobs = fresh.plan().jobs
    assert (jobs["measure_external"], jobs["check_external"], jobs["check_external_chain"]) == (2, 1, 1)


def test_corrupted_images_train_and_predict_nothing_again_and_clean_ones_give_the_counts_of_the_study(changed):
    """Brightened by a thousandth, every stored value is what it was."""
    changed.study["experiments"]["losses"] |= {"datasets": ["drive"], "losses": ["bce"]}
    changed.study["evaluation"] = {"corruptions": {"brightness": [1.001], "blur": [3]}}
    jobs = changed.plan().jobs
    assert jobs["measure_corrupted"] == 2 and jobs["robustness"] == 1
    assert not {"train", "predict", "measure", "controls"} & set(jobs)
    target = "results/tiny/tables/losses.robustness.csv"
    outcome = changed.snakemake(target)
    assert outcome.code == 0, outcome.text
    corrupted = pd.read_csv(changed.file(f"{CELL}/corruptions.csv"))
    counts = pd.read_csv(changed.file(f"{CELL}/counts.csv"))
    same = counts[(counts["subset"] == "test") & (counts["policy"] == "fixed")]
    columns = ["sample", "region", "tp", "fp", "fn", "tn"]
    found = corrupted[corrupted["corruption"] == "brightness"]
    assert found[columns].values.tolist() == same[columns].values.tolist()
    rows = pd.read_csv(changed.file(target))
    assert set(rows["corruption"]) == {"brightness", "blur"} and len(rows) == 4
    assert changed.file("results/tiny/figures/losses/robustness.png").exists()

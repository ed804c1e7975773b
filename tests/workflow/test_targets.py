"""What is done again, and what is not, after a change."""

import json
import re
import shutil

import pytest

ALL = {f"{d}/unet/{loss}/{seed}" for d in ("ph2", "drive") for loss in ("bce", "focal") for seed in (0, 1)}


def test_one_cell_needs_only_itself(fresh):
    plan = fresh.plan("results/tiny/cells/drive/unet/focal/default/seed0/counts.csv")
    assert plan.trained == {"drive/unet/focal/0"}
    assert plan.jobs["measure"] == plan.jobs["predict"] == plan.jobs["index"] == 1
    assert plan.jobs["compare"] == 0


def test_a_cell_outside_every_experiment_is_a_target_too(fresh):
    plan = fresh.plan("results/tiny/cells/ph2/encdec/weighted_bce/default/seed7/counts.csv")
    assert plan.trained == {"ph2/encdec/weighted_bce/7"}


@pytest.mark.parametrize(
    "target", ["tables/losses.html", "figures/losses/curves.png", "figures/networks/drive/encdec.png"]
)
def test_a_table_or_figure_is_a_target(fresh, target):
    assert fresh.plan(f"results/tiny/{target}").jobs


def test_a_loss_option_retrains_exactly_its_cells(changed):
    changed.study["losses"] = {"focal": {"gamma": 3.0}}
    assert changed.plan().trained == {cell for cell in ALL if "focal" in cell}


def test_more_seeds_keep_what_is_there(changed):
    changed.study["experiments"]["losses"]["seeds"] = 3
    plan = changed.plan()
    assert plan.trained == {f"{d}/unet/{loss}/2" for d in ("ph2", "drive") for loss in ("bce", "focal")}
    of_cells = {rule: plan.jobs[rule] for rule in ("train", "predict", "measure", "gallery")}
    assert of_cells == {"train": 4, "predict": 4, "measure": 4, "gallery": 0}, "three jobs a cell"


def test_another_model_keeps_what_is_there(changed):
    changed.study["experiments"]["losses"]["models"] = ["unet", "encdec"]
    assert not {cell for cell in changed.plan().trained if "/unet/" in cell}


def test_probabilities_are_deleted_once_they_are_measured(changed):
    changed.study["evaluation"] = {"keep_predictions": False}
    cells = [changed.file(f"results/tiny/cells/drive/unet/bce/default/seed{seed}") for seed in (0, 1)]
    shutil.rmtree(cells[0])
    target = str(cells[0].relative_to(changed.folder) / "counts.csv")
    outcome = changed.snakemake(target)
    assert outcome.code == 0, outcome.text
    assert not (cells[0] / "probabilities").exists()
    assert {"masks", "counts.csv", "histograms.npz", "model.safetensors"} <= {path.name for path in cells[0].iterdir()}
    assert (cells[1] / "probabilities").exists(), "another cell's are its own"
    assert not changed.plan(target).jobs, "what was deleted after its use is not made again"


def test_editing_a_figure_draws_it_again_and_trains_nothing(changed):
    changed.append("workflow/segstudy/figures/curves.py", "\nEXTRA = 1\n")
    plan = changed.plan()
    assert plan.jobs["curves"] == 1 and plan.jobs["train"] == 0


def test_editing_a_loss_trains_again(changed):
    changed.append("workflow/segstudy/losses/pixelwise.py", "\nEXTRA = 1\n")
    assert changed.plan().trained == ALL


def test_editing_a_check_hides_no_other_change(changed):
    changed.append("workflow/segstudy/data/checks/findings.py", "\nEXTRA = 1\n")
    changed.study["losses"] = {"focal": {"gamma": 3.0}}
    plan = changed.plan()
    assert plan.jobs["check_images"] == 2 and plan.jobs["check_split"] == 4
    assert plan.trained >= {cell for cell in ALL if "focal" in cell}


def test_another_environment_file_redoes_nothing(changed):
    changed.append("envs/segstudy.yaml", "\n# a package more\n")
    assert not changed.plan().jobs


def test_editing_another_network_trains_nothing(changed):
    changed.append("workflow/segstudy/models/segnet.py", "\nEXTRA = 1\n")
    assert not changed.plan().trained


def test_comments_and_docstrings_redo_nothing(changed):
    for path in changed.file("workflow/segstudy").rglob("*.py"):
        text = path.read_text()
        path.write_text("# A comment.\n" + text.replace('"""', '"""Differently said: ', 1))
    plan = changed.plan()
    assert not plan.jobs, plan.text


def test_a_cell_of_another_study_with_the_same_data_is_taken_over(finished, fresh):
    """Its images are drawn anew, in another folder: what counts is what they hold."""
    names = ("model.safetensors", "history.csv")
    cell = "cells/drive/unet/bce/default/seed0"
    shutil.copytree(finished.file("results/.trained"), fresh.file("results/.trained"))
    fresh.study["study"] = "other"
    outcome = fresh.snakemake(f"results/other/{cell}/{names[0]}")
    assert outcome.code == 0, outcome.text
    assert "trained before with the same data, settings and code: taken over" in outcome.text
    for name in names:
        content = [
            copy.file(f"results/{study}/{cell}/{name}") for copy, study in ((finished, "tiny"), (fresh, "other"))
        ]
        assert content[0].read_bytes() == content[1].read_bytes()
    run = json.loads(fresh.file(f"results/other/{cell}/run.json").read_text())
    assert "results/other" in run["command"] and "results/tiny" in run["trained_as"]


def test_triggers_that_hide_changed_images_are_refused(finished):
    """Also where nothing is to be done: that is what Snakemake would say, rightly or not."""
    outcome = finished.snakemake("-n", "--rerun-triggers", "mtime")
    assert outcome.code == 1
    assert "Error: without the trigger 'params' Snakemake sees no changed image" in outcome.text
    assert "Nothing to be done" not in outcome.text and "Traceback" not in outcome.text


def raw(changed):
    return changed.file("resources/phantoms/tiny/drive")


@pytest.mark.parametrize("change", ["add", "remove", "replace", "replace mask"])
def test_a_changed_raw_file_redoes_its_data_set_alone(changed, change):
    images = sorted((raw(changed) / "DRIVE/training/images").iterdir())
    if change == "add":
        for folder in ("images", "1st_manual", "mask"):
            first = sorted((raw(changed) / "DRIVE/training" / folder).iterdir())[0]
            shutil.copy(first, first.with_name(first.name.replace(first.name[:2], "39")))
    elif change == "remove":
        images[0].unlink()
    elif change == "replace":
        shutil.copy(images[0], images[1])
    else:
        masks = sorted((raw(changed) / "DRIVE/training/1st_manual").iterdir())
        shutil.copy(masks[0], masks[1])
    plan = changed.plan()
    assert plan.jobs["phantom"] == 0 and plan.jobs["index"] == 1
    assert plan.trained == {cell for cell in ALL if cell.startswith("drive")}


def test_a_raw_file_that_is_replaced_goes_through_to_the_store(changed):
    masks = sorted((raw(changed) / "DRIVE/training/1st_manual").iterdir())
    shutil.copy(masks[0], masks[1])
    store = changed.file("results/tiny/data/drive/store/masks.npy")
    before = store.read_bytes()
    outcome = changed.snakemake("results/tiny/data/drive/store")
    assert outcome.code == 0, outcome.text
    assert store.read_bytes() != before


def test_the_cluster_profile_is_found_as_typed(fresh):
    outcome = fresh.snakemake("-n", profile="lsf")
    assert outcome.code == 0, outcome.text
    assert outcome.trained == ALL


def test_only_a_balanced_recipe_reads_the_strata(fresh):
    fresh.study["recipes"]["balanced"] = {"epochs": 2, "balance": "strata"}
    inputs = {}
    for recipe in ("default", "balanced"):
        plan = fresh.plan(f"results/tiny/cells/ph2/unet/bce/{recipe}/seed0/model.safetensors")
        inputs[recipe] = re.search(r"(?ms)^(?:local)?rule train:.*?^    input: (.*?)$", plan.text).group(1)
    assert "index.csv" in inputs["balanced"]
    assert "index.csv" not in inputs["default"]


def test_balanced_strata_reach_the_training(fresh):
    fresh.study["recipes"]["balanced"] = {"epochs": 1, "balance": "strata"}
    folder = "results/tiny/cells/ph2/unet/bce/balanced/seed0"
    outcome = fresh.snakemake(f"{folder}/model.safetensors")
    assert outcome.code == 0, outcome.text
    record = json.loads(fresh.file(f"{folder}/run.json").read_text())
    assert len(record["strata"]) == 3  # PH2's diagnoses
    assert sum(counts["images"] for counts in record["strata"].values()) == record["images"]["train"]
    assert len({counts["per_epoch"] for counts in record["strata"].values()}) == 1


def test_galleries_are_those_of_the_first_seeds_and_others_are_asked_for_by_their_path(fresh):
    jobs = fresh.plan().jobs
    assert (jobs["train"], jobs["predict"], jobs["measure"], jobs["gallery"]) == (8, 8, 8, 4)
    other = fresh.plan("results/tiny/figures/gallery/drive/unet/bce/default/seed1.jpg").jobs
    assert (other["train"], other["gallery"]) == (1, 1)


@pytest.mark.parametrize(
    ("names", "made", "spared"),
    [
        ("cards splits", {"describe": 2, "split": 4, "check_images": 2, "check_split": 4}, {"preprocess", "train"}),
        ("train", {"preprocess": 2, "train": 8}, {"predict", "compare"}),
        ("report tables", {"compare": 1, "thresholds": 1, "threshold_curves": 1, "study_report": 1}, {"paper"}),
        ("all --until preprocess", {"preprocess": 2}, {"train"}),  # a name that is a target is still a rule's
    ],
)
def test_a_name_is_a_target_for_all_of_its_kind(fresh, names, made, spared):
    jobs = fresh.plan(*names.split()).jobs
    assert {rule: jobs[rule] for rule in made} == made
    assert not spared & set(jobs)

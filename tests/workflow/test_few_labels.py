"""Learning with few labels as a person runs it: images without labels beside a few with them, every stage a file."""

import json

import pandas as pd
import pytest

from segstudy.provenance import file_hash

CELLS = "results/tiny/cells/hrf/unet/bce"
TABLES, FIGURES = "results/tiny/tables/losses", "results/tiny/figures"
PSEUDO = {"teacher": {"recipe": "default"}, "unlabelled": "rfmid", "accept": {"white": None}, "real": 0.5}
RECIPES = {
    "denoising": {"epochs": 2, "denoising": {}},
    "finetuned": {"epochs": 2, "start_from": {"recipe": "denoising", "dataset": "rfmid"}, "transfer": {"rate": 0.5}},
    "pseudo": {"epochs": 2, "pseudo_labels": PSEUDO},
    "mean_teacher": {"epochs": 2, "consistency": {"unlabelled": "rfmid"}},
}


@pytest.fixture
def few(fresh):
    small = {"size": {"long_side": 48}}
    fresh.study["datasets"] = {
        "hrf": {"phantom": {"images": 12, "height": 48, "width": 48}, **small},
        # Another seed: of one seed both readers draw the same retinas, which the check of chains finds.
        "rfmid": {"phantom": {"images": 8, "height": 48, "width": 48, "seed": 7}, **small},
    }
    fresh.study["losses"] = {"mse": {}}
    fresh.study["recipes"] |= RECIPES
    fresh.study["evaluation"] = {"measures": [], "controls": ["all_background", "random"], "policies": ["fixed"]}
    changes = {"datasets": ["hrf"], "losses": ["bce"], "seeds": 1, "labels": [0.5, 1]}
    changes["recipes"] = ["default", "finetuned", "pseudo", "mean_teacher"]
    fresh.study["experiments"]["losses"] |= changes
    return fresh


def record(copy, recipe):
    return json.loads(copy.file(f"{CELLS}/{recipe}/seed0/run.json").read_text())


def test_three_ways_to_use_images_without_labels_beside_the_labels_alone(few):
    pictures = [f"{FIGURES}/pseudo/hrf/unet/bce/{name}/seed0.png" for name in ("pseudo", "pseudo_labels50")]
    pictures += [f"{FIGURES}/denoising/rfmid/unet/mse/denoising/seed0.png", f"{FIGURES}/losses/label_efficiency.png"]
    everything = few.plan()
    assert set(pictures) <= {path for path in pictures if path in everything.text}, "they belong to the study"
    outcome = few.snakemake(f"{TABLES}.html", f"{TABLES}.comparisons.html", *pictures)
    assert outcome.code == 0, outcome.text
    assert (outcome.jobs["train"], outcome.jobs["check_chain"], outcome.jobs["pseudo_predict"]) == (9, 6, 2)
    assert all(few.file(path).exists() for path in pictures)

    told = record(few, "finetuned")["sources"]["start"]
    assert told["cell"] == "rfmid/unet/mse/denoising/seed0" and told["tensors"] > 5
    assert {name.partition(".")[0] for name in told["left"]} == {"head"}
    told = record(few, "pseudo")["sources"]["teacher"]
    assert told["cell"] == "hrf/unet/bce/default/seed0"
    assert told["sha256"] == file_hash(few.file(f"{CELLS}/default/seed0/model.safetensors"))
    shares = {name: record(few, name)["labels"] for name in ("default", "default_labels50", "pseudo_labels50")}
    half = shares["default_labels50"]
    assert half == shares["pseudo_labels50"], "a student has the labels of its teacher, and no more"
    assert shares["default"]["images"] == half["of"] and len(half["samples"]) == half["images"] < half["of"]

    rows = pd.read_csv(few.file(f"{TABLES}.labels.csv"), keep_default_na=False, na_values=[""])
    cells = rows[rows["row"] == "cell"]
    assert sorted(zip(cells["recipe"], cells["share"], strict=True)) == [
        (recipe, share) for recipe in sorted(["default", "finetuned", "pseudo", "mean_teacher"]) for share in (0.5, 1)
    ]
    assert cells["low"].notna().all() and rows["phantom"].eq(1).all()
    for table in (f"{TABLES}.md", f"{TABLES}.comparisons.md"):
        text = few.file(table).read_text()
        assert "labelled by hrf/unet/bce/default" in text and "weights of rfmid/unet/mse/denoising" in text
    assert not few.plan(f"{TABLES}.html", *pictures).jobs

    few.study["recipes"]["pseudo"]["pseudo_labels"]["accept"] = {"white": [0.98, 0.99]}
    student, taught = (
        few.file(f"{CELLS}/pseudo/seed0"),
        few.file("results/tiny/pseudo/rfmid/hrf/unet/bce/default/seed0"),
    )
    before = file_hash(taught / "targets.npy")
    outcome = few.snakemake(f"{CELLS}/pseudo/seed0/run.json", pictures[0])
    assert outcome.code == 1 and "none of the 8 pseudo-labels is accepted" in outcome.text
    assert "Traceback" not in outcome.text and outcome.jobs["pseudo_sheet"] == 1 and not outcome.jobs["pseudo_predict"]
    assert json.loads((student / "pseudo/range.json").read_text())["accepted"] == 0
    assert file_hash(taught / "targets.npy") == before and (student / "model.safetensors").exists()

    few.study["recipes"]["pseudo"]["pseudo_labels"]["teacher"]["seed"] = 1
    outcome = few.snakemake("results/tiny/checks/chains/hrf/unet/bce/pseudo/seed0.json")
    assert outcome.code == 1 and "seen_by_source" in outcome.text and "fixed_split" in outcome.text
    assert "hrf/unet/bce/default/seed1 was trained on it" in outcome.text and "Traceback" not in outcome.text

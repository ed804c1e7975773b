"""Learning with few labels as a person runs it: images without labels beside a few with them, every stage a file."""

import json

import pandas as pd
import pytest
import torch
import yaml

from segstudy.core.provenance import file_hash
from tests.helpers.phantoms import drawn

CELLS = "results/tiny/cells/ph2/unet/bce"
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
    small = {"size": {"height": 48, "width": 48}}
    fresh.study["datasets"] = {
        "ph2": {"phantom": {"images": 16, "height": 48, "width": 48}, **small},
        "rfmid": drawn("rfmid", fresh.file("raw"), images=8, height=48, width=48, seed=7) | small,
    }
    fresh.study["losses"] = {"mse": {}}
    fresh.study["recipes"] |= RECIPES
    fresh.study["evaluation"] = {"measures": [], "controls": ["all_background", "random"], "policies": ["fixed"]}
    changes = {"datasets": ["ph2"], "losses": ["bce"], "seeds": 1, "labels": [0.5, 1]}
    changes["recipes"] = ["default", "finetuned", "pseudo", "mean_teacher"]
    fresh.study["experiments"]["losses"] |= changes
    return fresh


def record(copy, recipe):
    return json.loads(copy.file(f"{CELLS}/{recipe}/seed0/run.json").read_text())


def test_three_ways_to_use_images_without_labels_beside_the_labels_alone(few):
    pictures = [f"{FIGURES}/pseudo/ph2/unet/bce/{name}/seed0.png" for name in ("pseudo", "pseudo_labels50")]
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
    assert told["cell"] == "ph2/unet/bce/default/seed0"
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
        assert "labelled by ph2/unet/bce/default" in text and "weights of rfmid/unet/mse/denoising" in text
    assert not few.plan(f"{TABLES}.html", *pictures).jobs

    few.study["recipes"]["pseudo"]["pseudo_labels"]["accept"] = {"white": [0.98, 0.99]}
    student, taught = (
        few.file(f"{CELLS}/pseudo/seed0"),
        few.file("results/tiny/pseudo/rfmid/ph2/unet/bce/default/seed0"),
    )
    before = file_hash(taught / "targets.npy")
    outcome = few.snakemake(f"{CELLS}/pseudo/seed0/run.json", pictures[0])
    assert outcome.code == 1 and "none of the 8 pseudo-labels is accepted" in outcome.text
    assert "Traceback" not in outcome.text and outcome.jobs["pseudo_sheet"] == 1 and not outcome.jobs["pseudo_predict"]
    assert json.loads((student / "pseudo/range.json").read_text())["accepted"] == 0
    assert file_hash(taught / "targets.npy") == before and (student / "model.safetensors").exists()

    few.study["recipes"]["pseudo"]["pseudo_labels"]["teacher"]["seed"] = 1
    outcome = few.snakemake("results/tiny/checks/chains/ph2/unet/bce/pseudo/seed0.json")
    assert outcome.code == 1 and "seen_by_source" in outcome.text and "fixed_split" in outcome.text
    assert "ph2/unet/bce/default/seed1 was trained on it" in outcome.text and "Traceback" not in outcome.text


THESIS = "results/hrf_few_labels"
ENCODERS = ("resnet34", "resnet50", "resnet152", "vgg16")


@pytest.fixture
def thesis(fresh, monkeypatch):
    """studies/hrf_few_labels.yaml with every recipe's own settings, on small drawn photographs and for two epochs.

    The encoders start from weights that nobody has trained: what is tested is the way of the weights, not their worth.
    """
    from segstudy.models.torchvision_import import make_importable

    make_importable()
    from torchvision import models

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fresh.study = yaml.safe_load(fresh.file("studies/hrf_few_labels.yaml").read_text())
    for name, images, seed in (("hrf", 12, 0), ("rfmid", 10, 7)):
        raw = drawn(name, fresh.file(f"raw/{name}"), images=images, height=64, width=96, seed=seed)
        fresh.study["datasets"][name] |= raw | {"size": {"long_side": 96}, "prediction": {"tile": [64, 64]}}
    fresh.study["models"]["unet"] |= {"depth": 2, "width": 2}
    for encoder in ENCODERS:
        network = {"network": "encoder_unet", "encoder": encoder, "weights": "imagenet", "decoder_widths": [8] * 5}
        fresh.study["models"][encoder] = network
        weights = fresh.file(f"resources/encoders/{encoder}.pth")
        weights.parent.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        torch.save(getattr(models, encoder)(weights=None).state_dict(), weights)
    for recipe in fresh.study["recipes"].values():
        recipe |= {"epochs": 2, "crop": [32, 32], "validate_every": 1}
        if "freeze" in recipe.get("transfer", {}):
            recipe["transfer"]["freeze"] = 1
        if "pseudo_labels" in recipe:  # what two epochs have taught gives no share of white that could be expected
            recipe["pseudo_labels"]["accept"] = {"white": None}
    fixed = fresh.study["recipes"]["supervised"] | {"crops_per_epoch": 310}
    del fixed["crops_per_image"]
    fresh.study["recipes"]["fixed"] = fixed
    experiments = fresh.study["experiments"]
    for experiment in experiments.values():
        experiment["seeds"] = 1
    experiments["label_efficiency"]["labels"] = [0.5, 1]
    experiments["crops"] = experiments["start"] | {"recipes": ["supervised", "fixed"]}
    chains = ["dice/supervised", "bce/pseudo", "dice/finetuned_frozen", "dice/mean_teacher"]
    experiments["encoders"] = experiments["approaches"] | {
        "models": list(ENCODERS),
        "recipes": ["supervised", "pseudo", "finetuned_frozen", "mean_teacher"],
        "only": [f"{encoder}/{chain}" for encoder in ENCODERS for chain in chains],
    }
    return fresh


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_study_of_the_thesis_from_one_end_to_the_other(thesis):
    outcome = thesis.snakemake(timeout=3600)
    assert outcome.code == 0, outcome.text
    assert thesis.file(f"{THESIS}/report.html").exists()
    cells = f"{THESIS}/cells/hrf"

    def run(cell):
        return json.loads(thesis.file(f"{cells}/{cell}/seed0/run.json").read_text())

    assert run("unet/dice/fixed")["images_seen"] == 2 * 310
    assert run("unet/bce/pseudo")["images_seen"] == 2 * (310 + 803)
    rows = pd.read_csv(thesis.file(f"{THESIS}/tables/ratios.csv"))
    assert {"pseudo_real50", "pseudo_real60", "pseudo_real75"} <= set(rows["recipe"])
    for encoder in ENCODERS:
        assert run(f"{encoder}/dice/supervised")["encoder"]["origin"] == f"{encoder}.pth"
        assert run(f"{encoder}/bce/pseudo")["sources"]["teacher"]["cell"] == f"hrf/{encoder}/dice/supervised/seed0"
        start = run(f"{encoder}/dice/finetuned_frozen")["sources"]["start"]
        assert start["cell"] == f"rfmid/{encoder}/mse/denoising/seed0" and start["tensors"] > 20
        assert not {name for name in start["left"] if name.startswith("encoder.")}
    table = thesis.file(f"{THESIS}/tables/encoders.md").read_text()
    assert all(table.count(encoder) > 4 for encoder in ENCODERS)

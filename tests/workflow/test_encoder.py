"""Weights that a network starts from: fetched or given, an input of the training, and nothing silent about them."""

import json

import pytest
import torch

CELL = "results/tiny/cells/ph2/resnet/bce/default/seed0"
WEIGHTS = "resources/encoders/resnet18"


def put(copy, seed):
    from segstudy.models.torchvision_import import make_importable

    make_importable()
    from torchvision.models import resnet18

    torch.manual_seed(seed)
    copy.file(WEIGHTS).parent.mkdir(parents=True, exist_ok=True)
    torch.save(resnet18(weights=None).state_dict(), copy.file(f"{WEIGHTS}.pth"))


@pytest.fixture
def offline(changed, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = {"network": "encoder_unet", "encoder": "resnet18", "decoder_widths": [8, 8, 8, 8, 8]}
    changed.study["models"]["resnet"] = model
    changed.study["recipes"]["default"]["epochs"] = 1
    return changed


def test_weights_are_asked_for_taken_and_watched(offline):
    outcome = offline.snakemake(f"{CELL}/model.safetensors")
    assert outcome.code == 1 and "train" not in outcome.jobs, outcome.text
    assert "https://download.pytorch.org/models/resnet18-" in outcome.text and f"{WEIGHTS}.pth" in outcome.text
    assert "Traceback" not in outcome.text
    assert not offline.file(f"{WEIGHTS}.safetensors").exists()

    put(offline, 1)
    outcome = offline.snakemake(f"{CELL}/model.safetensors")
    assert outcome.code == 0, outcome.text
    assert outcome.trained == {"ph2/resnet/bce/0"} and outcome.jobs["encoder"] == 1
    run = json.loads(offline.file(f"{CELL}/run.json").read_text())
    assert run["encoder"]["origin"] == "resnet18.pth" and run["data"]["encoder"]
    assert not offline.plan(f"{CELL}/model.safetensors").jobs

    put(offline, 2)
    outcome = offline.plan(f"{CELL}/model.safetensors")
    assert outcome.trained == {"ph2/resnet/bce/0"} and outcome.jobs["encoder"] == 1

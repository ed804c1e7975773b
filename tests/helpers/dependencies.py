"""Helpers of the tests of chains, which other tests use too."""

from copy import deepcopy

from segstudy.config.cell import Cell
from segstudy.config.load import load_study

CONFIG = {
    "study": "few",
    "datasets": {"hrf": {"root": "HRF"}, "rfmid": {"root": "RFMiD"}},
    "models": {"unet": {}},
    "losses": {"dice": {}, "mse": {}},
    "recipes": {
        "default": {},
        "denoising": {"denoising": {}},
        "finetuned": {"start_from": {"recipe": "denoising", "dataset": "rfmid"}},
        "pseudo": {"pseudo_labels": {"teacher": {"recipe": "default"}, "unlabelled": "rfmid"}},
        "mean_teacher": {"consistency": {"unlabelled": "rfmid"}},
    },
    "experiments": {
        "few": {
            "question": "What do images without labels add?",
            "datasets": ["hrf"],
            "models": ["unet"],
            "losses": ["dice"],
            "recipes": ["default", "finetuned", "pseudo", "mean_teacher"],
        }
    },
}


def study(**changes):
    config = deepcopy(CONFIG)
    for key, value in changes.items():
        block, *rest = [config, *key.split("__")]
        for part in rest[:-1]:
            block = block.setdefault(part, {})
        block[rest[-1]] = value
    return load_study(config)


def cell(recipe, dataset="hrf", loss="dice"):
    return Cell(dataset, "unet", loss, recipe, 0)

"""The two folders that rows start from, each made once in a session.

`config`: Snakefile, rules, workflow and profiles of this checkout, config.yaml, and study.yaml, a study `tiny`. Its
drawn data lie in resources/phantoms/tiny/{lesions,vessels}; folders of images and masks of one's own, which no
experiment uses, in raw/{own,kinds}. Nothing is computed.
`finished`: the same, with results/tiny: cells lesions/unet/{bce,dice}/default/seed0 of experiment `lesion_losses`,
tables, figures and report.
"""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from tests.helpers.commands import ROOT, Commands

LINKED = ("rules", "workflow", "envs", "profiles")
STUDY = {
    "study": "tiny",
    "data_root": "raw",
    "datasets": {
        "lesions": {
            "reader": "ph2",
            "phantom": {"images": 12, "height": 32, "width": 40},
            "size": {"height": 32, "width": 32},
        },
        "vessels": {"reader": "drive", "phantom": {"images": 8, "height": 32, "width": 32}},
        "own": {"reader": "folder", "root": "own"},
        "kinds": {"reader": "folder", "root": "kinds", "classes": {"disc": 1, "square": 2}},
    },
    "models": {"unet": {"depth": 2, "width": 2}},
    "losses": {"dice": {}},
    "recipes": {"default": {"epochs": 1, "batch_size": 4, "precision": "fp32"}},
    "experiments": {
        "lesion_losses": {  # no name of config.yaml, whose options would fill in what is missing here
            "question": "Which loss suits these drawn lesions?",
            "datasets": ["lesions"],
            "models": ["unet"],
            "losses": ["bce", "dice"],
            "seeds": 1,
        }
    },
}
PICTURES = 8


def new_config(folder: Path, commands: Commands) -> Path:
    """Make the base `config` in `folder` and return it."""
    folder.mkdir(parents=True)
    for part in LINKED:
        (folder / part).symlink_to(ROOT / part)
    for part in ("Snakefile", "config.yaml"):
        shutil.copy2(ROOT / part, folder / part)
    write_study(folder, STUDY)
    _pictures(folder / "raw/own", classes=1)
    _pictures(folder / "raw/kinds", classes=2)
    targets = " ".join(f"resources/phantoms/tiny/{name}/phantom.json" for name in ("lesions", "vessels"))
    _run(commands, folder, f"snakemake --profile profiles/local --configfile study.yaml -- {targets}")
    shutil.rmtree(folder / "results")
    return folder


def new_finished(folder: Path, config: Path, commands: Commands) -> Path:
    """Make the base `finished` of the base `config` and return it."""
    copied(config, folder)
    _run(commands, folder, "snakemake --profile profiles/local --configfile study.yaml")
    return folder


def copied(base: Path, folder: Path) -> None:
    """Copy a base: links stay links, times of files stay."""
    shutil.copytree(base, folder, symlinks=True, copy_function=shutil.copy2)


def study_of(folder: Path) -> dict:
    """Return what study.yaml of a folder says, to be changed and written by `write_study`."""
    return copy.deepcopy(yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8")))


def write_study(folder: Path, study: dict) -> None:
    """Write study.yaml."""
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _run(commands: Commands, folder: Path, line: str) -> None:
    outcome = commands.run(line, folder, timeout=600)
    assert outcome.code == 0, outcome.text
    shutil.rmtree(folder / ".snakemake/log", ignore_errors=True)
    os.unlink(folder.with_name(f"{folder.name}.output"))


def _pictures(folder: Path, classes: int) -> None:
    """Draw squares on noise into images/ and masks/: 0 and 255 for one class, 0, 1 and 2 for two."""
    draw = np.random.default_rng(7)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(1, PICTURES + 1):
        mask = np.zeros((32, 40), np.uint8)
        top, left = draw.integers(1, 10), draw.integers(1, 14)
        mask[top : top + 12, left : left + 9] = 1
        if classes > 1:
            mask[top : top + 8, left + 12 : left + 20] = 2
        image = (draw.normal(90, 25, (32, 40, 3)) + 60 * mask[..., None]).clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f"images/im{number}.png")
        Image.fromarray(mask if classes > 1 else mask * np.uint8(255)).save(folder / f"masks/im{number}.png")

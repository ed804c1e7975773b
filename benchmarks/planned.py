"""Planned settings beside those that people wrote: `python benchmarks/planned.py DATA FOLDER SHARE [ph2 drive ...]`.

DATA holds the data sets, FOLDER gets the work. For each data set its small study's own settings are trained, with this
SHARE of their epochs, and planned ones (`plan: {all: true}`) whose limit of time is what `segstudy plan` guesses for
the former: both may take equally many operations. Prints the Dice on validation images, the difference with its 95 %
interval over seeds (Student's t), operations and wall seconds of a training. Scores of test images are never looked at.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from bench import ROOT, copy_project
from scipy.stats import t as student

SEEDS = 3


class Written(NamedTuple):
    """One data set of a small study as people wrote it."""

    study: str
    loss: str
    options: dict[str, Any]  # of the data set, beside size and training
    size: Any
    training: dict[str, Any]
    recipe: dict[str, Any]
    model: dict[str, Any]


UNET = {"network": "unet", "depth": 3, "width": 8}
TILES = [
    {"kind": "mask_missing", "reason": "the release has no mask of these, they are left out"},
    {"kind": "mask_constant", "reason": "tiles that lie wholly inside the tissue"},
]
WRITTEN = {
    "ph2": Written(
        "exercise_small",
        "bce",
        {"root": "PH2", "split": {"test": 0.2, "validation": 0.15}},
        {"height": 96, "width": 128},
        {"epochs": 200},
        {"batch_size": 8, "learning_rate": 0.01, "schedule": {"kind": "one_cycle"}},
        UNET,
    ),
    "drive": Written(
        "exercise_small",
        "bce",
        {"root": "DRIVE", "split": {"repeat": "fixed_split", "validation": 0.2}},
        "native",
        {"crop": [288, 288], "crops_per_image": 1, "batch_size": 4, "validate_every": 2},
        {"epochs": 160, "learning_rate": 0.01, "schedule": {"kind": "one_cycle"}},
        UNET,
    ),
    "ebhi": Written(
        "ebhi_small",
        "bce",
        {"root": "EBHI-SEG", "colour": "grey", "exceptions": TILES, "split": {"test": 0.2, "validation": 0.2}},
        {"height": 64, "width": 64},
        {},
        {"epochs": 80, "batch_size": 16, "learning_rate": 0.001},
        {**UNET, "normalisation": "none"},
    ),
    "cmp": Written(
        "facade_small",
        "cross_entropy",
        {"root": "CMP_facade_DB_base", "split": {"test": 0.2, "validation": 0.2}},
        {"long_side": 192},
        {},
        {"epochs": 60, "batch_size": 4, "learning_rate": 0.005, "validate_every": 2},
        {"network": "unet", "depth": 4, "width": 16},
    ),
}
PLANNED = ("crop", "crops_per_image", "batch_size", "epochs", "depth", "width")


def studies(name: str, data: Path, share: float) -> dict[str, dict[str, Any]]:
    """Return the config of the written settings of a data set, and of the planned ones, without a limit of time."""
    own = WRITTEN[name]

    def config(kind: str, size: Any, training: dict[str, Any], recipe: dict[str, Any], model: dict[str, Any]) -> Any:
        experiment = {"question": "Is it as good?", "datasets": [name], "models": ["unet"], "losses": [own.loss]}
        return {
            "study": f"{name}_{kind}",
            "data_root": str(data),
            "datasets": {name: {**own.options, "size": size, "training": training}},
            "models": {"unet": model},
            "losses": {own.loss: {}},
            "evaluation": {"measures": [], "policies": ["fixed"], "metrics": ["dice"], "controls": []},
            "recipes": {"default": recipe},
            "experiments": {"one": {**experiment, "seeds": SEEDS}},
        }

    def left(block: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in block.items() if key not in PLANNED}

    planned = config("planned", "auto", left(own.training), left(own.recipe), left(own.model)) | {"plan": "auto"}
    training, recipe = (
        {**block, "epochs": max(1, round(share * block["epochs"]))} if "epochs" in block else block
        for block in (own.training, own.recipe)
    )
    return {"written": config("written", own.size, training, recipe, own.model), "planned": planned}


def guessed_hours(config: dict[str, Any], folder: Path) -> float:
    """Return what a training of the study is guessed to take, whatever has been measured; the index must be there."""
    from segstudy.config.load import load_study
    from segstudy.study.estimates import Estimates

    study = load_study(config)
    cell = study.cells[0]
    index = f"data/{cell.dataset}/index.csv"
    with tempfile.TemporaryDirectory() as nothing_yet:
        copied = Path(nothing_yet, index)
        copied.parent.mkdir(parents=True)
        shutil.copy2(folder / "results" / study.study / index, copied)
        estimates = Estimates(study, Path(nothing_yet), gpu=False)
        return estimates.cell(cell.dataset, cell.model, cell.recipe).training / 3600


def run(folder: Path, config: dict[str, Any], *targets: str) -> None:
    """Run a study, or these of its files."""
    file = folder / f"{config['study']}.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "config.yaml").write_text(f"study: {config['study']}\n")
    command = [sys.executable, "-m", "snakemake", *targets, "--profile", "profiles/local", "--cores", "1"]
    done = subprocess.run(
        [*command, "--configfile", str(file)], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def cells(name: str, config: dict[str, Any]) -> list[str]:
    """Return the folders of a study's cells, below its own."""
    return [f"cells/{name}/unet/{WRITTEN[name].loss}/default/seed{seed}" for seed in range(SEEDS)]


def score(results: Path, cell: str) -> float:
    """Return the mean Dice of the validation images of a cell, over classes where there are several."""
    counts = pd.read_csv(results / cell / "counts.csv")
    policy = "fixed" if (counts["policy"] == "fixed").any() else counts["policy"].iloc[0]
    counts = counts[(counts["subset"] == "val") & (counts["policy"] == policy)]
    counts = counts[counts["region"] == ("roi" if (counts["region"] == "roi").any() else "full")]
    of_class = counts.groupby(["sample", "class"])[["tp", "fp", "fn"]].sum()
    total = 2 * of_class["tp"] + of_class["fp"] + of_class["fn"]
    dice = (2 * of_class["tp"] / total)[total > 0]
    return float(dice.groupby("sample").mean().mean())


def cost(results: Path, cell: str) -> tuple[float, float]:
    """Return the operations of a training's steps, in TFLOP, and the wall seconds of its steps and validation."""
    run = json.loads((results / cell / "run.json").read_text())
    steps = 3 * run["flops_per_image"] * run["images_seen"] / 1e12
    return steps, run["seconds"]["steps"] + run["seconds"]["validation"]


def compare(name: str, data: Path, folder: Path, share: float) -> str:
    """Train both and return a row of the table."""
    configs = studies(name, data, share)
    results = {kind: folder / "results" / config["study"] for kind, config in configs.items()}
    run(folder, configs["written"], f"results/{name}_written/data/{name}/index.csv")
    hours = guessed_hours(configs["written"], folder)
    configs["planned"]["plan"] = {"all": True, "hours": hours}
    for kind, config in configs.items():
        run(folder, config, *(f"results/{name}_{kind}/{cell}/counts.csv" for cell in cells(name, config)))
    scores = {
        kind: np.array([score(results[kind], cell) for cell in cells(name, config)]) for kind, config in configs.items()
    }
    costs = {
        kind: np.mean([cost(results[kind], cell) for cell in cells(name, config)], axis=0)
        for kind, config in configs.items()
    }
    difference = scores["planned"] - scores["written"]
    half = student.ppf(0.975, SEEDS - 1) * difference.std(ddof=1) / np.sqrt(SEEDS)
    each = " | ".join(f"{scores[kind].mean():.4f}" for kind in ("written", "planned"))
    spent = " | ".join(f"{costs[kind][0]:.1f}, {costs[kind][1]:.0f}" for kind in ("written", "planned"))
    mean = difference.mean()
    return f"| {name} | {each} | {mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}] | {spent} |"


def main(data: Path, folder: Path, share: float, names: list[str]) -> None:
    """Print the table, a row as soon as it is known."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "Snakefile").exists():
        copy_project(folder)
    sys.path.insert(0, str(ROOT / "workflow"))
    print("| data set | written | planned | planned - written | TFLOP, s | TFLOP, s |\n" + 6 * "|---" + "|", flush=True)
    for name in names or list(WRITTEN):
        print(compare(name, data, folder, share), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), float(sys.argv[3]), sys.argv[4:])

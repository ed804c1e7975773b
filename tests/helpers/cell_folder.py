"""The files of a trained cell without a training: a tiny network by chance, and records that fit it."""

import torch

from segstudy.cli.app import main
from segstudy.core.files import write_json
from segstudy.models import model_file, registry

SETTINGS = {
    "model": {"network": "unet", "depth": 1, "width": 2},
    "loss": {"loss": "bce"},
    "recipe": {"epochs": 1},
}
META = {
    "settings": SETTINGS,
    "seed": 0,
    "epoch": 1,
    "in_channels": 1,
    "outputs": 1,
    "classes": ["disc"],
    "canvas": [16, 16],
    "normalisation": {"mean": [0.5], "std": [0.1]},
}
TRAIT = {"mean": 0.5, "sd": 0.1, "low": 0.1, "high": 0.9}
USAGE = {
    "reader": "folder",
    "phantom": False,
    "classes": ["background", "disc"],
    "colours": [[0, 0, 0], [255, 255, 255]],
    "colour": "grey",
    "size": "native",
    "canvas": [16, 16],
    "tile": None,
    "overlap": 0.5,
    "images_per_pass": 2,
    "headline": "fixed",
    "field_of_view": False,
    "subsets": {"train": 3, "val": 1, "test": 1},
    "training_images": {
        "images": 3,
        "long_side": [16, 16],
        "traits": {name: TRAIT for name in ("mean grey", "sd grey", "sharpness")},
    },
}
RUN = {
    "seed": 0,
    "settings": SETTINGS,
    "parameters": 10,
    "epochs": 1,
    "stopped": "all epochs done",
    "device": "cpu",
    "precision": "fp32",
    "torch": "2",
    "seconds": {"total": 1.0},
    "git": None,
    "code": "aa",
    "command": "snakemake",
    "sources": {},
    "encoder": None,
}


def network():
    torch.manual_seed(0)
    return registry.build(SETTINGS["model"], 1, 1)


def write(folder, meta=META, weights=None):
    """Write a cell in `folder`; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    model_file.save_model(folder / "model.safetensors", network() if weights is None else weights, meta)
    write_json(folder / "run.json", RUN)
    write_json(folder / "usage.json", USAGE)
    write_json(folder / "thresholds.json", {"fixed": 0.5})
    return folder


def naming(path, /, **arguments):
    """Return the description of a model file that names a network of a library by its path."""
    return META | {"settings": SETTINGS | {"model": {"network": path, "arguments": arguments}}}


def command(line):
    """Return the exit code of `segstudy` with these arguments."""
    try:
        main(line)
    except SystemExit as ended:
        return ended.code or 0
    return 0

"""A cell small enough to train in a second, as files; run as a program, it trains it in processes to be killed.

As a program it imports torch once, then forks one training for every line 'folder n' that it reads: the result goes
to `folder`, and the training kills itself in the middle of its n-th write (0: never). It prints the process id of
the training; after one more line, and when the training is over, its exit status.
"""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

SETTINGS = {
    "model": {"network": "unet", "depth": 2, "width": 4, "dropout": 0.2},
    "loss": {"loss": "bce"},
    "recipe": {
        "epochs": 5,
        "batch_size": 4,
        "learning_rate": 0.01,
        "schedule": {"kind": "one_cycle"},
        "augmentation": {"flip_horizontal": 0.5, "rotation": 20.0, "noise": 0.02},
    },
}


def write_inputs(folder, images=16, side=32, classes=("disc",)):
    """Write the store of noisy discs (one class a size) and its split; return the paths of both."""
    draw = np.random.default_rng(5)
    rows, columns = np.mgrid[:side, :side]
    masks = np.zeros((images, side, side), np.uint8)
    for mask in masks:
        top, left = draw.uniform(0.3 * side, 0.7 * side, 2)
        for name in range(len(classes), 0, -1):
            mask[(rows - top) ** 2 + (columns - left) ** 2 < (0.3 * side * name / len(classes)) ** 2] = name
    pixels = 60 + 120 * masks[..., None] / len(classes) + draw.normal(0, 20, (images, side, side, 3))
    store = Path(folder) / "store"
    store.mkdir(parents=True)
    np.save(store / "images.npy", pixels.clip(0, 255).astype(np.uint8))
    np.save(store / "masks.npy", masks)
    np.save(store / "rois.npy", np.ones_like(masks))
    samples = [f"s{row:02d}" for row in range(images)]
    shape = {
        "original_height": side,
        "original_width": side,
        "top": 0,
        "left": 0,
        "height": side,
        "width": side,
    }
    table = pd.DataFrame({"sample": samples, "row": range(images), "labelled": 1, **shape})
    table.to_csv(store / "geometry.csv", index=False)
    meta = {
        "reader": "folder",
        "classes": list(classes),
        "channels": 3,
        "canvas": [side, side],
        "samples": images,
    }
    (store / "store.json").write_text(json.dumps(meta | {"size": "native"}))
    subsets = ["test" if row % 5 == 4 else "val" if row % 5 == 3 else "train" for row in range(images)]
    split = Path(folder) / "split.csv"
    pd.DataFrame({"sample": samples, "subset": subsets}).to_csv(split, index=False)
    return store, split


def outputs(folder):
    return {
        "model": folder / "model.safetensors",
        "history": folder / "history.csv",
        "run": folder / "run.json",
    }


def run(inputs, folder, settings=SETTINGS, **changes):
    from segstudy.training.cell import TrainingFiles, train_cell

    names = ("resume", "index", "encoder", "start", "unlabelled", "kept", "trained")
    paths = {"resume": folder / "resume"} | {name: changes.pop(name) for name in names if name in changes}
    files = TrainingFiles(*inputs, outputs=outputs(folder), **paths)
    arguments = {"seed": 1, "threads": 1, "code": "code", "command": "snakemake --force the/model"}
    train_cell(files, settings, **(arguments | changes))


def _serve(folder):
    from segstudy.training import cell, checkpoint

    inputs = Path(folder) / "store", Path(folder) / "split.csv"
    while line := sys.stdin.readline():
        target, fatal_write = line.split()
        child = os.fork()
        if child == 0:
            _slow_down(cell, checkpoint, int(fatal_write))
            run(inputs, Path(target))
            os._exit(0)
        print(child, flush=True)
        sys.stdin.readline()  # until then an ended child keeps its id, so that no other process can be hit
        print(os.waitpid(child, 0)[1], flush=True)


def _slow_down(cells, checkpoint, fatal_write):
    """Save after every step, and leave each file half written for a while."""
    publish, writes = checkpoint.atomic_path, 0

    class EagerCheckpoint(checkpoint.ResumeCheckpoint):
        def due(self):
            return True

    @contextlib.contextmanager
    def slow_path(path):
        nonlocal writes
        with publish(path) as temporary:
            yield temporary
            content = temporary.read_bytes()
            temporary.write_bytes(content[: len(content) // 2])
            writes += 1
            if writes == fatal_write:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.02)
            temporary.write_bytes(content)

    cells.ResumeCheckpoint, checkpoint.atomic_path = EagerCheckpoint, slow_path


if __name__ == "__main__":
    _serve(sys.argv[1])

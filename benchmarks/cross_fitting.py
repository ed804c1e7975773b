"""Soft labels by cross-fitting, on DRIVE: `python benchmarks/cross_fitting.py DATA WORK FOLD [EPOCHS]`.

Y. Zhou, H. Yu, H. Shi, "Study group learning" (arXiv 2103.03451): networks trained on all but one part of the images
label that part, and a student learns from these labels and the manual ones. Here for one of the five folds of
`studies/drive_folds.yaml`, whose cells `wnet/dice_bce/default` must be in the folder where this is run: four teachers,
each trained without this fold and one other, label that other fold with the mean over mirror images; the student has
half of its crops from the manual masks, half from these probabilities, and as many steps as a network without them.
Prints the Dice of the fold's images for the student and for that network, at the threshold of the training images.
DATA is the folder of DRIVE, WORK gets the trainings; folds run side by side share those that they have in common.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

RESULTS = Path("results/drive_folds")
BASE = "cells/drive/wnet/dice_bce/default"
FOLDS = range(5)
THRESHOLDS = np.arange(0.2, 0.61, 0.01)


class Trial:
    """The data of the study, and the settings of its plain recipe."""

    def __init__(self, data: Path, work: Path, epochs: int | None) -> None:
        from segstudy.core.checksums import content
        from segstudy.core.files import read_csv
        from segstudy.data.store import open_store

        folder = RESULTS / "data/drive"
        self.data, self.work, self.store_path = data, work, folder / "store"
        self.store = open_store(self.store_path)
        index = read_csv(folder / "index.csv").fillna("").set_index("sample", drop=False)
        self.rows = {sample: index.loc[sample].to_dict() for sample in index["sample"]}
        self.splits = [read_csv(folder / f"splits/seed{fold}.csv") for fold in FOLDS]
        self.held = [list(split.loc[split["subset"] == "val", "sample"]) for split in self.splits]
        self.settings = json.loads(content(RESULTS / BASE / "seed0/run.json"))["settings"]
        if epochs:
            self.settings["recipe"]["epochs"] = epochs

    def train(self, name: str, held: Sequence[str], seed: int, labels: Path | None = None) -> Path:
        """Train on the training images but those held out; wait where another process does. Return the folder."""
        from segstudy.core.files import write_csv
        from segstudy.training.cell import TrainingFiles, train_cell
        from segstudy.training.inputs import Unlabelled

        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            (folder / "begun").touch(exist_ok=False)
        except FileExistsError:
            while not (folder / "run.json").exists():  # if none trains there any more, delete the folder
                time.sleep(1)
            return folder
        split = self.splits[0].copy()
        tested = split["subset"].eq("test") | split["sample"].isin(held)
        write_csv(folder / "split.csv", split.assign(subset=np.where(tested, "test", "train")))
        settings, unlabelled = self.settings, None
        if labels:
            pseudo = {"teacher": {"recipe": "default"}, "unlabelled": "drive", "targets": "soft", "real": 0.5}
            settings = settings | {
                "recipe": settings["recipe"] | {"pseudo_labels": pseudo | {"accept": {"white": None}}}
            }
            teacher = sorted(self.work.glob("without_*/model.safetensors"))[0]  # for the record alone
            files = labels / "targets.npy", labels / "accepted.csv", teacher
            unlabelled = Unlabelled(self.store_path, folder / "split.csv", *files)
        names = {"model": "model.safetensors", "history": "history.csv", "run": "run.json"}
        outputs = {name: folder / file for name, file in names.items()}
        cell = TrainingFiles(self.store_path, folder / "split.csv", outputs, folder / "resume", unlabelled=unlabelled)
        train_cell(cell, settings, seed, threads=1, code="", command="")
        return folder

    def network(self, folder: Path) -> tuple[torch.nn.Module, dict[str, Any]]:
        """Return the network, and what its file says."""
        from segstudy.models.model_file import load_model

        return load_model(folder / "model.safetensors", torch.device("cpu"))

    def predict(self, folder: Path, samples: Sequence[str], flips: bool) -> dict[str, np.ndarray]:
        """Return the probabilities (1, H, W) of images on the canvas."""
        from segstudy.inference.predict import predict_canvas

        model, meta = self.network(folder)
        rows = self.store.rows(samples)
        predicted = predict_canvas(model, self.store.images, rows, meta["normalisation"], flips=flips)
        return dict(zip(samples, predicted, strict=True))

    def dice(self, folder: Path, held: Sequence[str], flips: bool) -> dict[str, float]:
        """Return the Dice of the held images in the field of view, at the threshold best for the training images."""
        learned = [sample for fold in self.held for sample in fold if sample not in held]
        curves = self._curves(folder, learned, flips)
        best = int(np.mean(list(curves.values()), axis=0).argmax())
        return {sample: curve[best] for sample, curve in self._curves(folder, held, flips).items()}

    def pixels(
        self, folder: Path, samples: Sequence[str], flips: bool = False
    ) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
        """Yield each sample with its probabilities and truth, of the pixels in the field of view, as stored."""
        from segstudy.data.ground_truth import truth_of
        from segstudy.data.images.geometry import to_original
        from segstudy.data.readers.registry import labels_of

        for sample, canvas in self.predict(folder, samples, flips).items():
            probability = to_original(canvas[0], self.store.geometry_of(int(self.store.rows([sample])[0])))
            truth = truth_of(self.rows[sample], self.data, labels_of("drive"))
            yield sample, (probability[truth.inside], truth.mask[truth.inside])

    def _curves(self, folder: Path, samples: Sequence[str], flips: bool) -> dict[str, list[float]]:
        curves = {}
        for sample, (seen, wanted) in self.pixels(folder, samples, flips):
            both = [np.count_nonzero((seen >= t) & wanted) for t in THRESHOLDS]
            found = [np.count_nonzero(seen >= t) for t in THRESHOLDS]
            curves[sample] = [2 * b / (f + wanted.sum()) for b, f in zip(both, found, strict=True)]
        return curves


def main(data: Path, work: Path, fold: int, epochs: int | None) -> None:
    """Train teachers and student of one fold, and print what they reach."""
    from segstudy.core.arrays import write_array
    from segstudy.core.files import write_csv
    from segstudy.runtime.device import configure

    configure(torch.device("cpu"), 1, deterministic=True)
    trial = Trial(data, work, epochs)
    targets, accepted = np.zeros(trial.store.masks.shape, np.uint8), []
    for other in FOLDS:
        if other == fold:
            continue
        first, second = sorted((other, fold))
        held = trial.held[first] + trial.held[second]
        teacher = trial.train(f"without_{first}_{second}", held, seed=10 + 5 * first + second)
        for sample, canvas in trial.predict(teacher, trial.held[other], flips=True).items():
            targets[int(trial.store.rows([sample])[0])] = np.round(255 * canvas[0])
        accepted += trial.held[other]
    labels = work / f"labels_{fold}"
    labels.mkdir(exist_ok=True)
    write_array(labels / "targets.npy", targets)
    table = trial.splits[0][["sample"]]
    write_csv(labels / "accepted.csv", table.assign(accepted=table["sample"].isin(accepted).astype(int)))
    student = trial.train(f"student_{fold}", trial.held[fold], seed=fold, labels=labels)
    for name, folder in (("student", student), ("without soft labels", RESULTS / BASE / f"seed{fold}")):
        for flips in (False, True):
            scores = trial.dice(folder, trial.held[fold], flips)
            each = ", ".join(f"{sample} {value:.4f}" for sample, value in scores.items())
            print(f"fold {fold}, {name}{', flips' * flips}: {np.mean(list(scores.values())):.4f} ({each})", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(message)s")
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None)

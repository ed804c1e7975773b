"""The fixed tiny study whose numbers are kept: drawn lesions, vessels and facades; two networks, two losses, one seed.

`python -m tests.golden.study FOLDER` runs it, one thread in one process, and leaves history.csv and counts.csv of all
cells and machine.json in the folder; `make golden` writes them anew where they are kept. It takes nothing from
config.yaml: other defaults there are no change of numbers.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

CONFIG = {
    "study": "golden",
    "datasets": {
        "ph2": {"phantom": {"images": 12, "height": 48, "width": 64}, "size": {"height": 48, "width": 64}},
        "drive": {
            "phantom": {"images": 10, "height": 64, "width": 64},
            "size": "native",
            "training": {"crop": [32, 32], "crops_per_image": 2},
        },
        "cmp": {"size": {"height": 32, "width": 48}},  # its stand-in is drawn by the tests
    },
    "models": {"encdec": {"depth": 2, "width": 4}, "unet": {"depth": 2, "width": 4, "dropout": 0.1}},
    "losses": {"bce": {}, "focal": {}, "cross_entropy": {"class_weights": "inverse_frequency"}},
    "recipes": {
        "default": {
            "epochs": 4,
            "batch_size": 4,
            "learning_rate": 0.01,
            "schedule": {"kind": "one_cycle"},
            "augmentation": {"flip_horizontal": 0.5, "rotation": 20, "scale": [0.9, 1.1], "brightness": [0.9, 1.1]},
            "precision": "fp32",  # so that other processors come close
        }
    },
    "experiments": {
        "binary": {
            "question": "Do the numbers stay?",
            "datasets": ["ph2", "drive"],
            "models": ["encdec", "unet"],
            "losses": ["bce", "focal"],
        },
        "several": {
            "question": "Do those of several classes?",
            "datasets": ["cmp"],
            "models": ["unet"],
            "losses": ["cross_entropy"],
        },
    },
}
RECORDED = Path(__file__).parent / "recorded"
FILES = ("history.csv", "counts.csv", "machine.json")
POOLED = ["subset", "class", "region", "policy"]


def run(folder: Path) -> None:
    """Run every cell and write history.csv, counts.csv (pooled over images) and machine.json into `folder`."""
    from segstudy.config.load import load_study

    study = load_study(CONFIG)
    histories, counts = [], []
    for dataset in study.datasets:
        parts = _prepared(study, dataset, folder / dataset)
        for cell in study.cells:
            if cell.dataset == dataset:
                history, counted = _trained(study, cell, *parts, folder / cell.path)
                histories.append(history.assign(cell=cell.path))
                counts.append(
                    counted.groupby(POOLED)[["tp", "fp", "fn", "tn"]].sum().reset_index().assign(cell=cell.path)
                )
    for name, tables in (("history", histories), ("counts", counts)):
        table = pd.concat(tables)
        table[["cell", *table.columns.drop("cell")]].to_csv(folder / f"{name}.csv", index=False)
    (folder / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n")


def machine() -> dict[str, str | int]:
    """Return all that the last bits of the study depend on beside its code."""
    import torch

    from segstudy.core import provenance
    from segstudy.runtime import device

    versions = provenance.package_versions(["numpy", "scipy", "pillow"])
    return {
        "processor": device.cpu_name(),
        "instructions": hashlib.sha256(" ".join(sorted(device.cpu_flags())).encode()).hexdigest()[:12],
        "used": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": 1,
        "device": device.device_name(device.choose_device()),
        "torch": str(torch.__version__),
        **{name: str(version) for name, version in versions.items()},
    }


def _prepared(study, dataset, folder):
    """Draw a data set; return the paths of its raw folder, index, split and store."""
    from segstudy.config.datasets import Phantom
    from segstudy.core.files import write_csv
    from segstudy.data.index import build_index
    from segstudy.data.readers.registry import labels_of
    from segstudy.data.split import make_split
    from segstudy.data.store import build_store
    from tests.helpers.phantoms import draw

    settings = study.datasets[dataset]
    draw(settings.reader, folder / "raw", settings.phantom or Phantom(images=8, height=48, width=64))
    index = build_index(settings.reader, folder / "raw", layout=settings.layout, dataset=dataset, threads=1)
    write_csv(folder / "index.csv", index)
    write_csv(folder / "split.csv", make_split(index, settings.split, 0))
    build_store(
        index,
        folder / "raw",
        folder / "store",
        settings.size,
        settings.colour,
        settings.reader,
        labels_of(settings.reader),
        threads=1,
    )
    return folder / "raw", folder / "index.csv", folder / "split.csv", folder / "store"


def _trained(study, cell, root, index, split, store, folder):
    """Train, predict and measure one cell; return its history and counts."""
    from segstudy.core.files import read_csv, read_json
    from segstudy.data.ground_truth import LabelledImages
    from segstudy.data.readers.registry import labels_of
    from segstudy.evaluation.measure import measure
    from segstudy.inference.inputs import PredictionInputs, PredictionOutputs
    from segstudy.inference.predict import predict_cell
    from segstudy.training.cell import TrainingFiles, train_cell

    settings = study.training_settings(cell.dataset, cell.model, cell.loss, cell.recipe)
    outputs = {
        name: folder / file
        for name, file in (("model", "model.safetensors"), ("history", "history.csv"), ("run", "run.json"))
    }
    files = TrainingFiles(store, split, outputs, folder / "resume")
    train_cell(files, settings, cell.seed, threads=1, code="golden", command="golden")
    labels = labels_of(study.datasets[cell.dataset].reader)
    tables = read_csv(index), read_csv(split)
    predict_cell(
        outputs["model"],
        store,
        PredictionInputs(*tables, root, labels, study.evaluation),
        PredictionOutputs(folder / "probabilities", folder / "masks", folder / "thresholds.json"),
    )
    thresholds = read_json(folder / "thresholds.json")
    measured = measure(folder / "probabilities", folder / "masks", thresholds, LabelledImages(*tables, root, labels))
    return pd.read_csv(outputs["history"]), measured.counts


def main(target: Path) -> None:
    """Run the study in a scratch folder; leave its numbers, and nothing else, in `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        run(Path(scratch))
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(Path(scratch) / name, target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDED)

"""Export of a trained cell for other programs: network as a graph, preprocessing, model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segstudy.core import files
from segstudy.core.progress import logger
from segstudy.data.store import open_store
from segstudy.deploy import model_card
from segstudy.deploy.graph import FILES, INPUT, OUTPUT, TOLERANCE, Deployed, Exported, check_packages, export
from segstudy.deploy.predict import Picture, prepare
from segstudy.deploy.trained_cell import CellFiles, check_belongs
from segstudy.inference.out_of_distribution import CHANNELS

SEEN = 4  # images of the study that a graph is checked on


class Checked(NamedTuple):
    """Canvases that graph and network must agree on."""

    canvases: list[np.ndarray]  # uint8 (H, W, C), the first on the study's canvas
    words: str


def export_cell(
    cell: CellFiles, out: Path, formats: Sequence[str], images: Sequence[Path] = (), trust: bool = False
) -> list[Exported]:
    """Write `model.onnx` and `model.pt2`, `preprocessing.json` and the model card `README.md` into `out`.

    Args:
        cell: that was trained, predicted and measured.
        formats: of `onnx` and `torch`.
        images: that graph and network are compared on; without any, images of the study where its store still lies
            beside the cell, and else noise with the means and deviations of its training images.
        trust: import whatever module the model file names for its network; see `models.model_checks.check_network`.

    Raises:
        StudyError: a package is missing; the model file is not to be believed; the network cannot be exported, or
            the graph gives other probabilities.
    """
    from segstudy.models.model_file import load_model

    files.check_folder(out)
    for kind in formats:
        check_packages(kind)
    network, meta = load_model(cell.model, trust=trust)
    check_belongs(cell, meta)
    model_card.counts_of(cell)  # before anything is written
    model = Deployed(network, meta["normalisation"]).eval()
    height, width = cell.usage["canvas"]
    checked = images_to_check(cell, images)
    name = cell.run["settings"]["model"]["network"]
    done = []
    for kind in formats:
        done.append(export(model, kind, Path(out) / FILES[kind], (height, width), checked.canvases, name))
        logger.info(
            "%s: %s; largest difference of a probability %.1e on %s (allowed: %g)",
            done[-1].path.name, done[-1].sizes.words, done[-1].difference, checked.words, TOLERANCE,
        )  # fmt: skip
    how = preprocessing(cell, meta, done)
    files.write_json(Path(out) / "preprocessing.json", how, sealed=False)
    files.write_text(Path(out) / "README.md", model_card.card(cell, meta, how, done, checked.words))
    return done


def preprocessing(cell: CellFiles, meta: dict[str, Any], done: Sequence[Exported]) -> dict[str, Any]:
    """Return what a program must do before and after the graph, as plain values."""
    usage = cell.usage
    policy = usage["headline"]
    return {
        "cell": cell.cell.path,
        "input": {
            "name": INPUT,
            "type": "uint8",
            "layout": ["batch", "height", "width", "channel"],
            "channels": list(CHANNELS[usage["colour"]]),
        },
        "output": {
            "name": OUTPUT,
            "type": "float32",
            "layout": ["batch", "class", "height", "width"],
            "classes": usage["classes"] if cell.several else usage["classes"][1:],
            "colours": usage["colours"] if cell.several else usage["colours"][1:],
        },
        "inside_the_graph": {"scaling": "(value / 255 - mean) / std", **meta["normalisation"]}
        | {"last": "softmax" if cell.several else "sigmoid"},
        "colour": usage["colour"],
        "size": usage["size"],
        "canvas": usage["canvas"],
        **({"range": [cell.reading.low, cell.reading.high]} if cell.reading.ranged else {}),
        **({"channels": list(cell.reading.channels)} if cell.reading.channels else {}),
        "place": "resized with Lanczos where a size is set, then in the middle of a canvas of zeros (rounded down)",
        "tile": usage["tile"],
        "overlap": usage["overlap"] if usage["tile"] else None,
        "policy": policy,
        "threshold": cell.thresholds[policy],
        "thresholds": cell.thresholds,
        "sizes": {one.path.name: one.sizes.words for one in done},
        "largest_difference": {one.path.name: one.difference for one in done},
    }


def images_to_check(cell: CellFiles, images: Sequence[Path]) -> Checked:
    """Return what graph and network are compared on; see `export_cell`.

    Raises:
        StudyError: an image cannot be read.
    """
    height, width = cell.usage["canvas"]
    on_canvas = (height, width)
    if images:
        found = [prepare(0, Picture(Path(path), Path(path).stem), cell, False).pixels for path in images]
        found.sort(key=lambda pixels: pixels.shape[:2] != on_canvas)
        if found[0].shape[:2] == on_canvas:
            return Checked(found, f"{len(found)} given image{'s' * (len(found) > 1)}")
        found.insert(0, _noise(cell))
        return Checked(found, f"{len(found) - 1} given, larger than the study's canvas, and noise on it")
    opened = open_store(cell.store) if cell.store else None
    # A study whose data set has another size or colour since has another store: it is not the cell's.
    if opened and all(opened.meta[key] == cell.usage[key] for key in ("canvas", "colour", "size")):
        rows = np.linspace(0, len(opened.images) - 1, min(SEEN, len(opened.images))).astype(int)
        return Checked([np.array(opened.images[row]) for row in rows], f"{len(rows)} images of the study")
    return Checked([_noise(cell)], "noise like the training images, which are no longer here")


def _noise(cell: CellFiles) -> np.ndarray:
    known = cell.usage["training_images"]["traits"]
    draw = np.random.default_rng(0)
    channels = [
        draw.normal(known[f"mean {name}"]["mean"], known[f"sd {name}"]["mean"], cell.usage["canvas"])
        for name in CHANNELS[cell.usage["colour"]]
    ]
    return (np.stack(channels, axis=2) * 255).clip(0, 255).astype(np.uint8)

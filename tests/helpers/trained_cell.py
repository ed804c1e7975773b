"""A cell trained in a second on pictures in a folder, with all files that its study would leave: to use its network."""

import copy
import functools

import numpy as np
import pandas as pd
from PIL import Image

from segstudy.config.datasets import Prediction
from segstudy.config.evaluation import Evaluation
from segstudy.core.files import write_csv, write_json
from segstudy.data.images.label_map import binary, several
from segstudy.data.store import build_store
from segstudy.evaluation.measure import measure
from segstudy.inference.inputs import PredictionInputs, PredictionOutputs
from segstudy.inference.predict import predict_cell
from segstudy.inference.preprocessing import usage_record
from tests.helpers import small_cell
from tests.helpers.png16 import write_png

SUBSETS = ["train", "train", "val", "train", "test", "train", "train", "val", "test", "train"]


def picture(draw, height, width):
    """Return a bright square on a reddish ground, and where it is."""
    mask = np.zeros((height, width), bool)
    top, left = draw.integers(4, height - 20), draw.integers(4, width - 20)
    mask[top : top + 14, left : left + 14] = True
    colour = np.array([120, 70, 40]) + 90 * mask[..., None] + draw.normal(0, 12, (height, width, 3))
    return colour.clip(0, 255).astype(np.uint8), mask


def make(folder, *, classes=("square",), size="native", colour="rgb", tile=None, roi=False, reading=""):
    """Train and predict a cell in `folder`/results/..., its raw images in `folder`/raw; return its folder.

    With a `reading`, the images are stored as 16 bits, three times as bright.
    """
    draw = np.random.default_rng(3)
    (folder / "raw").mkdir(parents=True)
    rows = []
    for number in range(len(SUBSETS)):
        height, width = 40 + number % 3, 48 - number % 2
        image, mask = picture(draw, height, width)
        ids = mask.astype(np.uint8)
        ids[:, width // 2 :] *= len(classes)  # of two classes the right half is the second
        if reading:
            write_png(folder / f"raw/im{number}.png", image.astype(np.uint16) * 3, 2)
        else:
            Image.fromarray(image).save(folder / f"raw/im{number}.png")
        Image.fromarray(ids if len(classes) > 1 else ids * np.uint8(255)).save(folder / f"raw/im{number}_label.png")
        inside = np.zeros((height, width), np.uint8)
        inside[3:-3, 5:-5] = 255
        (folder / "roi").mkdir(exist_ok=True)
        Image.fromarray(inside).save(folder / f"roi/im{number}.png")
        names = {"mask": f"raw/im{number}_label.png", "roi": f"roi/im{number}.png" if roi else ""}
        rows.append(
            {"sample": f"im{number}", "image": f"raw/im{number}.png", **names, "width": width, "height": height}
        )
    index = pd.DataFrame(rows).assign(**({"reading": reading} if reading else {}))
    split = pd.DataFrame({"sample": index["sample"], "subset": SUBSETS})
    write_csv(folder / "split.csv", split)
    labels = several({name: k for k, name in enumerate(classes, 1)}) if len(classes) > 1 else binary(classes[0])
    store = folder / "store"
    build_store(index, folder, store, size, colour, "folder", labels, 1)
    cell = folder / "results/small/cells/folder/unet/bce/default/seed1"
    settings = copy.deepcopy(small_cell.SETTINGS)
    settings["recipe"]["epochs"] = 8
    settings["loss"] = {"loss": "cross_entropy" if len(classes) > 1 else "bce"}
    small_cell.run((store, folder / "split.csv"), cell, settings, resume=folder / "resume")
    evaluation, prediction = Evaluation(headline="validation"), Prediction(tile=tile)
    paths = [cell / name for name in ("probabilities", "masks", "thresholds.json")]
    inputs = PredictionInputs(index, split, folder, labels, evaluation)
    predict_cell(cell / "model.safetensors", store, inputs, PredictionOutputs(*paths), tile=prediction.tile)
    record = usage_record(store, inputs, prediction, phantom=True)
    write_json(cell / "usage.json", record)
    thresholds = {"argmax": None} if len(classes) > 1 else pd.read_json(paths[2], typ="series").to_dict()
    write_csv(cell / "counts.csv", measure(*paths[:2], thresholds, inputs).counts)
    return cell


def maker(tmp_path_factory, kinds):
    """Return a function that makes a cell of a kind, once; `kinds` has the arguments of `make` by kind."""
    once = functools.cache(lambda kind: make(tmp_path_factory.mktemp(kind), **kinds[kind]))
    return lambda kind="native": once(kind)

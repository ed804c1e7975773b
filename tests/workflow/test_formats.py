"""A data set that comes as annotations, as a person runs it: converted once, and again when an annotation changes."""

import json

import numpy as np

from segstudy.core.files import read_csv, read_json
from tests.helpers import formats


def data(part):
    return f"results/tiny/data/mine/{part}"


def test_annotations_are_converted_checked_and_stored(fresh):
    root = fresh.file("raw")
    block = formats.coco(root)
    fresh.study["datasets"] = {"mine": {"root": str(root), "classes": {"object": ["cell", "nucleus"]}, **block}}
    fresh.study["experiments"]["losses"]["datasets"] = ["mine"]
    outcome = fresh.snakemake(data("store"), data("card.md"))
    assert outcome.code == 0, outcome.text
    masks = np.load(fresh.file(data("store/masks.npy")))
    drawn = [np.isin(formats.mask(name), (1, 2)) for name in formats.IMAGES]
    assert (masks[:, 4:28] == drawn).all() and masks.sum() == np.sum(drawn)  # padded to 32 rows
    assert read_json(fresh.file(data("store/store.json")))["classes"] == ["object"]
    card = fresh.file(data("card.md")).read_text()
    assert "shapes of different classes overlap in 1 of 2 images" in card and "COCO annotations" in card
    index = read_csv(fresh.file(data("index.csv")))
    assert list(index["image"]) == ["images/im_1.png", "images/im_2.png"]
    assert fresh.file(data("converted/images/im_1.png")).resolve() == root / "images" / "im_1.png"
    assert fresh.plan(data("store")).jobs == {}

    path = root / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    content["annotations"][-1]["segmentation"][0][0] += 4
    path.write_text(json.dumps(content))
    planned = set(fresh.plan(data("store")).jobs)
    assert planned == {"convert", "index", "describe", "check_images", "preprocess"}

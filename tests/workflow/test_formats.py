"""Annotations, and masks of several annotators, as a person runs them: converted once, and again after a change."""

import json

import numpy as np

from segstudy.core.files import read_csv, read_json
from segstudy.data.images.read_masks import read_mask
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


def test_masks_of_several_annotators_are_joined_before_anything_reads_them(fresh):
    """Drawn photographs, whose test half two humans have drawn: phantom, convert, index, checks and store."""
    fresh.study["datasets"]["drive"]["truth"] = "union"
    fresh.study["experiments"]["losses"]["datasets"] = ["drive"]
    folder = "results/tiny/data/drive"
    outcome = fresh.snakemake(f"{folder}/store")
    assert outcome.code == 0, outcome.text
    assert {"phantom", "convert", "index", "describe", "check_images", "preprocess"} <= set(outcome.jobs)
    index = read_csv(fresh.file(f"{folder}/index.csv")).set_index("sample")
    tested = index[index["second_mask"] != ""]
    assert len(tested) == 5 and set(tested["official_subset"]) == {"test"}
    masks = np.load(fresh.file(f"{folder}/store/masks.npy"))
    for row, stored in zip(index.to_dict("records"), masks, strict=True):
        files = [fresh.file(f"{folder}/converted/{row[name]}") for name in ("mask_1", "second_mask") if row[name]]
        assert np.array_equal(stored > 0, np.any([read_mask(file).array for file in files], axis=0))
    assert fresh.plan(f"{folder}/store").jobs == {}
    fresh.study["datasets"]["drive"]["truth"] = "intersection"
    assert {"convert", "index", "preprocess"} <= set(fresh.plan(f"{folder}/store").jobs)

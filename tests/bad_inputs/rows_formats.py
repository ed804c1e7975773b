"""Annotation files that are cut, or say what cannot be."""

import json
from pathlib import Path
from typing import Any

from tests.bad_inputs.changes import cut, gone, several, value
from tests.bad_inputs.rows_folder import looked
from tests.helpers import formats

FILE = "raw/boxes/annotations/instances.json"


def coco(folder: Path) -> None:
    """Write a data set of COCO, and let the config read it."""
    formats.coco(folder / "raw" / "boxes")
    value("datasets.own", {"reader": "coco", "root": "boxes"})(folder)


def annotation(**changes: Any):
    """Change the first annotation."""

    def change(folder: Path) -> None:
        content = json.loads((folder / FILE).read_text())
        content["annotations"][0].update(changes)
        (folder / FILE).write_text(json.dumps(content))

    return several(coco, change)


ROWS = [
    looked("coco-cut", several(coco, cut(FILE)), "this is no COCO file", "EOF", FILE, "export it again"),
    looked(
        "coco-image-missing",
        several(coco, gone("raw/boxes/images/im_2.png")),
        "1 of 2 images that the annotations name are not below the root: im_2",
        "raw/boxes",
    ),
    looked(
        "coco-unknown-category",
        annotation(category_id=5),
        "annotations of categories that are not in 'categories': 5",
        "allowed: 3 (things), 7 (cell), 9 (nucleus)",
    ),
    looked(
        "coco-wrong-size",
        annotation(segmentation={"size": [4, 4], "counts": [16]}),
        "im_1: annotation 10: run lengths of a mask of [4, 4] (height, width), the image is [24, 32]",
        "mend the annotations",
    ),
    looked(
        "coco-outside",
        annotation(segmentation=[[40, 3, 50, 3, 50, 9]]),
        "im_1: annotation 10: a polygon lies outside the image: x 40 to 50, y 3 to 9, the image is 32x24",
    ),
    looked(
        "coco-is-labelme",
        several(coco, value("datasets.own.reader", "labelme")),
        "no LabelMe annotations data here; this looks like COCO annotations",
    ),
]

"""Helpers of the tests of figures, which other tests use too."""

import numpy as np
import pandas as pd
from PIL import Image

from segstudy.data.images.label_map import binary
from segstudy.evaluation.aggregate import confusion

LESION = binary("lesion")
SAVED = {"svg": "x.svg", "png": "x.png"}


def make_cell(folder, qualities, roi=False):
    """Write images 40x60 with a square, and predictions that miss more of it the lower their quality."""
    for name in ("images", "truth", "predicted", "roi"):
        (folder / name).mkdir()
    truth = np.zeros((40, 60), bool)
    truth[10:30, 20:40] = True
    inside = np.zeros_like(truth)
    inside[5:35, 5:55] = True
    index, rows = [], []
    for sample, quality in qualities.items():
        predicted = np.zeros_like(truth)
        predicted[10:30, 20 + round(20 * (1 - quality)) : 40 + round(20 * (1 - quality))] = True
        Image.fromarray(np.full((40, 60, 3), 120, np.uint8)).save(folder / "images" / f"{sample}.png")
        for name, mask in (("truth", truth), ("predicted", predicted), ("roi", inside)):
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / name / f"{sample}.png")
        index.append(
            {"sample": sample, "image": f"images/{sample}.png", "mask": f"truth/{sample}.png"}
            | {"roi": f"roi/{sample}.png" if roi else "", "second_mask": "", "stratum": "", "group": ""}
        )
        for region, part in {"full": None, **({"roi": inside} if roi else {})}.items():
            key = {"sample": sample, "subset": "test", "class": "x", "region": region, "policy": "fixed"}
            rows.append(key | {"threshold": 0.5} | confusion(predicted, truth, part)._asdict())
    pd.DataFrame(index).to_csv(folder / "index.csv", index=False)
    pd.DataFrame(rows).to_csv(folder / "counts.csv", index=False)
    return folder / "counts.csv", folder / "predicted", folder / "index.csv", folder, folder / "gallery.jpg"

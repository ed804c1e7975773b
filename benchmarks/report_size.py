"""How large the report's gallery of the full exercise study becomes: part `report` of `make bench`.

    python benchmarks/report_size.py [--report results/demo/report.html]

The cells and data sets are those of config.yaml, every picture has its real size, and predictions are the truth under
noise: they compress worse than those of any network. Of a finished study's report it also says what is not gallery.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from rich.console import Console

from segstudy.config.cell import Cell
from segstudy.config.datasets import Phantom
from segstudy.config.load import load_study
from segstudy.data.ground_truth import truth_of
from segstudy.data.images.prediction_files import write_probability
from segstudy.data.index import build_index
from segstudy.data.phantoms.draw import draw
from segstudy.data.readers.registry import labels_of
from segstudy.report.gallery import gallery
from segstudy.report.page import LIMIT
from segstudy.report.settings import settings_of

SIZES = {"ph2": Phantom(images=120, height=560, width=768), "drive": Phantom(images=40, height=584, width=565)}
TEST, VAL = 40, 12  # images of each
NOISE = 0.1

console = Console()


def fake(cell: Cell, index: pd.DataFrame, root: Path, results: Path) -> None:
    """Write probabilities, thresholds and counts of a cell that has never been trained."""
    random = np.random.default_rng([cell.seed, len(cell.model), len(cell.loss)])
    chosen = index.sample(min(len(index), TEST + VAL), random_state=cell.seed)
    folder = results / "cells" / cell.path
    (folder / "probabilities").mkdir(parents=True)
    labels, rows = labels_of(cell.dataset, [], False), []
    for place, row in enumerate(chosen.to_dict("records")):
        truth = truth_of({str(key): value for key, value in row.items()}, root, labels)
        noise = random.normal(0, NOISE, truth.mask.shape).astype(np.float32)
        probability = np.clip(0.15 + 0.7 * truth.mask + noise, 0, 1)
        write_probability(folder / "probabilities" / f"{row['sample']}.png", probability)
        found = probability >= 0.5
        subset = "test" if place < TEST * len(chosen) / (TEST + VAL) else "val"
        counts = [(found & truth.mask), (found & ~truth.mask), (~found & truth.mask), (~found & ~truth.mask)]
        for region in ("full", "roi") if row["roi"] else ("full",):
            rows.append(
                [row["sample"], subset, labels.names[1], region, "fixed", 0.5, *(int(part.sum()) for part in counts)]
            )
    names = ["sample", "subset", "class", "region", "policy", "threshold", "tp", "fp", "fn", "tn"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "counts.csv", index=False)
    (folder / "thresholds.json").write_text(json.dumps({"fixed": 0.5}))


def run() -> float:
    """Return and print the bytes of the gallery."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
        settings = settings_of(load_study(config))
        roots, results = {}, folder / "results"
        for dataset, phantom in SIZES.items():
            draw(dataset, folder / dataset, phantom)
            roots[dataset] = str(folder / dataset)
            index = build_index(dataset, folder / dataset)
            (results / "data" / dataset).mkdir(parents=True)
            index.to_csv(results / "data" / dataset / "index.csv", index=False)
            cells = dict.fromkeys(Cell(*cell) for e in settings["experiments"].values() for cell in e["cells"])
            for cell in cells:
                if cell.dataset == dataset:
                    fake(cell, index, folder / dataset, results)
        made = gallery(settings, results, roots)
    size = len(json.dumps(made))
    shown = sum(len(cell["items"]) for cell in made["cells"])
    console.print(f"gallery of config.yaml: {len(made['cells'])} cells, {shown} predictions of {made['side']} pixels,")
    console.print(f"{size / 1e6:.1f} MB; a page is to stay below {LIMIT / 1e6:.0f}")
    return size


def rest_of(report: Path) -> float:
    """Return the bytes of a finished report without its gallery."""
    text = report.read_text(encoding="utf-8")
    start = text.index('id="gallery-data">')
    return len(text) - (text.index("</script>", start) - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=Path, help="a finished report, of which the rest is measured")
    report = parser.parse_args().report
    size = run()
    if report:
        rest = rest_of(report)
        console.print(f"{report} without its gallery: {rest / 1e6:.1f} MB; together {(size + rest) / 1e6:.1f} MB")

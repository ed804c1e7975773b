"""Scores over the strength of corruptions, the area under them, and what is said of them."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.cell import Cell
from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.figures.robustness import draw_robustness
from segstudy.tables.render import markdown
from segstudy.tables.robustness import area, robustness_rows
from segstudy.tables.robustness_text import content, sentences
from tests.helpers import results

# Dice of two test images: clean, and at each strength.
CLEAN = {"unet": [90, 80], "wnet": [70, 60]}
BLUR = {"unet": {1.0: [80, 60], 4.0: [20, 10]}, "wnet": {1.0: [70, 60], 4.0: [60, 50]}}
JPEG = {"unet": {20.0: [90, 80]}, "wnet": {20.0: [70, 60]}}


def rows_of(values):
    return [(f"i{n}", value, 100 - value, 100 - value, 1000) for n, value in enumerate(values)]


def made(folder):
    cells, files = [], []
    for model, values in CLEAN.items():
        cells.append(
            (Cell("drive", model, "bce", "default", 0), results.write(folder, f"{model}.csv", rows_of(values)))
        )
        parts = []
        for kind, levels in (("blur", BLUR[model]), ("jpeg", JPEG[model])):
            for strength, scores in levels.items():
                table = pd.read_csv(results.write(folder, "part.csv", rows_of(scores)))
                parts.append(table[table["subset"] == "test"].assign(corruption=kind, strength=strength))
        files.append(folder / f"{model}_corrupted.csv")
        pd.concat(parts).to_csv(files[-1], index=False)
    inputs = results.inputs(cells, regions={"drive": "roi"})
    return inputs, robustness_rows(inputs, files, "dice")


def test_a_curve_begins_with_the_clean_images_and_its_area_is_by_the_trapezoid_rule(tmp_path):
    _, rows = made(tmp_path)
    blur = rows[(rows["model"] == "unet") & (rows["corruption"] == "blur")]
    assert list(zip(blur["strength"], blur["mean"].round(6), blur["clean"], strict=True)) == [
        (0, 0.85, 1), (1, 0.7, 0), (4, 0.15, 0),
    ]  # fmt: skip
    each = [((0.9 + 0.8) / 2 + 3 * (0.8 + 0.2) / 2) / 4, ((0.8 + 0.6) / 2 + 3 * (0.6 + 0.1) / 2) / 4]
    assert blur["area"].iloc[0] == pytest.approx(np.mean(each))
    assert tuple(blur[["area_low", "area_high"]].iloc[0]) == pytest.approx(bootstrap_interval(np.array([each])))
    jpeg = rows[(rows["model"] == "wnet") & (rows["corruption"] == "jpeg")]
    assert jpeg["strength"].tolist() == [20, 100] and jpeg["area"].iloc[0] == pytest.approx(0.65)


def test_the_area_of_a_flat_curve_is_its_height_whatever_the_steps():
    assert area([0, 0.1, 5], np.full((3, 2), 0.7)).tolist() == pytest.approx([0.7, 0.7])


def test_the_sentences_name_the_worst_corruption_and_who_stands_it_best(tmp_path):
    _, rows = made(tmp_path)
    assert list(sentences(rows)) == [
        "On drive, of what was tried blur costs unet most: its area is 0.512 of Dice, on clean images it has 0.850.",
        "On drive, wnet has the largest area under blur (0.612, 95 % interval 0.562 to 0.662), "
        "while unet is best on clean images.",
        "On drive, unet has the largest area under JPEG (0.850, 95 % interval 0.800 to 0.900), "
        "which is best on clean images too.",
    ]


def test_the_tables_show_areas_and_every_strength(tmp_path):
    inputs, rows = made(tmp_path)
    text = markdown(content(inputs, rows))
    assert "| Data set | Model | Loss | clean images | blur | JPEG |" in text
    assert "| drive | wnet | bce | 0.650 (0.600 to 0.700) | **0.612 (0.562 to 0.662)** | 0.650" in text
    assert "| Data set | Model | Loss | clean | 1 | 4 |" in text and "| Data set | Model | Loss | 20 | clean |" in text
    assert "blur (standard deviation of a Gaussian in pixels of the raw image): 1, 4;" in text
    assert "Nothing was trained on them" in text


def test_the_figure_has_a_panel_for_each_corruption_and_is_the_same_twice(tmp_path):
    _, rows = made(tmp_path)
    for name in ("a", "b"):
        draw_robustness(rows, "losses", {kind: tmp_path / f"{name}.{kind}" for kind in ("svg", "png")})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    second = rows[rows["corruption"] == rows["corruption"].iloc[0]].assign(dataset="chase")
    draw_robustness(pd.concat([rows, second]), "losses", {kind: tmp_path / f"two.{kind}" for kind in ("svg", "png")})
    one, two = (Image.open(tmp_path / f"{name}.png").height for name in ("a", "two"))
    assert two > 1.5 * one, "a second data set begins on a line of its own"

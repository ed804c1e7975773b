"""The figure and the table of what a label is worth."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.cell import Cell
from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.figures import style
from segstudy.figures.label_efficiency import Share, draw_label_efficiency
from tests.helpers.results import inputs, paths

IMAGES = {0.1: 2, 0.5: 10, 1: 20}
NAMES = {"default": 0.0, "finetuned": 0.05}


def dices(recipe, share, seed):
    return 0.6 + NAMES[recipe] * (1.2 - share) + 0.15 * np.log10(share * 10) + 0.01 * seed + 0.02 * np.arange(6)


def table(values, policy, **first):
    """Counts whose Dice is a value, to four digits: tp = 10000 d, fp + fn = 20000 (1 - d)."""
    tp = np.round(10000 * np.asarray(values)).astype(int)
    rows = pd.DataFrame({"sample": [f"s{i}" for i in range(6)], "subset": "test", "class": "vessel", "region": "full"})
    return rows.assign(policy=policy, threshold=0.5, tp=tp, fp=10000 - tp, fn=10000 - tp, tn=90000, **first)


def given(folder, seeds=2):
    cells, runs, shares = [], [], []
    for recipe in NAMES:
        for share, images in IMAGES.items():
            for seed in range(seeds):
                name = recipe if share == 1 else f"{recipe}_labels{share * 100:g}"
                path = folder / f"{name}{seed}"
                table(dices(recipe, share, seed), "fixed").to_csv(f"{path}.csv", index=False)
                path.with_suffix(".json").write_text(json.dumps({"labels": {"images": images, "of": 20}}))
                cells.append((Cell("hrf", "unet", "dice", name, seed), f"{path}.csv"))
                runs.append(path.with_suffix(".json"))
                shares.append(Share(recipe, share))
    controls = []
    for seed in range(seeds):
        path = folder / f"controls{seed}.csv"
        rows = [table(np.full(6, value), "none", control=name) for name, value in (("random", 0.2), ("frangi", 0.62))]
        pd.concat(rows).to_csv(path, index=False)
        controls.append(("hrf", seed, path))
    return cells, controls, runs, shares


def drawn(folder, phantoms=()):
    outputs = paths(folder, "svg", "png", "csv")
    cells, controls, runs, shares = given(folder)
    draw_label_efficiency(inputs(cells, controls, outputs, phantoms=phantoms), runs, shares, "dice")
    return outputs


def test_the_table_has_a_row_for_each_approach_and_share_with_its_interval(tmp_path):
    rows = pd.read_csv(drawn(tmp_path)["csv"], keep_default_na=False, na_values=[""])
    cells = rows[rows["row"] == "cell"]
    assert list(zip(cells["recipe"], cells["share"], cells["labelled_images"], strict=True)) == [
        (recipe, share, images) for recipe in NAMES for share, images in IMAGES.items()
    ]
    row = cells[(cells["recipe"] == "finetuned") & (cells["share"] == 0.1)].iloc[0]
    values = np.array([dices("finetuned", 0.1, seed) for seed in range(2)])
    assert row["mean"] == pytest.approx(values.mean(), abs=1e-4)
    assert row["sd"] == pytest.approx(values.mean(axis=1).std(ddof=1), abs=1e-4)
    assert (row["low"], row["high"]) == pytest.approx(bootstrap_interval(values), abs=1e-4)
    assert (row["test_images"], row["seeds"]) == (6, 2)
    controls = rows[rows["row"] == "control"]
    assert controls["share"].isna().all() and controls.set_index("model")["mean"].to_dict() == pytest.approx(
        {"random": 0.2, "frangi": 0.62}
    )


def test_the_figure_has_a_line_for_each_approach_and_names_shares_and_images(tmp_path, figures):
    drawn(tmp_path)
    axes = figures[0].axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10 %\n2", "50 %\n10", "100 %\n20"]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert len(lines) == len(NAMES)
    for line, recipe in zip(lines, NAMES, strict=True):
        means = [np.mean([dices(recipe, share, seed) for seed in range(2)]) for share in IMAGES]
        assert line.get_ydata() == pytest.approx(means, abs=1e-4)
        assert np.abs(np.log10(line.get_xdata() / np.array(list(IMAGES)))).max() < 0.1
    texts = [text.get_text() for text in axes.texts]
    assert "frangi 0.620" in texts and "↓ random 0.200" in texts


def test_drawn_data_are_marked_and_the_bytes_repeat(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    outputs = drawn(first, phantoms=["hrf"])
    assert "PHANTOM" in outputs["svg"].read_text() and Image.open(outputs["png"]).width == style.WIDTH * style.PNG_DPI
    assert outputs["svg"].read_bytes() == drawn(second, phantoms=["hrf"])["svg"].read_bytes()
    assert pd.read_csv(outputs["csv"])["phantom"].eq(1).all()

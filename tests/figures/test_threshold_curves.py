"""Dice over the threshold: the lines of the histograms, the marks of the tables, a panel for each network."""

import numpy as np
import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.core.errors import StudyError
from segstudy.evaluation.calibration import coarse, histograms
from segstudy.figures.threshold_curves import chosen, draw_threshold_curves
from segstudy.tables.failures import dice_over_thresholds
from tests.helpers.figures import SAVED
from tests.helpers.results import inputs

POLICIES = {"fixed": 0.5, "validation": 0.25}


def counted(folder, cell, measured=True, subsets=("test", "val")):
    """Counts of two images at both policies, and the histograms of their probabilities; also their Dice and curve."""
    random = np.random.default_rng(cell.seed + 10 * len(cell.loss))
    rows, bins, names = [], [], []
    for subset in subsets:
        for number in range(2):
            truth = random.random((16, 16)) < 0.3
            probability = np.clip(0.5 * truth + random.random((16, 16)) * 0.5, 0, 1).astype(np.float32)
            bins.append(coarse(histograms(probability, truth)))
            names.append((f"{subset}{number}", subset, "full"))
            for policy, threshold in POLICIES.items():
                mask = probability >= threshold
                row = {"sample": f"{subset}{number}", "subset": subset, "class": "x", "region": "full"}
                row |= {
                    "policy": policy,
                    "threshold": threshold,
                    "tp": (mask & truth).sum(),
                    "tn": (~mask & ~truth).sum(),
                }
                rows.append(row | {"fp": (mask & ~truth).sum(), "fn": (~mask & truth).sum()})
    path = folder / f"{cell.model}-{cell.loss}-{cell.seed}"
    table = pd.DataFrame(rows)
    table.to_csv(f"{path}.csv", index=False)
    kept = slice(None if measured else 0)
    columns = np.array(names, str).T[:, kept]
    arrays = dict(zip(("sample", "subset", "region"), columns, strict=True))
    pixels = np.stack(bins)[kept]
    np.savez(f"{path}.npz", **arrays, positives=pixels[:, 0], negatives=pixels[:, 1])
    return (cell, f"{path}.csv"), f"{path}.npz", table, dice_over_thresholds(np.stack(bins)[:2])


def study(folder, models=("unet",), losses=("bce", "dice"), **options):
    cells = [Cell("ph2", model, loss, "default", seed) for model in models for loss in losses for seed in (0, 1)]
    return list(zip(*(counted(folder, cell, **options) for cell in cells), strict=True))


def test_lines_are_the_mean_over_seeds_and_marks_the_dice_of_the_tables(tmp_path, figures):
    cells, bins, tables, curves = study(tmp_path)
    draw_threshold_curves(inputs(cells, outputs=SAVED, phantoms=["ph2"]), bins)
    axes = figures[0].axes[0]
    assert axes.get_title(loc="left") == "ph2 (PHANTOM), unet"
    lines = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 256]
    assert len(lines) == 4  # test and validation images of two losses
    for mean in (np.mean(curves[:2], axis=0), np.mean(curves[2:], axis=0)):
        assert any(np.allclose(line, mean) for line in lines)
    marks = np.concatenate([np.asarray(dots.get_offsets()) for dots in axes.collections if len(dots.get_offsets()) > 1])
    test = pd.concat(tables).query("subset == 'test'")
    dice = (2 * test["tp"] / (2 * test["tp"] + test["fp"] + test["fn"])).groupby(test["threshold"]).mean()
    for threshold, mean in dice.items():
        assert marks[marks[:, 0] == threshold, 1].mean() == pytest.approx(mean)
    assert {text.get_text() for text in figures[0].legends[0].get_texts()} >= {
        *("bce", "dice", "0.5, fixed", "tuned on validation", "validation images"),
    }


def test_a_panel_for_each_network_or_one_for_all_where_the_losses_are_one(tmp_path, figures):
    cells, bins, *_ = study(tmp_path, models=("unet", "encdec", "segnet"))
    draw_threshold_curves(inputs(cells, outputs=SAVED), bins)
    cells, bins, *_ = study(tmp_path, models=("unet", "encdec"), losses=("bce",))
    draw_threshold_curves(inputs(cells, outputs=SAVED), bins)
    titles = [[axes.get_title(loc="left") for axes in figure.axes if axes.axison] for figure in figures]
    assert titles == [["ph2, unet", "ph2, encdec", "ph2, segnet"], ["ph2"]]
    assert {"unet", "encdec"} <= {text.get_text() for text in figures[1].legends[0].get_texts()}


def test_without_histograms_the_marks_stand_alone_and_without_test_images_nothing_can(tmp_path, figures):
    cells, bins, *_ = study(tmp_path, measured=False)
    draw_threshold_curves(inputs(cells, outputs=SAVED), bins)
    assert not [line for line in figures[0].axes[0].lines if len(line.get_ydata()) == 256]
    assert len(chosen(inputs(cells))) == 8
    cells, bins, *_ = study(tmp_path, subsets=("val",))
    with pytest.raises(StudyError, match="no test image to show"):
        draw_threshold_curves(inputs(cells, outputs=SAVED), bins)

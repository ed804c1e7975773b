"""What is said of a denoising cell: figures by independent formulas, and a picture."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from segstudy.config.semi_supervised import Denoising
from segstudy.core import rng
from segstudy.figures import denoised
from segstudy.figures.denoised import HEADS, PictureRow, draw_denoised
from segstudy.training.tasks.denoising import middle_levels
from tests.helpers import small_cell
from tests.helpers.denoising import SETTINGS, unlabelled  # noqa: F401 - a fixture

DRAW = np.random.default_rng(0)
CLEAN = DRAW.random((20, 30, 3)).astype(np.float32)


def test_psnr_by_hand_and_ssim_of_equal_images():
    inside = np.zeros((20, 30), bool)
    inside[4:9, 7:20] = True
    image = CLEAN.copy()
    image[inside] += 0.1
    image[~inside] = 0
    psnr, ssim = denoised.quality(CLEAN, image, inside)
    assert psnr == pytest.approx(-10 * np.log10(0.1**2), abs=1e-3)  # 20 dB
    assert ssim < 1
    assert denoised.quality(CLEAN, CLEAN + 1e-7, inside)[1] == pytest.approx(1)


def test_ssim_is_the_published_formula_in_windows_of_seven():
    """Wang et al. 2004, with unbiased variances and a flat window, computed pixel by pixel."""
    image = np.clip(CLEAN + 0.2 * DRAW.standard_normal(CLEAN.shape), 0, 1).astype(np.float32)
    inside = np.zeros((20, 30), bool)
    inside[6:10, 8:12] = True
    values = []
    for y, x in zip(*np.nonzero(inside), strict=True):
        for channel in range(3):
            a, b = (part[y - 3 : y + 4, x - 3 : x + 4, channel].astype(float).ravel() for part in (CLEAN, image))
            covariance = np.cov(a, b)
            upper = (2 * a.mean() * b.mean() + 0.01**2) * (2 * covariance[0, 1] + 0.03**2)
            lower = (a.mean() ** 2 + b.mean() ** 2 + 0.01**2) * (covariance[0, 0] + covariance[1, 1] + 0.03**2)
            values.append(upper / lower)
    assert denoised.quality(CLEAN, image, inside)[1] == pytest.approx(np.mean(values), abs=1e-5)


def test_levels_are_the_middles_of_the_ranges_asked_for():
    options = Denoising(gaussian=(0.1, 0.3), salt_and_pepper=None, speckle=(0.2, 0.2))
    assert middle_levels(options) == [("gaussian", pytest.approx(0.2)), ("speckle", 0.2)]


def test_a_few_rows_spread_evenly():
    assert denoised.evenly(np.arange(10, 111), 3).tolist() == [10, 60, 110]
    assert denoised.evenly(np.arange(2), 3).tolist() == [0, 1]


def test_the_padding_is_cut_off():
    roi = np.zeros((9, 8), np.uint8)
    roi[2, 3] = roi[5, 6] = 1
    assert denoised.rectangle(roi) == (slice(2, 6), slice(3, 7))


def test_what_a_network_says_is_the_sigmoid_of_its_logits():
    image = (CLEAN * 255).astype(np.uint8)
    pair = denoised.removed(lambda x: x * 0, image, ("gaussian", 0.1), rng.generator(0, "a"), torch.device("cpu"))
    assert (pair.denoised == 0.5).all()
    assert np.std(pair.noisy - image / 255) == pytest.approx(0.1, rel=0.2)


def test_a_cell_is_measured_and_drawn(unlabelled, tmp_path):  # noqa: F811
    small_cell.run(unlabelled[:2], tmp_path, SETTINGS, index=unlabelled[2])
    outputs = {"table": tmp_path / "denoising.csv", "png": tmp_path / "a.png"}
    model = tmp_path / "model.safetensors"
    denoised.measure_denoising(model, *unlabelled, outputs, title="discs", phantom=True)
    table = pd.read_csv(outputs["table"])
    assert list(table.columns) == denoised.COLUMNS
    assert table["noise"].tolist() == ["gaussian", "salt_and_pepper"] * 2
    assert set(table["level"]) == {0.125, 0.06}
    assert table.notna().all(axis=None)
    gaussian = table[table["noise"] == "gaussian"]
    assert gaussian["psnr_noisy"].to_numpy() == pytest.approx(-20 * np.log10(0.125), abs=0.5)
    first = outputs["table"].read_bytes(), outputs["png"].read_bytes()
    denoised.measure_denoising(model, *unlabelled, outputs, title="discs", phantom=True)
    assert (outputs["table"].read_bytes(), outputs["png"].read_bytes()) == first


def test_the_picture_holds_its_images_in_order(tmp_path):
    shades = [np.full((8, 8, 1), value, np.float32) for value in (0.0, 0.4, 1.0)]
    row = PictureRow("a", "speckle", 0.1, tuple(shades), (10.0, 0.5), (20.0, 0.9))
    draw_denoised([row], tmp_path / "a.png", title="t")
    pixels = np.asarray(Image.open(tmp_path / "a.png"))
    line = pixels[pixels.shape[0] - 200, :, 0]
    places = [np.flatnonzero(line == value) for value in (0, 102)]
    assert len(HEADS) == 3
    assert all(len(place) == 400 for place in places)  # the white one is as white as the page
    assert places[0].max() < places[1].min()

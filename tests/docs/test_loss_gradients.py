"""The picture of gradients shows every loss, and what it shows is the derivative of the formula."""

import numpy as np
import pytest
from PIL import Image

from docs.pictures import loss_gradients
from docs.pictures.loss_gradients import BAR, PANELS, SHARES, SIDE, draw_loss_gradients, gradients
from segstudy.config.losses import LOSSES


def test_every_loss_has_a_panel():
    assert {settings["loss"] for settings in PANELS.values()} == set(LOSSES)


@pytest.mark.parametrize("y", [0, 1])
def test_curves_are_the_derivatives_of_the_formulas(y):
    p, p_t = SHARES, SHARES if y else 1 - SHARES
    sign, slope = (-1 if y else 1), SHARES * (1 - SHARES)
    bar = BAR.stop - BAR.start
    expected = {
        "bce": p - y,
        "cross_entropy": p - y,
        "weighted_bce": (p - y) * ((SIDE - bar) / bar if y else 1),
        "mse": 2 * (p - y) * slope,
        "sparsity": slope,
        "boundary": (-2 if y else 3) * slope,
        # d/dz of -a (1 - p_t)^2 log p_t
        "focal": sign * (0.25 if y else 0.75) * (1 - p_t) ** 2 * (1 - p_t - 2 * p_t * np.log(p_t)),
    }
    for name, curve in expected.items():
        np.testing.assert_allclose(gradients(PANELS[name], y), curve, rtol=1e-5, atol=1e-7, err_msg=name)


def test_drawn_picture_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr(loss_gradients, "SHARES", SHARES[::33])
    draw_loss_gradients(tmp_path / "gradients.png")
    with Image.open(tmp_path / "gradients.png") as picture:
        assert picture.width == 960 and len(picture.getcolors()) > 8
    assert (tmp_path / "gradients.png").stat().st_size < 150_000

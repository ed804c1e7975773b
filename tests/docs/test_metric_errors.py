"""The picture of typical errors says what docs/metrics.md says of it."""

import numpy as np
from PIL import Image
from skimage.measure import euler_number, label
from sklearn.metrics import f1_score

from docs.pictures.metric_errors import SHOWN, draw_metric_errors, measured, predictions, vessels


def test_numbers_are_those_of_other_implementations():
    truth = vessels()
    for prediction in predictions().values():
        found = measured(prediction)
        assert found["Dice"] == f1_score(truth.ravel(), prediction.ravel())
        objects = [label(mask, connectivity=2).max() for mask in (prediction, truth)]
        assert found["Betti-0 error"] == abs(objects[0] - objects[1])
        holes = [n - euler_number(mask, connectivity=2) for n, mask in zip(objects, (prediction, truth), strict=True)]
        assert found["Betti-1 error"] == abs(holes[0] - holes[1])


def test_every_measure_misses_an_error_and_none_misses_them_all():
    thin, cut, branch, spots = (measured(prediction) for prediction in predictions().values())
    assert thin["Dice"] < 0.8 and thin["surface Dice, 2 px"] > 0.98 and thin["clDice"] > 0.98
    assert len({round(other["Dice"], 1) for other in (cut, branch, spots)}) == 1, "Dice tells these apart from none"
    assert cut["HD95, px"] <= 2 and cut["Betti-0 error"] == 7 and cut["Betti-1 error"] == 1
    assert branch["HD95, px"] > 20 and branch["Betti-0 error"] == branch["Betti-1 error"] == 0
    assert spots["HD95, px"] > 20 and spots["clDice"] > 0.97 and spots["Betti-0 error"] == 5


def test_the_picture_is_small_and_shows_all(tmp_path):
    draw_metric_errors(tmp_path / "errors.png")
    with Image.open(tmp_path / "errors.png") as drawn:
        colours = {tuple(pixel) for pixel in np.asarray(drawn.convert("RGB")).reshape(-1, 3)}
    assert {(150, 158, 168), (213, 94, 0), (0, 114, 178)} <= {tuple(map(int, colour)) for colour in colours}
    assert (tmp_path / "errors.png").stat().st_size < 50_000 and len(SHOWN) == 6

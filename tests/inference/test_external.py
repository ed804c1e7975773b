"""Images of an external test set: how a network sees them, and what is written of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.images.label_map import binary
from segstudy.data.images.prediction_files import read_probability
from segstudy.inference.external import on_canvas, predict_external, seen_as
from segstudy.models import model_file
from tests.helpers.known_probability import META, Oracle, write_images

OWN = {"size": "native", "colour": "rgb", "prediction": {}, "scale": None, "external_scale": None}


def trained_on(height, width):
    """Return the index of a data set of one image."""
    return pd.DataFrame({"height": [height], "width": [width]})


def predict(folder, monkeypatch, own=(48, 48), meta=META, threshold=0.5, flips=False, **settings):
    """Predict the images of `write_images`; return the index."""
    index, split = write_images(folder, ["test", "test", "unlabelled"])
    monkeypatch.setattr(model_file, "load_model", lambda path, device, **_: (Oracle(), meta))
    images = LabelledImages(index, split, folder / "raw", binary("cell"))
    outputs = folder / "probabilities", folder / "masks"
    seen = seen_as(trained_on(*own), OWN | settings)
    predict_external(folder / "m.safetensors", images, seen, outputs, threshold, flips)
    return index


@pytest.mark.parametrize("own", [(48, 48), (16, 16)], ids=["on the study's canvas", "larger than it"])
def test_without_scales_native_images_are_predicted_pixel_for_pixel_at_their_size(tmp_path, monkeypatch, own):
    predict(tmp_path, monkeypatch, own, threshold=0.25)
    assert sorted(path.name for path in (tmp_path / "probabilities").iterdir()) == ["0.png", "1.png"]
    for name in ("0", "1"):
        red = np.asarray(Image.open(tmp_path / f"raw/{name}.png"))[:, :, 0] / 255
        inside = np.asarray(Image.open(tmp_path / f"raw/{name}_roi.png")) > 0
        probability = read_probability(tmp_path / f"probabilities/{name}.png")
        assert np.abs(probability - red * inside).max() < 2e-5
        mask = np.asarray(Image.open(tmp_path / f"masks/{name}.png"))
        assert (mask == 255 * (probability >= 0.25)).all()


def test_mirrored_views_are_averaged_as_at_home(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(Oracle, "forward", lambda self, x: called.append(x) or torch.logit(x[:, :1], eps=1e-6))
    predict(tmp_path, monkeypatch, flips=True)
    red = np.asarray(Image.open(tmp_path / "raw/0.png"))[:, :, 0] / 255
    inside = np.asarray(Image.open(tmp_path / "raw/0_roi.png")) > 0
    assert np.abs(read_probability(tmp_path / "probabilities/0.png") - red * inside).max() < 2e-5
    assert len(called) == 2 * 4 and torch.equal(called[1], torch.flip(called[0], (3,)))


@pytest.mark.parametrize(
    ("own", "size", "scales", "side"),
    [
        ((64, 64), "native", (20, 40), 20),  # half as many pixels for the same length
        ((64, 64), "native", (60, 40), 60),
        ((100, 50), {"long_side": 50}, (40, 40), 20),  # its own images were halved
        ((100, 50), {"height": 50, "width": 50}, (80, 40), 40),
        ((64, 64), "native", (None, None), 40),
        ((64, 64), {"long_side": 64}, (None, None), 64 * 40 / 96),  # as `segstudy predict`: the whole image
    ],
)
def test_an_object_has_the_size_that_the_network_knows(tmp_path, own, size, scales, side):
    """A white square of 40 x 40 pixels in an image of 96 x 96."""
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[20:60, 30:70] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    settings = OWN | {"size": size, "scale": scales[0], "external_scale": scales[1]}
    row = {"sample": "a", "image": "a.png", "height": 96, "width": 96}
    pixels, geometry = on_canvas(row, tmp_path, seen_as(trained_on(*own), settings))
    assert (pixels[..., 0] > 127).sum() == pytest.approx(side**2, rel=0.06)
    assert geometry.height == round(96 * side / 40) and geometry[:2] == (96, 96)


def test_a_grey_network_sees_external_images_in_grey(tmp_path):
    write_images(tmp_path, ["test"])
    row = {"sample": "0", "image": "0.png", "height": 30, "width": 44}
    pixels, geometry = on_canvas(row, tmp_path / "raw", seen_as(trained_on(48, 48), OWN | {"colour": "green"}))
    green = np.asarray(Image.open(tmp_path / "raw/0.png"))[:, :, 1]
    assert pixels.shape == (48, 48, 1) and (pixels[geometry.rectangle][..., 0] == green).all()


@pytest.mark.parametrize("what", ["in_channels", "outputs"])
def test_a_model_of_other_channels_or_classes_is_refused(tmp_path, monkeypatch, what):
    with pytest.raises(StudyError, match=r"the model has 7 (channels|outputs), the external test set asks for"):
        predict(tmp_path, monkeypatch, meta=META | {what: 7})

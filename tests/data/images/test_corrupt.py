"""Corrupted images: each kind against its definition, and the same for every network."""

import io

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from scipy import ndimage

from segstudy.config.corruptions import CLEAN, Corruptions
from segstudy.data.images.corrupt import corrupted


@pytest.fixture(scope="module")
def image():
    """Grey 100..156, smooth, so that noise is cut nowhere."""
    rows, columns = np.mgrid[:160, :200]
    return np.stack([128 + 28 * np.sin(rows / 17 + k) * np.cos(columns / 23) for k in range(3)], 2).astype(np.uint8)


@pytest.mark.parametrize("strength", [0.02, 0.1])
def test_noise_has_the_deviation_that_was_asked_for(image, strength):
    added = (corrupted(image, "gaussian_noise", strength, "a").astype(float) - image) / 255
    assert added.std() == pytest.approx(strength, rel=0.03) and abs(added.mean()) < 0.002
    factor = corrupted(image, "speckle", strength, "a") / image.astype(float)
    assert factor.std() == pytest.approx(strength, rel=0.03) and factor.mean() == pytest.approx(1, abs=0.002)


def test_salt_and_pepper_hit_whole_pixels_half_each(image):
    found = corrupted(image, "salt_and_pepper", 0.1, "a")
    black, white = (found == 0).all(axis=2), (found == 255).all(axis=2)
    assert black.mean() == pytest.approx(0.05, rel=0.1) and white.mean() == pytest.approx(0.05, rel=0.1)
    assert (found[~black & ~white] == image[~black & ~white]).all()


def test_blur_brightness_jpeg_and_resolution_are_those_of_their_libraries(image):
    blurred = np.stack([ndimage.gaussian_filter(image[..., k].astype(float), 3, mode="nearest") for k in range(3)], 2)
    assert np.abs(corrupted(image, "blur", 3, "a") - blurred).max() <= 0.51
    assert (corrupted(image, "brightness", 0.5, "a") == np.rint(image * 0.5)).all()
    assert corrupted(image, "brightness", 3, "a").max() == 255
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=20)
    assert (corrupted(image, "jpeg", 20, "a") == np.asarray(Image.open(stream))).all()
    small = Image.fromarray(image).resize((50, 40), Image.Resampling.LANCZOS)
    back = np.asarray(small.resize((200, 160), Image.Resampling.BICUBIC))
    assert (corrupted(image, "resolution", 0.25, "a") == back).all()


@pytest.mark.parametrize("kind", CLEAN)
def test_an_image_is_corrupted_the_same_every_time_and_others_differently(image, kind):
    strength = {"jpeg": 30, "blur": 2.0}.get(kind, 0.3)
    first = corrupted(image, kind, strength, "a")
    assert first.dtype == np.uint8 and first.shape == image.shape and (first != image).any()
    assert (corrupted(image, kind, strength, "a") == first).all()
    random = kind in ("gaussian_noise", "salt_and_pepper", "speckle")
    assert (corrupted(image, kind, strength, "b") != first).any() == random


def test_a_stronger_noise_is_the_same_noise_stronger(image):
    weak, strong = (corrupted(image, "gaussian_noise", s, "a").astype(float) - image for s in (0.05, 0.1))
    assert np.corrcoef(weak.flat, strong.flat)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"brightness": [1]}, "brightness 1 leaves the image as it is"),
        ({"jpeg": [100]}, "less than or equal to 99"),
        ({"resolution": [1]}, "less than 1"),
        ({"blur": [-1]}, "greater than 0"),
        ({"gaussian_noise": [0.1, 0.1]}, "stands in the list twice"),
        ({"fog": [1]}, "Extra inputs"),
    ],
)
def test_strengths_that_are_none_are_refused(asked, says):
    with pytest.raises(ValidationError, match=says):
        Corruptions(**asked)


def test_levels_run_from_weak_to_strong_and_none_is_asked_for_by_default():
    assert Corruptions().levels == []
    asked = Corruptions(jpeg=[10, 50], blur=[2, 1], brightness=[0.5, 1.2])
    assert [kind for kind, _ in asked.levels] == ["blur", "blur", "brightness", "brightness", "jpeg", "jpeg"]
    assert [strength for _, strength in asked.levels] == [1, 2, 1.2, 0.5, 50, 10]
    assert set(CLEAN) == set(Corruptions.model_fields)

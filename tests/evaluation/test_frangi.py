import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.filters import frangi

from segstudy.data.images.label_map import binary
from segstudy.evaluation.aggregate import per_image
from segstudy.evaluation.frangi import LONG_SIDE, SCALES, ridgeness
from tests.helpers.measured import measure_controls

SIZE = (90, 120)


def tree(shift=0):
    """A vertical, a slanting and a curved vessel, 5 pixels wide."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    lines = [x - 20 - shift, (x - y - 10 - shift) / np.sqrt(2), np.hypot(y - 90, x - 60 - shift) - 45]
    return np.any([np.abs(line) <= 2.5 for line in lines], axis=0)


def picture(vessels, dark=True, seed=0):
    """Green shows the vessels on ground that grows brighter to the right; the other channels show nothing."""
    random = np.random.default_rng(seed)
    ground = np.linspace(90, 170, SIZE[1])[None].repeat(SIZE[0], axis=0)
    values = ground + (-30 if dark else 30) * vessels + random.normal(0, 3, SIZE)
    return np.stack([np.full(SIZE, 200.0), values, np.full(SIZE, 30.0)], axis=-1).clip(0, 255).astype(np.uint8)


@pytest.fixture
def study(tmp_path):
    """Four images of dark vessels; the right end of each is outside the field of view and black."""
    rows = []
    roi = np.zeros(SIZE, np.uint8)
    roi[:, :110] = 255
    Image.fromarray(roi).save(tmp_path / "roi.png")
    for number in range(4):
        vessels = tree(4 * number)
        image = picture(vessels, seed=number) * (roi > 0)[..., None]
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        Image.fromarray((vessels & (roi > 0)).astype(np.uint8) * 255).save(tmp_path / f"{number}_mask.png")
        rows.append({"sample": str(number), "image": f"{number}.png", "mask": f"{number}_mask.png"})
    index = pd.DataFrame(rows).assign(roi="roi.png", second_mask="")
    split = pd.DataFrame({"sample": index["sample"], "subset": ["train", "train", "val", "test"]})
    return {"index": index, "split": split, "root": tmp_path, "labels": binary("vessel"), "seed": 0}


def scores(study, *names, region="roi"):
    counts = measure_controls(**study, names=list(names))
    return per_image(counts[counts["region"] == region])


def turn(study, samples):
    """Make the vessels of these images bright."""
    for number in samples:
        image = np.array(Image.open(study["root"] / f"{number}.png"))
        image[..., 1] = np.where(image[..., 0] > 0, 255 - image[..., 1], 0)
        Image.fromarray(image).save(study["root"] / f"{number}.png")


def test_ranks_are_those_of_the_filter_inside():
    values, inside = picture(tree())[..., 1], np.ones(SIZE, bool)
    response = frangi(values / np.float32(255), sigmas=SCALES, mode="nearest")
    ranks = ridgeness(values, inside, "dark")
    order = np.argsort(response, axis=None)
    assert (np.diff(ranks.ravel()[order]) >= -1e-3).all()
    assert ranks.min() == 0 and 0.999 < ranks.max() < 1
    assert np.mean(ranks >= 0.9) == pytest.approx(0.1, abs=0.001)


def test_the_rim_of_the_field_of_view_is_no_ridge():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = np.hypot(y - 45, x - 60) < 40
    values = (picture(np.abs(x - 60) <= 2.5)[..., 1] * inside).astype(np.uint8)
    ranks = ridgeness(values, inside, "dark")
    strongest = ranks >= 0.95
    assert (ranks[~inside] == 0).all()
    assert (np.abs(x - 60)[strongest] <= 4).all()


def test_a_large_picture_is_filtered_small_and_comes_back_at_its_size():
    side = 2 * LONG_SIDE
    x = np.arange(side // 4)[None].repeat(side, axis=0)
    vessel = np.abs(x - 200) <= 5
    values = (150 - 40 * vessel).astype(np.uint8)
    ranks = ridgeness(values, np.ones(values.shape, bool), "dark")
    assert ranks.shape == values.shape
    assert (np.abs(x - 200)[ranks >= 0.99] <= 5).all()


def test_frangi_finds_vessels_where_otsu_does_not(study):
    found = scores(study, "otsu", "frangi").groupby("control")["dice"].min()
    assert found["frangi"] > 0.8 > found["otsu"]


def test_frangi_takes_the_bright_side_where_vessels_are_bright(study):
    turn(study, range(4))
    found = scores(study, "frangi")
    assert (found["dice"] > 0.8).all()


def test_frangi_is_learned_from_training_images_alone(study):
    before = scores(study, "frangi")
    turn(study, [2, 3])
    after = scores(study, "frangi")
    assert after["threshold"].tolist() == before["threshold"].tolist()
    assert after["dice"].tolist()[:2] == before["dice"].tolist()[:2]
    assert (after["dice"][2:] < 0.5).all()


def test_frangi_keeps_the_share_of_pixels_that_its_rank_says(study):
    for row in scores(study, "frangi").to_dict("records"):
        pixels = sum(row[name] for name in ("tp", "fp", "fn", "tn"))
        assert (row["tp"] + row["fp"]) / pixels == pytest.approx(1 - row["threshold"], abs=0.001)


def test_frangi_is_for_vessels_alone(study):
    counts = measure_controls(**study | {"labels": binary("lesion")}, names=["all_background", "frangi"])
    assert set(counts["control"]) == {"all_background"}

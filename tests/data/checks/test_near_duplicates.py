import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from segstudy.config.datasets import Phantom
from segstudy.data.checks.near_duplicates import THRESHOLD, compared, features, near_duplicates, pairs_compared
from segstudy.data.images.thumbnails import SIDE, thumbnail
from segstudy.data.index import build_index
from tests.helpers.phantoms import draw


def texture(seed: int, height: int = 150, width: int = 200) -> Image.Image:
    """A random blotchy picture; each seed another one."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = gaussian_filter(noise, (4, 4, 0))
    return Image.fromarray(np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8))


def thumbnails(*images: Image.Image) -> np.ndarray:
    return np.stack([thumbnail(np.asarray(image)) for image in images])


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


COPIES = {
    "jpeg": lambda image: jpeg(image, 30),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "larger": lambda image: image.resize((image.width * 3 // 2, image.height * 3 // 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "grey": lambda image: image.convert("L"),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "upside down": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "transposed": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("others", [0, 1, 20])
def test_a_copy_is_found_and_nothing_else(kind, others):
    pictures = [texture(seed) for seed in range(others + 1)]
    rows = thumbnails(*pictures, COPIES[kind](pictures[0]))
    found = near_duplicates(rows, ["train"] * len(pictures) + ["test"])
    assert [(pair.first, pair.second, pair.moved) for pair in found] == [(0, len(pictures), False)]


def cropped(image: Image.Image, left=0.05, top=0.05, right=0.05, bottom=0.05) -> Image.Image:
    width, height = image.size
    return image.crop(
        (round(width * left), round(height * top), width - round(width * right), height - round(height * bottom))
    )


MOVED = {
    "cropped": cropped,
    "cropped at a corner": lambda image: cropped(image, left=0, top=0),
    "turned by 3 degrees": lambda image: image.rotate(3, Image.Resampling.BICUBIC),
    "turned by -5 degrees": lambda image: image.rotate(-5, Image.Resampling.BICUBIC),
    "all at once": lambda image: jpeg(COPIES["half"](cropped(image.rotate(3, Image.Resampling.BICUBIC))), 50).transpose(
        Image.Transpose.ROTATE_270
    ),
}


@pytest.mark.parametrize("kind", MOVED)
@pytest.mark.parametrize("others", [1, 20])
@pytest.mark.parametrize("side", ["few", "many"])
def test_a_moved_copy_is_found_and_nothing_else(kind, others, side):
    """Also where the copy is on the side that is not moved by the search."""
    pictures = [texture(seed) for seed in range(others + 1)]
    rows = thumbnails(*pictures, MOVED[kind](pictures[0]))
    subsets = ["train"] * len(pictures) + ["test"] if side == "few" else ["test"] + ["train"] * len(pictures)
    found = near_duplicates(rows, subsets)
    assert [(pair.first, pair.second, pair.moved) for pair in found] == [(0, len(pictures), True)]


@pytest.mark.parametrize("reader", ["ph2", "drive", "hrf", "ebhi", "cmp", "rfmid"])
def test_drawn_data_hold_no_copies_and_a_copy_put_there_is_found(reader, tmp_path):
    draw(reader, tmp_path, Phantom(images=12, height=192, width=256))
    index = build_index(reader, tmp_path)
    images = [Image.open(tmp_path / path).convert("RGB") for path in index["image"]]
    subsets = ["train", "val", "test"] * len(images)
    assert near_duplicates(thumbnails(*images), subsets[: len(images)]) == []
    for change in MOVED.values():
        rows = thumbnails(*images, change(images[3]))
        pairs = near_duplicates(rows, ["train"] * len(images) + ["test"])
        assert [(pair.first, pair.second) for pair in pairs] == [(3, len(images))]


def test_what_all_images_share_does_not_make_them_alike():
    y, x = np.mgrid[:150, :200]
    disc = (((y - 75) / 70) ** 2 + ((x - 100) / 90) ** 2 < 1)[..., None]
    pictures = [np.where(disc, np.asarray(texture(seed)), 0).astype(np.uint8) for seed in range(12)]
    rows = np.stack([thumbnail(picture) for picture in pictures])
    raw = np.corrcoef(rows.reshape(12, -1))
    assert np.sort(raw, axis=None)[-13] > 0.8  # plain correlation would take them for copies
    assert near_duplicates(rows, ["train", "val", "test"] * 4) == []


def test_only_pairs_that_would_leak_are_compared():
    rows = thumbnails(*[texture(0)] * 4)
    assert near_duplicates(rows, ["train"] * 4) == []
    assert near_duplicates(rows, ["train", "unlabelled", "train", "unlabelled"]) == []
    assert near_duplicates(rows, ["train", "", "train", ""]) == []
    found = near_duplicates(rows, ["train", "val", "test", "unlabelled"])
    assert [(p.first, p.second) for p in found] == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert [p.score for p in found] == [1.0] * 5
    assert pairs_compared(["train", "val", "test", "unlabelled"]) == 5
    assert pairs_compared(["train"] * 3 + ["test"] * 2 + [""]) == 6
    assert compared(["train", "unlabelled", ""]) == []


def test_blank_images_are_like_nothing():
    blank = np.zeros((1, SIDE, SIDE), np.float32)
    rows = np.concatenate([blank, blank + 200, thumbnails(texture(1), texture(2))])
    assert not features(rows)[:2].any()
    assert near_duplicates(rows, ["train", "test", "val", "train"]) == []


def test_the_score_is_the_largest_correlation_over_the_eight_positions():
    rows = thumbnails(*[texture(seed) for seed in range(6)], texture(3).transpose(Image.Transpose.ROTATE_270))
    subsets = ["train", "val"] * 3 + ["train"]
    values = features(rows).reshape(-1, SIDE, SIDE)
    expected = {}
    for a in range(7):
        for b in range(a + 1, 7):
            if subsets[a] != subsets[b]:
                positions = [np.rot90(m, k) for m in (values[b], values[b].T) for k in range(4)]
                expected[a, b] = max(np.corrcoef(values[a].ravel(), p.ravel())[0, 1] for p in positions)
    found = {(p.first, p.second): p.score for p in near_duplicates(rows, subsets, threshold=-1)}
    assert found.keys() == expected.keys()
    assert all(found[pair] == pytest.approx(expected[pair], abs=6e-4) for pair in expected)
    assert expected[3, 6] > THRESHOLD


def test_blocks_do_not_change_the_result(monkeypatch):
    rows = thumbnails(*[texture(seed) for seed in range(9)], texture(4))
    subsets = ["train", "test", "val", "unlabelled"] * 2 + ["test", "val"]
    whole = near_duplicates(rows, subsets, threshold=0.0)
    monkeypatch.setattr("segstudy.data.checks.near_duplicates.BLOCK", 1)
    monkeypatch.setattr("segstudy.data.checks.near_duplicates.WIDE", 2)
    assert near_duplicates(rows, subsets, threshold=0.0) == whole


def test_many_copies_of_one_image_do_not_hide_each_other():
    same = texture(0)
    rows = thumbnails(*[jpeg(same, 90 - 5 * n) for n in range(8)], texture(1), texture(2))
    found = near_duplicates(rows, ["train"] * 4 + ["test"] * 4 + ["val", "train"])
    assert {(p.first, p.second) for p in found} == {(a, b) for a in range(4) for b in range(4, 8)}


def test_thumbnails_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="expected \\(2, 64, 64\\)"):
        near_duplicates(np.zeros((2, 32, 32)), ["train", "test"])


def test_thumbnail_is_the_mean_of_what_it_covers():
    image = np.zeros((128, 256), np.uint8)
    image[:, 128:] = 200
    result = thumbnail(image)
    assert result.shape == (SIDE, SIDE) and result.dtype == np.float32
    assert (result[:, :31] == 0).all() and np.allclose(result[:, 33:], 200)
    assert result.mean() == pytest.approx(100, abs=0.5)
    assert thumbnail(np.stack([image] * 3, axis=2)) == pytest.approx(result)

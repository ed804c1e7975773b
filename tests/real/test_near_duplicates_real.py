"""The threshold on real images: copies are found, distinct images are never taken for copies."""

import io
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from segstudy.data.checks.near_duplicates import near_duplicates
from segstudy.data.images.thumbnails import thumbnail

ROOT = Path(os.environ.get("SEGSTUDY_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
PATTERNS = {
    "DRIVE": "DRIVE/*/images/*.tif",
    "PH2": "PH2/**/*_Dermoscopic_Image/*.bmp",
    "HRF": "HRF/images/*",
    "EBHI-SEG": "EBHI-SEG/*/image/*.png",
    "CMP": "CMP_facade_DB_base/base/*.jpg",
}
# The one pair of EBHI-SEG whose pixels are identical although the files differ.
TWINS = {"GT2012149-2-400-001.png", "GTGT2012149-2-400-001.png"}
COPIES = 10  # images of each data set that are copied


def squeezed(image):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=30)
    return Image.open(stream)


def scaled(image, factor):
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)


def cropped(image, low, high):
    width, height = image.size
    return image.crop(
        (round(width * low), round(height * low), width - round(width * high), height - round(height * high))
    )


CHANGES = {
    "jpeg of quality 30": squeezed,
    "half the size": lambda image: scaled(image, 0.5),
    "1.5 times the size": lambda image: scaled(image, 1.5),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "turned by 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped by 5 %": lambda image: cropped(image, 0.05, 0.05),
    "cropped by 5 % at a corner": lambda image: cropped(image, 0, 0.05),
    "turned by 2": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "turned by -5": lambda image: image.rotate(-5, Image.Resampling.BICUBIC),
    "turned by 3, cropped, half, jpeg, turned by 90": lambda image: squeezed(
        scaled(cropped(image.rotate(3, Image.Resampling.BICUBIC), 0.05, 0.05), 0.5)
    ).transpose(Image.Transpose.ROTATE_90),
    "half, jpeg and turned": lambda image: squeezed(scaled(image, 0.5)).transpose(Image.Transpose.ROTATE_180),
}


def opened(path):
    image = Image.open(path).convert("RGB")
    return image.reduce(3) if image.width > 2000 else image


@pytest.fixture(scope="module", params=PATTERNS)
def images(request):
    paths = sorted(ROOT.glob(PATTERNS[request.param]))
    if not paths:
        pytest.skip(f"no real {request.param} below {ROOT} (set SEGSTUDY_REAL_DATA)")
    return paths, np.stack([thumbnail(np.asarray(opened(path))) for path in paths])


def test_distinct_images_are_never_taken_for_copies(images):
    paths, thumbnails = images
    if len(paths) > 2:
        found = set()
        for bit in range(len(paths).bit_length()):  # any two numbers differ in some bit: every pair is compared
            sides = np.arange(len(paths)) >> bit & 1
            pairs = near_duplicates(thumbnails, np.where(sides, "test", "train").tolist())
            found |= {frozenset((paths[p.first].name, paths[p.second].name)) for p in pairs}
        present = {path.name for path in paths} >= TWINS
        assert found == ({frozenset(TWINS)} if present else set())


def test_a_handful_of_images_is_judged_as_well(images):
    paths, thumbnails = images
    few = [n for n, path in enumerate(paths) if path.name not in TWINS][:5]
    for a, b in combinations(few, 2):
        assert near_duplicates(thumbnails[[a, b]], ["train", "test"]) == []


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found(images, change):
    paths, thumbnails = images
    chosen = np.linspace(0, len(paths) - 1, min(COPIES, len(paths))).astype(int)
    copies = [thumbnail(np.asarray(CHANGES[change](opened(paths[n])))) for n in chosen]
    subsets = ["train"] * len(paths) + ["test"] * len(copies)
    pairs = near_duplicates(np.concatenate([thumbnails, copies]), subsets)
    expected = {(int(original), len(paths) + n) for n, original in enumerate(chosen)}
    found = {(p.first, p.second) for p in pairs}
    twins = {n for n, path in enumerate(paths) if path.name in TWINS}
    assert expected <= found
    assert {pair for pair in found - expected if pair[0] not in twins} == set()

"""The store, and the way back to the original size, on real DRIVE, PH2 and HRF files."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segstudy.data.images.geometry import to_original
from segstudy.data.images.label_map import binary
from segstudy.data.images.read import image_size, read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.store import build_store, open_store

DATA = Path(os.environ.get("SEGSTUDY_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


def index_of(root, triples):
    rows = []
    for sample, image, mask, roi in triples:
        width, height = image_size(root / image)
        row = {"sample": sample, "image": image, "mask": mask, "roi": roi, "width": width, "height": height}
        rows.append(row)
    return pd.DataFrame(rows)


def drive():
    root = DATA / "DRIVE" / "training"
    parts = ((f"{i}", f"images/{i}_training.tif", f"1st_manual/{i}_manual1.gif") for i in range(21, 25))
    return root, [(i, image, mask, f"mask/{i}_training_mask.gif") for i, image, mask in parts]


def hrf():
    names = [path.name for path in sorted((DATA / "HRF" / "images").iterdir())][:2]
    stems = [Path(name).stem for name in names]
    masks = [f"mask/{stem}_mask.tif" for stem in stems]
    return DATA / "HRF", [
        (stem, f"images/{name}", f"manual1/{stem}.tif", mask if (DATA / "HRF" / mask).exists() else "")
        for stem, name, mask in zip(stems, names, masks, strict=True)
    ]


def ph2():
    found = sorted((DATA / "PH2").rglob("IMD*_Dermoscopic_Image/IMD*.bmp"))[:6]
    return DATA / "PH2", [
        (
            path.stem,
            path.relative_to(DATA / "PH2").as_posix(),
            (path.parents[1] / f"{path.stem}_lesion/{path.stem}_lesion.bmp").relative_to(DATA / "PH2").as_posix(),
            "",
        )
        for path in found
    ]


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize(
    ("name", "triples", "size", "least"),
    [
        ("DRIVE", drive, "native", 1.0),
        ("DRIVE", drive, {"long_side": 1168}, 0.999),
        ("PH2", ph2, {"height": 192, "width": 256}, 0.985),
        (
            "HRF",
            hrf,
            {"long_side": 1024},
            0.7,
        ),  # vessels of two or three pixels do not survive a third of the size
    ],
)
def test_masks_come_back_from_the_store_as_they_were(name, triples, size, least, tmp_path):
    """Dice of the truth against itself, through store and back: what resizing alone costs a perfect network."""
    if not (DATA / name).is_dir():
        pytest.skip(f"no real {name} under {DATA} (set SEGSTUDY_REAL_DATA)")
    root, files = triples()
    assert len(files) >= 2
    index = index_of(root, files)
    build_store(index, root, tmp_path / "store", size, "rgb", name.lower(), binary("foreground"), 2)
    store = open_store(tmp_path / "store")
    for row, (_, image, mask, roi) in enumerate(files):
        truth, place = read_mask(root / mask).array, store.geometry_of(row)
        back = to_original(store.masks[row].astype(np.float32), place) >= 0.5
        assert back.shape == truth.shape
        assert dice(back, truth) >= least
        original = read_image(root / image).astype(np.float32) / 255
        green = to_original(store.images[row, :, :, 1].astype(np.float32) / 255, place)
        assert np.abs(green - original[:, :, 1]).mean() < (1e-7 if size == "native" else 0.03)
        if roi:
            field = to_original(store.rois[row].astype(np.float32), place) >= 0.5
            assert dice(field, read_mask(root / roi).array) > 0.995
        else:
            assert store.rois[row].sum() == place.height * place.width


def test_native_drive_holds_the_vessels_of_the_official_files(tmp_path):
    if not (DATA / "DRIVE").is_dir():
        pytest.skip(f"no real DRIVE under {DATA} (set SEGSTUDY_REAL_DATA)")
    root, files = drive()
    build_store(index_of(root, files), root, tmp_path / "store", "native", "green", "drive", binary("vessel"), 2)
    store = open_store(tmp_path / "store")
    assert store.images.shape == (4, 592, 576, 1)
    shares = store.masks.sum((1, 2)) / (584 * 565)
    assert ((shares > 0.06) & (shares < 0.116)).all()  # documented range of the training frames
    assert ((store.rois.sum((1, 2)) / (584 * 565) > 0.6) & (store.rois.sum((1, 2)) / (584 * 565) < 0.75)).all()
    vessels = [store.images[row, :, :, 0][store.masks[row] == 1].mean() for row in range(4)]
    fundus = [store.images[row, :, :, 0][(store.masks[row] == 0) & (store.rois[row] == 1)].mean() for row in range(4)]
    assert all(dark < bright for dark, bright in zip(vessels, fundus, strict=True))  # vessels are dark in green

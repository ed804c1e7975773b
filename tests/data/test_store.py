import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.core.checksums import sum_of
from segstudy.core.errors import StudyError
from segstudy.data.images.geometry import Geometry, to_canvas
from segstudy.data.images.label_map import binary, several
from segstudy.data.store import build_store, open_store, store_bytes


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path.name


@pytest.fixture
def raw(tmp_path):
    """Three images of different sizes: with mask and roi, with mask, with neither."""
    rng = np.random.default_rng(0)
    root = tmp_path / "raw"
    rows, arrays = [], {}
    for name, (height, width), parts in (("a", (20, 30), "mr"), ("b", (40, 24), "m"), ("2", (33, 50), "")):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask, roi = (rng.random((2, height, width)) > 0.5).astype(np.uint8) * 255
        arrays[name] = image, mask > 0, roi > 0
        row = {"sample": name, "image": write(root / f"{name}.png", image), "mask": "", "roi": ""}
        if "m" in parts:
            row["mask"] = write(root / f"{name}_mask.png", mask)
        if "r" in parts:
            row["roi"] = write(root / f"{name}_roi.png", roi)
        rows.append(row | {"width": width, "height": height})
    return root, pd.DataFrame(rows), arrays


LESION = binary("lesion")


def build(root, index, out, size="native", colour="rgb", threads=2, labels=LESION):
    build_store(index, root, out, size, colour, "folder", labels, threads)
    return open_store(out)


def test_native_holds_the_very_pixels_where_geometry_says(raw, tmp_path):
    root, index, arrays = raw
    store = build(root, index, tmp_path / "store")
    assert store.images.shape == (3, 48, 64, 3)
    for row, name in enumerate(["a", "b", "2"]):
        image, mask, roi = arrays[name]
        place = store.geometry_of(row)
        assert np.array_equal(store.images[row][place.rectangle], image)
        assert np.array_equal(store.masks[row][place.rectangle], mask if name != "2" else np.zeros_like(mask))
        assert np.array_equal(store.rois[row][place.rectangle], roi if name == "a" else np.ones_like(roi))
        for array in (store.images, store.masks, store.rois):
            padding = array[row].copy()
            padding[place.rectangle] = 0
            assert not padding.any()


def test_files_beside_the_arrays_are_as_promised(raw, tmp_path):
    root, index, _ = raw
    store = build(root, index, tmp_path / "store", size={"long_side": 32, "height": None})
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        *("geometry.csv", "images.npy", "masks.npy", "rois.npy", "store.json")
    ]
    assert json.loads((tmp_path / "store/store.json").read_text()) == {
        "reader": "folder",
        "classes": ["lesion"],
        "channels": 3,
        "canvas": [32, 32],
        "colour": "rgb",
        "samples": 3,
        "size": {"long_side": 32},
    }
    assert (tmp_path / "store/geometry.csv").read_text().splitlines() == [
        "sample,row,labelled,original_height,original_width,top,left,height,width",
        "a,0,1,20,30,5,0,21,32",
        "b,1,1,40,24,0,6,32,19",
        "2,2,0,33,50,5,0,21,32",
    ]
    assert [array.dtype for array in store[:3]] == [np.uint8] * 3


def test_resized_rows_are_what_geometry_makes_of_the_files(raw, tmp_path):
    root, index, arrays = raw
    store = build(root, index, tmp_path / "store", size={"height": 16, "width": 48})
    place = store.geometry_of(1)
    assert place == Geometry(40, 24, 0, 19, 16, 10)
    image, mask, _ = arrays["b"]
    assert np.array_equal(store.images[1], to_canvas(image, place, (16, 48), "image"))
    assert np.array_equal(store.masks[1], to_canvas(mask, place, (16, 48), "mask"))


def test_grey_is_the_luma_and_green_the_second_channel(raw, tmp_path):
    root, index, arrays = raw
    grey = build(root, index, tmp_path / "grey", colour="grey")
    green = build(root, index, tmp_path / "green", colour="green")
    assert grey.images.shape == green.images.shape == (3, 48, 64, 1)
    assert grey.meta["channels"] == 1
    image, _, _ = arrays["a"]
    rectangle = grey.geometry_of(0).rectangle
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey.images[0][rectangle][:, :, 0] - luma).max() <= 0.51
    assert np.array_equal(green.images[0][rectangle][:, :, 0], image[:, :, 1])


def test_several_classes_keep_their_ids(raw, tmp_path):
    root, index, _ = raw
    ids = np.random.default_rng(1).integers(0, 4, (20, 30), dtype=np.uint8)
    write(root / "a_mask.png", ids)
    write(root / "b_mask.png", np.zeros((40, 24), np.uint8))
    store = build(root, index, tmp_path / "store", labels=several({"door": 1, "window": 2, "wall": 3}))
    assert np.array_equal(store.masks[0][store.geometry_of(0).rectangle], ids)


def test_threads_and_repetition_do_not_change_a_byte(raw, tmp_path):
    root, index, _ = raw
    for name, threads in (("one", 1), ("four", 4)):
        build(root, index, tmp_path / name, size={"long_side": 40}, threads=threads)
    build(root, index, tmp_path / "one", size={"long_side": 40}, threads=1)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "four" / path.name).read_bytes()


def test_rows_follow_the_samples_asked_for(raw, tmp_path):
    root, index, _ = raw
    store = build(root, index, tmp_path / "store")
    assert store.rows(["2", "a"]).tolist() == [2, 0]  # a number as a name stays a name
    assert store.rows([]).shape == (0,)
    with pytest.raises(StudyError, match="no sample 'zz'"):
        store.rows(["a", "zz"])


def test_rows_are_numbers_so_that_the_tenth_comes_after_the_ninth(raw, tmp_path):
    folder = tmp_path / "store"
    build(*raw[:2], folder)
    table = pd.read_csv(folder / "geometry.csv", dtype={"sample": str})
    many = pd.concat([table] * 4, ignore_index=True).assign(row=range(4 * len(table)))
    many.to_csv(folder / "geometry.csv", index=False)
    for name in ("images", "masks", "rois"):
        np.save(folder / f"{name}.npy", np.concatenate([np.load(folder / f"{name}.npy")] * 4))
    meta = json.loads((folder / "store.json").read_text()) | {"samples": len(many)}
    (folder / "store.json").write_text(json.dumps(meta))
    sum_of(folder).unlink()  # a store of an earlier version
    assert len(many) > 10
    assert open_store(folder).geometry.sort_values("row")["row"].tolist() == list(range(len(many)))


def test_a_store_is_opened_mapped_and_read_only_or_in_memory(raw, tmp_path):
    root, index, _ = raw
    mapped = build(root, index, tmp_path / "store")
    assert isinstance(mapped.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        mapped.images[0] = 0
    memory = open_store(tmp_path / "store", mmap=False)
    assert not isinstance(memory.images, np.memmap)
    assert np.array_equal(memory.images, mapped.images)


def test_bytes_are_those_of_the_arrays(raw, tmp_path):
    root, index, _ = raw
    store = build(root, index, tmp_path / "store")
    assert store_bytes(3, (48, 64), 3) == sum(array.nbytes for array in store[:3])


@pytest.mark.parametrize(
    ("file", "found"),
    [("a.png", "its image is 31x20"), ("a_mask.png", "its mask is 31x20"), ("a_roi.png", "its roi is 31x20")],
)
def test_files_of_another_size_are_named_with_both_sizes(raw, tmp_path, file, found):
    root, index, _ = raw
    shape = (20, 31, 3) if file == "a.png" else (20, 31)
    write(root / file, np.zeros(shape, np.uint8))
    with pytest.raises(StudyError) as error:
        build(root, index, tmp_path / "store")
    assert f"sample 'a': {found}" in str(error.value)
    assert "30x20" in str(error.value)
    assert str(root / file) in str(error.value)
    assert not (tmp_path / "store").exists()
    assert not list(tmp_path.glob(".store*"))


def test_a_failed_build_leaves_the_old_store_alone(raw, tmp_path):
    root, index, _ = raw
    before = build(root, index, tmp_path / "store").images.copy()
    (root / "b.png").unlink()
    with pytest.raises(StudyError, match="missing"):
        build(root, index, tmp_path / "store")
    assert np.array_equal(open_store(tmp_path / "store").images, before)


def test_no_store_and_no_images_are_said(raw, tmp_path):
    root, index, _ = raw
    with pytest.raises(StudyError, match="no complete store"):
        open_store(tmp_path / "nowhere")
    with pytest.raises(StudyError, match="no images"):
        build(root, index.iloc[:0], tmp_path / "store")


def test_a_store_that_the_disk_cannot_hold_is_refused_at_once(raw, tmp_path, monkeypatch):
    root, index, _ = raw
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(StudyError, match="the disk has"):
        build(root, index, tmp_path / "store")
    assert not (tmp_path / "store").exists()


PEAK = """
import json, sys
from pathlib import Path
from segstudy.core.files import read_csv
from segstudy.data.images.label_map import binary
from segstudy.data.store import build_store
root, out, size = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
build_store(read_csv(root / "index.csv"), root, out, size, "rgb", "folder", binary("vessel"), 16)
assert "torch" not in sys.modules
# Not ru_maxrss: that keeps the peak of the process this one was forked from.
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.parametrize("size", ["native", {"long_side": 1024}])
def test_memory_is_bounded_for_large_images(tmp_path, size):
    """Images of HRF's size, on a machine with many threads; 45 of them must not need more than a few."""
    height, width = 2336, 3504
    smooth = np.indices((height, width)).sum(0).astype(np.uint8)
    Image.fromarray(np.stack([smooth] * 3, 2)).save(tmp_path / "image.jpg", quality=80)
    Image.fromarray((smooth > 128).astype(np.uint8) * 255).save(tmp_path / "mask.png", compress_level=1)
    count = 12
    pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(count)],
            "image": "image.jpg",
            "mask": "mask.png",
            "roi": "mask.png",
            "width": width,
            "height": height,
        }
    ).to_csv(tmp_path / "index.csv", index=False)
    command = [sys.executable, "-c", PEAK, str(tmp_path), str(tmp_path / "store"), json.dumps(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    peak = float(done.stdout)
    assert peak < 800, f"{peak:.0f} MB"  # with all 12 in work it would be above 1000


def test_void_leaves_what_counts_and_neither_image_nor_region(tmp_path):
    """Resized and padded, a pixel is void exactly where its mask is; the rois stay those of images."""
    rng = np.random.default_rng(2)
    values = rng.choice(np.array([0, 1, 255], np.uint8), (40, 24))
    roi = (rng.random((40, 24)) > 0.3).astype(np.uint8) * 255
    write(tmp_path / "a.png", rng.integers(0, 256, (40, 24, 3), dtype=np.uint8))
    write(tmp_path / "m.png", values)
    write(tmp_path / "r.png", roi)
    rows = [{"sample": name, "image": "a.png", "mask": mask} for name, mask in (("a", "m.png"), ("b", ""))]
    index = pd.DataFrame(rows).assign(roi="r.png", width=24, height=40)
    labels = binary("cell")._replace(void=(255,))
    for size in ("native", {"long_side": 17}):
        store = build(tmp_path, index, tmp_path / f"store-{len(str(size))}", size, labels=labels)
        place, canvas = store.geometry_of(0), tuple(store.meta["canvas"])
        of_mask = to_canvas(values, place, canvas, "mask")
        np.testing.assert_array_equal(store.masks[0], of_mask == 1)
        np.testing.assert_array_equal(store.rois[0], to_canvas(roi > 0, place, canvas, "mask"))
        np.testing.assert_array_equal(store.counted[0], (store.rois[0] > 0) & (of_mask != 255))
        np.testing.assert_array_equal(store.counted[1], store.rois[1])
        assert 0 < store.counted[0].sum() < store.rois[0].sum()
        assert store.meta["void"] == [255] and store.counted.nbytes * 6 == store_bytes(2, canvas, 3, void=True)
    plain = build(tmp_path, index[1:], tmp_path / "plain")
    assert plain.counted is plain.rois and "void" not in plain.meta
    assert not (tmp_path / "plain/counted.npy").exists()

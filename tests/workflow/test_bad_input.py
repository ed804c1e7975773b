"""Whatever is wrong: one message, exit code 1, no traceback, nothing half-written, the rest kept."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

TARGET = "results/tiny/cells/drive/unet/bce/default/seed0/counts.csv"


def refused(outcome, *says):
    assert outcome.code == 1, outcome.text
    for part in says:
        assert part in outcome.text, f"{part!r} not in\n{outcome.text}"
    assert "Traceback" not in outcome.text, outcome.text


@pytest.fixture
def drawn(finished, fresh):
    """A fresh copy whose data sets are the drawn ones, given as if they were real."""
    shutil.copytree(finished.file("resources/phantoms/tiny"), fresh.file("raw"))
    fresh.study["data_root"] = "raw"
    for name in ("ph2", "drive"):
        del fresh.study["datasets"][name]["phantom"]
        fresh.study["datasets"][name]["root"] = name
    return fresh


def file_of(copy, pattern):
    return sorted(copy.file("raw").rglob(pattern))[0]


def test_a_missing_root(drawn):
    drawn.study["datasets"]["drive"]["root"] = "nowhere"
    refused(drawn.snakemake(TARGET), "raw/nowhere", "datasets.drive.root")
    assert not drawn.file("results/tiny/data/drive/index.csv").exists()


def test_a_root_that_is_another_data_set(drawn):
    drawn.study["datasets"]["drive"]["root"] = "ph2"
    refused(drawn.snakemake(TARGET), "PH2", "raw/ph2")


def test_an_image_without_mask(drawn):
    file_of(drawn, "IMD*_lesion.bmp").unlink()
    outcome = drawn.snakemake("results/tiny/cells/ph2/unet/bce/default/seed0/counts.csv")
    refused(outcome, "mask_missing", "IMD")
    assert "train" not in outcome.jobs


def test_a_truncated_image(drawn):
    path = file_of(drawn, "21_training.tif")
    path.write_bytes(path.read_bytes()[:-2000])
    refused(drawn.snakemake(TARGET), "21_training.tif")


def test_an_empty_image(drawn):
    file_of(drawn, "21_training.tif").write_bytes(b"")
    refused(drawn.snakemake(TARGET), "21_training.tif")


def test_a_mask_of_another_size(drawn):
    path = file_of(drawn, "21_manual1.gif")
    Image.fromarray(np.full((10, 12), 255, np.uint8)).save(path)
    outcome = drawn.snakemake(TARGET)
    refused(outcome, "size_mismatch", "21")
    assert "train" not in outcome.jobs


def test_a_mask_with_nothing_in_it(drawn):
    path = file_of(drawn, "21_manual1.gif")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    refused(drawn.snakemake(TARGET), "mask_constant", "21", "exceptions")


def test_a_declared_exception_lets_it_pass(drawn):
    path = file_of(drawn, "21_manual1.gif")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    drawn.study["datasets"]["drive"]["exceptions"] = [
        {"kind": "mask_constant", "samples": ["21"], "reason": "an eye without vessels, for this test"}
    ]
    outcome = drawn.snakemake("results/tiny/data/drive/checks/images.json")
    assert outcome.code == 0, outcome.text
    assert "an eye without vessels" in drawn.file("results/tiny/data/drive/checks/images.json").read_text()


def test_a_copy_in_two_subsets(drawn):
    shutil.copy(file_of(drawn, "21_training.tif"), file_of(drawn, "01_test.tif"))
    outcome = drawn.snakemake(TARGET)
    refused(outcome, "duplicate", "01", "21")
    assert "train" not in outcome.jobs


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"losses": {"focal": {"gama": 2}}}, ["study.yaml:", "losses.focal.gama", "Did you mean 'gamma'?"]),
        ({"models": {"unett": {}}}, ["no network is called 'unett'", "Did you mean 'unet'?"]),
        ({"recipes": {"default": {"epochs": -3}}}, ["recipes.default.epochs", "-3"]),
        ({"modles": {}}, ["modles", "Did you mean 'models'?"]),
    ],
)
def test_a_config_that_says_something_else(fresh, change, says):
    fresh.study |= change
    refused(fresh.snakemake("-n"), *says)
    assert not fresh.file("results").exists()


def test_what_was_finished_is_kept_when_a_cell_breaks(changed):
    changed.study["experiments"]["losses"]["losses"] = ["bce", "focal", "cross_entropy"]
    changed.study["losses"] = {"cross_entropy": {}}
    before = changed.file(TARGET).stat().st_mtime_ns
    outcome = changed.snakemake()
    refused(outcome, "cross_entropy")
    assert changed.file(TARGET).stat().st_mtime_ns == before
    assert not changed.file("results/tiny/cells/drive/unet/cross_entropy/default/seed0/model.safetensors").exists()


@pytest.fixture
def small_disk(fresh):
    """The cells go to a file system of four pages, too small for what a training leaves."""
    folder = fresh.file("results/tiny/cells")
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a small file system here")
    yield fresh
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk(small_disk):
    cell = small_disk.file(TARGET).parent
    refused(small_disk.snakemake(TARGET), "the disk is full", "free some space")
    assert small_disk.file("results/tiny/data/drive/store").exists()
    assert not [path for path in cell.parent.rglob("*") if path.is_file()]
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk.file("results/tiny/cells")], check=True)
    outcome = small_disk.snakemake(TARGET)
    assert outcome.code == 0, outcome.text
    assert cell.joinpath("counts.csv").stat().st_size > 0

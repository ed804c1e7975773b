"""A full disk ends with one message on the terminal, whatever cannot be written: results, logs, temporary files."""

import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from segstudy.cli.run import check_room
from segstudy.core import arrays, files
from segstudy.core.arrays import open_array
from segstudy.runtime.job import explain, job

NOISE = np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8)


@pytest.fixture
def small(tmp_path):
    """A file system of four pages."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=False).returncode:
        pytest.skip("no right to mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Leave not a byte."""
    with (folder / "fill").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass


def rows(path):
    with open_array(path, (100, 30, 30)) as array:
        for row in range(100):
            array.write(row, np.ones((30, 30), np.uint8))


WRITERS = {
    "array.npy": lambda path: arrays.write_array(path, NOISE),
    "arrays.npz": lambda path: arrays.write_arrays(path, {"noise": NOISE}),
    "table.csv": lambda path: files.write_csv(path, files.pd.DataFrame(NOISE)),
    "record.json": lambda path: files.write_json(path, NOISE.tolist()),
    "picture.jpg": lambda path: files.write_picture(path, Image.fromarray(NOISE), quality=95),
    "store.npy": rows,
}


@pytest.mark.parametrize("name", WRITERS)
def test_whatever_is_written_is_said_with_its_file(small, name):
    with pytest.raises(OSError) as full:
        WRITERS[name](small / name)
    message = explain(full.value)
    assert message and "the disk is full" in message and "free some space" in message
    if name != "store.npy":
        assert str(small / name) in message
        assert not list(small.glob("[!.]*.csv")) and not list(small.glob(".*.partial*"))


def test_a_short_write_of_an_array_is_a_full_disk():
    assert "the disk is full" in str(explain(OSError("131072 requested and 0 written")))
    assert "the disk is full" in str(explain(RuntimeError("I/O error: No space left on device (os error 28)")))
    assert explain(RuntimeError("something else")) is None


def test_the_message_reaches_the_terminal_when_the_log_is_full(small, capsys):
    fill(small)
    names = {"rule": "measure", "threads": 1, "wildcards": {}, "log": [small / "logs/measure.log"]}
    with pytest.raises(SystemExit) as ended, job(SimpleNamespace(**names)):
        logging.getLogger("segstudy").info("half way")
        print("from a library")
        (small / "result").write_bytes(bytes(100_000))
    shown = capsys.readouterr().err
    assert ended.value.code == 1
    assert "half way" in shown and "Error in measure: the disk is full" in shown
    assert "Traceback" not in shown and "Logging error" not in shown


def test_a_log_that_fills_up_does_not_stop_the_job(small, capsys):
    log = small / "train.log"
    names = {"rule": "train", "threads": 1, "wildcards": {}, "log": [log]}
    with job(SimpleNamespace(**names)):
        for _ in range(100):
            print("x" * 1000)
        logging.getLogger("segstudy").info("done")
    shown = capsys.readouterr().err
    assert "done" in shown and "Logging error" not in shown and log.stat().st_size == 16384


def test_a_full_folder_of_snakemake_is_said_before_it_starts(small):
    fill(small)
    with pytest.raises(OSError) as full:
        check_room(small / ".snakemake")
    assert f"where:   {small}/.snakemake" in str(explain(full.value))


def test_temporary_files_on_a_full_disk(small, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "study: tiny\n"
        "datasets: {lesions: {reader: ph2, phantom: {images: 10, height: 64, width: 64}}}\n"
        "models: {unet: {}}\nlosses: {bce: {}}\nrecipes: {default: {}}\n"
        "experiments: {all: {question: Which loss, datasets: [lesions], models: [unet], losses: [bce], seeds: 1}}\n"
    )
    (tmp_path / "Snakefile").touch()
    environment = os.environ | {"TMPDIR": str(small)}
    command = [sys.executable, "-m", "segstudy", "describe", "lesions"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "the disk is full" in done.stderr and "TMPDIR" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not list(small.iterdir())

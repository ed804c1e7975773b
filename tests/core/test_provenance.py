"""run.json: complete, plain, and true."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import torch

from segstudy.core import provenance


def record(**changes):
    arguments = {
        "settings": {"model": {"network": "unet"}},
        "seed": 3,
        "data": {"split": "ab12"},
        "code": "c0de",
        "environment": {"device": "a CPU", "precision": "fp32", "threads": 2, "torch": torch.__version__},
        "starts": [{"epoch": 1, "step": 0}, {"epoch": 4, "step": 2}],
        "seconds": {"steps": 20.0, "validation": 1.23456},
        "images_seen": 400,
        "flops_per_image": 10**9,
        "peak": 100e9,
        "command": "snakemake --cores 2 some/file",
    }
    return provenance.run_record(**(arguments | changes), parameters=17)


def test_record_says_what_ran_on_what_and_how_fast():
    found = record()
    assert found["images_per_second"] == 20
    assert found["interruptions"] == 1
    assert found["seconds"] == {"steps": 20.0, "validation": 1.235}
    assert torch.__version__.startswith(found["packages"]["torch"].split("+")[0])
    assert found["packages"]["numpy"] == np.__version__
    assert found["python"] == sys.version.split()[0]
    assert (found["device"], found["threads"], found["parameters"]) == ("a CPU", 2, 17)
    assert json.loads(json.dumps(found)) == found


def test_throughput_by_hand():
    """400 images in 20 s, 1 GFLOP forward each: 3 GFLOP in training, 60 GFLOP/s, of 100."""
    found = record()
    assert found["flops_per_image"] == 10**9
    assert found["training_flops_per_image"] == 3 * 10**9
    assert found["flops_per_second"] == 60e9
    assert found["peak_flops_per_second"] == 100e9
    assert found["share_of_peak"] == 0.6
    said = provenance.format_throughput(found)
    assert said.startswith("20.0 images/s x 3 GFLOP (3 x forward) = 60 GFLOP/s in steps, 60% of the 100 GFLOP/s")


def test_a_peak_that_was_not_measured_is_null_and_not_told():
    found = record(peak=None)
    assert found["peak_flops_per_second"] is found["share_of_peak"] is None
    assert provenance.format_throughput(found) == "20.0 images/s x 3 GFLOP (3 x forward) = 60 GFLOP/s in steps"


def test_no_steps_no_rate():
    found = record(seconds={"steps": 0.0})
    assert found["images_per_second"] is found["flops_per_second"] is found["share_of_peak"] is None
    assert provenance.format_throughput(found) == "no step was taken"


def test_peak_memory_grows_with_what_is_held():
    before = provenance.peak_memory()["host"]
    block = np.ones(40_000_000, dtype=np.float64)
    assert provenance.peak_memory()["host"] >= before
    assert provenance.peak_memory()["host"] > block.nbytes / 1e6


def test_peak_memory_is_not_that_of_the_process_that_started_this_one():
    block = np.ones(40_000_000, dtype=np.float64)
    code = "from segstudy.core.provenance import host_peak; print(host_peak())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(child.stdout) < block.nbytes


def test_absent_package_has_no_version():
    assert provenance.package_versions(["no-such-package-here"]) == {"no-such-package-here": None}


def test_git_state_of_a_checkout_and_of_a_plain_folder(tmp_path):
    assert provenance.git_state(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("one")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    state = provenance.git_state(tmp_path)
    assert state is not None
    assert len(state["commit"]) == 40
    assert not state["dirty"]
    (tmp_path / "file").write_text("two")
    assert provenance.git_state(tmp_path) == {"commit": state["commit"], "dirty": True}


def test_file_hash_is_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert provenance.file_hash(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()

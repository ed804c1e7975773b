"""A step that runs out of memory: refused with advice, or repeated in smaller parts with the bits those parts have."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from segstudy.core.errors import StudyError
from segstudy.models import cost
from segstudy.runtime import memory, signals
from segstudy.training import checkpoint
from tests.helpers import small_cell
from tests.helpers.trainer import bce, network, same, small

GPU_FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
CPU_FULL = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 5 bytes")
STOPPED = {"epochs": 3, "batch_size": 4, "optimiser": "sgd", "schedule": {"kind": "one_cycle"}, "on_oom": "halve"}


def crowded(fits, error=CPU_FULL, from_call=1, to_call=10**9):
    """The loss of a machine that holds `fits` images at a time, in the training passes of these numbers."""
    calls = 0

    def loss(z, y, m):
        nonlocal calls
        calls += z.requires_grad
        if z.requires_grad and len(z) > fits and from_call <= calls <= to_call:
            raise error
        return bce(z, y, m)

    return loss


@pytest.mark.parametrize("error", [GPU_FULL, CPU_FULL, MemoryError()])
@pytest.mark.parametrize(("fits", "parts"), [(2, 2), (1, 4)])
def test_halved_from_the_first_step_equals_the_same_parts_in_the_recipe(error, fits, parts, caplog):
    """Batch normalisation and dropout see to it that any trace of the failed pass changes the bits."""
    with caplog.at_level(logging.WARNING, "segstudy"):
        halved = small(network(dropout=0.3), crowded(fits, error), **STOPPED)
    asked = small(network(dropout=0.3), **STOPPED | {"accumulate": parts, "on_oom": "fail"})
    assert halved.accumulate == asked.accumulate == parts
    assert same(halved.weights, asked.weights)
    assert halved.history["train_loss"].equals(asked.history["train_loss"])
    assert f"batches in {parts} parts, as with the recipe's accumulate: {parts}" in caplog.text
    assert "\nmore" not in caplog.text
    assert not same(halved.weights, small(network(dropout=0.3), **STOPPED).weights)  # as one batch: other statistics


def test_a_step_that_fails_in_its_second_part_keeps_nothing_of_the_first():
    """Gradients of the first part are there by then; the step starts anew, with eight parts of one or none."""
    options = STOPPED | {"train_rows": (0, 1, 2, 3), "accumulate": 2}
    halved = small(network(), crowded(1, from_call=2, to_call=2), **options)
    asked = small(network(), **options | {"accumulate": 4})
    assert halved.accumulate == 4
    assert same(halved.weights, asked.weights)


def test_halving_that_is_never_needed_changes_no_bit():
    options = {"augmentation": {"noise": 0.1}, "precision": "bf16"}
    plain, careful = small(network(0.3), **options), small(network(0.3), on_oom="halve", **options)
    assert same(plain.weights, careful.weights)
    assert plain.history.equals(careful.history)
    assert careful.accumulate == 1


def test_a_failed_step_leaves_running_statistics_and_optimiser_alone():
    net = network()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(StudyError, match="single image at a time") as caught:
        small(net, crowded(0), **STOPPED)
    assert "crop" in caught.value.remedy
    assert "on_oom" in str(caught.value.where)
    changed = {name for name in before if not torch.equal(before[name], net.state_dict()[name])}
    # What the last attempt, with one image, did is not worth undoing: the training is over. Weights it never touches.
    assert not changed & {name for name, _ in net.named_parameters()}


def test_without_halving_the_first_failure_ends_it():
    with pytest.raises(RuntimeError, match="can't allocate"):
        small(network(), crowded(2), batch_size=4)


def test_other_errors_are_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="a defect"):
        small(network(), crowded(2, RuntimeError("a defect")), **STOPPED)


class Killed(BaseException):
    """The process is gone: nothing runs after it but what had been written before."""


# Killed before the halved step is done, it is repeated, and memory decides again: not a case to compare.
@pytest.mark.parametrize(("end", "last"), [("signal", 3), ("signal", 4), ("kill", 4)])
def test_the_parts_are_kept_when_the_training_is_continued(tmp_path, end, last):
    """Memory is short in the third step alone; two steps an epoch, so that epoch 2 begins with it."""
    rows, options = {"train_rows": (0, 1, 2, 3, 4, 5, 0, 1)}, STOPPED | {"crop": [16, 16]}
    undisturbed = small(network(0.2), crowded(2, from_call=3, to_call=3), **options, **rows)
    assert undisturbed.accumulate == 2
    short, calls = crowded(2, from_call=3, to_call=3), 0

    def dying(z, y, m):
        nonlocal calls
        calls += z.requires_grad
        # One call fails, then each step makes two: calls 4, 5 are the third step, 6, 7 the fourth.
        if z.requires_grad and calls == 2 * last - 1:
            if end == "signal":
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                raise Killed
        return short(z, y, m)

    slot = checkpoint.ResumeCheckpoint(tmp_path, {}, interval=1e9)
    with pytest.raises((signals.Interrupted, Killed)):
        small(network(0.2), dying, slot, **options, **rows)
    assert slot.load()["accumulate"] == 2  # saved at once, though the next save is far away
    continued = small(network(0.2), slot=slot, **options, **rows)  # memory is free again
    assert continued.accumulate == 2
    assert same(continued.weights, undisturbed.weights)
    assert continued.history.equals(undisturbed.history)


def test_one_image_of_one_pixel_is_explained():
    """Halved to single images, a bottleneck of one pixel leaves batch normalisation nothing to learn from."""
    reduced = nn.Sequential(nn.AvgPool2d(8), nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1), nn.Upsample(scale_factor=8.0))
    with (
        pytest.raises(StudyError, match="batch normalisation cannot learn from one value"),
        memory.explain_errors(4, (8, 8), 1, torch.device("cpu")),
    ):
        small(reduced, crowded(1), **STOPPED | {"crop": [8, 8]})


@pytest.mark.parametrize(
    ("batch", "accumulate", "available", "advice"),
    [
        (16, 1, 1500, "set accumulate: 2;"),  # ten of 100 * 1.5 fit: two parts of eight
        (16, 1, 460, "set accumulate: 6;"),  # three fit
        (16, 1, 9000, "set accumulate: 2;"),  # the estimate says it fits, and yet it did not
        (16, 4, 9000, "set accumulate: 8;"),
        (16, 1, 100, "not even one image"),
        (4, 4, 9000, "not even one image"),
    ],
)
def test_advice_by_hand(batch, accumulate, available, advice):
    assert advice in memory.suggestion(batch, accumulate, available, 100)


def test_saved_bytes_by_hand():
    """Linear -> ReLU -> Linear on (B, 5): saved are the input (5), the ReLU's result (7, shared), not the weights."""
    chain = nn.Sequential(nn.Conv2d(3, 7, 1, bias=False), nn.ReLU(), nn.Conv2d(7, 1, 1, bias=False))
    assert cost.count_saved_bytes(chain, 3, 4, 4) == 4 * 4 * (3 + 7) * 4
    assert cost.count_saved_bytes(chain, 3, 4, 4, bytes_per_value=2) == 4 * 4 * (3 + 7) * 2


PROGRAM = """
import json, logging, resource, sys
from pathlib import Path
import psutil, sympy, torch  # sympy: counting the operations of a large network loads it
from tests.helpers import small_cell
folder, on_oom = Path(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_AS, (2**46, 2**46))  # a process with a limit keeps no freed memory
inputs = small_cell.write_inputs(folder / "inputs", side=128)
recipe = {"epochs": 1, "batch_size": 10, "learning_rate": 0.01, "precision": "fp32", "on_oom": on_oom}
model = {"network": "unet", "depth": 3, "width": 16}
small = {"model": model | {"width": 2}, "loss": {"loss": "bce"}, "recipe": recipe | {"batch_size": 2}}
small_cell.run(inputs, folder / "warm", small)  # libraries are loaded before the limit is set
logging.basicConfig(level=logging.INFO)
limit = psutil.Process().memory_info().vms + int(sys.argv[3]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    small_cell.run(inputs, folder / "cell", {"model": model, "loss": {"loss": "bce"}, "recipe": recipe})
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def limited(tmp_path, on_oom, megabytes):
    """Train batches of 10 that take about 300 MB in a process that may take so many megabytes more."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), on_oom, str(megabytes)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(small_cell.__file__).parents[2])])},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the address space is limited on Linux alone")
def test_a_process_that_really_has_no_memory_halves_its_batches(tmp_path):
    said, log = limited(tmp_path, "halve", 160)
    record = json.loads((tmp_path / "cell/run.json").read_text())
    assert record["accumulate_used"] in (2, 4), said
    assert record["settings"]["recipe"]["on_oom"] == "halve"
    assert "the step is repeated with batches in 2 parts" in log


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the address space is limited on Linux alone")
def test_a_process_that_really_has_no_memory_says_what_would_fit(tmp_path):
    said, _ = limited(tmp_path, "fail", 160)
    assert said.startswith("StudyError: out of memory on cpu with batches of 10 at 128x128 pixels in 1 part"), said
    assert "set accumulate: " in said
    assert not (tmp_path / "cell/run.json").exists()

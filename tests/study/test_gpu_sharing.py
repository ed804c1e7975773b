"""Several trainings on one GPU: how many, and where the queue gives each its own."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.study.earlier_cells import Record
from segstudy.study.gpu_sharing import MOST, WHOLE, Sharing, sharing_of
from segstudy.study.job_requests import JobRequests

ROOT = Path(__file__).resolve().parents[2]
LSF = {"lsf_queue": "gpuv100", "gpu": 1}
SHARED, EXCLUSIVE = (
    {"lsf_extra": "-gpu 'num=1:mode=shared:j_exclusive=no'"},
    {"lsf_extra": "-gpu 'num=1:mode=exclusive_process'"},
)
SLURM = {"slurm_partition": "gpu"}


@pytest.mark.parametrize(
    ("need_mb", "busy", "parts"),
    [
        (1000, 0.3, 252),  # three keep a GPU busy
        (1000, 0.02, 105),  # never more than eight
        (6000, 0.3, 315),  # memory of 16,000 MB
        (1000, None, 420),  # nobody knows how busy
        (9000, None, 473),
        (20_000, 0.1, WHOLE),  # as much as there is
        (1000, 1.0, WHOLE),
    ],
)
def test_auto_goes_by_memory_and_by_what_was_measured(need_mb, busy, parts):
    assert Sharing(MOST, True, 16_000.0).parts(need_mb, busy) == parts


def test_a_number_is_kept_where_memory_allows():
    for most in range(1, MOST + 1):
        assert WHOLE // Sharing(most, False, 16_000.0).parts(1000, 0.9) == most
    assert Sharing(3, False, 16_000.0).parts(8000, None) == WHOLE / 2


@pytest.mark.parametrize(
    ("train", "shared"),
    [
        ({}, True),  # this machine
        (LSF | SHARED, True),
        (LSF | EXCLUSIVE, False),
        (LSF, False),
        (SLURM | {"gpu": 1}, False),
        (SLURM | {"gres": "shard:1"}, True),
        (SLURM | {"slurm_extra": "--gres=mps:50"}, True),
        (SLURM | {"gres": "shard:1", "gpu": 1}, False),  # a whole one beside the shard
    ],
)
def test_a_queue_that_gives_each_job_a_gpu_keeps_one(train, shared, monkeypatch):
    monkeypatch.setattr("segstudy.runtime.resources.has_gpu", lambda: True)
    chosen = sharing_of(train | {"trainings_per_gpu": "auto"}, 4, 64_000)
    memory_mb = 16_000.0 if train else 64_000.0  # this machine has one
    assert chosen == (Sharing(MOST, True, memory_mb) if shared else None)
    assert sharing_of(train, 4, 64_000) is None, "one without the key"
    if not shared:
        with pytest.raises(StudyError, match="3 trainings cannot share a GPU"):
            sharing_of(train | {"trainings_per_gpu": 3}, 4, 0)


@pytest.mark.parametrize("name", ["lsf", "slurm"])
def test_the_profiles_give_each_training_a_gpu_of_its_own(name):
    train = yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())["set-resources"]["train"]
    assert sharing_of(train | {"trainings_per_gpu": "auto"}, 4, 0) is None
    with pytest.raises(StudyError, match="let the queue share GPUs"):
        sharing_of(train | {"trainings_per_gpu": 2}, 4, 0)


@pytest.mark.parametrize("value", ["many", 0, 9, "2.5"])
def test_other_values_are_refused(value):
    with pytest.raises(StudyError, match=r"trainings_per_gpu \(profile\)[\s\S]*auto, or 1 to 8"):
        sharing_of({"trainings_per_gpu": value}, 1, 0)


def test_a_gpu_of_this_machine_that_takes_one_process_is_not_shared(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("segstudy.runtime.resources.has_gpu", lambda: True)
    for mode, shared in (("Exclusive_Process", False), ("Default", True)):
        program.write_text(f'#!/bin/sh\ncase "$1" in *compute_mode) echo {mode};; *) echo 16000;; esac\n')
        program.chmod(0o755)
        chosen = sharing_of({"trainings_per_gpu": "auto"}, 1, 0)
        assert bool(chosen) == shared
    assert chosen.memory_mb == pytest.approx(16_000 * 2**20 / 1e6)


def test_a_machine_without_a_gpu_shares_none(tmp_path, monkeypatch):
    """Trainings there are planned for its cores, whatever the profile says of GPUs."""
    monkeypatch.setattr("segstudy.runtime.resources.has_gpu", lambda: False)
    assert sharing_of({"trainings_per_gpu": 3}, 1, 0) is None
    jobs = requests(tmp_path, monkeypatch, gpu=1, train={"trainings_per_gpu": "auto"})
    assert not jobs.estimates.gpu and jobs.scheduled == {} and jobs.gpu_share(CELL, 1) == 0


def requests(tmp_path, monkeypatch, **profile):
    """What jobs ask for under a profile, as Snakemake hands it over."""
    monkeypatch.chdir(tmp_path)
    study = load_study(
        {
            "study": "tiny",
            "datasets": {"ph2": {"phantom": {"images": 8, "height": 48, "width": 64}, "size": "native"}},
            "models": {"unet": {"depth": 2, "width": 4}},
            "losses": {"bce": {}},
            "recipes": {"default": {"epochs": 2}},
            "experiments": {"one": {"question": "Which?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"]}},
        }
    )
    raw = {name: SimpleNamespace(raw=value) for name, value in profile.pop("train").items()}
    limits = {name: SimpleNamespace(raw=value) for name, value in profile.items()}
    asked = SimpleNamespace(resources=limits, overwrite_resources={"train": raw}, overwrite_threads={})
    return JobRequests(study, asked)


CELL = SimpleNamespace(dataset="ph2", model="unet", loss="bce", recipe="default", seed="0")


def test_the_scheduler_counts_parts_of_gpus(tmp_path, monkeypatch):
    shared = {"trainings_per_gpu": "auto"} | LSF | SHARED
    queued = requests(tmp_path, monkeypatch, gpu=2, gpu_mb=32_000, train=shared)
    assert queued.scheduled == {"gpu": 2 * MOST, "gpu_share": 2 * WHOLE} and queued.whole_gpu == WHOLE
    jobs = requests(tmp_path, monkeypatch, gpu=2, gpu_mb=16_000, train={"gpu": 1, "trainings_per_gpu": "auto"})
    assert jobs.scheduled == {"gpu": MOST, "gpu_share": WHOLE}, "all take the first GPU of this machine"
    assert jobs.gpu_share(CELL, 1) == WHOLE / 2, "not measured yet"
    study = jobs.estimates.study
    network, batch = study.model_settings("unet", "ph2"), study.recipe("ph2", "default").batch_size
    record = Record(network, batch, 48.0 * 64, 1.0, None, 1000.0, True, 800.0, busy=0.2)
    monkeypatch.setattr("segstudy.study.estimates.record_of", lambda path: record)
    run = tmp_path / "results/tiny/cells/ph2/unet/bce/default/seed1/run.json"
    run.parent.mkdir(parents=True)
    run.write_text("{}")
    again = requests(tmp_path, monkeypatch, gpu=1, gpu_mb=16_000, train={"gpu": 1, "trainings_per_gpu": "auto"})
    assert again.gpu_share(CELL, 1) == WHOLE / 5, "five such trainings keep a GPU busy"


def test_without_the_key_nothing_changes(tmp_path, monkeypatch):
    jobs = requests(tmp_path, monkeypatch, gpu=4, train={"gpu": 1})
    assert jobs.scheduled == {} and jobs.gpu_share(CELL, 1) == jobs.whole_gpu == 0

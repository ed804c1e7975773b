"""How busy a GPU is: asked while a training runs, without a GPU at hand."""

import time

import pytest
import torch

from segstudy.runtime import gpu_use

GPU = torch.device("cuda", 0)


def test_the_mean_of_what_the_driver_says_is_told():
    answers = iter([0.2, None, 0.4, 0.6, *[None] * 9999])  # in the second moment others were on the GPU
    with gpu_use.watched(GPU, lambda device: next(answers), seconds=0.001) as samples:
        while len(samples) < 3:
            time.sleep(0.001)
    assert gpu_use.utilisation(samples[:3]) == {"gpu_utilisation": pytest.approx(0.4)}
    assert gpu_use.utilisation(samples[:2]) == {}, "too few"


@pytest.mark.parametrize(
    ("apps", "told"), [("11\n", 0.37), ("", 0.37), ("11\n12\n", None)], ids=["alone", "hidden", "two"]
)
def test_the_driver_is_asked_of_this_very_gpu(tmp_path, monkeypatch, apps, told):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: type("P", (), {"uuid": "12-34"}))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "apps").write_text(apps)
    program = tmp_path / "nvidia-smi"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --id=GPU-12-34 ] || exit 1\n'
        f'case "$2" in *compute-apps*) cat {tmp_path}/apps;; *) echo 37;; esac\n'
    )
    program.chmod(0o755)
    assert gpu_use.alone_at_work(GPU) == told


@pytest.mark.parametrize("error", [FileNotFoundError("nvidia-smi"), IndexError("an empty answer")])
def test_a_driver_that_does_not_answer_is_asked_once(error):
    asked = []

    def silent(device):
        asked.append(device)
        raise error

    with gpu_use.watched(GPU, silent, seconds=0.001) as samples:
        time.sleep(0.05)
    assert samples == [] and len(asked) == 1


def test_on_the_cpu_nothing_is_asked():
    asked = []
    with gpu_use.watched(torch.device("cpu"), asked.append, seconds=0.0001) as samples:
        time.sleep(0.005)
    assert gpu_use.utilisation(samples) == {} and asked == []

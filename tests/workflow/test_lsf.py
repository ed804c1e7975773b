"""`snakemake --profile lsf` submits, waits and finishes; over a stand-in for LSF that really runs the jobs."""

import json
import os
import re
import shutil

import pytest
from lsf_stand_in import install

CELL = "results/tiny/cells/drive/unet/focal/default/seed0"

pytestmark = pytest.mark.slow  # the executor waits 20 seconds before it looks at a job


def submissions(home):
    """What was submitted, by rule."""
    found = {}
    for path in sorted(home.glob("job*/bsub.json")):
        options = json.loads(path.read_text())["options"]
        found[re.match(r"Snakemake_rule_(\w+)", options["-J"][0]).group(1)] = options
    return found


def test_a_cell_through_the_queue(changed, tmp_path, monkeypatch):
    home = tmp_path / "lsf"
    install(tmp_path / "bin", home)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("LSF_STAND_IN", str(home))
    shutil.rmtree(changed.file(CELL))
    quick = ["--max-status-checks-per-second", "5", "--seconds-between-status-checks", "1", "--latency-wait", "5"]
    outcome = changed.snakemake(f"{CELL}/counts.csv", *quick, "--set-threads", "train=1", "predict=1", profile="lsf")
    assert outcome.code == 0, outcome.text
    assert changed.file(f"{CELL}/model.safetensors").exists() and changed.file(f"{CELL}/counts.csv").exists()
    sent = submissions(home)
    assert set(sent) == {"train", "predict", "measure"}
    for rule in ("train", "predict"):
        assert sent[rule]["-q"] == ["gpuv100"]
        assert sent[rule]["-gpu"] == ["num=1:mode=exclusive_process"]
        assert int(sent[rule]["-W"][0]) < 60  # estimated: seconds of work, and a start on a busy cluster
    assert sent["measure"]["-q"] == ["hpc"] and "-gpu" not in sent["measure"]
    assert "span[hosts=1]" in sent["train"]["-R"]

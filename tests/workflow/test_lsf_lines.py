"""What is sent to LSF for every rule of a full study, at every attempt, against the manual and DTU's limits."""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.helpers import formats
from tests.helpers.lsf_stand_in import QUEUES
from tests.helpers.lsf_syntax import parsed
from tests.helpers.study_copies import new_copy

DRIVER = Path(__file__).parents[1] / "helpers/lsf_lines.py"
# Nothing runs, so nothing needs to wait.
QUICK = ["--seconds-between-status-checks", "0", "--latency-wait", "0", "--max-jobs-per-timespan", "1000/1s"]
ON_GPU = {"train", "predict", "predict_flips", "pseudo_predict", "denoised"}
ON_GPU |= {"measure_external", "measure_external_flips", "measure_corrupted"}
# Every kind of rule but the local one: several classes, sources without labels, flips and ensembles, drawn data.
EVERYTHING = {
    "study": "everything",
    "datasets": {
        "shapes": {
            **{"reader": "folder", "phantom": {"images": 8, "height": 48, "width": 64}},
            **{"layout": {"masks": "kinds"}, "classes": {"disc": 1, "square": 2, "triangle": 3}},
            "size": {"height": 32, "width": 48},
        },
        "ph2": {
            "phantom": {"images": 12, "height": 48, "width": 48},
            "size": {"height": 48, "width": 48},
            "split": {"repeat": "fixed_split"},
        },
        "phc": {"phantom": {"images": 8, "height": 48, "width": 48}, "size": {"long_side": 48}},
        "drive": {
            **{"phantom": {"images": 8, "height": 48, "width": 48}, "size": {"long_side": 48}},
            "training": {"crop": [32, 32]},
        },
    },
    "models": {"unet": {"depth": 2, "width": 2}},
    "losses": {"mse": {}, "cross_entropy": {}},
    "recipes": {
        "default": {"epochs": 2},
        "balanced": {"epochs": 2, "balance": "strata"},
        "denoising": {"epochs": 2, "denoising": {}},
        "finetuned": {"epochs": 2, "start_from": {"recipe": "denoising", "dataset": "phc"}},
        "pseudo": {
            "epochs": 2,
            "pseudo_labels": {
                **{"teacher": {"recipe": "default"}, "unlabelled": "phc"},
                **{"accept": {"white": None}, "real": 0.5},
            },
        },
    },
    "evaluation": {"tta": "flips", "ensemble": True, "corruptions": {"blur": [1.0]}},
    "experiments": {
        "few": {
            **{"question": "How few?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"], "seeds": 2},
            **{"recipes": ["default", "finetuned", "pseudo"], "labels": [0.5, 1], "tested_on": ["drive"]},
        },
        "even": {
            **{"question": "How often?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"], "seeds": 2},
            "recipes": ["balanced"],
        },
        "converted": {
            **{"question": "Which cells?", "datasets": ["cells"], "models": ["unet"], "losses": ["bce"], "seeds": 1},
        },
        "annotated": {
            **{"question": "Whose vessels?", "datasets": ["drive"], "models": ["unet"], "losses": ["bce"], "seeds": 1},
        },
        "several": {
            **{"question": "Which shapes?", "datasets": ["shapes"], "models": ["unet"], "losses": ["cross_entropy"]},
        },
    },
}


def lines_of(copy, *arguments):
    """Return what was sent: attempt, rule, GPUs in use by then, and arguments."""
    outcome = copy.run(sys.executable, str(DRIVER), "lines", "--profile", "lsf", *QUICK, *arguments, plain=True)
    assert outcome.code == 0, outcome.text[-6000:]
    return [json.loads(line) for line in copy.file("lines").read_text().splitlines()], outcome


@pytest.mark.parametrize(("study", "gpus"), [("the full study", 4), ("everything", 1)])
def test_every_line_is_what_the_manual_allows(tmp_path, study, gpus):
    copy = new_copy(tmp_path / "copy")
    arguments = []
    if study == "everything":
        root = copy.file("raw")
        cells = {"root": str(root), "classes": {"object": ["cell", "nucleus"]}, **formats.coco(root)}
        copy.study = EVERYTHING | {"datasets": EVERYTHING["datasets"] | {"cells": cells}}
        copy.write()
        arguments = ["--configfile", "study.yaml"]
        profile = copy.file("profiles/lsf/config.yaml")
        profile.write_text(profile.read_text().replace("  gpu: 4 ", "  gpu: 1 "))
    lines, outcome = lines_of(copy, *arguments)
    most = max(used for _, _, used, _ in lines)
    assert min(2, gpus) <= most <= gpus, "one number of the profile says how many GPUs are in use"
    sent = defaultdict(list)
    for attempt, rule, _, given in lines:
        asked = parsed(given)  # refuses what the manual does not allow
        sent[rule].append((attempt, asked))
        options = asked.options
        assert options["-P"] == "segstudy" and options["-cwd"] == str(copy.folder)
        assert asked.requirements["span"] == "hosts=1"
        assert asked.minutes <= QUEUES[options["-q"]]["runlimit"]
        assert 1000 <= asked.megabytes() <= 500_000, (rule, asked.requirements)
        assert len(Path(options["-o"]).parent.name) <= 255, "a folder's name is longer than a file system takes"
        # One line for the shell of the node, which is Snakemake for this very job.
        assert f"--target-jobs {rule}:" in asked.command.replace("'", "") and asked.command.count("\n") == 0
        if rule in ON_GPU:
            assert (options["-q"], asked.gpu) == ("gpuv100", {"num": "1", "mode": "exclusive_process"})
        else:
            assert (options["-q"], asked.gpu) == ("hpc", {}), f"{rule} holds a GPU"
    assert set(sent) == {rule for rule in outcome.jobs if rule not in ("all", "encoder")}
    for rule, found in sent.items():
        attempts = [[asked for number, asked in found if number == attempt] for attempt in (1, 2, 3, 4)]
        memory = [max(asked.megabytes() for asked in each) for each in attempts]
        minutes = [max(asked.minutes for asked in each) for each in attempts]
        assert memory[0] < memory[1] < memory[2] < memory[3], (rule, memory)
        # A training goes on from its saved state; a gallery shares the walltime of its cell on SLURM.
        assert minutes[0] < minutes[1] < minutes[3] or 1440 in minutes or rule == "gallery", (rule, minutes)
    if study == "everything":
        texts = [path.read_text() for path in (copy.folder / "rules").glob("*.smk")]
        kinds = {name for text in texts for name in re.findall(r"(?m)^(?:use rule \w+ as|rule) (\w+)", text)}
        local = {"encoder", "cards", "splits", "tables", "figures", "report"}  # one needs the internet, five are names
        # A plan is read while the study runs, and here jobs write empty files.
        assert kinds - set(sent) - {"plan"} == local, "the local rules alone are not sent"


@pytest.mark.parametrize(("mode", "most"), [("mode=shared:j_exclusive=no", 2), ("mode=exclusive_process", 1)])
def test_trainings_share_a_gpu_where_the_queue_does(tmp_path, mode, most):
    copy = new_copy(tmp_path / "copy")
    profile = copy.file("profiles/lsf/config.yaml")
    text = profile.read_text().replace("  gpu: 4 ", "  gpu: 1 ").replace("mode=exclusive_process", mode)
    profile.write_text(text.replace("    gpu: 1\n", "    gpu: 1\n    trainings_per_gpu: auto\n", 1))
    lines, _ = lines_of(copy, "train")
    trainings = [(used, parsed(given)) for attempt, rule, used, given in lines if rule == "train" and attempt == 1]
    assert max(used for used, _ in trainings) == most
    asked = dict(part.split("=") for part in f"num=1:{mode}".split(":"))
    assert all(submission.gpu == asked for _, submission in trainings)

"""A study that leaves its numbers to a plan: one call plans and trains, an edited plan holds."""

import json

import pytest

from segstudy.config.plan_file import read_plan

CELL = "results/tiny/cells/ph2/unet/bce/default/seed0"
PLAN = "results/tiny/data/ph2/plan.yaml"


@pytest.fixture
def planned(fresh):
    """The tiny study on PH2 alone, whose sizes, epochs and network are left to a plan."""
    fresh.study["plan"] = {"hours": 0.002}
    fresh.study["datasets"]["ph2"]["size"] = "auto"
    fresh.study["models"]["unet"] = {"depth": "auto", "width": "auto"}
    fresh.study["recipes"]["default"] = {"epochs": "auto", "batch_size": "auto"}
    fresh.study["experiments"]["losses"] |= {"datasets": ["ph2"], "losses": ["bce"], "seeds": 1}
    return fresh


def test_a_plan_is_made_once_and_holds_when_it_is_edited(planned):
    targets = f"{CELL}/run.json", "results/tiny/figures/networks/ph2/unet.png"
    outcome = planned.snakemake(*targets)
    assert outcome.code == 0, outcome.text
    plan, run = read_plan(planned.file(PLAN)), json.loads(planned.file(f"{CELL}/run.json").read_text())
    chosen = run["settings"]["recipe"] | run["settings"]["model"]
    assert {key: chosen[key] for key in ("epochs", "batch_size", "depth", "width")} == {
        **{key: plan.values[key] for key in ("epochs", "batch_size")},
        **plan.values["models"]["unet"],
    }
    assert run["plan"]["values"] == plan.values and run["plan"]["edited"] == {}
    assert run["epochs"] == plan.values["epochs"]

    assert "Nothing to be done" in planned.snakemake(*targets, "-n").text

    text = planned.file(PLAN).read_text()
    planned.file(PLAN).write_text(text.replace(f"epochs: {plan.values['epochs']}\n", "epochs: 1\n", 1))
    outcome = planned.snakemake(targets[0])
    assert outcome.code == 0, outcome.text
    assert "plan" not in outcome.jobs and outcome.jobs["train"] == 1, outcome.text
    assert f"plan edited by hand: epochs is 1, planned was {plan.values['epochs']}" in outcome.text
    run = json.loads(planned.file(f"{CELL}/run.json").read_text())
    assert run["epochs"] == 1 and run["plan"]["edited"] == {"epochs": plan.values["epochs"]}

    # Another limit is a new computation, which keeps what was edited.
    planned.study["plan"] = {"hours": 0.004}
    outcome = planned.snakemake(PLAN)
    assert outcome.code == 0 and outcome.jobs["plan"] == 1, outcome.text
    again = read_plan(planned.file(PLAN))
    assert again.values["epochs"] == 1 and again.edited == ["epochs"] and again.seen["hours"] == 0.004
    assert "epochs is 1, edited by hand" in outcome.text

    # A network that never sees a lesion whole is named where people look before they train.
    planned.study["models"]["unet"] = {"depth": 1, "width": 2, "convolutions": 1}
    check = "results/tiny/data/ph2/checks/networks.json"
    outcome = planned.snakemake(check)
    assert outcome.code == 0 and set(outcome.jobs) == {"plan", "check_networks"}, outcome.text
    record = json.loads(planned.file(check).read_text())
    assert record["fields"]["unet"] < record["span"] and record["warnings"][0] in outcome.text
    assert record["warnings"][0] in planned.run("segstudy", "check-config", "study.yaml").text.replace("\n", " ")


def test_every_rule_that_tells_or_takes_a_planned_number_waits_for_the_plan(planned):
    """Snakemake would end here where a parameter asks for a plan that is no input of its job."""
    planned.study["plan"] = "auto"
    planned.study["datasets"]["ph2"]["split"] = {"repeat": "fixed_split"}
    planned.study["datasets"]["other"] = {"reader": "ph2", "phantom": {"images": 8, "height": 48, "width": 64}}
    balanced = {"balance": "strata", "augmentation": {"flip_horizontal": 0.5}}
    planned.study["recipes"] |= {
        "finetuned": {"start_from": {"recipe": "default"}},
        "pseudo": {"pseudo_labels": {"teacher": {"recipe": "default"}, "unlabelled": "other"}},
        "balanced": balanced,
    }
    planned.study["evaluation"] = {"tta": "flips", "ensemble": True, "corruptions": {"jpeg": [50]}}
    planned.study["experiments"]["losses"] |= {
        **{"seeds": 2, "losses": ["bce", "focal"], "labels": [0.5, 1], "tested_on": ["other"]},
        "recipes": ["finetuned", "pseudo", "balanced"],
    }
    outcome = planned.snakemake("-n")
    assert outcome.code == 0, outcome.text[-3000:]
    assert outcome.jobs["plan"] == 2, "one for each data set"
    settled = {"phantom", "index", "describe", "split", "check_images", "check_split", "controls"}
    waiting = set(outcome.jobs) - settled - {"plan"}
    assert {
        "preprocess",
        "train",
        "sketch",
        "augmented",
        "class_balance",
        "study_report",
        "external",
        "robustness",
    } <= waiting

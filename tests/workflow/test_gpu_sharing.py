"""Several trainings at once, as on a GPU that they share: on the CPU, where the scheduler counts the same."""

import re

import yaml

CELLS = [f"results/tiny/cells/ph2/unet/bce/default/seed{seed}/model.safetensors" for seed in (0, 1)]


def most_at_once(text):
    """How many trainings ran at the same time."""
    running = [0]
    for started, ended in re.findall(r"(?m)^(?:local)?rule (train):|^Finished jobid: \d+ \(Rule: (train)\)", text):
        running.append(running[-1] + bool(started) - bool(ended))
    return max(running)


def test_trainings_that_share_a_gpu_have_the_bits_of_one_alone(finished, fresh):
    path = fresh.file("profiles/local/config.yaml")
    profile = yaml.safe_load(path.read_text()) | {"cores": 2}
    profile["resources"] |= {"gpu": 1, "gpu_mb": 16_000}
    profile["set-resources"] = {"train": {"gpu": 1, "trainings_per_gpu": "auto"}}
    path.write_text(yaml.safe_dump(profile))
    outcome = fresh.snakemake(*CELLS)
    assert outcome.code == 0, outcome.text
    assert outcome.text.count("gpu_share=420") == 2 and most_at_once(outcome.text) == 2, outcome.text
    assert all(fresh.file(cell).read_bytes() == finished.file(cell).read_bytes() for cell in CELLS)

"""Free text that looks like markup or holds control characters: it is shown as it is, and nothing breaks."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.bad_inputs.row import Row

QUESTION = "Which [loss] is [/better]? [bold]x[/bold] \x1b[2J"
SHOWN = ("Which [loss] is [/better]?", "[bold]x[/bold]", r"\x1b[2J")


def ask(folder: Path) -> None:
    """Give every experiment a question of brackets and an escape sequence."""
    path = folder / "study.yaml"
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    for experiment in study["experiments"].values():
        experiment["question"] = QUESTION
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")


def name_a_missing_image(folder: Path) -> None:
    """Nothing to change: the command names a file whose name would clear the terminal."""


ROWS = [
    Row("brackets-in-a-question-checked", "config", ask, "segstudy check-config study.yaml", 0, SHOWN),
    Row("brackets-in-a-question-summed-up", "finished", ask, "segstudy summary study.yaml", 0, SHOWN),
    Row(
        "escape-sequence-in-a-name",
        "finished",
        name_a_missing_image,
        "segstudy predict results/tiny/cells/lesions/unet/bce/default/seed0 $'no\\x1b[2J.png' --out found",
        1,
        ("there is no such image", r"no\x1b[2J.png"),
        (),
        ("found",),
    ),
]

"""docs/training.md names every option of a recipe, with the default it really has."""

import json
import re
from pathlib import Path

import pytest

from segstudy.config import recipes, semi_supervised
from segstudy.training import early_stopping

PAGE = (Path(__file__).resolve().parents[2] / "docs/training.md").read_text(encoding="utf-8")
BLOCKS = {
    "### Recipe": recipes.Recipe,
    "### Schedule": recipes.Schedule,
    "### Augmentation": recipes.Augmentation,
    "| option | default | meaning |\n|---|---|---|\n| `patience`": recipes.EarlyStopping,
    "| option of `curve`": recipes.CurveStopping,
}
SHOWN = {
    "schedule": "constant",
    "augmentation": "none",
    "early_stopping": "none",
    "transfer": "none",
}  # blocks, not values
SHOWN |= dict.fromkeys(("augmentation", "early_stopping", "transfer"), "none")
SHOWN |= dict.fromkeys(("start_from", "denoising", "pseudo_labels", "consistency"), "none")
FEW_LABELS = {
    "start_from": semi_supervised.StartFrom,
    "transfer": semi_supervised.Transfer,
    "denoising": semi_supervised.Denoising,
    "pseudo_labels": semi_supervised.PseudoLabels,
    "consistency": semi_supervised.Consistency,
}


def rows(start):
    """The rows of the first table from `start` on: option -> (default, meaning)."""
    table = PAGE[PAGE.index(start) :]
    first = table.index("\n| `") + 1 if not start.endswith("`patience`") else table.index("| `patience`")
    lines = table[first:].split("\n\n")[0].splitlines()
    return {row[1].strip("` "): (row[2].strip(), row[3].strip()) for row in (line.split("|") for line in lines)}


@pytest.mark.parametrize(("start", "model"), BLOCKS.items(), ids=[model.__name__ for model in BLOCKS.values()])
def test_every_option_stands_in_the_table_with_its_default(start, model):
    found = rows(start)
    assert set(found) == set(model.model_fields)
    defaults = model()
    for name, (default, meaning) in found.items():
        value = getattr(defaults, name)
        wanted = SHOWN.get(name) or (value if isinstance(value, str) else json.dumps(value))
        assert default == wanted, name
        assert len(meaning) > 5, name


@pytest.mark.parametrize(("block", "model"), FEW_LABELS.items(), ids=list(FEW_LABELS))
def test_blocks_of_few_labels_stand_in_their_tables(block, model):
    lines = PAGE[PAGE.index(f"| option of `{block}`") :].split("\n\n")[0].splitlines()[2:]
    named = {name: line.split("|")[2].strip() for line in lines for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert set(named) == set(model.model_fields)
    for name, field in model.model_fields.items():
        value = field.get_default()
        if isinstance(value, (int, float, str, tuple)):
            assert named[name] == (value if isinstance(value, str) else json.dumps(value)), name


def test_links_lead_to_headings_and_files():
    headings = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in PAGE.splitlines()}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert (Path(__file__).resolve().parents[2] / "docs" / target.partition("#")[0]).exists(), target


def test_the_hand_example_is_what_the_code_computes():
    assert "the losses 4, 4, 2, 1" in PAGE
    assert "**-7/16**" in PAGE
    assert early_stopping.curve_slope([4, 4, 2, 1], window=4) == pytest.approx(-7 / 16)

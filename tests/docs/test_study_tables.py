"""The tables "document, here, why" of docs/studies.md say what the YAML of the studies says."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from segstudy.config.load import load_study, read_config
from segstudy.config.study import Choice
from tests.helpers.studies import config_files

ROOT = Path(__file__).resolve().parents[2]
FACT = re.compile(r"`((?:datasets|models|losses|recipes|evaluation|experiments)\.[\w.]+): ([^`]+)`")
BY_ROW = ("The small studies", "On two cores: all of `ebhi` and `hrf`")  # sections whose rows name their studies
NOT_OF_A_DOCUMENT = {"demo", "networks", "folder", "vessels", "vessels_small", "drive_folds"}


def tables():
    """Yield study, name and cells of every row of the tables."""
    for section in (ROOT / "docs/studies.md").read_text().split("\n## "):
        heading = section.split("\n", 1)[0]
        for line in section.splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 4 and set(cells[1]) != {"-"} and cells[2] != "here":
                named = re.findall(r"`(\w+)(?:\.yaml)?`", cells[0] if heading in BY_ROW else heading)
                yield from ((name, cells) for name in named[:1])


ROWS = list(tables())
FACTS = [(name, *fact) for name, cells in ROWS for fact in FACT.findall(cells[2])]


@cache
def study(name):
    files = config_files(name)
    return load_study(read_config(*files), files)


def setting(name, path):
    """Follow a path of keys through the resolved study, in which defaults are filled in."""
    value = study(name)
    for part in path.split("."):
        if isinstance(value, Choice):
            value = value.kind if part in ("network", "loss") else getattr(value.options, part)
        else:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@pytest.mark.parametrize(("name", "path", "written"), FACTS, ids=[f"{name}-{path}" for name, path, _ in FACTS])
def test_a_setting_in_the_tables_is_that_of_the_study(name, path, written):
    said = yaml.safe_load(written)
    some = isinstance(said, dict)  # keys of a block
    found = {key: setting(name, f"{path}.{key}") for key in said} if some else setting(name, path)
    plain = json.loads(json.dumps(found, default=lambda value: value.model_dump(mode="json")))
    if some:  # and of the blocks in it
        plain = {key: within(plain[key], said[key]) for key in said}
    assert plain == said


def within(value, said):
    return {key: value[key] for key in said} if isinstance(said, dict) else value


def test_every_study_stands_in_a_table_and_what_a_document_leaves_open_has_a_reason():
    studies = {path.stem for path in (ROOT / "studies").glob("*.yaml")} | {"config"}
    assert {name for name, _ in ROWS} | NOT_OF_A_DOCUMENT == studies
    facts = {name: sum(fact[0] == name for fact in FACTS) for name in studies - NOT_OF_A_DOCUMENT}
    assert min(facts.values()) >= 3, facts
    for name, (what, document, here, why) in ROWS:
        assert document and here, (name, what)
        assert why or not re.search(r"not stated|to be chosen|free|left open|not asked", document), (name, what)

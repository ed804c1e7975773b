"""The schema that editors use is the one the config is checked by."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

from segstudy.config import schema

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "workflow/schemas/config.schema.json"


def test_the_shipped_schema_is_up_to_date():
    assert FILE.read_text() == schema.text(), "python -m segstudy.config.schema > workflow/schemas/config.schema.json"


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *ROOT.glob("studies/*.yaml")], ids=lambda path: path.stem)
def test_every_shipped_study_fits_it(path):
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(FILE.read_text()))


@pytest.mark.parametrize(
    "wrong", [{"modles": {}}, {"losses": {"focal": {"gama": 2}}}, {"recipes": {"a": {"epochs": 0}}}]
)
def test_what_the_config_refuses_the_schema_refuses_too(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(FILE.read_text()))


def test_the_conda_environment_has_the_pinned_versions():
    pinned = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    environment = yaml.safe_load((ROOT / "envs/segstudy.yaml").read_text())
    packages = dict(line.split("==") for line in environment["dependencies"][-1]["pip"])
    assert packages == {name: pinned[name] for name in packages}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(packages) == {re.match(r"[\w-]+", line).group() for line in wanted}

"""The JSON schema of config files, for completion and checks in editors: `python -m segstudy.config.schema`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from segstudy.config.auto_keys import AUTO, PlanLimits
from segstudy.config.datasets import DatasetConfig
from segstudy.config.evaluation import Evaluation
from segstudy.config.library_networks import LibraryOptions
from segstudy.config.library_paths import TARGET
from segstudy.config.losses import LOSSES
from segstudy.config.networks import REGISTERED
from segstudy.config.readers import READERS
from segstudy.config.recipes import Recipe
from segstudy.config.study import Experiment


def schema() -> dict[str, Any]:
    """Return the schema of a config file; every key is optional, since a file may be an overlay."""
    definitions: dict[str, Any] = {}

    def of(model: type[BaseModel], **extra: Any) -> dict[str, Any]:
        made = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(made.pop("$defs", {}))
        made["properties"] = made.get("properties", {}) | extra
        made.pop("required", None)
        return made

    def named(value: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": value}

    def choice(key: str, registry: Mapping[str, tuple[type[BaseModel], str]]) -> dict[str, Any]:
        kinds = {key: {"enum": list(registry), "description": "left out, the entry's own name"}}
        return {"anyOf": [of(options, **kinds) for options, _ in registry.values()] + [{"type": "null"}]}

    models = choice("network", REGISTERED)
    models["anyOf"].append(of(LibraryOptions, network={"type": "string", "pattern": TARGET}))
    seeds = {"type": "array", "items": {"type": "integer", "minimum": 0}, "description": "a number, or their list"}
    datasets = of(DatasetConfig, reader={"enum": list(READERS), "description": "left out, the entry's own name"})
    datasets["properties"]["training"] = of(Recipe)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "segstudy study",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "study": {"type": "string", "description": "results go to results/<study>/"},
            "data_root": {"type": "string", "description": "folder that holds the raw data sets"},
            "datasets": named(datasets),
            "models": named(models),
            "losses": named(choice("loss", LOSSES)),
            "recipes": named(of(Recipe)),
            "evaluation": of(Evaluation),
            "plan": {"anyOf": [{"const": AUTO}, of(PlanLimits)], "description": "what plans are made for: planning.md"},
            "experiments": named(of(Experiment, seeds={"anyOf": [{"type": "integer", "minimum": 1}, seeds]})),
        },
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """Return the schema as the file that is shipped."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())

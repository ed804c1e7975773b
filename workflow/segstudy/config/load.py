"""Read and validate the config of a study: files merged, kinds looked up, every problem named by file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segstudy.config import cross_checks, dependencies
from segstudy.config.base import _update
from segstudy.config.classes_in_files import with_classes
from segstudy.config.datasets import READERS
from segstudy.config.external_sets import check_external_sets
from segstudy.config.library_networks import is_library
from segstudy.config.limits import check_crops, check_limits
from segstudy.config.losses import LOSSES
from segstudy.config.networks import LIBRARY, REGISTERED, block
from segstudy.config.study import Choice, Study
from segstudy.config.validation_errors import BLOCK, COMMAND_LINE, SHOWN, Key, place, validated
from segstudy.config.yaml_files import read_yaml
from segstudy.core.errors import StudyError, nearest


def load_study(
    config: Mapping[str, Any], files: Sequence[str | Path] = (), command_line: Mapping[str, Any] | None = None
) -> Study:
    """Validate a merged config and return the study.

    `config` is what Snakemake merged from `files` and the command line (`--config`, whose values are `command_line`).
    Data sets, models, losses and recipes of all files add up; the experiments are those of the last file that has any:
    a study asks its own questions.

    Raises:
        StudyError: naming file, line and key of every problem.
    """
    token = COMMAND_LINE.set(command_line or {})
    try:
        return _loaded(config, [Path(file) for file in files])
    finally:
        COMMAND_LINE.reset(token)


def _loaded(config: Mapping[str, Any], paths: list[Path]) -> Study:
    blocks = dict(config) | {"experiments": _own_experiments(config, [read_yaml(path) for path in paths])}
    for section, key, registry in (("models", "network", REGISTERED), ("losses", "loss", LOSSES)):
        entries = _mapping(blocks.get(section), (section,), paths)
        blocks[section] = {name: _choice(name, entry, section, key, registry, paths) for name, entry in entries.items()}
    data_root = blocks.get("data_root", Study.model_fields["data_root"].default)
    blocks["datasets"] = {
        name: with_classes(name, {"reader": name, **_dataset(name, entry, paths)}, data_root, paths)
        for name, entry in _mapping(blocks.get("datasets"), ("datasets",), paths).items()
    }
    study = dependencies.with_rounds(validated(Study, blocks, (), paths))
    cross_checks.check_references(study, paths)
    check_external_sets(study, paths)
    study = dependencies.with_shares(study)
    check_limits(study, paths)
    cross_checks.check_chains(study, paths)
    cross_checks.check_validation(study, paths)
    for dataset, recipe in dict.fromkeys(
        (cell.dataset, cell.recipe) for cell in [*study.cells, *dependencies.ancestors(study)]
    ):
        study.recipe(dataset, recipe)  # each may be right alone and not together
    check_crops(study, paths)
    return study


def read_config(*files: str | Path) -> dict[str, Any]:
    """Merge config files the way Snakemake does, later files winning; for use without Snakemake.

    Raises:
        StudyError: a file is missing, is no YAML, or holds something other than blocks.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _update(merged, read_yaml(Path(file)))
    return merged


def merged(config: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with what another one says laid over it."""
    result = dict(config)
    _update(result, other)
    return result


def _own_experiments(config: Mapping[str, Any], contents: Sequence[Mapping[str, Any]]) -> Any:
    experiments = config.get("experiments", {})
    for content in reversed(contents):
        own = content.get("experiments")
        if isinstance(own, Mapping) and own and isinstance(experiments, Mapping):
            return {name: experiments.get(name) for name in own}
    return experiments


def _mapping(block: Any, key: Key, files: Sequence[Path]) -> dict[str, Any]:
    if block is None:
        return {}
    if not isinstance(block, Mapping):
        name = ".".join(map(str, key))
        raise StudyError(f"'{name}' {BLOCK}, found {SHOWN.repr(block)}", where=place(key, files))
    return dict(block)


def _dataset(name: str, entry: Any, files: Sequence[Path]) -> dict[str, Any]:
    if entry is None and name not in READERS:
        raise StudyError(f"'datasets.{name}' {BLOCK}, found nothing", where=place(("datasets", name), files))
    return _mapping(entry, ("datasets", name), files)


def _choice(name: str, entry: Any, section: str, key: str, registry: Mapping[str, Any], files: list[Path]) -> Choice:
    """Return a network or loss with its options; the kind defaults to the entry's own name."""
    entry = _mapping(entry, (section, name), files)
    kind = entry.pop(key, name)
    if not isinstance(kind, str):
        raise StudyError(
            f"{section}.{name}.{key}: this must be the name of a {key}, found {SHOWN.repr(kind)}",
            where=place((section, name, key), files),
            allowed=", ".join(registry),
        )
    if section == "models" and is_library(kind):
        return Choice(kind, validated(LIBRARY[0], block(kind, entry), (section, name), files))
    if kind not in registry:
        raise StudyError(
            f"{section}.{name}: no {key} is called '{kind}'.{nearest(kind, registry)}",
            where=place((section, name, key), files),
            allowed=", ".join(registry),
            remedy=f"name one of these, either as the entry's name or by '{key}: ...' inside it"
            + ("; or a class of an installed library as module:class" if section == "models" else ""),
        )
    options = registry[kind][0]
    return Choice(kind, validated(options, entry, (section, name), files))

"""Read and validate the config of a study: files merged, kinds looked up, every problem named by file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segstudy.config import cross_checks, dependencies
from segstudy.config.auto_keys import OF_RECIPE, Plannable, plans_all, with_auto
from segstudy.config.base import _update
from segstudy.config.classes_in_files import with_classes
from segstudy.config.datasets import DatasetConfig
from segstudy.config.external_sets import check_external_sets
from segstudy.config.library_networks import is_library
from segstudy.config.limits import check_crops, check_limits
from segstudy.config.losses import LOSSES
from segstudy.config.networks import LIBRARY, REGISTERED, block
from segstudy.config.readers import READERS
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
    plan_all = plans_all(blocks.get("plan"))
    for section, key, registry in (("models", "network", REGISTERED), ("losses", "loss", LOSSES)):
        entries = _mapping(blocks.get(section), (section,), paths)
        blocks[section] = {
            name: _choice(name, entry, section, key, registry, paths, plan_all) for name, entry in entries.items()
        }
    sizes = DatasetConfig.PLANNED if plan_all else ()
    data_root = blocks.get("data_root", Study.model_fields["data_root"].default)
    blocks["datasets"] = {
        name: with_classes(name, {"reader": name, **with_auto(_dataset(name, entry, paths), sizes)}, data_root, paths)
        for name, entry in _mapping(blocks.get("datasets"), ("datasets",), paths).items()
    }
    if plan_all and isinstance(blocks.get("recipes"), Mapping):
        blocks["recipes"] = {name: _planned_recipe(entry) for name, entry in blocks["recipes"].items()}
    study = dependencies.with_rounds(validated(Study, blocks, (), paths))
    cross_checks.check_references(study, paths)
    check_external_sets(study, paths)
    study = dependencies.with_shares(study)
    check_limits(study, paths)
    cross_checks.check_chains(study, paths)
    cross_checks.check_validation(study, paths)
    for dataset, recipe in dependencies.trained_recipes(study):
        study.recipe(dataset, recipe)  # each may be right alone and not together
    check_crops(study, paths)
    cross_checks.check_plans(study, paths)
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


def _planned_recipe(entry: Any) -> Any:
    """Return a recipe in which a plan chooses what is not written; crops are counted in one way."""
    counted = isinstance(entry, Mapping) and entry.get("crops_per_epoch") is not None
    return with_auto(entry, tuple(key for key in OF_RECIPE if not (counted and key == "crops_per_image")))


def _choice(
    name: str, entry: Any, section: str, key: str, registry: Mapping[str, Any], files: list[Path], plan_all: bool
) -> Choice:
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
    if plan_all and issubclass(options, Plannable):
        entry = with_auto(entry, options.PLANNED)
    return Choice(kind, validated(options, entry, (section, name), files))

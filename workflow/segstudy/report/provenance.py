"""Provenance of a study: config, versions, code, hashes, and remarks of the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core.files import read_json
from segstudy.core.provenance import file_hash, read_run
from segstudy.tables.timing import device_words

RUN_FIELDS = ("packages", "python", "system", "git", "device", "threads", "precision", "code", "interruptions", "data")


class Remark(NamedTuple):
    """What a check said: a warning, or a finding that the config accepts for a reason."""

    where: str
    text: str
    reason: str  # empty for a warning


class Made(NamedTuple):
    """Everything of the last section."""

    config: str  # YAML
    versions: list[tuple[str, str]]
    code: list[tuple[str, str]]
    hashes: list[tuple[str, str]]
    remarks: list[Remark]
    commands: list[str]


def made(settings: Mapping[str, Any], cells: Sequence[Cell], results: Path) -> Made:
    """Return how the study was made, from its records and checks.

    Args:
        settings: see `segstudy.report.settings`.
        cells: every cell, once.
    """
    runs = {cell: read_run(paths.cell(results, cell) / "run.json", (*RUN_FIELDS, "command")) for cell in cells}
    pairs = dict.fromkeys((cell.dataset, cell.seed) for cell in cells)
    return Made(
        yaml.safe_dump(_without_cells(settings), sort_keys=False, allow_unicode=True, width=100),
        _versions(list(runs.values())),
        code_of(runs),
        _hashes(runs, settings, results),
        [*_remarks(settings, list(pairs), results)],
        [f"{run['command']}" for run in runs.values()],
    )


def _without_cells(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with every cell as its path: one line each."""

    def lines(cells: Sequence[Sequence[Any]]) -> list[str]:
        return [Cell(*cell).path for cell in cells]

    experiments = {name: {**block, "cells": lines(block["cells"])} for name, block in settings["experiments"].items()}
    others = {kind: lines(settings[kind]) for kind in ("ancestors", "denoisers", "chains")}
    others["students"] = lines([entry["cell"] for entry in settings["students"]])
    return {**settings, "experiments": experiments, **others}


def _versions(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return name and version of every package; where trainings differ, each version with its number of trainings."""
    packages: dict[str, Counter[str]] = {}
    for run in runs:
        libraries = {**run["packages"], "Python": run["python"], "system": run["system"], **run.get("libraries", {})}
        for name, version in libraries.items():
            packages.setdefault(name, Counter())[version or "not installed"] += 1
    return [(name, _with_numbers(versions)) for name, versions in packages.items()]


def code_of(records: Mapping[Cell, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return commit, code and machine of the trainings; where they differ, each with its number of trainings.

    Args:
        records: `run.json` of each cell.
    """
    runs = list(records.values())
    commits = Counter(
        f"{run['git']['commit']}{', with changes' if run['git']['dirty'] else ''}" if run["git"] else "no checkout"
        for run in runs
    )
    devices = Counter(map(device_words, runs))
    # The fingerprint of a training covers its network's module, so each network has another one.
    networks = {
        f"fingerprint of the training code, {model}": Counter(
            run["code"] for cell, run in records.items() if cell.model == model
        )
        for model in dict.fromkeys(cell.model for cell in records)
    }
    return [
        ("git commit", _with_numbers(commits)),
        *((name, _with_numbers(codes)) for name, codes in networks.items()),
        ("device", _with_numbers(devices)),
        ("interrupted and continued", f"{sum(run['interruptions'] > 0 for run in runs)} of {len(runs)} trainings"),
    ]


def _with_numbers(values: Counter[str]) -> str:
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(f"{value} ({number} training{'s' * (number > 1)})" for value, number in values.items())


def _hashes(
    runs: Mapping[Cell, Mapping[str, Any]], settings: Mapping[str, Any], results: Path
) -> list[tuple[str, str]]:
    """Return name and SHA-256 of stores, splits and indexes; an index holds the hashes of the images."""
    indexes = [paths.INDEX.format(dataset=name) for name in settings["datasets"]]
    hashes = {index: file_hash(results / index) for index in indexes}
    for cell, run in runs.items():
        for name, digest in run["data"].items():
            pattern = paths.SPLIT if name == "split" else f"{paths.DATA}/{name}"
            hashes[pattern.format(**cell._asdict())] = digest
    return sorted(hashes.items())


def _remarks(settings: Mapping[str, Any], pairs: Sequence[tuple[str, int]], results: Path) -> list[Remark]:
    names = dict.fromkeys(pair[0] for pair in pairs)
    files = {f"{name}, images": paths.path(results, paths.IMAGES_CHECK, dataset=name) for name in names}
    files |= {f"{name}, networks": paths.path(results, paths.NETWORKS_CHECK, dataset=name) for name in names}
    files |= {
        f"{name}, split of seed {seed}": paths.path(results, paths.SPLIT_CHECK, dataset=name, seed=seed)
        for name, seed in pairs
    }
    chains = [Cell(*cell) for cell in settings["chains"]]
    files |= {f"{cell.path}, what it builds on": paths.of_cell(results, paths.CHAIN_CHECK, cell) for cell in chains}
    remarks = []
    for where, path in files.items():
        check = read_json(path, ("warnings", "accepted"))
        remarks += [Remark(where, warning, "") for warning in check["warnings"]]
        remarks += [Remark(where, item["text"], item["reason"]) for item in check["accepted"]]
    for name in settings["datasets"]:
        card = read_json(paths.data(results, name) / "card.json", ("repairs",))
        remarks += [Remark(f"{name}, reader", repair, "") for repair in card["repairs"]]
    return remarks

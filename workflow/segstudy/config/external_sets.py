"""Checks of external test sets (`tested_on` of an experiment): what networks of another data set can be measured on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from segstudy.config.class_names import BACKGROUND
from segstudy.config.datasets import DatasetConfig
from segstudy.config.study import Study
from segstudy.config.validation_errors import place
from segstudy.core.errors import StudyError, nearest


def check_external_sets(study: Study, files: Sequence[Path]) -> None:
    """Check that every external test set is defined, and has the classes, channels and scale that its networks know.

    Raises:
        StudyError: naming the key.
    """
    for name, experiment in study.experiments.items():
        where = place(("experiments", name, "tested_on"), files)
        for item in experiment.tested_on:
            if item not in study.datasets:
                raise StudyError(
                    f"experiments.{name}.tested_on names '{item}', which is not defined."
                    f"{nearest(item, study.datasets)}",
                    where=where,
                    allowed=", ".join(study.datasets),
                    remedy="define it under 'datasets:' or use one of these names",
                )
            _check_own_split(study, name, item, where)
        for dataset, external in product(experiment.datasets, experiment.tested_on):
            problem, remedy = _misfit(study, dataset, external)
            if problem:
                raise StudyError(
                    f"networks of {dataset} cannot be tested on {external}: {problem}", where=where, remedy=remedy
                )


def _check_own_split(study: Study, experiment: str, external: str, where: str) -> None:
    """Check that the split by which an external test set is measured is there for every seed of an experiment."""
    options, seeds = study.datasets[external], study.experiments[experiment].seeds
    split = options.split
    if options.external_images == "all":
        return
    if split.repeat == "kfold" and max(seeds) >= split.folds:
        raise StudyError(
            f"experiments.{experiment}.seeds asks for fold {max(seeds)} of {external}, whose test images are measured",
            where=where,
            allowed=f"0 to {split.folds - 1}, since datasets.{external}.split.folds is {split.folds}",
            remedy=f"take fewer seeds, or set datasets.{external}.external_images to all",
        )
    if study.evaluation.ensemble and len(seeds) > 1 and split.repeat != "fixed_split":
        raise StudyError(
            f"evaluation.ensemble puts the networks of all seeds together, but {external} has other test images for "
            "each seed",
            where=where,
            allowed=f"datasets.{external}.split.repeat: fixed_split (it is {split.repeat})",
            remedy=f"give {external} one split for all seeds, or set its external_images to all",
        )


def _misfit(study: Study, dataset: str, external: str) -> tuple[str, str]:
    """Return why networks of a data set cannot be measured on another, and what to do; empty where they can."""
    own, other = study.datasets[dataset], study.datasets[external]
    if _classes(own) != _classes(other):
        return (
            f"their classes differ, {_words(own)} and {_words(other)}",
            f"give both the same classes in the same order, under datasets.{external}.classes",
        )
    if own.colour != other.colour:
        return (
            f"the networks see 'colour: {own.colour}', its images are declared 'colour: {other.colour}'",
            f"set datasets.{external}.colour to {own.colour}, or leave the data set out",
        )
    if (own.scale is None) != (other.scale is None):
        with_scale, without = (dataset, external) if own.scale else (external, dataset)
        return (
            f"{with_scale} has a 'scale', {without} has none",
            f"set datasets.{without}.scale to the pixels that the same length has there; or remove both, and images "
            "are not brought to one scale",
        )
    return "", ""


def _classes(options: DatasetConfig) -> list[str]:
    """Return what tells the foreground classes of two data sets apart: nothing for a single one."""
    if not options.several:
        return []
    return [name for name in options.classes if name != BACKGROUND] or [f"those of reader {options.reader}"]


def _words(options: DatasetConfig) -> str:
    return ", ".join(_classes(options)) or "one foreground class"

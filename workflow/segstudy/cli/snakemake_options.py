"""What `segstudy run` must know of the options that it hands on to Snakemake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from segstudy.core.errors import StudyError

KEY = re.compile(r"[a-zA-Z_][\w-]*\w")
# Options with which nothing is made: Snakemake looks, or says something, or takes its lock away.
LOOKING = {
    *("-n", "--dry-run", "--dryrun", "--unlock", "--nolock", "--lint", "-l", "--list", "--list-rules", "-S"),
    *(
        "--summary",
        "-D",
        "--detailed-summary",
        "--dag",
        "--rulegraph",
        "--filegraph",
        "-h",
        "--help",
        "-v",
        "--version",
    ),
    *("--report", "--list-changes", "--lc", "--print-compilation", "--generate-unit-tests"),
}


def own(options: Sequence[str]) -> list[str]:
    """Return the options before `--`, behind which nothing is an option."""
    return list(options[: options.index("--")] if "--" in options else options)


def only_looks(options: Sequence[str]) -> bool:
    """Return whether Snakemake makes nothing with these options; letters may stand together, as in -np."""
    words = own(options)
    return bool(LOOKING & set(words)) or any(re.fullmatch(r"-[pqFfkR]*n[pqFfkR]*", word) for word in words)


def without(options: Sequence[str], *names: str) -> tuple[list[str], list[str]]:
    """Return the values of an option that takes every word up to the next option, and the options without it."""
    values, rest, words = [], [], own(options)
    taking = False
    for word in words:
        name, equals, value = word.partition("=")
        if name in names:
            taking = True
            values += [value] if equals else []
        elif taking and not word.startswith("-"):
            values.append(word)
        else:
            taking = False
            rest.append(word)
    return values, [*rest, *options[len(words) :]]


def config_values(options: Sequence[str]) -> dict[str, Any]:
    """Return what `--config key=value ...` says.

    Raises:
        StudyError: a word is no key=value.
    """
    values: dict[str, Any] = {}
    for word in without(options, "--config", "-C")[0]:
        key, equals, value = word.partition("=")
        if not equals or not KEY.fullmatch(key):
            raise StudyError(
                f"'{word}' is no key=value",
                where="the command line, --config",
                allowed="key=value, such as data_root=/data or 'recipes={default: {epochs: 3}}'",
                remedy="write = between key and value, without spaces; what is to be made stands before the options",
            )
        try:
            values[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):
            values[key] = value
    return values


def config_files(options: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the files of `--configfile`, and the options without it: it would replace the files before `--`."""
    files, rest = without(options, "--configfile", "--configfiles")
    return [Path(file) for file in files], rest

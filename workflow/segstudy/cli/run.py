"""Run a study: Snakemake, with the study's state below its lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from segstudy.cli.config_files import BASE, Files, opened, paper, snakefile
from segstudy.cli.snakemake_options import config_files, config_values, only_looks, own
from segstudy.core.terminal_text import say
from segstudy.runtime import children, locks
from segstudy.runtime.environment import caches, check_writable

PROFILE = "profiles/local"
AFTER = "segstudy.after"  # where a context keeps what stands behind --


class Passing(TyperCommand):
    """A command that hands on, untouched, whatever stands behind `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what stands behind the first `--` away before the rest is read."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[AFTER], args = args[place + 1 :], args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Say so in the line that help begins with."""
        return [*super().collect_usage_pieces(ctx), "[-- SNAKEMAKE OPTIONS]"]


def run(context: typer.Context, files: Files = None) -> None:
    """Run a study with Snakemake. What stands behind -- is Snakemake's: targets, -n, --cores 4, --forcerun ...

    The profile is that of --profile, else of SNAKEMAKE_PROFILE, else profiles/local. On a terminal the study's state
    stands below Snakemake's lines: what runs, what failed, the time left. The exit code is Snakemake's.
    """
    options = context.meta.get(AFTER, [])
    named, options = config_files(options)
    files = [*(files or []), *named]
    study, results = opened(files, config_values(options), anywhere=True)
    with snakefile().open(encoding="utf-8"):
        pass  # what may not be read is said here, not by Snakemake
    check_writable(Path(".snakemake"), Path("results"))
    check_room()
    os.environ.update(caches(os.environ))
    if not only_looks(options) and (released := locks.release(results)):
        say(released, error=True)
    command = snakemake(files, options)
    console = paper(stderr=True)
    sys.stdout.flush()
    if not console.is_terminal:  # nobody to show it to: nothing stands between Snakemake and its reader
        raise typer.Exit(children.code(children.start(command)))
    from segstudy.study import watch

    raise typer.Exit(watch.run(study, results, console, command))


def check_room(folder: Path = Path(".snakemake"), size: int = 2**16) -> None:
    """Stop where Snakemake cannot write its own notes: on a full disk it ends with a traceback.

    Raises:
        OSError: as the disk says it, with the folder.
    """
    place = folder / f".room.{os.getpid()}.partial"
    try:
        folder.mkdir(exist_ok=True)
        place.write_bytes(bytes(size))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(folder)) from error
    finally:
        place.unlink(missing_ok=True)


def snakemake(files: Sequence[Path], options: Sequence[str]) -> list[str]:
    """Return the command that runs a study.

    `--configfile` takes every word up to the next option: it stands first, and an option (the profile) always
    follows. Of a profile that the options name, that one alone is left.
    """
    rest = list(options)
    before = own(rest)
    profile = os.environ.get("SNAKEMAKE_PROFILE") or PROFILE
    for place, word in enumerate(before):
        if word == "--profile" and place + 1 < len(before):
            profile = rest[place + 1]
            del rest[place : place + 2]
            break
        if word.startswith("--profile="):
            profile = word.partition("=")[2]
            del rest[place]
            break
    overlays = [str(file) for file in files if file != BASE]
    chosen = ["--configfile", *overlays] if overlays else []
    # What a killed run has left incomplete is made again, whatever the profile says.
    return [sys.executable, "-m", "snakemake", *chosen, "--profile", profile, "--rerun-incomplete", *rest]

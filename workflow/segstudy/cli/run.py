"""`segstudy run`: Snakemake, with the state of the study below its lines."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from segstudy.cli.config_files import BASE, Files, open_study, snakefile
from segstudy.cli.snakemake_options import config_files, config_values, only_looks, own
from segstudy.config import paths
from segstudy.core.errors import StudyError
from segstudy.core.terminal_text import say
from segstudy.runtime import children, locks
from segstudy.runtime.environment import caches, check_writable
from segstudy.runtime.job import QUIET

PROFILE = "profiles/local"
CONFIG_SUFFIXES = (".yaml", ".yml")
# The module snakemake_logger_plugin_segstudy. One word: the option would take a target behind it for another logger.
SHORT_LINES = ("--logger=segstudy",)
OPTIONS = "segstudy.snakemake_options"  # where a context keeps what stands behind --


class PassThrough(TyperCommand):
    """A command that passes everything behind `--` on, unchanged."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Set aside what stands behind the first `--`; an option of Snakemake before it ends with a hint."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[OPTIONS], args = args[place + 1 :], args[:place]
        known = {name for option in self.get_params(ctx) for name in option.opts}
        options = [word for word in args if word.startswith("-") and word not in known]
        if options and not ctx.resilient_parsing:
            ctx.fail(
                f"No such option: {options[0]}. Options of Snakemake stand behind --: "
                f"segstudy run STUDY.yaml -- {options[0]}"
            )
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- SNAKEMAKE ARGUMENTS]"]


def run(
    context: typer.Context,
    files: Files = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="show every line of Snakemake and of the jobs")] = False,
) -> None:
    """Run a study with Snakemake. Targets and options of Snakemake stand behind --, such as -n or --cores 4.

    Examples: `segstudy run studies/demo.yaml -- -n` lists the jobs without running them;
    `segstudy run studies/demo.yaml -- results/demo/tables/architectures.html` makes one file and what it needs.

    The profile is that of --profile (behind --), else SNAKEMAKE_PROFILE, else profiles/local. On a terminal, one line
    shows the study with the time left, and one each running training; elsewhere each finished job is a line. What
    jobs and Snakemake say besides is in their logs. The exit code is Snakemake's.
    """
    from segstudy.cli.console import console

    check_no_targets(files or [])
    named, options = config_files(context.meta.get(OPTIONS, []))
    files = [*(files or []), *named]
    study, results = open_study(files, config_values(options), anywhere=True)
    with snakefile().open(encoding="utf-8"):
        pass  # what may not be read is said here, not by Snakemake
    check_writable(Path(".snakemake"), Path("results"), *([] if only_looks(options) else folders_of(results)))
    check_free_space()
    os.environ.update(caches(os.environ))
    if not only_looks(options) and (released := locks.release(results)):
        say(released, error=True)
    short = not verbose and is_short(options)
    os.environ.update({QUIET: "1"} if short else {})
    command = snakemake(files, options, SHORT_LINES if short else ())
    terminal = console(stderr=True)
    sys.stdout.flush()
    if not terminal.is_terminal:  # nobody to show it to: nothing stands between Snakemake and its reader
        raise typer.Exit(children.code(children.start(command)))
    from segstudy.study import watch

    raise typer.Exit(watch.run(study, results, terminal, command))


def folders_of(results: Path) -> list[Path]:
    """Return the folder of a study and those in it, none where there is none yet."""
    return [results, *sorted(path for path in results.iterdir() if path.is_dir())] if results.is_dir() else []


def is_short(options: Sequence[str]) -> bool:
    """Return whether Snakemake's lines are to be short ones: jobs run, and nobody asks for other lines."""
    names = {word.partition("=")[0] for word in own(options)}
    return not only_looks(options) and not names & {"--logger", "--verbose", "--debug-dag"}


def check_no_targets(files: Sequence[Path]) -> None:
    """Stop where a target of Snakemake stands among the config files.

    Raises:
        StudyError: naming it, and where it belongs.
    """
    for path in files:
        in_results = path.is_relative_to(paths.RESULTS) and path.suffix not in CONFIG_SUFFIXES
        if in_results or (path.suffix not in CONFIG_SUFFIXES and not path.exists()):
            configs = [str(other) for other in files if other.suffix in CONFIG_SUFFIXES]
            raise StudyError(
                f"'{path}' is no config file",
                where="the command line, before --",
                allowed="config files, such as studies/demo.yaml; targets and options of Snakemake stand behind --",
                remedy=f"if it is a target: {shlex.join(['segstudy', 'run', *configs, '--', str(path)])}",
            )


def check_free_space(folder: Path = Path(".snakemake")) -> None:
    """Stop where Snakemake cannot write its own notes: on a full disk it ends with a traceback.

    Raises:
        OSError: as the disk says it, with the folder.
    """
    place = folder / f".free_space.{os.getpid()}.partial"
    try:
        folder.mkdir(exist_ok=True)
        place.write_bytes(bytes(2**16))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(folder)) from error
    finally:
        place.unlink(missing_ok=True)


def snakemake(files: Sequence[Path], options: Sequence[str], lines: Sequence[str] = ()) -> list[str]:
    """Return the command that runs a study.

    `--configfile` and the choice of `lines` take every word up to the next option: they stand first, and an option
    (the profile) always follows. Of a profile that the options name, that one alone is left.
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
    return [sys.executable, "-m", "snakemake", *lines, *chosen, "--profile", profile, "--rerun-incomplete", *rest]

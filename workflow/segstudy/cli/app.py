"""`segstudy --help`: the commands, and how they start and end.

Exit codes: 0 done, 1 something the user can mend (one message says what), 2 a command line that is no command line.
Commands import what they need when they run, so that help and completion come at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version as installed
from typing import Annotated

import typer

from segstudy.cli import check_config, clean, compare, describe, init, run, study_commands
from segstudy.cli import export as exporting
from segstudy.cli import predict as predicting
from segstudy.core.terminal_text import say

app = typer.Typer(
    name="segstudy",
    help="Compare image-segmentation networks: plan a study, run it, look at its results, use its models.\n\n"
    "The usual order: init (for a folder of your own), check-config, plan, run, status, summary. "
    "To try it without any data: `segstudy run studies/demo.yaml`. Help on one command: `segstudy run --help`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # otherwise the lines of a docstring end where they end in the source
    pretty_exceptions_enable=False,  # a defect keeps its plain traceback
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(init.init)
app.command()(check_config.check_config)
app.command()(describe.describe)
app.command()(study_commands.plan)
app.command(cls=run.PassThrough)(run.run)
app.command()(study_commands.status)
app.command()(study_commands.partial)
app.command()(study_commands.summary)
app.command()(compare.compare)
app.command()(clean.clean)
app.command()(predicting.predict)
app.command()(exporting.export)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"segstudy {installed('segstudy')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of segstudy itself."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command: an error that the user can mend is one message and exit code 1, a defect keeps its traceback.

    A reader that closes the pipe early (`| head`) gets exit code 1 and no message.
    """
    from segstudy.runtime.environment import flush_quietly, prepare_streams

    prepare_streams()
    try:
        code = _run(arguments)
    except BrokenPipeError:
        code = 1
    except OSError as error:  # from flushing: a full disk
        code = _report(error)
    sys.exit(code if flush_quietly() else 1)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(arguments)
    except SystemExit as end:
        sys.stdout.flush()
        if isinstance(end.code, str):
            raise
        return end.code or 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        return _report(error)
    return 0


def _report(error: Exception) -> int:
    from segstudy.runtime.job import explain

    message = explain(error)
    if message is None:
        raise error
    say(f"Error: {message}", error=True)
    return 1

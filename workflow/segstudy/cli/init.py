"""`segstudy init`: look at a folder, and write a study that reads it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segstudy.core.errors import StudyError
from segstudy.core.names import NAME
from segstudy.core.terminal_text import say

if TYPE_CHECKING:
    from segstudy.config.layout import Layout
    from segstudy.data.proposal import Proposal, Question
    from segstudy.study.planner import Plan

STUDIES = Path("studies")


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of images and labels, as it is.", show_default=False)],
    name: Annotated[str, typer.Option(help="Name of the study and of its data set. Default: that of the folder.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="The study file to write. Default: studies/NAME.yaml.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the study file if it exists.")] = False,
) -> None:
    """Look at a folder of images and labels, and write a study file that runs.

    It finds images and labels, tells one object from several classes and numbered objects, guesses groups from names,
    and chooses sizes. Every line of the file says what was seen. What the files do not tell is asked; without a
    terminal it stands in the file as lines to choose from, and the exit code is 1.
    """
    from segstudy.cli.progress_bar import progress_bar
    from segstudy.data.find_layout import layouts
    from segstudy.data.proposal import propose

    root = folder.resolve()
    if not root.is_dir():
        raise StudyError("no such folder", where=folder, remedy="name the folder that holds images and labels")
    _check_root(root)
    taken = _datasets_of_base()
    name = name or _free_name(_study_name(root), taken)
    _check_name(name, taken)
    path = out or STUDIES / f"{name}.yaml"
    if path.exists() and not force:
        raise StudyError("this study file exists", where=path, remedy="choose another --name or --out, or add --force")
    if not path.parent.is_dir():
        raise StudyError(
            "no such folder", where=path.parent, remedy="go to the folder of the workflow, or name a file with --out"
        )
    reader, layout = _choose_layout(layouts(root), root)
    with progress_bar("looking"):
        proposal = propose(root, reader, layout, threads=min(4, os.cpu_count() or 1))
    chosen, left = _answers(proposal.questions)
    _write(path, name, root, proposal, chosen, left)
    _report(path, name, proposal, left)
    if left:
        raise typer.Exit(1)


def _study_name(root: Path) -> str:
    """Return the folder's name as a name of a study: letters, digits, '_' and '-'."""
    from segstudy.config.base import LONGEST_NAME
    from segstudy.core.names import readable

    plain = re.sub(r"[^A-Za-z0-9_]+", "_", readable(root.name)).strip("_").lower()
    plain = plain if plain[:1].isalpha() and _is_text(plain) else f"images_{plain}"
    return plain[:LONGEST_NAME].rstrip("_")


def _is_text(name: str) -> bool:
    """Return whether YAML reads a name as text: yes and null are other things to it."""
    import yaml

    return isinstance(yaml.safe_load(name), str)


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return the name, with `my_` in front where config.yaml has a data set called so: its keys would hold too."""
    return f"my_{name}" if name in taken else name


def _datasets_of_base() -> Collection[str]:
    from segstudy.cli.config_files import BASE
    from segstudy.config.yaml_files import read_yaml

    return read_yaml(BASE).get("datasets") or {} if BASE.exists() else {}


def _check_name(name: str, taken: Collection[str]) -> None:
    from segstudy.config.base import LONGEST_NAME

    if name in taken:
        raise StudyError(
            f"config.yaml has a data set '{name}', whose keys would hold for this one too",
            where="--name",
            remedy="choose another --name",
        )
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME or not _is_text(name):
        raise StudyError(
            f"'{name[:LONGEST_NAME]}' cannot be the name of a study",
            where="--name",
            allowed=f"letters, digits, '.', '_' and '-', {LONGEST_NAME} characters at most, beginning with a letter or "
            "digit; no number, and no word that YAML reads otherwise, such as yes or null",
            remedy="choose another --name",
        )


def _check_root(root: Path) -> None:
    """Raise where a study file could not hold the path of the folder as it is."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        why = "bytes that are no UTF-8, which a study file cannot hold"
    else:
        if os.path.expandvars(root) == str(root):
            return
        why = "the name of a variable behind '$', which a study file would replace by its value"
    raise StudyError(
        f"the path of this folder has {why}",
        where=root,
        remedy="rename it; or make a link of another name to it, and name that as root in studies/folder.yaml",
    )


def _choose_layout(ways: Sequence[tuple[str, Layout, str]], root: Path) -> tuple[str, Layout]:
    """Return reader and layout: the only one, or the one that the person names.

    Raises:
        StudyError: there are several, and nobody to ask.
    """
    if len(ways) == 1:
        return ways[0][:2]
    words = [f"{text}" if reader == "folder" else f"{text} (reader {reader})" for reader, _, text in ways]
    if not sys.stdin.isatty():
        raise StudyError(
            f"this folder can be read in {len(ways)} ways: {'; '.join(words)}",
            where=root,
            remedy="run this on a terminal and choose, name a folder further below, or say it by layout.images, "
            "layout.masks and layout.mask_suffix in a copy of studies/folder.yaml",
        )
    return ways[_ask("This folder can be read in several ways.", words)][:2]


def _answers(questions: Sequence[Question]) -> tuple[dict[str, Any], list[Question]]:
    """Ask on a terminal; return the keys of the answers, and the questions that nobody could be asked."""
    chosen: dict[str, Any] = {}
    if not sys.stdin.isatty():
        return chosen, list(questions)
    for question in questions:
        chosen |= question.options[_ask(question.text, [option.meaning for option in question.options])].keys
    return chosen, []


def _ask(text: str, options: Sequence[str]) -> int:
    """Return the number, from 0, of the option that the person chooses."""
    say(text)
    for number, option in enumerate(options, 1):
        say(f"  {number}  {option}")
    while True:
        choice: int = typer.prompt("Number", type=int)
        if 1 <= choice <= len(options):
            return choice - 1
        say(f"A number from 1 to {len(options)}.")


def _write(
    path: Path, name: str, root: Path, proposal: Proposal, chosen: dict[str, Any], left: Sequence[Question]
) -> None:
    """Write the study file; one that would not load is not left behind."""
    from segstudy.cli.config_files import open_study
    from segstudy.cli.init_text import study_text
    from segstudy.core.files import write_text

    text = study_text(name, root, proposal, _plan(proposal), chosen, left)
    with tempfile.TemporaryDirectory(prefix="segstudy-") as temporary:
        trial = Path(temporary, path.name)
        trial.write_text(text, encoding="utf-8")
        open_study([trial], anywhere=True)
    write_text(path, text)


def _plan(proposal: Proposal) -> Plan:
    """Return sizes, batch, epochs and network that fit what was seen and this machine."""
    from segstudy.cli.init_text import FOLDS, has_few
    from segstudy.config.auto_keys import PlanLimits
    from segstudy.config.datasets import Split
    from segstudy.config.networks import UNetOptions
    from segstudy.runtime.resources import has_gpu
    from segstudy.study.plan_files import facts_of, machine_of
    from segstudy.study.planner import make_plan
    from segstudy.study.receptive_fields import sizes_of

    classes = len(proposal.foreground)
    data = {
        "split": Split(**(FOLDS if has_few(proposal) else {})).model_dump(),
        "reader": proposal.reader,
        "channels": 3,
        "outputs": 1 if classes == 1 else classes + 1,
    }
    facts = facts_of(data, sizes_of(proposal.rows), proposal.objects)
    machine = machine_of(PlanLimits().model_dump(), has_gpu(), threads=1)
    unet = {"network": "unet", **UNetOptions().model_dump(exclude={"depth", "width"})}
    return make_plan(facts, machine, {}, {"unet": unet})


def _report(path: Path, name: str, proposal: Proposal, left: Sequence[Question]) -> None:
    """Say what was found, how long it will take, and what comes next."""
    from segstudy.cli.init_text import annotator_words

    index = proposal.rows
    say(f"{path}: {proposal.title}, {len(index)} images, {int((index['mask'] != '').sum())} of them with masks")
    if proposal.groups:
        say(f"groups GUESSED from names ({proposal.groups.kind}): {len(proposal.groups.sizes)}; see {path}")
    if words := annotator_words(proposal):
        say(words)
    for key, seen in proposal.said.items():
        say(f"{key}: {seen}")
    settled = "orientation: " if "orientation" in proposal.keys else "\0"
    problems = [text for text in proposal.problems if settled not in text]
    if problems:
        say(f"to mend, or the study stops: {len(problems)} images, such as {problems[0]}")
    if left:
        for question in left:
            say(f"not known: {question.text}")
        say(f"Choose in {path}, at the lines with CHOOSE, then:")
    else:
        say(f"about {_hours(path, name, proposal)} of training on this machine; a guess")
    say(f"  segstudy run {path} -- results/{name}/data/{name}/card.html   look at the images and masks first")
    say(f"  segstudy run {path}")


def _hours(path: Path, name: str, proposal: Proposal) -> str:
    """Return the time of all cells in words, from the index just made."""
    from segstudy.cli.config_files import open_study
    from segstudy.config import paths
    from segstudy.core.files import write_csv
    from segstudy.core.progress import clock
    from segstudy.runtime.resources import has_gpu
    from segstudy.study.estimates import Estimates
    from segstudy.study.plan import planned

    study, _ = open_study([path], anywhere=True)
    with tempfile.TemporaryDirectory(prefix="segstudy-") as temporary:
        results = Path(temporary)
        write_csv(paths.data(results, name) / "index.csv", proposal.rows)
        rows = planned(study, results, Estimates(study, results, gpu=has_gpu()))
        return clock(sum(row.seconds for row in rows))

"""The command `segstudy`: what it prints of a small drawn study, how it refuses, what docs/commands.md says of it."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from segstudy.cli import completion
from segstudy.cli.app import app, main
from segstudy.cli.run import snakemake
from segstudy.cli.snakemake_options import config_files, config_values, only_looks
from segstudy.cli.study_commands import State
from segstudy.config.load import load_study
from segstudy.study.status import STATES

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    "study": "base",
    "datasets": {"ph2": {"phantom": {"images": 6}}, "drive": {"root": "DRIVE"}},
    "models": {"unet": {}, "encdec": {}},
    "losses": {"bce": {}},
    "recipes": {"default": {"epochs": 20}},
    "experiments": {
        "networks": {
            "question": "Which network is better?",
            **{"datasets": ["ph2", "drive"], "models": ["unet", "encdec"], "losses": ["bce"]},
        }
    },
}
OVERLAY = {
    "study": "small",
    "experiments": {
        "seeds": {
            "question": "What does a seed change?",
            **{"datasets": ["ph2"], "models": ["unet"], "losses": ["bce"], "seeds": 2},
        }
    },
}
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").touch()
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    Path("studies").mkdir()
    Path("studies/small.yaml").write_text(yaml.safe_dump(OVERLAY))
    return tmp_path


def invoke(*words, code=0, width=120):
    done = CliRunner(env={"COLUMNS": str(width)}).invoke(app, words, catch_exceptions=code != 1)
    assert done.exit_code == code, done.output
    return done.output


def refused(capsys, *words):
    """Return the one message with which a command line ends."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 1
    return capsys.readouterr().err


def test_check_config_says_what_a_study_holds(folder):
    shown = invoke("check-config")
    assert "Study base: the config is valid (config.yaml). Results: results/base/" in shown
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert lines["ph2"] == ["ph2", "new_split", "PHANTOM:", "6", "drawn", "images"]
    assert lines["drive"][2:] == ["NOT", "FOUND:", "data/DRIVE"]
    assert lines["networks"][:3] == ["4", "2", "1"]
    assert "4 cells in all" in shown and "Not found: drive. Set data_root or datasets.drive.root" in shown
    (folder / "data/DRIVE").mkdir(parents=True)
    shown = invoke("check-config")
    assert "found: data/DRIVE" in shown and "Not found" not in shown


def test_an_overlay_goes_on_top_of_the_base(folder):
    shown = invoke("check-config", "studies/small.yaml")
    assert "Study small" in shown and "(config.yaml, studies/small.yaml)" in shown and "drive" not in shown
    assert invoke("check-config", "config.yaml", "studies/small.yaml") == shown


def test_every_problem_of_a_config_is_shown_at_once(folder, capsys):
    Path("wrong.yaml").write_text("losses:\n  bce: {gama: 2}\nrecipes:\n  default: {epochs: 0}\n")
    said = refused(capsys, "check-config", "wrong.yaml")
    assert said.startswith("Error: the config has a problem\n  - wrong.yaml:2 losses.bce.gama: unknown key")
    Path("wrong.yaml").write_text("recipes:\n  default: {epochs: 0, batch: 2}\n")
    said = refused(capsys, "check-config", "wrong.yaml")
    assert "the config has 2 problems" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such config file. Did you mean 'studies/small.yaml'?"),
        ("a: [1, 2\nb: 3\n", "this config file is no YAML"),
        ("a:\n  - b\n c: 1\n", r"where:   studies/smal.yaml:3"),
        ("- one\n- two\n", "a config file holds blocks"),
    ],
)
def test_a_file_that_is_no_config_is_refused(folder, capsys, text, words):
    if text is not None:
        Path("studies/smal.yaml").write_text(text)
    assert words in refused(capsys, "check-config", "studies/smal.yaml")


def test_a_folder_without_a_config_is_told_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "no config.yaml here" in refused(capsys, "status")


def test_names_that_nothing_has_are_answered_with_the_nearest(folder, capsys):
    assert "Did you mean 'drive'?" in refused(capsys, "describe", "dirve")
    assert "Did you mean 'networks'?" in refused(capsys, "status", "--experiment", "network")
    assert "Did you mean 'dice'?" in refused(capsys, "compare", "a", "b", "--metric", "dise")


def test_describe_reads_what_is_not_described_and_leaves_nothing(folder):
    before = sorted(folder.rglob("*"))
    shown = invoke("describe", "ph2")
    assert sorted(folder.rglob("*")) == before
    assert "PH2 (PHANTOM)" in shown and "6, 6 of them labelled" in shown and "melanoma" in shown
    assert "nothing was written" in shown and "examples.png" not in shown


def test_describe_shows_the_card_of_the_study_unless_asked_again(folder):
    from segstudy.data.preview import look

    card = look(load_study(CONFIG), "ph2", threads=1)
    kept = folder / "results/base/data/ph2/card.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(card | {"title": "As it was"}))
    shown = invoke("describe", "ph2")
    assert "As it was" in shown and "results/base/data/ph2/card.html" in shown
    assert "As it was" not in invoke("describe", "ph2", "--again")


def test_describe_says_where_data_are_missing(folder, capsys):
    assert "the folder of DRIVE does not exist" in refused(capsys, "describe", "drive")


def test_a_full_disk_is_a_message_and_a_defect_a_traceback(folder, capsys, monkeypatch):
    def raising(error):
        def write_partial(study, results):
            raise error

        monkeypatch.setattr("segstudy.study.partial_tables.write_partial", write_partial)

    raising(OSError(errno.ENOSPC, "No space left on device", "results/base/partial"))
    assert "the disk is full" in refused(capsys, "partial")
    raising(ValueError("a defect"))
    with pytest.raises(ValueError, match="a defect"):
        main(["partial"])
    raising(KeyboardInterrupt())
    with pytest.raises(SystemExit) as end:
        main(["partial"])
    assert end.value.code == 130


def put(folder, cell, *names):
    path = folder / "results/base/cells" / cell
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"seconds": {"steps": 60, "validation": 0, "saving": 0}}))
    for name in names:
        (path / name).touch()


def test_status_lists_the_cells_that_are_asked_for(folder):
    put(folder, "ph2/unet/bce/default/seed0", "counts.csv")
    put(folder, "drive/unet/bce/default/seed0")
    last = "1 of 4 cells done, 1 trained and not measured yet, 2 waiting"
    assert last in invoke("status") and "ph2/unet" not in invoke("status")
    assert [line.split()[:2] for line in invoke("status", "--all").splitlines() if "/seed0" in line] == [
        ["ph2/unet/bce/default/seed0", "done"],
        ["ph2/encdec/bce/default/seed0", "waiting"],
        ["drive/unet/bce/default/seed0", "trained"],
        ["drive/encdec/bce/default/seed0", "waiting"],
    ]
    shown = invoke("status", "--state", "trained", "--state", "done")
    assert shown.count("/seed0") == 2 and last in shown  # the summary stays that of all
    assert "0 of 2 cells done" in invoke("status", "studies/small.yaml", "--experiment", "seeds")
    assert "trained in 1:00" in invoke("status", "--all", width=80)
    assert tuple(state.value for state in State) == STATES


def test_partial_and_summary_say_what_is_missing(folder, capsys):
    assert "4 of 4 cells of experiment 'networks' are missing" in invoke("partial")
    assert (folder / "results/base/partial/networks.md").exists()
    assert "the table of experiment 'networks' is not there yet" in refused(capsys, "summary")


@pytest.mark.parametrize(
    ("files", "options", "profile", "expected"),
    [
        ([], [], None, ["--profile", "profiles/local", "+"]),
        (["config.yaml"], ["-n"], None, ["--profile", "profiles/local", "+", "-n"]),
        (["a.yaml", "b.yaml"], [], None, ["--configfile", "a.yaml", "b.yaml", "--profile", "profiles/local", "+"]),
        (["a.yaml"], ["x.html"], "lsf", ["--configfile", "a.yaml", "--profile", "lsf", "+", "x.html"]),
        ([], ["--cores", "2", "--profile", "slurm"], "lsf", ["--profile", "slurm", "+", "--cores", "2"]),
        (["a.yaml"], ["--profile=slurm", "-n"], None, ["--configfile", "a.yaml", "--profile", "slurm", "+", "-n"]),
        ([], ["--", "--profile"], None, ["--profile", "profiles/local", "+", "--", "--profile"]),
    ],
)
def test_run_is_snakemake_with_the_right_profile(monkeypatch, files, options, profile, expected):
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    if profile:
        monkeypatch.setenv("SNAKEMAKE_PROFILE", profile)
    words = ["--rerun-incomplete" if word == "+" else word for word in expected]
    assert snakemake([Path(file) for file in files], options) == [sys.executable, "-m", "snakemake", *words]


def test_run_hands_its_options_to_snakemake(folder):
    Path("Snakefile").write_text("configfile: 'config.yaml'\nrule all:\n    shell: 'echo {config[study]}; exit 0'\n")
    Path("profiles/local").mkdir(parents=True)
    Path("profiles/local/config.yaml").write_text("cores: 1\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    environment.pop("SNAKEMAKE_PROFILE", None)
    words = [sys.executable, "-m", "segstudy", "run", "studies/small.yaml", "--", "-n", "-p"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "echo small" in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["run", "status", "plan", "summary", "partial"])
def test_what_is_about_a_study_wants_its_workflow(folder, capsys, command):
    Path("Snakefile").unlink()
    assert "no Snakefile here" in refused(capsys, command)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--config", "name"], "'name' is no key=value"),
        (["--configfile", "nowhere.yaml"], "no such config file"),
        (["--config", "epochs=3"], "the command line (--config epochs=...) epochs: unknown key"),
    ],
)
def test_run_looks_at_what_snakemake_is_told_of_the_config(folder, capsys, options, says):
    said = refused(capsys, "run", "studies/small.yaml", "--", "-n", *options)
    assert says in said and "small.yaml" not in said.partition("to do")[0].replace("Did you mean", "")


@pytest.mark.parametrize("target", ["all", "results/small/report.html"])
@pytest.mark.parametrize("exists", [False, True])
def test_run_says_where_targets_stand(folder, capsys, target, exists):
    if exists:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_text("a: 1\n")
    if exists and target == "all":  # a config file may have any name
        assert "all:1 a: unknown key" in refused(capsys, "run", "studies/small.yaml", target)
        return
    said = refused(capsys, "run", "studies/small.yaml", target)
    assert f"'{target}' is no config file" in said and f"segstudy run studies/small.yaml -- {target}" in said


def test_run_says_where_options_of_snakemake_stand(folder):
    assert "segstudy run STUDY.yaml -- -n" in invoke("run", "studies/small.yaml", "-n", code=2)


def test_config_files_behind_the_dashes_are_added_to_those_before():
    assert config_files(["-n", "--configfile", "b.yaml", "c.yaml", "--cores", "1", "--", "--configfile"]) == (
        [Path("b.yaml"), Path("c.yaml")],
        ["-n", "--cores", "1", "--", "--configfile"],
    )
    assert config_values(["--config", "a1=3", "bb=x y", "-n"]) == {"a1": 3, "bb": "x y"}
    assert only_looks(["-np"]) and only_looks(["--unlock"]) and not only_looks(["--cores", "1", "--", "-n"])


def test_a_reader_that_goes_early_and_a_closed_output_are_no_errors(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "PYTHONIOENCODING": "ascii"}
    for line in ("status --all | head -c 1", "status >&-", "status >&- 2>&-", "check-config | head -c 1"):
        words = f"{sys.executable} -m segstudy {line}"
        done = subprocess.run(["bash", "-c", words], env=environment, capture_output=True, text=True, check=False)
        assert done.stderr == "", line


@pytest.mark.parametrize("width", [0, 1])
def test_a_terminal_without_width_is_printed_on(folder, width):
    assert "4 cells in all" in " ".join(invoke("check-config", width=width).split())


def test_a_full_disk_under_the_output_is_said(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    words = [sys.executable, "-m", "segstudy", "status"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "the disk is full" in done.stderr and "Traceback" not in done.stderr


def test_an_ascii_terminal_gets_everything_escaped(folder):
    text = Path("config.yaml").read_text(encoding="utf-8")
    Path("config.yaml").write_text(text.replace("Which network is better?", "Is the Sørensen–Dice better?"), "utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "PYTHONIOENCODING": "ascii", "COLUMNS": "120"}
    words = [sys.executable, "-m", "segstudy", "check-config"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "S\\xf8rensen" in done.stdout, done.stderr


def test_the_shell_completes_names(folder):
    put(folder, "ph2/unet/bce/default/seed0")

    def context(*files):
        made = typer.Context(COMMANDS["status"])
        made.params = {"files": files}
        return made

    assert completion.datasets(context(), "d") == ["drive"]
    assert completion.experiments(context(), "") == ["networks"]
    assert completion.experiments(context("studies/small.yaml"), "") == ["seeds"]
    assert completion.trained("results/") == ["results/base/cells/ph2/unet/bce/default/seed0"]
    assert completion.trained("results/other") == []
    rows = completion.rows(context("studies/small.yaml"), "ph2/unet")
    assert rows == ["ph2/unet/bce/default", *(f"ph2/unet/bce/default/seed{seed}" for seed in (0, 1))]
    Path("config.yaml").write_text("no: [yaml")
    assert completion.datasets(context(), "") == []


def test_the_shell_asks_for_completion_as_bash_does(folder):
    words = "segstudy describe d"
    environment = {"_SEGSTUDY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
    done = CliRunner(env=environment).invoke(app, [], prog_name="segstudy")
    assert done.output.split() == ["drive"]


@pytest.mark.parametrize("command", ["predict", "export", "compare"])
def test_commands_that_take_a_cell_complete_it(folder, command):
    put(folder, "ph2/unet/bce/default/seed0")
    environment = {"_SEGSTUDY_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"segstudy {command} results/b"}
    done = CliRunner(env=environment).invoke(app, [], prog_name="segstudy")
    assert "results/base/cells/ph2/unet/bce/default/seed0" in done.output


def test_a_line_that_is_no_command_ends_with_2(folder):
    assert "Did you mean 'status'" in invoke("statsu", code=2)
    invoke("status", "--state", "ready", code=2)


def test_help_comes_without_the_libraries_of_the_commands():
    code = "import segstudy.cli.app, sys; print([m for m in ('torch', 'pandas', 'pydantic') if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def sections():
    """Return what docs/commands.md says of each command, by its name."""
    parts = re.split(r"^## `segstudy ([a-z-]+)[^\n]*\n", (ROOT / "docs/commands.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


ELSEWHERE = {"predict", "export"}  # a page of their own tells of these


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - ELSEWHERE))
def test_the_page_has_a_section_for_every_command_and_option(name):
    told = sections()[name]
    options = {word for option in COMMANDS[name].params for word in option.opts if word.startswith("--")}
    named = set(re.findall(r"`(--[a-z-]+)", told))
    assert options - {"--help"} <= named, name
    assert name == "run" or named <= options, "run tells of Snakemake's options"
    assert "```" in told, "an example"


def test_the_page_has_no_section_for_what_is_no_command():
    assert set(sections()) == set(COMMANDS) - ELSEWHERE

"""What a rule's code fingerprint covers follows from the imports of its script."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from segstudy.runtime import code_cache, fingerprint

# Those with a script: targets collect files.
RULE_FILES = [path for path in sorted(Path("rules").glob("*.smk")) if path.stem not in ("common", "helpers")]
RULES = "\n".join(path.read_text() for path in RULE_FILES)
SCRIPTS = {path.stem for path in fingerprint.SCRIPTS.glob("*.py")}
CACHED = [code_cache._answers, *(value for value in vars(fingerprint).values() if hasattr(value, "cache_clear"))]
CACHED.remove(fingerprint._said)  # follows from a text: of a file that has not changed it stays


def forget():
    for function in CACHED:
        function.cache_clear()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of package and scripts that the fingerprint reads instead."""
    workflow = tmp_path_factory.mktemp("copy") / "workflow"
    shutil.copytree(fingerprint.PACKAGE.parent, workflow, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "PACKAGE", workflow / "segstudy")
        patch.setattr(fingerprint, "SCRIPTS", workflow / "scripts")
        patch.setattr(code_cache, "PACKAGE", workflow / "segstudy")
        patch.setattr(sys, "dont_write_bytecode", True)  # nothing of the copy is kept
        forget()
        yield workflow / "segstudy"
    forget()


def hashes(names):
    forget()
    return {name: fingerprint.script(name, ("drive",), "unet", ("segstudy.losses.overlap",)) for name in names}


def edited(file, names):
    """The hashes of these scripts with one more line in a file, which is then as it was."""
    text = file.read_text()
    file.write_text(f"{text}\nEXTRA = 1\n")
    try:
        return hashes(names)
    finally:
        file.write_text(text)


def test_every_script_is_that_of_the_rule_of_its_name():
    named_targets = {"cards", "splits", "tables", "figures", "report"}  # they make nothing of their own
    assert set(re.findall(r"(?m)^rule (\w+):", RULES)) == SCRIPTS | named_targets
    assert set(re.findall(r'script:\s+"\.\./workflow/scripts/(\w+)\.py"', RULES)) == SCRIPTS


def test_no_rule_lists_its_modules_by_hand():
    codes = re.findall(r"(?m)^rule (\w+):$|^ +code=(.*)", RULES)
    own = [codes[number - 1][0] for number, (rule, _) in enumerate(codes) if not rule and codes[number - 1][0]]
    # Weights are checked by their hash, and a plan is made once: changed code makes neither again.
    assert own == ["plan", "encoder"]


def test_editing_an_imported_module_changes_the_rules_that_import_it(package):
    users = defaultdict(set)
    for name in SCRIPTS:
        for module in fingerprint._script_modules(name):
            if not fingerprint._ignored(module):
                users[fingerprint._file(module)].add(name)
    before = hashes(SCRIPTS)
    assert len(users) > 30
    for file, names in users.items():
        if file.name == "__init__.py":  # nothing but a docstring
            continue
        some = sorted(names)[:2]  # of a module that all import: two tell
        after = edited(file, some)
        assert not [name for name in some if after[name] == before[name]], file


@pytest.mark.parametrize(
    ("module", "changes", "stays"),
    [
        ("data/readers/drive.py", {"index", "describe", "preprocess", "predict", "measure", "gallery"}, {"train"}),
        ("data/readers/ph2.py", set(), {"index", "measure", "study_report"}),
        ("models/unet.py", {"train", "predict", "sketch", "denoised", "pseudo_predict"}, {"measure", "gallery"}),
        ("models/segnet.py", set(), {"train", "predict", "sketch"}),
        ("losses/overlap.py", {"train"}, {"predict", "measure"}),
        ("losses/boundary.py", set(), {"train"}),
        ("training/kept_outputs.py", {"train"}, {"measure"}),
        ("inference/out_of_distribution.py", {"predict"}, {"predict_flips"}),
        ("config/paths.py", set(), SCRIPTS),
        ("runtime/job.py", set(), SCRIPTS),
    ],
)
def test_what_is_looked_up_by_name_counts_for_its_own_jobs(package, module, changes, stays):
    before, after = hashes(changes | stays), edited(package / module, changes | stays)
    assert {name for name in before if before[name] != after[name]} == changes


def test_no_training_depends_on_tables_or_pictures():
    rooms = {module.split(".")[1] for module in fingerprint._closure(fingerprint._script_modules("train"))}
    assert not rooms & {"tables", "figures", "report", "study", "deploy", "cli"}


def test_jobs_that_parse_no_config_do_not_import_what_parses_it():
    """It takes 0.13 s of processor time; a study has such jobs for every cell."""
    modules = {module for name in ("measure", "gallery", "controls") for module in fingerprint._script_modules(name)}
    code = f"import sys, {', '.join(sorted(modules))}; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

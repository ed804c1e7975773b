"""What is kept about the code is what is worked out, and a changed file empties it."""

import json
import os
import shutil
import subprocess
import sys

from segstudy.runtime import code_cache

PROGRAM = """from segstudy.runtime.fingerprint import code, script
print(script('train'), code('segstudy.core.rng'))"""


def ask(folder, **environment):
    environment = {"PYTHONPATH": str(folder), "PATH": os.environ["PATH"], **environment}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_it_is_kept_until_a_file_changes(tmp_path):
    package = tmp_path / "segstudy"
    for source, copy in ((code_cache.PACKAGE, package), (code_cache.PACKAGE.parent / "scripts", tmp_path / "scripts")):
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    kept = package / "__pycache__" / code_cache.FILE.name
    first = ask(tmp_path, PYTHONDONTWRITEBYTECODE="1")
    assert not kept.exists()
    assert ask(tmp_path) == first and kept.exists()

    saved = json.loads(kept.read_text())
    saved["answers"] = {
        key: "x" if key == "_meaning segstudy.core.rng" else value for key, value in saved["answers"].items()
    }
    kept.write_text(json.dumps(saved))
    assert ask(tmp_path)[1] != first[1]  # it is what is asked

    kept.write_text("{")  # damaged
    assert ask(tmp_path) == first
    with (package / "core/rng.py").open("a") as file:
        file.write("\nADDED = 1\n")
    changed = ask(tmp_path)
    assert changed[0] != first[0] and changed[1] != first[1]

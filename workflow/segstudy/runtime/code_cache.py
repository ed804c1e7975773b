"""What was worked out about the package's code, kept beside its compiled modules until any of its files changes."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

PACKAGE = Path(__file__).resolve().parent.parent
FILE = PACKAGE / "__pycache__" / "fingerprints.json"
Answer = TypeVar("Answer")


def kept(function: Callable[[str], Answer]) -> Callable[[str], Answer]:
    """Cache a function of a name (of a module or script), whose answer follows from the package's files alone.

    The answer must be JSON. Reading the files of the package takes 20 ms, hashing their syntax trees a second or two.
    """

    @wraps(function)
    def cached(name: str) -> Answer:
        answers = _answers()
        key = f"{function.__name__} {name}"
        if key not in answers:
            answers[key] = function(name)
        answer: Answer = answers[key]
        return answer

    return cached


@cache
def _answers() -> dict[str, Any]:
    """Return the answers so far, by function and name; they are written when this process ends."""
    files = sorted(path for folder in (PACKAGE, PACKAGE.parent / "scripts") for path in folder.rglob("*.py"))
    digest = hashlib.sha256(sys.version.encode())
    for path in files:
        digest.update(f"\0{path.relative_to(PACKAGE.parent)}\0".encode() + path.read_bytes())
    source, answers = digest.hexdigest(), {}
    with suppress(OSError, ValueError, KeyError, TypeError):  # absent, or damaged: worked out again
        saved = json.loads(FILE.read_text(encoding="utf-8"))
        if saved["source"] == source:
            answers = dict(saved["answers"])
    if not sys.dont_write_bytecode:
        atexit.register(_write, source, answers, len(answers))
    return answers


def _write(source: str, answers: dict[str, Any], before: int) -> None:
    """Write the answers at once, if there are new ones: several processes may end at a time."""
    if len(answers) == before:
        return
    temporary = FILE.with_name(f"{FILE.name}.{os.getpid()}")
    with suppress(OSError):  # a package that may not be written into
        FILE.parent.mkdir(exist_ok=True)
        temporary.write_text(json.dumps({"source": source, "answers": answers}), encoding="utf-8")
        os.replace(temporary, FILE)

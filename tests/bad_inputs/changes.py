"""What setups of rows do to the copy of a base: each function returns a setup."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.bad_inputs.bases import study_of, write_study

Setup = Callable[[Path], object]

CHECK = "segstudy check-config study.yaml"
SNAKEMAKE = "snakemake --profile profiles/local --configfile study.yaml"


def make(target: str) -> str:
    """Return the command that makes a target."""
    return f"{SNAKEMAKE} -- {target}"


def nothing(folder: Path) -> None:
    """Leave everything as it is."""


def several(*setups: Setup) -> Setup:
    """Do one after the other."""
    return lambda folder: [setup(folder) for setup in setups]


def without_sums(setup: Setup) -> Setup:
    """Do it in a folder as others hand it over, without the hidden checksums: files are judged by their content."""

    def change(folder: Path) -> None:
        setup(folder)
        for path in (folder / "results").rglob(".*.sum"):
            path.unlink()

    return change


def study(**blocks: Any) -> Setup:
    """Put blocks into study.yaml; what is not named inside them stays."""

    def change(folder: Path) -> None:
        found = study_of(folder)
        _update(found, blocks)
        write_study(folder, found)

    return change


def value(key: str, new: Any) -> Setup:
    """Set one value of study.yaml, named as in messages: recipes.default.epochs."""

    def change(folder: Path) -> None:
        found = study_of(folder)
        *above, last = key.split(".")
        block = found
        for name in above:
            block = block.setdefault(name, {})
        block[last] = new
        write_study(folder, found)

    return change


def trains_on(dataset: str, loss: str = "bce", **options: Any) -> Setup:
    """Let the experiment train on this data set, with these options of it."""

    def change(folder: Path) -> None:
        found = study_of(folder)
        found["experiments"]["lesion_losses"] |= {"datasets": [dataset], "losses": [loss]}
        _update(found["datasets"][dataset], options)
        write_study(folder, found)

    return change


def put(path: str, content: str | bytes) -> Setup:
    """Write a file."""

    def change(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def replaced(path: str, old: str, new: str) -> Setup:
    """Replace text in a file, once."""

    def change(folder: Path) -> None:
        text = (folder / path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        (folder / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def picture(path: str, pixels: Any, mode: str | None = None) -> Setup:
    """Write an array as a picture."""

    def change(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.asarray(pixels))
        (image.convert(mode) if mode else image).save(folder / path)

    return change


def gone(*patterns: str) -> Setup:
    """Remove files and folders."""

    def change(folder: Path) -> None:
        for pattern in patterns:
            found = sorted(folder.glob(pattern))
            assert found, f"no {pattern}"
            for path in found:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return change


def copied(source: str, target: str) -> Setup:
    """Copy a file or a folder."""

    def change(folder: Path) -> None:
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        if (folder / source).is_dir():
            shutil.copytree(folder / source, folder / target)
        else:
            shutil.copy2(folder / source, folder / target)

    return change


def moved(source: str, target: str) -> Setup:
    """Move or rename."""

    def change(folder: Path) -> None:
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / source).rename(folder / target)

    return change


def cut(path: str, share: float = 0.5) -> Setup:
    """Cut a file off after this share of its bytes."""

    def change(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: int(len(content) * share)])

    return change


def png(pixels: Any) -> bytes:
    """Return a picture as the bytes of a PNG."""
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def _update(block: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, new in changes.items():
        if isinstance(new, Mapping) and isinstance(block.get(key), dict):
            _update(block[key], new)
        else:
            block[key] = new

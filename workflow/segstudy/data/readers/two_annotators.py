"""Fundus photographs that two people have annotated: which file is what, and a field of view where none is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segstudy.core.errors import StudyError
from segstudy.data.images.field_of_view import field_of_view
from segstudy.data.images.read import read_image
from segstudy.data.readers.annotation_files import Sample
from segstudy.data.readers.discovery import best, few, natural, plain, relative, say_unpaired

Files = Mapping[tuple[str, str], list[Path]]  # (sample, part) -> files; parts: image, mask, second_mask, roi


def photographs(
    files: Files, words: Mapping[str, str], root: Path, repairs: list[str], layout: str
) -> Iterator[Sample]:
    """Yield the photographs among `files`, in natural order, without subset and group.

    Without a mask of its field of view, a photograph gets one that is computed from its pixels; that is said.

    Args:
        files: of a release.
        words: what the files of the parts `mask` and `second_mask` are called, for the sentences.
        root: of the release.
        repairs: takes the sentences.
        layout: of the release, for the messages.

    Raises:
        StudyError: two files for one part of a photograph.
    """
    names = {part: sorted({name for name, p in files if p == part}, key=natural) for part in ("image", *words, "roi")}
    for part, called in words.items():
        say_unpaired(repairs, names["image"], names[part], called, f"no {called}")
    say_unpaired(repairs, names["image"], names["roi"], "mask (field of view)")
    computed = [name for name in names["image"] if name not in names["roi"]]
    if computed:
        repairs.append(
            f"the field of view is computed from {len(computed)} of {len(names['image'])} photographs, because there "
            "is no mask of it (docs/datasets.md)"
        )
    for name in names["image"]:
        of_part = {part: one_file(files.get((name, part), []), root, repairs, layout) for part in names}
        yield Sample(
            name, of_part["image"], of_part["mask"], second_mask=of_part["second_mask"], roi=of_part["roi"] or _computed
        )


def _computed(image: Path) -> NDArray[np.uint8]:
    """Return the field of view of the photograph in a file, 0 and 255 (H, W)."""
    return field_of_view(read_image(image)).astype(np.uint8) * 255


def one_file(paths: list[Path], root: Path, repairs: list[str], layout: str) -> Path | None:
    """Return the truest of the files of one picture; None where there is none.

    Raises:
        StudyError: they lie in several folders, or differ in their names.
    """
    if len({(path.parent, plain(path.stem)) for path in paths}) > 1:
        raise StudyError(
            f"several files for one picture: {few(relative(path, root) for path in paths)}",
            where=root,
            allowed=layout,
            remedy="keep one of them, or point the root at the copy to use",
        )
    return best(paths, root, repairs) if len(paths) > 1 else next(iter(paths), None)

"""The index of a data set whose annotations were converted: masks as PNG files and links to its pictures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from segstudy.config.layout import Layout
from segstudy.config.paths import CONVERTED_MANIFEST
from segstudy.core.files import read_json
from segstudy.data.readers.discovery import frame


def index(root: Path, layout: Layout | None = None) -> pd.DataFrame:
    """Return one row per image, as `segstudy.data.convert` has written them; `layout` was followed there.

    Raises:
        StudyError: the list of images is damaged.
    """
    manifest = read_json(root / CONVERTED_MANIFEST, keys=("images", "repairs"))
    return frame(manifest["images"], list(manifest["repairs"]))

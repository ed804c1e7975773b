"""Guess groups of images (patients, eyes, slides, films) from their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

# What one image of a group is called behind, or before, the group; the first pattern that divides the names wins.
PATTERNS = {
    "patients": r"(?i)(?:^|[_-])((?:patient|pat|subject|subj|sub|case|person)[ _-]?\d+)(?=$|[^0-9])",
    "eyes of one person": r"(?i)^(.+?)[ _-]?(?:left|right|od|os|l|r)$",
    "places of a slide": r"(?i)^(.+?)[ _-](?:x[_-]?\d+[_-]y[_-]?\d+|r(?:ow)?\d+[_-]?c(?:ol)?\d+|\d+[_-]\d+)$",
    "tiles of an image": r"(?i)^(.+?)[ _-](?:tile|patch|crop)[ _-]?\d+$",
    "frames of a film or stack": r"(?i)^(.+?)[ _-]?(?:frame|slice|time|page|t|z|s|p)[ _-]?\d+$",
    "series": r"^(.*?\d.*?)[ _-]\d{1,4}$",
}
FEWEST = 3  # groups; with fewer, no split is left
SHARED = 1.3  # images of a group, on average at least


class Groups(NamedTuple):
    """A guess: what the groups may be, the pattern for `layout.group_pattern`, and images of each group."""

    kind: str
    pattern: str
    sizes: Counter[str]


def guess_groups(names: Sequence[str]) -> Groups | None:
    """Return the groups that names tell of; None where they tell nothing.

    A pattern counts where it fits every name, and makes at least three groups of 1.3 images on average.
    """
    for kind, pattern in PATTERNS.items():
        found = [match[1] for name in names if (match := re.search(pattern, name))]
        sizes = Counter(found)
        if len(found) == len(names) and len(sizes) >= FEWEST and len(names) >= SHARED * len(sizes):
            return Groups(kind, pattern, sizes)
    return None

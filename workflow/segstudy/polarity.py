"""Whether the masks of a data set look inverted: the object dark, everything around it bright."""

from __future__ import annotations

import pandas as pd

from segstudy.labels import Labels

FEWEST = 4  # masks; fewer say nothing
# Seen, as stored: PH2 0.02, EBHI-SEG (tissue fills many tiles) 0.53; inverted: PH2 0.85, objects that no border cuts 1.
MOST = 0.75


def looks_inverted(samples: pd.DataFrame, labels: Labels) -> str:
    """Return a sentence where the binary masks of a data set look inverted, otherwise an empty string.

    No single mask tells: a lesion may fill its image. But objects that cover more than half of most images, and
    more than half of their borders too, are usually what lies around the objects.

    Args:
        samples: samples.csv, whose columns `foreground` and `foreground_border` are looked at.
        labels: how the masks were read.
    """
    shares = samples[["foreground", "foreground_border"]].apply(pd.to_numeric, errors="coerce").dropna()
    if labels.values or len(shares) < FEWEST:
        return ""
    covered = (shares > 0.5).all(axis=1)
    if covered.mean() < MOST:
        return ""
    return (
        f"the masks look inverted: in {covered.sum()} of {len(shares)} the foreground is more than half of the image "
        f"and of its border; if the {labels.foreground[0]} is what is left out, set "
        f"'inverted: {str(not labels.inverted).lower()}' in the data set's block of the config"
    )

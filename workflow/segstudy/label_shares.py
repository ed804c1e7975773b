"""A share of the labels: which training images keep theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from segstudy import seeds


def labelled_rows(rows: np.ndarray, samples: Sequence[str], strata: Sequence[str], share: float) -> np.ndarray:
    """Return those of the training rows whose labels are used, in their order: `share` of them, rounded, at least one.

    The images are put into an order in which every beginning holds the strata as nearly in proportion as it can: image
    k of the n of a stratum, in an order by chance, stands at (k + u) / n, with one u by chance for the stratum. A share
    is the beginning of this order, so that 5 % of the images are among the 10 %. What is drawn depends on the training
    images alone: every cell of a split has the same labels, teacher and student, whatever their seeds.

    Args:
        rows: training rows.
        samples: name of each of them.
        strata: stratum of each of them; '' is one too.
        share: 0 < share <= 1.
    """
    if share == 1:
        return rows
    order = sorted(range(len(rows)), key=lambda i: samples[i])
    digest = hashlib.sha256("\n".join(samples[i] for i in order).encode()).digest()
    random = seeds.numpy_generator(int.from_bytes(digest[:8], "big"), "labels")
    places = np.empty(len(rows))
    for stratum in sorted(set(strata)):
        own = random.permutation([i for i in order if strata[i] == stratum])
        places[own] = (np.arange(len(own)) + random.uniform()) / len(own)
    count = max(1, int(np.floor(share * len(rows) + 0.5)))
    return rows[np.sort(np.argsort(places, kind="stable")[:count])]

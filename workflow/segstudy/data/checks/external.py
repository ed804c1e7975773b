"""Check that no network has seen images of an external test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.config.datasets import DeclaredException
from segstudy.config.dependencies import Seen
from segstudy.core.errors import StudyError
from segstudy.data.checks.leakage import Images, check_chain

NO_SEED = -1  # of the split of the external test set, which has none


def check_external(
    external: str,
    seen: Sequence[Seen],
    images: Mapping[str, Images],
    splits: Mapping[tuple[str, int], pd.DataFrame],
    measured: pd.DataFrame,
    exceptions: Sequence[DeclaredException] = (),
) -> dict[str, Any]:
    """Check that no image of an external test set was learned from or chosen by; return the record of the check.

    Files are compared by checksum, and pictures by thumbnail, with all that the cell or its sources have seen.

    Args:
        external: name of the data set.
        seen: what was seen.
        images: of every data set in question, by its name.
        splits: (data set, seed) -> split, of what was seen.
        measured: the split of the external data set, see `external_split`.
        exceptions: declared by the external data set; samples of others are named `<data set>/<sample>`.

    Returns:
        As `leakage.check_chain`.

    Raises:
        StudyError: listing all findings that no exception covers; or no image is measured.
    """
    if not measured["subset"].eq("test").any():
        raise StudyError(
            f"no image of {external} is measured, so networks cannot be tested on it: none has a mask, or its "
            "split has no test image",
            remedy="take it out of 'tested_on', add its masks, or set its 'external_images' to all",
        )
    return check_chain(external, NO_SEED, seen, images, {**splits, (external, NO_SEED): measured}, exceptions)

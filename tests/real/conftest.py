"""Where the real data lies: SEGSTUDY_REAL_DATA, by default shared/data beside the checkout."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("SEGSTUDY_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data():
    """Return a function that gives the folder of a data set, or skips the test where it is absent."""

    def folder(name: str) -> Path:
        if not (ROOT / name).is_dir():
            pytest.skip(f"real data not here: {ROOT / name} (set SEGSTUDY_REAL_DATA)")
        return ROOT / name

    return folder

"""Do two results folders hold the same numbers? For changes of the code that must change none.

    python tests/compare_results.py OLD/results/demo NEW/results/demo

Compared byte for byte: indexes, splits, stores, histories, thresholds, counts of cells and controls, tidy tables. Of
model files the tensors, of the readable tables' CSV every column but times. Exit code 1 and one line for each file that
differs.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

BYTES = (
    *(
        "data/*/index.csv",
        "data/*/samples.csv",
        "data/*/splits/*.csv",
        "data/*/store/*.npy",
        "data/*/store/geometry.csv",
    ),
    *("cells/**/history.csv", "cells/**/thresholds.json", "cells/**/counts.csv", "cells/**/denoising.csv"),
    *("ensembles/**/counts.csv", "controls/**/*.csv", "pseudo/**/measures.csv", "tables/*.tidy.csv"),
)
TENSORS = ("cells/**/model.safetensors",)
WITHOUT_TIMES = ("tables/*.csv",)


def same_bytes(old, new):
    return old.read_bytes() == new.read_bytes()


def same_tensors(old, new):
    a, b = load_file(old), load_file(new)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


def same_but_times(old, new):
    a, b = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (old, new))
    timed = [column for column in a if column.startswith("seconds")]
    return a.drop(columns=timed).equals(b.drop(columns=timed, errors="ignore"))


def differences(old, new):
    """Return (files compared, a line for each that differs or is missing)."""
    lines, compared = [], set()
    for patterns, same in ((BYTES, same_bytes), (TENSORS, same_tensors), (WITHOUT_TIMES, same_but_times)):
        for path in sorted({found for pattern in patterns for found in old.glob(pattern)}):
            name = path.relative_to(old).as_posix()
            if name in compared or any(part.startswith(".") for part in path.relative_to(old).parts):
                continue
            compared.add(name)
            if not (new / name).exists():
                lines.append(f"missing: {name}")
            elif not same(path, new / name):
                lines.append(f"differs: {name}")
    return len(compared), lines


if __name__ == "__main__":
    count, found = differences(*map(Path, sys.argv[1:3]))
    print(*found, f"{count} files compared, {len(found)} differ", sep="\n")
    sys.exit(bool(found) or not count)

"""How often the comparisons of two rows are right: `python benchmarks/luck.py`, some minutes.

Studies are simulated whose four rows are equally good: images differ with sd 1, a row gains or loses 0.3 of its own on
an image, noise is 0.3, and what a seed adds to all images of a row (luck) is what the second column says. Prints how
often the 95 % interval of a pair holds the true difference of 0, once as `segstudy.evaluation.paired_tests` has it and
once for a bootstrap that draws images and seeds, and the share of studies that claim a difference.
"""

from __future__ import annotations

import sys

import numpy as np

from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.evaluation.paired_tests import holm, paired, verdict

IMAGES = 20


def study(seeds: int, luck: float, random: np.random.Generator) -> tuple[float, float, bool]:
    """Return coverage over the six pairs of one study, that of the bootstrap, and whether it claims a difference."""
    rows = random.normal(size=IMAGES) + random.normal(scale=0.3, size=(4, 1, IMAGES))
    rows = rows + random.normal(scale=luck, size=(4, seeds, 1)) + random.normal(scale=0.3, size=(4, seeds, IMAGES))
    pairs = [(rows[i], rows[j]) for i in range(4) for j in range(i)]
    found = [paired(*pair) for pair in pairs]
    corrected = holm(np.array([max(pair.p, pair.p_seeds) for pair in found]))
    drawn = [bootstrap_interval(a - b, resamples=400) for a, b in pairs]
    claims = {verdict(pair.low, pair.high, p, "higher") for pair, p in zip(found, corrected, strict=True)}
    own = [(pair.low, pair.high) for pair in found]
    holds = [np.mean([low <= 0 <= high for low, high in ends]) for ends in (own, drawn)]
    return float(holds[0]), float(holds[1]), bool(claims & {"first", "second"})


def main(studies: int) -> None:
    """Print the table."""
    print(
        "| seeds | luck | interval covers 0 | bootstrap covers 0 | studies with a wrong claim |\n|---|---|---|---|---|"
    )
    for seeds in (1, 2, 3, 5):
        for luck in (0, 0.05, 0.1, 0.2, 0.3):
            random = np.random.default_rng(0)
            covered, drawn, wrong = np.mean([study(seeds, luck, random) for _ in range(studies)], axis=0)
            print(f"| {seeds} | {luck:g} | {covered:.3f} | {drawn:.3f} | {wrong:.3f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)

"""Thinning of a mask to lines one pixel wide, in a time that follows its area instead of area times thickness.

The lines are those of `skimage.morphology.skeletonize` to the pixel. That function looks at every pixel in every round,
and a disc of radius 1000 takes 700 rounds; here a round looks only at pixels beside those that the round before took
away, because no other pixel's neighbours have changed.
"""

from __future__ import annotations

import numpy as np

# Neighbours clockwise from the upper left; neighbour k is bit k of a pixel's code.
STEPS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
# Codes whose half rounds scikit-image's table changes, so that corners are thinned and the ends of lines kept.
CHANGED = {
    0: (48, 129),
    1: (3, 6, 11, 12, 14, 131, 134, 161, 194, 198),
    2: (24, 26, 56, 96, 104, 108, 176, 192, 224),
    3: (10, 40, 130, 160),
}


def half_rounds() -> np.ndarray:
    """Return for each code when such a pixel goes, uint8 (256,): 0 never, 1 and 2 in that half of a round, 3 in both.

    The rules are those of Zhang and Suen (doi:10.1145/357994.358023) but for `CHANGED`.
    """
    codes = np.arange(256)
    bits = [codes >> k & 1 for k in range(8)]
    _, up, _, right, _, down, _, left = bits
    neighbours = sum(bits)
    crossings = sum((bits[k] < bits[(k + 1) % 8]).astype(int) for k in range(8))
    edge = (neighbours >= 2) & (neighbours <= 6) & (crossings == 1)
    first = edge & (up * right * down == 0) & (right * down * left == 0)
    second = edge & (up * right * left == 0) & (up * down * left == 0)
    rounds = (first + 2 * second).astype(np.uint8)
    for when, codes_changed in CHANGED.items():
        rounds[list(codes_changed)] = when
    return rounds


WHEN = half_rounds()


def thinned(mask: np.ndarray) -> np.ndarray:
    """Return the centre line of a mask, bool (H, W)."""
    rows, columns = mask.shape
    framed = np.zeros((rows + 2, columns + 2), np.uint8)
    framed[1:-1, 1:-1] = mask
    codes = np.zeros_like(framed)
    for k, (down, right) in enumerate(STEPS):
        codes[1:-1, 1:-1] |= framed[1 + down : rows + 1 + down, 1 + right : columns + 1 + right] << k
    codes *= framed
    kept, codes = framed.reshape(-1), codes.reshape(-1)
    steps = np.array([down * framed.shape[1] + right for down, right in STEPS])[:, None]
    places = np.empty(codes.size, np.int32)
    seen, half, idle = np.flatnonzero(WHEN[codes]), 1, 0
    while idle < 2:
        when = WHEN[codes[seen]]
        waiting = seen[when == 3 - half]  # for the other half
        gone = seen[when & half > 0]
        order = np.arange(gone.size, dtype=np.int32)
        places[gone] = order
        gone = gone[places[gone] == order]  # each once
        kept[gone] = codes[gone] = 0
        around = gone + steps
        for k, near in enumerate(around):
            codes[near] &= np.uint8(0xFF ^ 1 << (k + 4) % 8)  # to neighbour k this pixel is the one opposite
        seen = np.concatenate([waiting, around.reshape(-1)])
        half, idle = 3 - half, 0 if gone.size else idle + 1
    return framed[1:-1, 1:-1].astype(bool)

"""How far annotators agree with one another, and networks with them: counts of pixels, image by image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.core.names import annotator_columns
from segstudy.data.annotators import Drawn, drawn_by, joined
from segstudy.data.ground_truth import Row, check_same_size, in_threads, roi_of
from segstudy.data.images.label_map import Labels, known_labels
from segstudy.data.images.read_masks import read_labels, read_mask
from segstudy.evaluation.aggregate import confusion
from segstudy.evaluation.metrics import COUNTS

CONSENSUS = "consensus"  # of all annotators of an image
AGREED = "agreed"  # the pixels alone on which all annotators of an image agree
COLUMNS = ["who", "against", "sample", "class", *COUNTS]


class Predicted(NamedTuple):
    """Masks of one network, and the test images that they are compared on."""

    masks: Path  # folder with `<sample>.png`, original size
    samples: Collection[str]


def human(number: int) -> str:
    """Return what an annotator is called; the first is number 1."""
    return f"human {number}"


def drawn_by_several(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of an index that have masks of two annotators or more."""
    return [row for row in rows if sum(bool(row.get(column)) for column in annotator_columns(row).values()) > 1]


def agreement(
    rows: Sequence[Row],
    networks: Sequence[Predicted],
    root: Path,
    labels: Labels,
    region: str,
    truth: str = "first",
    threads: int = 1,
) -> pd.DataFrame:
    """Count the pixels of every mask against every annotator's, one row for each foreground class.

    `who` is the place of a network in `networks`, or a human; `against` a human, CONSENSUS or AGREED, which stands for
    the truth of the counts. The consensus is the joined mask of the data set where it has one (`truth`), otherwise the
    majority (see `segstudy.data.annotators.joined`). Each class is counted against all others. Pixels that `against`
    says nothing of (void) do not count.

    Args:
        rows: of the index: test images with masks of two annotators or more.
        region: `roi` counts inside the field of view, where the image has one; `full` everywhere.
        truth: `truth:` of the data set.
        threads: images at a time.

    Raises:
        StudyError: a mask is missing, cannot be read, or differs in size.
    """

    def of_image(row: Row) -> list[dict[str, Any]]:
        drawn = drawn_by(row, root, labels)
        consensus = joined([*drawn.values()], "majority")
        if truth != "first":
            ids = known_labels(root / row["mask"], labels)
            consensus = Drawn(ids.array, ids.void)
        field = roi_of(row, root) if region == "roi" else None
        inside = np.ones(consensus.ids.shape, bool) if field is None else field
        first = next(iter(drawn.values())).ids
        alike = inside.copy()
        for one in drawn.values():
            alike &= (one.ids == first) if one.void is None else (one.ids == first) & ~one.void
        lines = []

        def count(who: object, ids: np.ndarray, against: str, wanted: Drawn, where: np.ndarray = inside) -> None:
            where = where if wanted.void is None else where & ~wanted.void
            for number, name in enumerate(labels.foreground, start=1):
                names = {"who": who, "against": against, "sample": row["sample"], "class": name}
                lines.append(names | confusion(ids == number, wanted.ids == number, where)._asdict())

        targets = {human(number): one for number, one in drawn.items()} | {CONSENSUS: consensus}
        for number, one in drawn.items():
            for against, wanted in targets.items():
                if against != human(number):
                    count(human(number), one.ids, against, wanted)
        for place, network in enumerate(networks):
            if row["sample"] not in network.samples:
                continue
            path = network.masks / f"{row['sample']}.png"
            ids_of_network = read_labels(path)[0] if labels.several else read_mask(path).array.astype(np.uint8)
            check_same_size(ids_of_network, consensus.ids, path, root / row["mask"])
            for against, wanted in targets.items():
                count(place, ids_of_network, against, wanted)
            count(place, ids_of_network, AGREED, Drawn(first, None), alike)
        return lines

    lines = [line for of_row in in_threads(of_image, rows, threads, "annotators of") for line in of_row]
    return pd.DataFrame(lines, columns=COLUMNS).astype(dict.fromkeys(COUNTS, "int64"))

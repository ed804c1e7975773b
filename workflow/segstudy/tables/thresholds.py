"""Every network at every threshold policy that was measured, with all columns of the experiment's table.

The EBHI-SEG report (section 0.3) tries several fixed thresholds and techniques on its best network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.core.files import write_csv
from segstudy.tables.captions import measure_words
from segstudy.tables.columns import SEVEN, one_class
from segstudy.tables.content import averaging_words, experiment_table, name_columns, subset_panel
from segstudy.tables.counts import KEYS, headline
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.policies import HEADS, order_sentences, policy_scores
from segstudy.tables.render import write_formats
from segstudy.tables.results import wide_rows

METHOD = (
    "Every network at every threshold that was measured: a fixed one, the one with the best mean Dice on validation or "
    "on training images, or the one of Otsu's method on the probabilities of the validation images. None of them was "
    "chosen on test images; nor may the best of them be, since that would be a choice on test images."
)
BEST = "Bold: best network of its data set at a policy, as printed."
THRESHOLDS = ["threshold_low", "threshold_high"]


def compare_policies(
    inputs: ExperimentInputs, metrics: Sequence[str] = SEVEN, tolerance: float = 2, metric: str = "dice"
) -> None:
    """Compare the policies on the test images of an experiment's data sets of one foreground class.

    Args:
        inputs: of the experiment; controls have no threshold and are left out. Outputs are `csv` (one row for each
            network and policy, unrounded, with the columns of the experiment's csv on test images), `md`, `tex` and
            `html`.
        metrics: columns of the readable table.
        tolerance: of the surface Dice, in pixels.
        metric: of the sentence on the order of the rows.

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or there is no test image.
    """
    counts = inputs.counts()
    scores = policy_scores(counts, inputs.regions, metric, [row for row, _ in inputs.variants])
    if scores.empty:
        raise StudyError(
            f"experiment '{inputs.experiment}' has no test image of one foreground class to choose thresholds for",
            remedy="give its splits a test set",
        )
    tested = counts[counts["row"].eq("cell") & counts["subset"].eq("test")]
    shown = [
        headline(tested[tested["policy"] == policy], str(policy), inputs.regions)
        for policy in scores["policy"].unique()
    ]
    wide = pd.concat([wide_rows(part, inputs.phantoms) for part in shown], ignore_index=True)
    wide = wide.merge(scores[[*KEYS, "policy", *THRESHOLDS, "gain"]], on=[*KEYS, "policy"], validate="one_to_one")
    order = {key: place for place, key in enumerate(wide[KEYS].drop_duplicates().itertuples(index=False, name=None))}
    places = [order[key] for key in wide[KEYS].itertuples(index=False, name=None)]
    kept = [name for name in wide if not str(name).startswith(("val_", "train_"))]
    wide = wide.iloc[sorted(range(len(places)), key=places.__getitem__)][kept].reset_index(drop=True)
    write_csv(inputs.outputs["csv"], wide)
    rows = wide.assign(threshold=[threshold_words(row) for row in wide.to_dict("records")])
    names = [*name_columns(rows), "threshold"]
    panel = subset_panel(rows, "test", names, one_class(metrics), timed=False)
    said = order_sentences(scores, metric, inputs.policy, inputs.phantoms)
    protocol = [METHOD, *averaging_words(tested), *measure_words(metrics, tolerance), BEST]
    table = experiment_table(
        inputs,
        headline(counts, inputs.policy, inputs.regions),
        rows["dataset"].unique(),
        protocol,
        names,
        [panel._replace(sentences=list(said.values()))],
        title=" by threshold",
        part="thresholds",
    )
    write_formats(table, inputs.outputs)


def threshold_words(row: Mapping[Any, Any]) -> str:
    """Return the threshold of a row of the csv: its number, or its range over seeds and how it was chosen."""
    low, high = row["threshold_low"], row["threshold_high"]
    if row["policy"] not in HEADS:
        return f"{low:g}"
    between = f"{low:.3f}" if round(low, 3) == round(high, 3) else f"{low:.3f} to {high:.3f}"
    return f"{between}, {HEADS[row['policy']]}"

"""Cells that are missing from a table: why, and how the table says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.tables.render import DASH, Entry, Line, Panel, Table, title_of

MissingCells = Sequence[tuple[Cell, str]]  # with the reason
KEYS = ["dataset", "model", "loss", "recipe"]


def with_missing_rows(wide: pd.DataFrame, missing: MissingCells) -> pd.DataFrame:
    """Return the table's csv with a column `missing`, the number of seeds missing, and a row where all seeds are."""
    numbers = Counter(cell[:4] for cell, _ in missing)
    lost = pd.DataFrame([(*key, number) for key, number in numbers.items()], columns=[*KEYS, "missing"])
    known = set(wide[KEYS].itertuples(index=False, name=None))
    all_lost = lost[[key not in known for key in numbers]]
    rows = pd.concat([wide.merge(lost, on=KEYS, how="left"), all_lost], ignore_index=True)
    return rows.fillna({"row": "cell", "seeds": 0, "missing": 0}).astype({"missing": int, "seeds": int})


def missing_table(missing: MissingCells) -> pd.DataFrame:
    """Return the missing cells, one a row, with the reason."""
    return pd.DataFrame([(*cell, text) for cell, text in missing], columns=[*Cell._fields, "reason"])


def with_missing_cells(table: Table, missing: MissingCells, cells: int) -> Table:
    """Return a table that names the missing cells; where there are none, the table as it is.

    Args:
        table: of the finished cells.
        missing: the others.
        cells: number of all.
    """
    if not missing:
        return table
    names = [head.lower() for head in table.name_heads if head != "Class"]
    lines = [
        Line(
            cell.dataset,
            tuple(getattr(cell, head.lower()) if head.lower() in names else DASH for head in table.name_heads),
            control=False,
            entries=(Entry(text=str(cell.seed)), Entry(text=f"missing: {text}")),
        )
        for cell, text in missing
    ]
    warning = (
        f"PARTIAL: {len(missing)} of {cells} cells are missing and in no mean; the last panel says which, and why. "
        "Tables by stratum and class, comparisons, ranking, figures and the report wait until all are there."
    )
    panel = Panel("missing", "Missing cells", ("Seed", "Why"), lines, [])
    return table._replace(
        title=f"{table.title} (PARTIAL)", protocol=[warning, *table.protocol], panels=[*table.panels, panel]
    )


def nothing_but_missing(experiment: str, question: str, phantoms: Sequence[str]) -> Table:
    """Return the table of an experiment without any finished cell."""
    title = title_of(f"Experiment {experiment}", phantoms)
    return Table(experiment, title, question, tuple(phantoms), [], ("Model", "Loss", "Recipe"), [])

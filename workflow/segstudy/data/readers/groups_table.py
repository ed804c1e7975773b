"""Groups and strata of any data set from a table, for readers that know their files themselves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.readers.discovery import few
from segstudy.data.readers.folder_table import names_of, row_of
from segstudy.data.readers.table_file import problem, read_table

COLUMNS = ("group", "stratum")


def with_groups(frame: pd.DataFrame, root: Path, layout: Layout | None) -> pd.DataFrame:
    """Return a reader's rows with the groups and strata that a table names by sample; the others stay as they are.

    Only the table that `layout` names is read: one that is there besides is said.

    Raises:
        StudyError: there is no such table, it names no sample or one twice, or it says what the reader knows itself.
    """
    if layout is None or not layout.table:
        others = [table.name for table in Layout().tables_in(root)]
        said = [f"{few(others)} is not read: where it names patients, name it by layout.table"] if others else []
        frame.attrs["repairs"] = [*frame.attrs.get("repairs", []), *said]
        return frame
    table = root / layout.table
    if not table.is_file():
        raise StudyError("there is no such table", where=table, remedy="name a file below the root by layout.table")
    repairs = list(frame.attrs.get("repairs", []))
    rows: list[dict[str, str]] = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
    names, by_image = names_of(rows), {row["image"]: row for row in rows}
    seen: dict[str, int] = {}
    for line in read_table(table, repairs):
        for column in line.cells:
            if column not in ("sample", *COLUMNS):
                raise problem(table, line.line, column, "this reader knows its files itself", ("sample", *COLUMNS))
        image = row_of(line, names, table)["image"]
        if image in seen:
            raise problem(table, line.line, "sample", f"row {seen[image]} names this image too")
        seen[image] = line.line
        by_image[image].update({column: line.cells[column] for column in COLUMNS if column in line.cells})
    left = [str(row["sample"]) for row in rows if row["image"] not in seen]
    if left:
        repairs.append(f"{table.name} does not name {len(left)} of {len(rows)} images, whose groups stay: {few(left)}")
    result = pd.DataFrame(rows, columns=frame.columns)
    result.attrs["repairs"] = repairs
    return result

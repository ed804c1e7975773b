"""The table of bad inputs: every row is refused in one message, with nothing lost and nothing half-written.

To add a row, append to ROWS of a rows_*.py here, or to a new one (`from tests.bad_inputs.row import Row`):

    Row("loss-that-is-none", "config", value("losses.focl", {}),  # name, base, its setup
        "segstudy check-config study.yaml",  # as typed in that copy
        1, ("no loss is called 'focl'", "Did you mean 'focal'?"))  # exit code; what the message says

`bases.py` says what the bases hold, `row.py` what else a row may say, `changes.py` has setups. Choose words that a user
needs: the file, the key, the row, what to do. Of every row it holds, without being said, that there is no traceback,
that no file of results/ is lost or changed (but for `absent`, `rewritten` and outputs of the jobs that Snakemake's
output names as started), that nothing is left of a job that failed, that what other jobs wrote is whole, and that no
temporary file stays. Rows that are `unprivileged` run with the rights of owners and modes also where root runs the
tests (`privileges.py`). Inputs that the product reports in one message make one row. One row alone:
`pytest tests/bad_inputs -k loss-that-is-none`.

The commands run in forks of a process that has imported their libraries (`command_server.py`); with BAD_INPUTS_PLAIN=1
they run as from a shell, which takes about six times as long and must give the same.

Rows that start from a finished study are in test_bad_inputs_finished.py and test_damaged_results.py, so that two
processes share the work.
"""

import pytest

from tests.bad_inputs.checked import problems
from tests.bad_inputs.table import LEAST, rows, rows_on, twice


def test_the_table_is_whole():
    assert not twice()
    assert len(rows()) >= LEAST
    assert {row.base for row in rows()} == {"config", "finished"}


@pytest.mark.parametrize("row", rows_on("config"), ids=lambda row: row.name)
def test_a_bad_input(row, config, scratch, commands):
    found = problems(row, config, scratch / "copy", commands)
    assert not found, "\n".join([row.name, row.command, *found])

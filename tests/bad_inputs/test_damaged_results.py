"""The rows of the table of bad inputs that are results of a finished study, damaged; see test_bad_inputs.py."""

import pytest

from tests.bad_inputs.checked import problems
from tests.bad_inputs.table import rows_on


@pytest.mark.parametrize("row", rows_on("finished", damaged=True), ids=lambda row: row.name)
def test_a_damaged_result(row, finished, scratch, commands):
    found = problems(row, finished, scratch / "copy", commands)
    assert not found, "\n".join([row.name, row.command, *found])

"""What all tests share: a process that can be interrupted, and whose arithmetic is the usual one."""

import signal
import sys
from collections import Counter

import pytest

SLOWEST = 5

# A shell that runs something in the background lets it ignore SIGINT, and so do all that it starts: the tests of Ctrl-C
# would wait for an interruption that nobody notices.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def usual_arithmetic():
    """A training sets the arithmetic of its whole process (`precision.configure`): the next tests get theirs back."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(False)


@pytest.fixture
def figures(monkeypatch):
    """The matplotlib figures that the test draws, in order, instead of files."""
    from segstudy.figures import style

    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, svg, png: drawn.append(figure))
    return drawn


def pytest_terminal_summary(terminalreporter):
    """Say how long the table of bad inputs took, which is to stay below two minutes on two idle cores."""
    reports = [
        report
        for found in terminalreporter.stats.values()
        for report in found
        if getattr(report, "nodeid", "").startswith("tests/bad_inputs/") and hasattr(report, "duration")
    ]
    if reports:
        terminalreporter.section("bad inputs")
        longest = sorted(reports, key=lambda report: -report.duration)[:SLOWEST]
        files = Counter()
        for report in reports:
            files[report.nodeid.partition("::")[0]] += report.duration
        for name, seconds in sorted(files.items()):
            terminalreporter.line(f"{seconds:6.1f} s in {name}")
        for report in longest:
            terminalreporter.line(f"{report.duration:6.1f} s {report.when} of {report.nodeid.partition('::')[2]}")

"""What all tests share: a process that can be interrupted, and whose arithmetic is the usual one."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

SLOWEST = 20
# Folders of long files: they are handed out to the workers first, so that none ends alone with one of them.
FIRST = ("tests/workflow/", "tests/bad_inputs/", "tests/real/", "tests/docs/", "tests/training/", "tests/deploy/")
SPENT = pytest.StashKey[float]()

# Each worker of pytest-xdist has a core: two with two threads each wait for one another most of the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))


def cpu_seconds() -> float:
    """Of this process, of those that it started and that have ended, and of its servers of commands with theirs."""
    times = os.times()
    servers = getattr(sys.modules.get("tests.helpers.commands"), "SERVERS", ())
    return times.user + times.system + times.children_user + times.children_system + sum(map(_cpu_of, servers))


def _cpu_of(process: int) -> float:
    """Of a process that still runs, and of those that it has waited for; see proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # no such process, or no Linux
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def pytest_sessionstart(session):
    session.config.stash[SPENT] = cpu_seconds()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Note the CPU seconds of setup, test and teardown: the same on a busy machine as on an idle one."""
    report = yield
    now = cpu_seconds()
    report.cpu_seconds = now - item.config.stash[SPENT]  # an attribute, which a worker sends along
    item.config.stash[SPENT] = now
    return report


def pytest_terminal_summary(terminalreporter):
    """Print the slowest tests, and what the folders of tests cost, in CPU seconds."""
    reports = {id(report): report for found in terminalreporter.stats.values() for report in found}.values()
    reports = [report for report in reports if hasattr(report, "cpu_seconds")]
    folders = Counter()
    for report in reports:
        folders[report.nodeid.partition("::")[0].rpartition("/")[0]] += report.cpu_seconds
    if len(reports) < 3 * SLOWEST:
        return
    terminalreporter.section(f"CPU seconds: the slowest {SLOWEST}, then the folders")
    for report in sorted(reports, key=lambda report: -report.cpu_seconds)[:SLOWEST]:
        terminalreporter.line(f"{report.cpu_seconds:6.1f} s {report.when} of {report.nodeid}")
    for name, seconds in folders.most_common():
        terminalreporter.line(f"{seconds:6.1f} s in {name}")
    terminalreporter.line(f"{sum(folders.values()):6.1f} s in all")

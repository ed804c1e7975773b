"""What all tests share: a process that can be interrupted, and whose arithmetic is the usual one."""

import signal
import sys

import pytest

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

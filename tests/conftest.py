"""What all tests share: a process that can be interrupted, and whose arithmetic is the usual one."""

import signal
import sys

import pytest

# A shell that runs something in the background lets it ignore SIGINT, and so do all that it starts: the tests of Ctrl-C
# would wait for an interruption that nobody notices.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """A training flushes the smallest numbers to 0, for speed; the tests that come after it draw them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)

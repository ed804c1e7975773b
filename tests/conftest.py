"""What all tests share: a process that can be interrupted."""

import signal

# A shell that runs something in the background lets it ignore SIGINT, and so do all that it starts: the tests of Ctrl-C
# would wait for an interruption that nobody notices.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

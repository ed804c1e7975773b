"""Let a process of root do no more than what owners and modes permit, as for everybody else."""

from __future__ import annotations

import ctypes
import os

VARIABLE = "BAD_INPUTS_UNPRIVILEGED"  # set in the environment of commands that run so, and of the jobs that they start
RIGHTS = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, see capabilities(7)
KINDS = ("effective", "permitted", "inheritable")
BOUNDING_SET_DROP = 24  # of prctl(2): programs that are started later do not get them back
VERSION_3 = 0x20080522  # of capget(2)


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in KINDS]


def drop() -> None:
    """Give up root's right to read and write everything, in this process and those it starts.

    Raises:
        OSError: this system does not let go of it.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(VERSION_3, 0), (_Sets * 2)()
    for number in RIGHTS:
        _checked(libc.prctl(BOUNDING_SET_DROP, number, 0, 0, 0))
    _checked(libc.capget(header, sets))
    for number in RIGHTS:
        for kind in KINDS:
            setattr(sets[0], kind, getattr(sets[0], kind) & ~(1 << number))
    _checked(libc.capset(header, sets))


def _checked(failed: int) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def possible() -> bool:
    """Return whether a process can be held to owners and modes; tried in a fork."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            drop()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0

"""Keep torch's compiler out of jobs that compile nothing.

torch imports `torch._dynamo`, more than a second of processor time, when a function that it decorated with
`torch._disable_dynamo` first runs, to ask it for that function as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def leave_uncompiled(*functions: Callable[..., Any]) -> None:
    """Let functions that torch decorated with `torch._disable_dynamo` run as they are, without its compiler.

    What has no such decoration stays as it is. A version of torch that notes this elsewhere loads its compiler again.
    """
    for function in functions:
        plain = getattr(function, "__wrapped__", None)
        if plain is not None:
            vars(plain).setdefault("__dynamo_disable", plain)

"""Python imports this by itself where its folder is on PYTHONPATH: every process says at its end what its imports cost.

Appends one line to the file SEGSTUDY_JOB_CLOCK: the script's name, CPU seconds (user and system) in all and CPU
seconds of start and imports, those inside functions included.
"""

import atexit
import builtins
import json
import os
import sys
import time

load = builtins.__import__
clock = {"depth": 0, "seconds": time.process_time()}


def timed(*args, **options):
    clock["depth"] += 1
    started = time.process_time() if clock["depth"] == 1 else 0.0
    try:
        return load(*args, **options)
    finally:
        clock["depth"] -= 1
        if clock["depth"] == 0:
            clock["seconds"] += time.process_time() - started


def write():
    total = sum(os.times()[:2])
    record = {"script": os.path.basename(sys.argv[0]), "total": total, "imports": clock["seconds"]}
    with open(os.environ["SEGSTUDY_JOB_CLOCK"], "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


if "SEGSTUDY_JOB_CLOCK" in os.environ:
    builtins.__import__ = timed
    atexit.register(write)

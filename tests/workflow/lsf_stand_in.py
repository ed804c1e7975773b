#!/usr/bin/env python3
"""Stands in for LSF on one machine: bsub, bjobs, bkill, badmin and lsclusters, by the name it is called under.

bsub writes down its arguments and really runs the job in the background; bjobs answers in LSF's own format. The folder
LSF_STAND_IN holds one folder for each job and what `badmin showconf` points to.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ.get("LSF_STAND_IN", ""))
FLAGS = {"-J", "-o", "-e", "-env", "-P", "-q", "-W", "-n", "-R", "-cwd", "-gpu"}


def bsub(arguments: list[str]) -> None:
    options: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag not in FLAGS:
            sys.exit(f"bsub: illegal option {flag}. Job not submitted.")
        options.setdefault(flag, []).append(rest.pop(0))
    number = 1000 + len(list(HOME.glob("job*")))
    folder = HOME / f"job{number}"
    folder.mkdir()
    (folder / "bsub.json").write_text(json.dumps({"options": options, "command": rest}))
    script = f"cd {options['-cwd'][0]} && ({rest[0]}) >> {options['-o'][0]} 2>&1; echo $? > {folder}/rc"
    process = subprocess.Popen(["bash", "-c", script], start_new_session=True, stdout=subprocess.DEVNULL)
    (folder / "pid").write_text(str(process.pid))
    print(f"Job <{number}> is submitted to queue <{options['-q'][0]}>.")


def bjobs(arguments: list[str]) -> None:
    assert arguments[:4] == ["-noheader", "-o", "jobid stat", "-aJ"], arguments
    for folder in sorted(HOME.glob("job*")):
        done = folder / "rc"
        state = ("DONE" if done.read_text().strip() == "0" else "EXIT") if done.exists() else "RUN"
        print(folder.name.removeprefix("job"), state)


def bkill(arguments: list[str]) -> None:
    for number in arguments:
        os.killpg(int((HOME / f"job{number}/pid").read_text()), signal.SIGTERM)
        (HOME / f"job{number}/rc").write_text("130")


def badmin(arguments: list[str]) -> None:
    assert arguments == ["showconf", "mbd"], arguments
    print(f"MBD configuration at now\n\tLSB_SHAREDIR = {HOME}\n\tLSF_CONFDIR = {HOME}\n\tLSF_UNIT_FOR_LIMITS = MB")


def lsclusters(arguments: list[str]) -> None:
    print("CLUSTER_NAME STATUS MASTER_HOST\nstandin ok here")


def install(bin_folder: Path, home: Path) -> None:
    """Put the commands into `bin_folder`, and what they read into `home`."""
    bin_folder.mkdir()
    for name in ("bsub", "bjobs", "bkill", "badmin", "lsclusters"):
        program = bin_folder / name
        program.write_text(f"#!{sys.executable}\n" + Path(__file__).read_text())
        program.chmod(0o755)
    params = home / "lsbatch/standin/configdir/lsb.params"
    params.parent.mkdir(parents=True)
    params.write_text("Begin Parameters\nDEFAULT_QUEUE = hpc\nEnd Parameters\n")


if __name__ == "__main__":
    globals()[Path(sys.argv[0]).name](sys.argv[1:])

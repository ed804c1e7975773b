"""The commands of the stand-in for LSF: bsub, bjobs, bkill, lsid, badmin and lsclusters.

They talk to the daemon (`lsf_stand_in`) through the folder LSF_STAND_IN, which holds its settings and one folder for
each job: `job.json` (what was submitted), `state.json` (where it is now), and `kill` (signals that were asked for).
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.helpers.lsf_syntax import Refused, parsed

COMMANDS = ("bsub", "bjobs", "bkill", "lsid", "badmin", "lsclusters")
CLUSTER, REFUSAL = "standin", 255
ENDED = ("DONE", "EXIT")
# Fields of `bjobs -o` with their headings and widths; a field that the manual knows and this does not is refused.
FIELDS = {
    "jobid": ("JOBID", 7),
    "user": ("USER", 7),
    "stat": ("STAT", 5),
    "queue": ("QUEUE", 10),
    "from_host": ("FROM_HOST", 11),
    "exec_host": ("EXEC_HOST", 11),
    "job_name": ("JOB_NAME", 10),
    "submit_time": ("SUBMIT_TIME", 15),
    "exit_code": ("EXIT_CODE", 10),
    "exit_reason": ("EXIT_REASON", 50),
}


def home() -> Path:
    return Path(os.environ["LSF_STAND_IN"])


def settings() -> dict[str, Any]:
    return json.loads((home() / "settings.json").read_text())


def write(path: Path, content: Any) -> None:
    """Replace a file in one step, whoever reads it at the moment."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(content))
    beside.replace(path)


def jobs() -> list[dict[str, Any]]:
    """Return all jobs that were submitted, oldest first, with their states."""
    found = []
    for folder in sorted((home() / "jobs").iterdir(), key=lambda path: int(path.name)):
        if (folder / "state.json").exists():
            job = json.loads((folder / "job.json").read_text())
            found.append(job | json.loads((folder / "state.json").read_text()) | {"folder": str(folder)})
    return found


def bsub(arguments: list[str]) -> str:
    asked, site = parsed(arguments), settings()
    queue = asked.options.get("-q", site["default_queue"]).split()[0]
    if queue not in site["queues"]:
        raise Refused(f"{queue}: No such queue. Job not submitted.")
    if (asked.minutes or 0) > site["queues"][queue]["runlimit"]:
        raise Refused("RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.")
    if asked.slots > site["slots"]:
        raise Refused("Too many processors requested. Job not submitted.")
    number = 101
    while True:
        try:
            (home() / "jobs" / str(number)).mkdir()
            break
        except FileExistsError:
            number += 1
    folder = home() / "jobs" / str(number)
    job = {"id": number, "arguments": arguments, "queue": queue, "name": asked.options.get("-J", asked.command)}
    job |= {"cwd": asked.options.get("-cwd", os.getcwd()), "submitted": time.time(), "environment": dict(os.environ)}
    write(folder / "job.json", job)
    write(folder / "state.json", {"stat": "PEND"})
    return f"Job <{number}> is submitted to queue <{queue}>."


def bjobs(arguments: list[str]) -> str:
    """Answer as LSF does: unfinished jobs, and with -a those that ended within CLEAN_PERIOD."""
    given, numbers = _options(arguments, flags="aArpdwX", values="Juq", words={"noheader": 0, "o": 1})
    fields, separator = ["jobid", "user", "stat", "queue", "from_host", "exec_host", "job_name", "submit_time"], None
    if "o" in given:
        spelled = re.match(r"(.*?)\s*(?:delimiter='(.)')?$", given["o"])
        fields, separator = spelled[1].split(), spelled[2]
    names = [field.partition(":")[0] for field in fields]
    if unknown := [name for name in names if name not in FIELDS]:
        raise Refused(f"{unknown[0]}: Invalid field name in -o. Not shown.")
    site, now = settings(), time.time()
    known = [job for job in jobs() if now - job.get("ended", now) <= site["clean_period"] and not job.get("gone")]
    shown = [job for job in known if "a" in given or numbers or job["stat"] not in ENDED]
    if "J" in given:
        shown = [job for job in shown if fnmatch.fnmatchcase(job["name"], given["J"])]
    if "q" in given:
        shown = [job for job in shown if job["queue"] == given["q"]]
    if numbers:
        shown = [job for job in shown if str(job["id"]) in numbers]
    if not shown:
        raise Refused(f"Job <{given['J']}> is not found" if "J" in given else "No unfinished job found")
    rows = [] if "noheader" in given else [[FIELDS[name][0] for name in names]]
    rows += [[_field(job, name) for name in names] for job in shown]
    widths = [int(field.partition(":")[2] or FIELDS[name][1]) for field, name in zip(fields, names, strict=True)]
    if separator:
        return "\n".join(separator.join(row) for row in rows)
    padded = [[value.ljust(width) for value, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join(" ".join(row) for row in padded)


def _field(job: dict[str, Any], name: str) -> str:
    host = socket.gethostname()
    values = {"jobid": job["id"], "user": job["environment"].get("USER", "root"), "stat": job["stat"]}
    values |= {"queue": job["queue"], "from_host": host, "job_name": job["name"]}
    values["exec_host"] = host if "started" in job else "-"
    values["submit_time"] = time.strftime("%b %e %H:%M", time.localtime(job["submitted"]))
    values |= {"exit_code": job.get("code") or "-", "exit_reason": job.get("reason") or "-"}
    return str(values[name])


def bkill(arguments: list[str]) -> str:
    given, numbers = _options(arguments, flags="r", values="s", words={})
    if not numbers:
        raise Refused("bkill: Job ID or option -J must be given")
    there, said = {str(job["id"]): job for job in jobs()}, []
    wrong = 0
    for number in numbers:
        if number not in there:
            said.append(f"Job <{number}>: No matching job found")
        elif there[number]["stat"] in ENDED:
            said.append(f"Job <{number}>: Job has already finished")
        else:
            (Path(there[number]["folder"]) / "kill").write_text(given.get("s", ""))
            said.append(f"Job <{number}> is being terminated")
            continue
        wrong += 1
    if wrong == len(numbers):
        raise Refused("\n".join(said))
    return "\n".join(said)


def lsid(arguments: list[str]) -> str:
    if arguments not in ([], ["-V"]):
        raise Refused(f"lsid: illegal option {arguments[0]}")
    return f"A stand-in for LSF 10.1\n\nMy cluster name is {CLUSTER}\nMy master name is {socket.gethostname()}"


def badmin(arguments: list[str]) -> str:
    if arguments != ["showconf", "mbd"]:
        raise Refused("badmin: only 'showconf mbd' stands in")
    return f"MBD configuration at now\n\tLSB_SHAREDIR = {home()}\n\tLSF_CONFDIR = {home()}\n\tLSF_UNIT_FOR_LIMITS = MB"


def lsclusters(_: list[str]) -> str:
    return f"CLUSTER_NAME   STATUS   MASTER_HOST   ADMIN   HOSTS  SERVERS\n{CLUSTER} ok {socket.gethostname()} root 1 1"


def _options(arguments: list[str], flags: str, values: str, words: dict[str, int]) -> tuple[dict[str, str], list[str]]:
    """Return options and job numbers; letters may be joined (-aJ name), words are options of several letters."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)[1:]
        if option in words:
            given[option] = rest.pop(0) if words[option] else ""
            continue
        for letter in option:
            if letter not in flags + values or (letter in values and not rest):
                raise Refused(f"illegal option -- {letter}")
            given[letter] = rest.pop(0) if letter in values else ""
    return given, rest


def main(name: str, arguments: list[str]) -> None:
    try:
        print(globals()[name](arguments))
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(REFUSAL)

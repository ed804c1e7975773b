"""The documented syntax of LSF 10's `bsub`: what it takes, and what it refuses with exit code 255.

After IBM's command reference of bsub and the chapter on resource requirement strings. Not understood, and therefore
refused: compound and alternative requirements (`2*{...}+{...}`), which nothing here sends.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBER = r"\d+(\.\d+)?"
UNIT = r"([KMGTPEZ]B?)?"
NAME = r"[\w.-]+"
# Options by what stands behind them; nothing behind a flag.
MANUAL = """
flag    -ar -B -H -I -IS -ISp -ISs -IX -Ip -Is -K -N -Ne -Nd -XF -Zs -h -r -rn -tty -ul -x -V
any     -a -app -E -Ep -G -g -i -is -Jd -jsdl -jsdl_strict -k -L -Lp -m -o -oo -e -eo -cwd -data -datagrp -ext -extsched
any     -f -hostfile -network -outdir -pack -Q -rnc -sla -U -w -wa -clusters -json -yaml
word    -P -u
time    -c -W -We
moment  -b -t
warning -wt
size    -C -D -F -M -S -v
number  -mig -p -s -sp -T
name    -J
env     -env
tasks   -n
queues  -q
parts   -R -gpu
"""
KINDS = {
    "any": r".+",
    "word": r"\S+",
    "time": r"(\d+:)?\d+(/[\w.-]+)?",  # [hours:]minutes[/host or model]
    "moment": r"((\d+:){0,2}\d+:)?\d+:\d+",
    "warning": r"(\d+:)?\d+",
    "size": rf"\d+{UNIT}",
    "number": r"\d+",
    "name": r"[^\[\]\s;]{1,4094}(\[[\d,:-]+\](%\d+)?)?",
    "env": r"none|all(, ?~?\w+(=[^,]*)?)*|\w+(=[^,]*)?(, ?\w+(=[^,]*)?)*",
    "tasks": r"[1-9]\d*(,[1-9]\d*)?",
    "queues": rf"{NAME}( +{NAME})*",
    "parts": ".*",  # read further below
}
OPTIONS = {option: line.split()[0] for line in MANUAL.strip().splitlines() for option in line.split()[1:]}
SECTIONS = ("select", "order", "rusage", "span", "same", "cu", "affinity")
# What can be reserved: LSF's own load indices, and GPUs.
RESOURCES = "r15s|r1m|r15m|ut|pg|io|ls|it|swp|mem|tmp|ngpus_physical"
USAGE = rf"({RESOURCES})={NUMBER}{UNIT}(/(host|job|task))?"
DURATION = r":duration=\d+[smh]?(:decay=[01])?"
INSIDE = {
    "rusage": rf"{USAGE}(:{USAGE})*({DURATION})?((,|\|\|){USAGE}(:{USAGE})*({DURATION})?)*",
    "span": rf"hosts=(1|-1)|ptile=(\d+|'!')(,{NAME}:\d+)*|block=\d+|gtile=\d+|stripe(=\d+)?",
    "order": r"-?\w+(:-?\w+)*",
    "same": r"\w+(:\w+)*",
}
GPU = {
    "num": r"[1-9]\d*(/(task|host))?",
    "mode": "shared|exclusive_process",
    "mps": r"(yes|per_socket|per_gpu)(,shared)?(,nocvd)?|no",
    **dict.fromkeys(("j_exclusive", "aff", "block", "gpack"), "yes|no"),
    "gvendor": "amd|nvidia",
    "gmodel": r"[\w.]+(-\d+G?)?",
    "gtile": r"\d+|'!'",
    "gmem": rf"{NUMBER}{UNIT}",
    "glink": "yes",
    "mig": r"\d+(/\d+)?",
}
MEGABYTES = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}


class Refused(Exception):
    """What bsub says of a submission that it does not take; it ends with code 255 then."""


class Submission(NamedTuple):
    """What was asked for; a value of an option that may come once is the last one."""

    options: dict[str, str]
    requirements: dict[str, str]  # sections of -R
    gpu: dict[str, str]
    command: str

    @property
    def slots(self) -> int:
        return int(self.options.get("-n", "1").partition(",")[0])

    @property
    def minutes(self) -> int | None:
        hours, _, minutes = self.options["-W"].partition("/")[0].rpartition(":") if "-W" in self.options else ("",) * 3
        return int(hours or 0) * 60 + int(minutes) if minutes else None

    @property
    def gpus(self) -> int:
        return int(self.gpu.get("num", "1").partition("/")[0]) if self.gpu else 0

    def megabytes(self, unit: str = "M") -> float | None:
        """Return the memory that the job may use: its own limit, else what it reserves, for each slot."""
        if limit := self.options.get("-M"):
            return _megabytes(limit, unit)
        found = re.search(rf"\bmem=({NUMBER}{UNIT})", self.requirements.get("rusage", ""))
        return _megabytes(found[1], unit) * self.slots if found else None


def _megabytes(text: str, unit: str) -> float:
    number, own = re.fullmatch(rf"({NUMBER})([KMGT]?)B?", text).group(1, 3)
    return float(number) * MEGABYTES[own or unit]


def parsed(arguments: list[str]) -> Submission:
    """Return what `bsub` was told.

    Raises:
        Refused: if the manual does not allow it.
    """
    options: dict[str, str] = {}
    requirements: dict[str, str] = {}
    gpu: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option not in OPTIONS:
            raise Refused(f"bsub: illegal option -- {option.removeprefix('-')}")
        if OPTIONS[option] == "flag":
            options[option] = ""
            continue
        if not rest:
            raise Refused(f"bsub: option requires an argument -- {option.removeprefix('-')}")
        value = rest.pop(0)
        if option == "-R":
            requirements |= resources(value)
        elif option == "-gpu":
            gpu |= gpu_request(value)
        elif not re.fullmatch(KINDS[OPTIONS[option]], value):
            raise Refused(f"{option} {value}: Bad argument. Job not submitted.")
        options[option] = value
    if not rest:
        raise Refused("bsub: no command. Job not submitted.")
    return Submission(options, requirements, gpu, " ".join(rest))


def resources(text: str) -> dict[str, str]:
    """Return the sections of a resource requirement string."""
    found, rest = {}, text.strip()
    while rest:
        section = re.match(r"(\w+)\[([^\[\]]*)\]\s*", rest)
        if not section or section[1] not in SECTIONS or section[1] in found:
            raise Refused(f"{text}: Bad resource requirement syntax. Job not submitted.")
        name, inside = section[1], section[2].strip()
        if not re.fullmatch(INSIDE.get(name, ".+"), inside):
            raise Refused(f"{name}[{inside}]: Bad resource requirement syntax. Job not submitted.")
        found[name] = inside
        rest = rest[section.end() :]
    if not found:
        raise Refused(f"{text!r}: Bad resource requirement syntax. Job not submitted.")
    return found


def gpu_request(text: str) -> dict[str, str]:
    """Return the parts of a `-gpu` string; the queue's own are asked for by '-'."""
    if text == "-":
        return {"num": "1"}
    found = {}
    for part in text.split(":"):
        key, _, value = part.strip().partition("=")
        if key in found or key not in GPU or not re.fullmatch(GPU[key], value):
            raise Refused(f"{text}: Bad GPU requirement syntax. Job not submitted.")
        found[key] = value
    return found

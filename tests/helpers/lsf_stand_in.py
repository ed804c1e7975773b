"""Stands in for LSF on one machine: a daemon that really runs what `bsub` was given, and the commands beside it.

Jobs wait for slots and GPUs, and run in the background. At its run limit a job gets SIGUSR2, and where it does not end
within the grace time what `bkill` sends: SIGINT, SIGTERM and SIGKILL, some seconds apart; so does a job over its
memory. Finished jobs vanish from `bjobs` after CLEAN_PERIOD and stand in lsb.events, as with LSF. Minutes are as long
as `minute` says, so that a walltime can be seen to end a job.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.helpers import lsf_commands as commands
from tests.helpers.lsf_syntax import Submission, parsed

# Of the record JOB_STATUS, and why a job was ended, as its report says.
NUMBERS = {"PEND": 1, "RUN": 4, "EXIT": 32, "DONE": 64, "UNKWN": 65536}
REASONS = {
    "TERM_RUNLIMIT": "job killed after reaching LSF run time limit",
    "TERM_MEMLIMIT": "job killed after reaching LSF memory usage limit",
    "TERM_OWNER": "job killed by owner",
}
QUEUES = {"hpc": {"runlimit": 4320, "gpus": 0}, "gpuv100": {"runlimit": 1440, "gpus": 2}}


class Running:
    """A job that runs: its processes, and what is being done to end it."""

    def __init__(self, folder: Path, job: dict[str, Any], asked: Submission) -> None:
        self.folder, self.job, self.asked = folder, job, asked
        self.began = time.time()
        self.reason = ""
        self.signals: list[tuple[float, signal.Signals]] = []  # when, and which
        out = asked.options.get("-o", os.devnull).replace("%J", str(job["id"]))
        self.out = Path(job["cwd"], out)
        environment = job["environment"] | {"LSB_JOBID": str(job["id"]), "LSB_QUEUE": job["queue"]}
        with self.out.open("ab") as out:
            # The shell takes the command as LSF does: one line, for the user's shell.
            command = ["/bin/sh", "-c", asked.command]
            self.process = subprocess.Popen(
                command, cwd=job["cwd"], env=environment, stdout=out, stderr=out, start_new_session=True
            )
        self.left: float | None = None  # when it had ended but for processes that it leaves behind

    def processes(self) -> list[psutil.Process]:
        """Return those of the job that live, of whatever parent by now: all of its session."""
        found = []
        for number in psutil.pids():
            with suppress(psutil.Error, OSError):
                if os.getsid(number) == self.process.pid:
                    process = psutil.Process(number)
                    found += [process] if process.status() != psutil.STATUS_ZOMBIE else []
        return found

    def megabytes(self) -> float:
        total = 0
        for process in self.processes():
            with suppress(psutil.Error):
                total += process.memory_info().rss
        return total / 2**20

    def send(self, number: signal.Signals) -> None:
        for process in self.processes():
            with suppress(psutil.Error):
                process.send_signal(number)

    def end(self, reason: str, interval: float, first: signal.Signals | None = None, grace: float = 0) -> None:
        """Begin to end the job: `first` at once and the others after `grace`, or these at once."""
        self.reason = self.reason or reason
        now = time.time()
        start = now + grace if first else now
        self.signals = [(now, first)] if first else []
        names = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        self.signals += [(start + interval * place, number) for place, number in enumerate(names)]


class Lsf:
    """One cluster of one host.

    Args:
        folder: where everything lies; the commands are in its `bin`.
        slots, queues: what there is. Minutes of run limits are `minute` seconds long.
        grace: seconds from SIGUSR2 to the signals that kill; `interval` between those.
        clean_period: seconds that a finished job is shown.
        enforce: whether a job over its memory is killed, as the site's configuration says.
    """

    def __init__(
        self, folder: Path, slots: int = 8, minute: float = 60, grace: float = 600, interval: float = 10, **site: Any
    ) -> None:
        self.folder, self.minute, self.grace, self.interval = folder, minute, grace, interval
        self.enforce = site.get("enforce", True)
        self.site = {"slots": slots, "queues": site.get("queues", QUEUES), "default_queue": "hpc"}
        self.site["clean_period"] = site.get("clean_period", 3600)
        self.running: dict[int, Running] = {}
        self.most = {"slots": 0, "gpus": 0}  # that were ever used at once
        self.stopping = threading.Event()
        self.daemon = threading.Thread(target=self._serve)
        self.failure: BaseException | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return what must be set where the commands are called."""
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "LSF_STAND_IN": str(self.folder)}

    def __enter__(self) -> Lsf:
        for name in ("bin", "jobs", f"{commands.CLUSTER}/logdir", f"lsbatch/{commands.CLUSTER}/configdir"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / f"lsbatch/{commands.CLUSTER}/configdir/lsb.params").write_text("DEFAULT_QUEUE = hpc\n")
        self.events = self.folder / commands.CLUSTER / "logdir/lsb.events"
        self.events.touch()
        commands.write(self.folder / "settings.json", self.site)
        here = Path(__file__).resolve().parents[2]
        for name in commands.COMMANDS:
            program = self.folder / "bin" / name
            lines = f"import sys\nsys.path.insert(0, {str(here)!r})\nfrom tests.helpers.lsf_commands import main"
            program.write_text(f"#!{sys.executable} -S\n{lines}\nmain({name!r}, sys.argv[1:])\n")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.daemon.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.daemon.join()
        for job in self.running.values():
            job.send(signal.SIGKILL)
            job.process.wait()
        if self.failure:
            raise self.failure

    def jobs(self) -> list[dict[str, Any]]:
        os.environ["LSF_STAND_IN"] = str(self.folder)
        return commands.jobs()

    def expire(self, number: int) -> None:
        """Let a running job meet its run limit now."""
        self.running[number].began -= self.minute * (self.running[number].asked.minutes or 0)

    def lose(self, number: int) -> None:
        """Take the host of a job away: its processes are gone at once, and LSF knows nothing of them any more."""
        job = self.running.pop(number)
        job.send(signal.SIGKILL)
        job.process.wait()
        self._say(job.folder, {"stat": "UNKWN", "started": job.began})

    def clean(self, number: int) -> None:
        """Let a finished job vanish from bjobs, as after CLEAN_PERIOD."""
        path = self.folder / "jobs" / str(number) / "state.json"
        commands.write(path, json.loads(path.read_text()) | {"gone": True})

    def _serve(self) -> None:
        try:
            while not self.stopping.wait(0.1):
                self._dispatch()
                for number, job in list(self.running.items()):
                    self._watch(number, job)
        except BaseException as error:  # of a thread nobody hears otherwise
            self.failure = error
            raise

    def _dispatch(self) -> None:
        used = {"slots": sum(job.asked.slots for job in self.running.values())}
        used["gpus"] = sum(job.asked.gpus for job in self.running.values())
        for folder in sorted((self.folder / "jobs").iterdir(), key=lambda path: int(path.name)):
            state = folder / "state.json"
            if not state.exists() or json.loads(state.read_text())["stat"] != "PEND":
                continue
            job = json.loads((folder / "job.json").read_text())
            asked = parsed(job["arguments"])
            if not (folder / "new").exists():
                (folder / "new").touch()
                self._record_new(job, asked)
            if (folder / "kill").exists():
                self._say(folder, {"stat": "EXIT", "ended": time.time(), "code": 130, "reason": "TERM_OWNER"})
                continue
            free = used["slots"] + asked.slots <= self.site["slots"]
            if not free or used["gpus"] + asked.gpus > self.site["queues"][job["queue"]]["gpus"]:
                continue
            self.running[job["id"]] = Running(folder, job, asked)
            self._say(folder, {"stat": "RUN", "started": time.time()})
            used = {"slots": used["slots"] + asked.slots, "gpus": used["gpus"] + asked.gpus}
            self.most = {kind: max(self.most[kind], used[kind]) for kind in used}

    def _watch(self, number: int, job: Running) -> None:
        now, limit = time.time(), job.asked.minutes
        if (code := job.process.poll()) is not None:
            # A shell ends at SIGUSR2, and a training below it has a state to save first.
            job.left = job.left or now
            if job.processes() and now - job.left < self.interval:
                return
            job.send(signal.SIGKILL)
            code = 128 - code if code < 0 else code
            del self.running[number]
            reason = job.reason if code else ""
            with job.out.open("a") as out:
                out.write(_report(job, code, reason))
            ended = {"stat": "EXIT" if code else "DONE", "started": job.began, "ended": now}
            self._say(job.folder, ended | {"code": code, "reason": reason})
            return
        kill = job.folder / "kill"
        if kill.exists():
            name = kill.read_text()
            kill.unlink()
            if name:
                job.send(signal.Signals[f"SIG{name.removeprefix('SIG')}"])
            else:
                job.end("TERM_OWNER", self.interval)
        elif limit is not None and now - job.began > limit * self.minute and not job.signals:
            job.end("TERM_RUNLIMIT", self.interval, signal.SIGUSR2, self.grace)
        elif self.enforce and not job.signals and job.megabytes() > (job.asked.megabytes() or float("inf")):
            job.end("TERM_MEMLIMIT", self.interval)
        for moment, number_of_signal in list(job.signals):
            if moment <= now:
                job.signals.remove((moment, number_of_signal))
                job.send(number_of_signal)

    def _say(self, folder: Path, state: dict[str, Any]) -> None:
        commands.write(folder / "state.json", state)
        record = f'"JOB_STATUS" "10.1" {time.time():.0f} {folder.name} {NUMBERS[state["stat"]]} 0 0 0.0 0 0'
        with self.events.open("a") as events:
            events.write(f"{record}\n")

    def _record_new(self, job: dict[str, Any], asked: Submission) -> None:
        # Its 42nd field is the job's name. No field has a blank inside: only gawk would keep it together.
        numbers = " ".join(["-1"] * 11)
        head = f'"JOB_NEW" "10.1" {job["submitted"]:.0f} {job["id"]} {os.geteuid()} 0 {asked.slots}'
        head += f' {job["submitted"]:.0f} 0 0 0 0 0 "root" {numbers} "" 1.0 18 "{job["queue"]}" "" "host" "." "" "" ""'
        with self.events.open("a") as events:
            events.write(f'{head} "" "" "" 0 "" "" "{job["name"]}" "" 0\n')


def _report(job: Running, code: int, reason: str) -> str:
    """Return what LSF writes behind the output of a job."""
    how = "Successfully completed." if not code else f"Exited with exit code {code}."
    told = f"{reason}: {REASONS[reason]}.\n" if reason else ""
    return f"\n{'-' * 60}\nSender: LSF System\nSubject: Job {job.job['id']}: <{job.job['name']}>\n\n{told}{how}\n"

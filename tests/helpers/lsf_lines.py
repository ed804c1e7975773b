"""Snakemake's command line, but `bsub` only writes down what it is given: of every job at every attempt. Nothing runs.

    python lsf_lines.py FILE --profile lsf --configfile studies/demo.yaml

The executor and the shell are the real ones; the programs of LSF are two lines of shell. Outputs are empty files.
FILE gets one list a line: the attempt, the rule, how many jobs that hold a GPU are in the queue by then, and the
arguments as the program was given them.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import snakemake_executor_plugin_lsf as plugin
from snakemake.cli import main

SETTLED = 0.5  # seconds without a submission
ATTEMPTS = 4  # `retries: 3` of the profile
PROGRAMS = {
    "bsub": "printf '%s\\0' \"$@\" >> $LSF_LINE\necho 'Job <1> is submitted to queue <hpc>.'",
    "badmin": 'printf "MBD\\nLSB_SHAREDIR = $LSF_HOME\\nLSF_CONFDIR = $LSF_HOME\\nLSF_UNIT_FOR_LIMITS = MB\\n"',
    "lsclusters": "printf 'CLUSTER_NAME\\nstandin ok\\n'",
}


def write_down(out: Path, line: Path) -> None:
    """Let the executor send every job at every attempt, and then be told that it is done."""
    send, known = plugin.Executor.run_job, plugin.Executor.report_job_submission
    queued, last = {}, time.monotonic()

    def run_job(self, job):
        nonlocal last
        self.report_job_submission = lambda info: known(self, info) if job.attempt == ATTEMPTS else None
        for attempt in range(1, ATTEMPTS + 1):
            job.attempt = attempt
            queued[job] = job.resources.get("gpu", 0)
            used = sum(queued.values())
            send(self, job)
            arguments = line.read_text().split("\0")[:-1]
            line.unlink()
            with out.open("a") as lines:
                lines.write(json.dumps([attempt, job.name, used, arguments]) + "\n")
        last = time.monotonic()

    async def check_active_jobs(self, infos):
        await asyncio.sleep(0.1)
        for info in infos:
            if time.monotonic() - last < SETTLED:  # Snakemake still sends what may be sent beside it
                yield info
                continue
            for path in map(Path, [*info.job.output, info.job.benchmark]):
                if path.suffix:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
                else:
                    path.mkdir(parents=True, exist_ok=True)
            del queued[info.job]
            self.report_job_success(info)

    plugin.Executor.run_job = run_job
    plugin.Executor.check_active_jobs = check_active_jobs
    plugin.common_settings.init_seconds_before_status_checks = 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "lsbatch/standin/configdir").mkdir(parents=True)
        (home / "lsbatch/standin/configdir/lsb.params").touch()
        for program, text in PROGRAMS.items():
            (home / program).write_text(f"#!/bin/sh\n{text}\n")
            (home / program).chmod(0o755)
        os.environ |= {"PATH": f"{home}:{os.environ['PATH']}", "LSF_HOME": name, "LSF_LINE": str(home / "line")}
        assert subprocess.run(["bsub", "-q", "hpc"], capture_output=True, text=True, check=True).stdout
        (home / "line").unlink()
        write_down(Path(sys.argv[1]).resolve(), home / "line")
        main(sys.argv[2:])

"""The stand-in does what LSF's manual says: of these jobs the workflow's tests are made."""

import os
import re
import subprocess
import time

import pytest

from tests.helpers.lsf_stand_in import Lsf

SAVES = "trap 'echo saved; exit 1' USR2; while :; do sleep 0.05; done"
DEAF = "trap '' USR2 INT TERM; while :; do sleep 0.05; done"


@pytest.fixture
def lsf(tmp_path):
    with Lsf(tmp_path / "lsf", slots=2, minute=0.3, grace=0.5, interval=0.3) as cluster:
        yield cluster


def call(lsf, *command):
    return subprocess.run(command, env=os.environ | lsf.environment, capture_output=True, text=True, check=False)


def submit(lsf, *arguments):
    done = call(lsf, "bsub", "-q", "hpc", "-cwd", str(lsf.folder), "-o", "out%J", *arguments)
    assert done.returncode == 0, done.stderr
    return re.fullmatch(r"Job <(\d+)> is submitted to queue <hpc>\.\n", done.stdout)[1]


def state(lsf, number):
    return call(lsf, "bjobs", "-a", "-noheader", "-o", "stat", number).stdout.strip()


def until(lsf, number, *states):
    end = time.monotonic() + 30
    while (found := state(lsf, number)) not in states:
        assert time.monotonic() < end and lsf.failure is None, (number, found)
        time.sleep(0.05)
    return found


def told(lsf, number):
    return (lsf.folder / f"out{number}").read_text()


def test_jobs_end_as_their_exit_codes_say(lsf):
    good, bad = submit(lsf, "-J", "good", "echo hello $LSB_JOBID"), submit(lsf, "-J", "bad", "exit 3")
    assert (until(lsf, good, "DONE", "EXIT"), until(lsf, bad, "DONE", "EXIT")) == ("DONE", "EXIT")
    assert told(lsf, good).startswith(f"hello {good}\n") and "Successfully completed." in told(lsf, good)
    assert "Exited with exit code 3." in told(lsf, bad)
    assert call(lsf, "bjobs").stderr == "No unfinished job found\n"
    # As the executor asks: by a part of the name, finished jobs too.
    assert call(lsf, "bjobs", "-noheader", "-o", "jobid stat", "-aJ", "*oo*").stdout.split() == [good, "DONE"]
    assert call(lsf, "bjobs", "-a", "-o", "jobid stat delimiter=','").stdout.split() == [
        "JOBID,STAT",
        f"{good},DONE",
        f"{bad},EXIT",
    ]


def test_jobs_wait_for_slots_and_pending_ones_can_be_killed(lsf):
    first = submit(lsf, "-n", "2", "sleep 30")
    second = submit(lsf, "true")
    until(lsf, first, "RUN")
    assert state(lsf, second) == "PEND"
    assert call(lsf, "bkill", second, first).stdout == "".join(
        f"Job <{number}> is being terminated\n" for number in (second, first)
    )
    assert (until(lsf, second, "EXIT"), until(lsf, first, "EXIT")) == ("EXIT", "EXIT")
    assert "TERM_OWNER" in told(lsf, first)
    assert call(lsf, "bkill", first).returncode == 255
    assert lsf.most["slots"] == 2


def test_the_run_limit_warns_and_then_kills(lsf):
    # The outermost shell has no trap of its own, as that of a job of Snakemake: it ends at once, code 128 + 12.
    warned = submit(lsf, "-W", "5", f'sh -c "{SAVES}"; true')
    until(lsf, warned, "EXIT")
    assert "saved" in told(lsf, warned) and "TERM_RUNLIMIT" in told(lsf, warned)
    assert "exit code 140" in told(lsf, warned)
    deaf = submit(lsf, "-W", "0:05", DEAF)
    until(lsf, deaf, "EXIT")
    assert "exit code 137" in told(lsf, deaf)


def test_a_job_over_its_memory_is_killed(lsf):
    hungry = "python3 -c 'x = bytearray(200 * 2**20); import time; time.sleep(30)'"
    number = submit(lsf, "-n", "2", "-R", "rusage[mem=50]", hungry)
    until(lsf, number, "EXIT")
    assert "TERM_MEMLIMIT" in told(lsf, number)
    assert until(lsf, submit(lsf, "-M", "500", "python3 -c 'bytearray(100 * 2**20)'"), "EXIT", "DONE") == "DONE"


def test_lost_and_vanished_jobs(lsf):
    lost = submit(lsf, "sleep 30")
    until(lsf, lost, "RUN")
    lsf.lose(int(lost))
    assert state(lsf, lost) == "UNKWN"
    done = submit(lsf, "-J", "gone", "true")
    until(lsf, done, "DONE")
    lsf.clean(int(done))
    refused = call(lsf, "bjobs", "-a", "-J", "gone")
    assert (refused.returncode, refused.stderr) == (255, "Job <gone> is not found\n")
    records = [line.split() for line in lsf.events.read_text().splitlines() if line.split()[3] == done]
    assert records[0][0] == '"JOB_NEW"' and records[0][41] == '"gone"'
    assert [record[4] for record in records[1:]] == ["4", "64"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-q", "gpu", "true"], "No such queue"),
        (["-q", "gpuv100", "-W", "24:01", "true"], "hard limit"),
        (["-n", "3", "true"], "Too many processors"),
        (["-R", "rusage[mem=4000", "true"], "Bad resource requirement syntax"),
        (["--time=10", "true"], "illegal option"),
    ],
)
def test_what_is_refused_ends_with_255(lsf, arguments, says):
    refused = call(lsf, "bsub", *arguments)
    assert refused.returncode == 255 and says in refused.stderr and not lsf.jobs()


def test_the_other_commands(lsf):
    assert "My cluster name is standin" in call(lsf, "lsid").stdout
    assert call(lsf, "bjobs", "-Z").returncode == 255
    assert call(lsf, "bkill", "77").stderr == "Job <77>: No matching job found\n"

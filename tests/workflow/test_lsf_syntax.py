"""What LSF's manual allows is taken, and what it does not is refused: on this rest the checks of what is submitted."""

import pytest

from tests.helpers.lsf_syntax import Refused, parsed

# As the manual's own examples and DTU's pages for users have them, and what they mean.
TAKEN = [
    (["-W", "3:30", "job"], {"minutes": 210}),
    (["-W", "210/hostA", "job"], {"minutes": 210}),
    (["-q", "gpuv100", "-n", "4", "-R", "span[hosts=1]", "-R", "rusage[mem=5GB]", "job"], {"slots": 4}),
    (["-gpu", "num=1:mode=exclusive_process", "job", "-x", "y"], {"gpus": 1, "command": "job -x y"}),
    (["-gpu", "num=2/task:mode=shared:mps=yes,nocvd:j_exclusive=yes:gmem=10G", "job"], {"gpus": 2}),
    (["-R", "select[type==any] order[r15s:-pg] rusage[mem=20:duration=1h:decay=1,swp=40] span[ptile=2]", "job"], {}),
    (["-J", "steps[1-10:2,15]%3", "-u", "me@dtu.dk", "-B", "-N", "-M", "8GB", "-P", "02516", "job"], {}),
    (["-env", "all, ~DISPLAY, A=b", "-cwd", "/work3/me", "-o", "out_%J.log", "-e", "err_%J.log", "job"], {}),
]
REFUSED = [
    ["job's name is missing", "-J", "", "job"],
    ["brackets that are no array", "-J", "train:loss=[bce]", "job"],
    ["seconds", "-W", "1:30:00", "job"],
    ["a walltime as SLURM writes it", "-W", "1-00:00", "job"],
    ["half a minute", "-W", "30.5", "job"],
    ["no cores", "-n", "0", "job"],
    ["an option of SLURM", "--mem=4000", "job"],
    ["an unknown option", "-gpus", "1", "job"],
    ["no command", "-q", "hpc"],
    ["no value", "-q"],
    ["an open bracket", "-R", "rusage[mem=4000", "job"],
    ["an unknown section", "-R", "usage[mem=4000]", "job"],
    ["an unknown resource", "-R", "rusage[memory=4000]", "job"],
    ["no number", "-R", "rusage[mem=lots]", "job"],
    ["two hosts to span", "-R", "span[hosts=2]", "job"],
    ["an empty requirement", "-R", "", "job"],
    ["a section twice in one string", "-R", "rusage[mem=1] rusage[mem=2]", "job"],
    ["a mode that GPUs do not have", "-gpu", "num=1:mode=exclusive", "job"],
    ["commas for colons", "-gpu", "num=1,mode=shared", "job"],
    ["no GPU", "-gpu", "num=0", "job"],
    ["an unknown part", "-gpu", "num=1:memory=10", "job"],
    ["a limit that is no number", "-M", "8 GB", "job"],
]


@pytest.mark.parametrize(("arguments", "means"), TAKEN)
def test_what_the_manual_allows(arguments, means):
    found = parsed(arguments)
    assert {name: getattr(found, name) for name in means} == means


@pytest.mark.parametrize("arguments", REFUSED, ids=lambda arguments: arguments[0])
def test_what_it_does_not(arguments):
    with pytest.raises(Refused):
        parsed(arguments[1:])


@pytest.mark.parametrize(
    ("arguments", "megabytes"),
    [
        (["-n", "4", "-R", "rusage[mem=1000.0]"], 4000),  # a reservation is of each slot
        (["-n", "4", "-R", "rusage[mem=2GB]"], 8192),
        (["-n", "4", "-R", "rusage[mem=1000]", "-M", "500"], 500),
        (["-n", "4"], None),
    ],
)
def test_memory_that_a_job_may_use(arguments, megabytes):
    assert parsed([*arguments, "job"]).megabytes() == megabytes

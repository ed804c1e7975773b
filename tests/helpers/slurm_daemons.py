"""A real SLURM on this machine: munged, slurmctld and slurmd of Debian's packages, in a folder, for one test session.

It needs no systemd and no cgroups, but root: SLURM reads its configuration from /etc/slurm alone, since the executor
plugin takes SLURM_CONF away. A configuration that is already there belongs to a real cluster and is left alone.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
ETC = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")
# The executor, and what of it the environment of the tests does not hold already.
EXECUTOR = ("snakemake-executor-plugin-slurm", "snakemake-executor-plugin-slurm-jobstep")
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

CONF = """\
ClusterName=segstudy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={other}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdTimeout=10
KillWait=15
SchedulerParameters=sched_interval=2,bf_interval=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""
# This cluster has no accounting, so `sacct` says nothing, and the executor is not to find it: in an outage it would ask
# it, and nothing else, even after SLURM is back.
WHICH = """\
#!/bin/sh
[ "$1" = sacct ] && exit 1
exec /usr/bin/which "$@"
"""
GRES = "Name=gpu File={folder}/gpu[0-1]\n"


def why_not() -> str:
    """Return why no SLURM can be started here, '' if one can."""
    if os.geteuid():
        return "starting a SLURM needs root"
    if (ETC / "slurm.conf").exists():
        return f"{ETC}/slurm.conf belongs to a cluster already"
    missing = [program for program in PROGRAMS if not shutil.which(program, path=PATH)]
    if missing and not _installed():
        return f"no {', '.join(missing)}, and apt-get cannot install {' '.join(PACKAGES)}"
    return ""


def install_executor(folder: Path) -> str:
    """Install the executor into a folder of its own; return what pip says where it cannot.

    Not into the environment: found there, it makes every start of Snakemake ask a SLURM that no longer answers.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    command += ["-c", str(CONSTRAINTS), "--target", str(folder), *EXECUTOR]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    return f"the executor cannot be installed: {done.stderr.strip()[-500:]}" if done.returncode else ""


def _installed() -> bool:
    """Install the packages where that needs no answers; their services are not started."""
    if not shutil.which("apt-get"):
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    commands = [
        ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES],
        ["apt-get", "update"],
        ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES],
    ]
    codes = []
    for command in commands:
        try:
            done = subprocess.run(command, env=environment, capture_output=True, timeout=240, check=False)
        except subprocess.TimeoutExpired:
            return False
        codes.append(done.returncode)
        if command[1] == "install" and not codes[-1]:
            return True
    return False


class Slurm:
    """The daemons of one cluster of one node, with two GPUs that are files; `executor` is where that was installed."""

    def __init__(self, folder: Path, executor: Path) -> None:
        self.folder, self.executor = folder, executor
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start everything, and wait until the node takes jobs."""
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "bin/which").write_text(WHICH)
        (self.folder / "bin/which").chmod(0o755)
        for number in range(2):
            (self.folder / f"gpu{number}").touch()
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        ports = _free_ports(2)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        words = {"host": socket.gethostname().split(".")[0], "folder": self.folder, "memory": memory}
        texts = CONF.format(**words, port=ports[0], other=ports[1]), GRES.format(**words), "CgroupPlugin=cgroup/v1\n"
        ETC.mkdir(exist_ok=True)
        for name, text in zip(FILES, texts, strict=True):
            (ETC / name).write_text(text)
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log"}
        files |= {"seed-file": "munge.seed"}
        options = [f"--{option}={self.folder / name}" for option, name in files.items()]
        self.launch("munged", "--foreground", "--force", *options)
        self.wait((self.folder / "munge.socket").exists, "munged")
        self.start_controller()
        self.start_node()

    def start_controller(self) -> None:
        """Start slurmctld; it takes up the jobs that it has written down."""
        self.launch("slurmctld", "-D")

    def start_node(self) -> None:
        """Start slurmd, and wait until its node takes jobs."""
        self.launch("slurmd", "-D")
        self.wait(lambda: self("sinfo", "-h", "-p", "cpu", "-o", "%T") in ("idle", "mixed", "allocated"), "slurmd")

    def launch(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=PATH)
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen([program, *arguments], stdout=out, stderr=out, start_new_session=True)

    def wait(self, ready, what: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                logs = [p.read_text(errors="replace")[-2000:] for p in self.folder.glob("*.log")]
                raise TimeoutError(f"{what} is not ready; {logs}")
            time.sleep(0.2)

    def __call__(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": PATH})
        return done.stdout.strip()

    def jobs(self) -> list[str]:
        """Return the numbers of the jobs that run."""
        return self("squeue", "-h", "-t", "RUNNING", "-o", "%i").split()

    def stop(self) -> None:
        """End all jobs and daemons, and take the configuration away: beside a dead one each Snakemake waits."""
        self("scancel", "--full", "-u", "root")
        for daemon in reversed(list(self.daemons.values())):
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for name in FILES:
            (ETC / name).unlink(missing_ok=True)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports

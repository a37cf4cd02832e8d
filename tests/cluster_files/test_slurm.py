"""`sbatch cluster/slurm/train.sbatch` on a real Slurm of two hosts: to its end, and when its time is up."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.storage import Place
from tests.harness.hosts import Hosts
from tests.harness.onprem import give_checkout

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.timeout(600)]

CONTROL, OTHER, USER = "w1", "w2", "laptop"
CONFIGURATION = """
ClusterName=lab
SlurmctldHost={control}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
NodeName={control},{other} CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
CGROUPS = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"
SMALL = (
    "--workers 3 --data.scenes-images 2560 --monitoring.steps 10 "
    "--networks.generator-maps 8 --networks.discriminator-maps 8"
)
SCRIPT = "cluster/slurm/train.sbatch"
MINE = {
    "#SBATCH --gpus-per-node=4        # <--\n": "",
    "#SBATCH --cpus-per-task=32       # <--": "#SBATCH --cpus-per-task=2",
}
"""The lines of the script that are for who uses it to fill in."""


class Slurm:
    """Two hosts that Slurm runs jobs on, and a folder that they share.

    Attributes:
        folder: the checkout, at the same path on all hosts; jobs write what they say to it.
    """

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.folder = hosts.shared / "dcgan-dist"
        give_checkout(self.folder, {SCRIPT: MINE})

    def start(self) -> None:
        """Start its daemons, with a key that they share."""
        key = hosts_file(self.hosts, "munge.key", os.urandom(128))
        settings = hosts_file(self.hosts, "slurm.conf", CONFIGURATION.format(control=CONTROL, other=OTHER).encode())
        cgroups = hosts_file(self.hosts, "cgroup.conf", CGROUPS.encode())
        begin = (
            f"mkdir -p /etc/munge /run/munge /var/log/munge /var/lib/munge /etc/slurm /var/spool/slurmctld "
            f"/var/spool/slurmd /var/log/slurm; cp {settings} {cgroups} /etc/slurm/; "
            f"cp {key} /etc/munge/munge.key; chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge; "
            "chmod 400 /etc/munge/munge.key; chmod 755 /run/munge; "
            "setpriv --reuid=munge --regid=munge --clear-groups munged"
        )
        for name in (CONTROL, OTHER, USER):
            self.hosts.do(name, "bash", "-ec", begin)
        self.hosts.do(CONTROL, "slurmctld")
        for name in (CONTROL, OTHER):
            self.hosts.do(name, "slurmd", "-N", name)
        self.hosts.wait(lambda: "idle" in self.hosts.run(USER, "sinfo", "-h", "-o", "%D %t").stdout, "Slurm", 60, 0.5)

    def submit(self, options: str) -> int:
        """Ask for a job as the page does; its number."""
        line = f"cd {self.folder}; DCGAN_ENV={sys.prefix} sbatch --parsable {SCRIPT} {options}"
        return int(self.hosts.do(USER, "bash", "-c", line))

    def said(self, job: int) -> str:
        """By a job."""
        file = self.folder / f"slurm-{job}.out"
        return file.read_text() if file.is_file() else ""

    def state(self, job: int) -> str:
        """Of a job, as Slurm calls it."""
        told = self.hosts.do(USER, "scontrol", "show", "job", str(job))
        return re.search(r"JobState=(\w+)", told)[1]  # type: ignore[index]

    def restarts(self, job: int) -> int:
        """How often it was queued again."""
        told = self.hosts.do(USER, "scontrol", "show", "job", str(job))
        return int(re.search(r"Restarts=(\d+)", told)[1])  # type: ignore[index]


def hosts_file(hosts: Hosts, name: str, content: bytes) -> Path:
    """A file that all hosts see."""
    file = hosts.shared / name
    file.write_bytes(content)
    return file


@pytest.fixture(scope="module")
def slurm(namespaces: None, slurm_programs: None) -> Iterator[Slurm]:
    with Hosts(USER, CONTROL, OTHER) as hosts:
        slurm = Slurm(hosts)
        slurm.start()
        yield slurm


def test_a_job_trains_on_two_machines_and_leaves_nothing(slurm: Slurm) -> None:
    runs = slurm.hosts.shared / "runs"
    job = slurm.submit(f"--images 4000 {SMALL} --storage {runs} --name first")
    slurm.hosts.wait(lambda: slurm.state(job) not in ("PENDING", "RUNNING", "COMPLETING"), "the job", 300, 2.0)
    assert slurm.state(job) == "COMPLETED", slurm.said(job)
    assert json.loads((runs / "first" / "run.json").read_text())["status"] == "finished"
    machines = re.findall(r"ranks? .+ on (\w+) \(", slurm.said(job))
    assert set(machines) == {CONTROL, OTHER}, slurm.said(job)
    assert not list(slurm.folder.glob(".token-*"))
    for name in (CONTROL, OTHER):
        slurm.hosts.wait(lambda name=name: slurm.hosts.run(name, "pgrep", "raylet").returncode, "Ray's end", 90, 1.0)


def test_a_job_whose_time_is_up_goes_on_where_it_stopped(slurm: Slurm) -> None:
    runs = slurm.hosts.shared / "runs"
    run = Place(str(runs / "second"))
    job = slurm.submit(f"--images 100000000 {SMALL} --storage {runs} --name second")
    slurm.hosts.wait(lambda: (runs / "second" / "metrics.jsonl").is_file(), "steps", 240, 1.0)
    # What Slurm sends two minutes before the time is up.
    slurm.hosts.do(USER, "scancel", "--batch", "--signal=TERM", str(job))
    slurm.hosts.wait(lambda: slurm.restarts(job) == 1, "the job to be queued again", 120, 1.0)
    stopped = max(manifests(run))
    # Slurm waits before it runs a job again; it can be told not to.
    slurm.hosts.do(USER, "scontrol", "update", f"JobId={job}", "StartTime=now")
    slurm.hosts.wait(lambda: len(attempts(run)) == 2, "the run to go on", 300, 1.0)
    assert attempts(run)[1].checkpoint == stopped
    slurm.hosts.do(USER, "scancel", str(job))
    slurm.hosts.wait(lambda: slurm.state(job) not in ("RUNNING", "COMPLETING"), "the job's end", 120, 1.0)

"""Jobs on a cluster whose runs lie in an object store: training, its curves, its evaluation, and a sweep."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster_files.cloud import CLOUD, answering, keys, lead_to, make_bucket, read
from tests.harness.hosts import ROOT
from tests.harness.onprem import HEAD, Onprem

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.timeout(900)]

WORKERS = ("w1", "w2")
SUBMIT = "ray job submit --working-dir . -- python -m"
SMALL = (
    "--images 4000 --monitoring.steps 10 --data.scenes-images 2560 "
    "--networks.generator-maps 8 --networks.discriminator-maps 8"
)
UPLOAD_BYTES = 2 << 20
"""Of all packages; unpacked."""
PORT = 6006


@pytest.fixture(scope="module")
def lab(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onprem]:
    folder = tmp_path_factory.mktemp("jobs")
    lab = Onprem(*WORKERS, beside=[CLOUD])
    lead_to(lab.hosts)
    with lab, answering(lab.hosts, folder / "cloud.txt"):
        make_bucket(lab.hosts, "runs")
        lab.up(folder / "tunnel.txt")
        yield lab
        status, output = lab.run("ray down -y cluster/onprem.yaml")
        assert status == 0, output


@pytest.fixture(scope="module")
def trained(lab: Onprem) -> str:
    """What the job of a run says that lies at s3://runs/first. Two machines train, the third one reads for them."""
    options = f"{SMALL} --workers 2 --workers.cpus 2 --storage s3://runs --name first"
    status, output = lab.run(f"{SUBMIT} dcgan_dist.train {options}", 240)
    assert status == 0, output
    return output


def get(lab: Onprem, path: str) -> Any:
    """What TensorBoard on the head answers; none while it does not."""
    done = lab.hosts.run(HEAD, "curl", "-sf", f"http://127.0.0.1:{PORT}{path}")
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_jobs_are_submitted_as_the_first_page_says() -> None:
    page = (ROOT / "README.md").read_text().partition("## More machines")[2].partition("\n## ")[0]
    commands = re.search(r"```bash\n(.*?)```", page, re.DOTALL)
    assert commands is not None
    token, _up, tunnel, submit = commands[1].replace("\\\n", "").splitlines()
    assert token == ". cluster/client.env"
    assert tunnel.startswith("ray dashboard cluster.yaml &")
    assert submit.startswith(f"{SUBMIT} dcgan_dist.train ")


def test_a_run_of_several_machines_lies_in_the_object_store(lab: Onprem, trained: str) -> None:
    assert json.loads(read(lab.hosts, "runs", "first/run.json"))["status"] == "finished"
    ranks = dict(re.findall(r"rank (\d) on (\w+) ", trained))
    assert set(ranks) == {"0", "1"}
    assert len(set(ranks.values())) == 2


def test_each_line_of_a_job_is_said_once(trained: str) -> None:
    lines = [line for line in trained.splitlines() if line.startswith(("cluster: ", "data: ", "run ", "images "))]
    assert lines
    assert len(lines) == len(set(lines))


@pytest.mark.usefixtures("trained")
def test_little_is_sent_along_with_a_job(lab: Onprem) -> None:
    sent = "/tmp/ray/session_latest/runtime_resources/working_dir_files"
    size = lab.hosts.do(HEAD, "sh", "-c", f"du -sb {sent}/*/").split()[0]
    assert int(size) <= UPLOAD_BYTES
    assert "tests" not in lab.hosts.do(HEAD, "sh", "-c", f"ls {sent}/*/").split()


@pytest.mark.usefixtures("trained")
def test_tensorboard_on_the_head_reads_the_curves(lab: Onprem, tmp_path: Path) -> None:
    said = tmp_path / "tensorboard.txt"
    process = lab.hosts.start(
        HEAD, "tensorboard", "--logdir", "s3://runs/first/tensorboard", "--port", str(PORT), output=said
    )
    tags: dict[str, Any] = {}

    def shown() -> bool:
        tags.update(get(lab, "/data/plugin/scalars/tags") or {})
        return bool(tags)

    try:
        lab.wait(shown, "curves", said)
    finally:
        process.kill()
        process.wait()
    (found,) = tags.values()
    assert any("loss" in tag for tag in found)


@pytest.mark.usefixtures("trained")
def test_a_run_is_evaluated_by_a_job(lab: Onprem) -> None:
    status, output = lab.run(f"{SUBMIT} dcgan_dist.evaluate s3://runs/first --tasks rooms --actors 2", 240)
    assert status == 0, output
    assert re.search(r"discriminator of first at 4,032 images +\d\d\.\d\d", output), output


def test_the_doctor_names_what_is_wrong(lab: Onprem) -> None:
    one, other = WORKERS
    lab.hosts.do(one, "ip", "route", "add", "blackhole", lab.hosts.addresses[other])
    try:
        status, output = lab.run(f"{SUBMIT} dcgan_dist.preflight --doctor --storage /root/runs")
    finally:
        lab.hosts.do(one, "ip", "route", "del", "blackhole", lab.hosts.addresses[other])
    assert status != 0
    told = output.partition("Status message: ")[0]  # where Ray repeats what a job that failed has said last
    assert re.findall(r"^(\w+) +\S+ +FAILED ", told, re.MULTILINE) == [HEAD, *WORKERS], output
    assert re.findall(r"^ +connect to (\w+) .+: open all ports between", told, re.MULTILINE) == [other, one], output
    assert told.count("name one that all machines share") == 3 * 2
    assert "all-reduce: not tested, because not all machines reach each other" in told
    assert "error: something is wrong with head, w1, w2: see above" in told


def test_a_sweep_is_a_job(lab: Onprem) -> None:
    sweep = "tuning.sweep --trials 2 --search 'lr=loguniform(1e-4,1e-3)' --objective samples/spread"
    options = f"{SMALL} --monitoring.measure-images 400 --batch-size 16 --storage s3://runs --name sweep"
    status, output = lab.run(f"{SUBMIT} {sweep} {options}", 400)
    assert status == 0, output
    assert "best.yaml" in output
    assert {"sweep/results.csv", "sweep/best.yaml"} <= set(keys(lab.hosts, "runs", "sweep/"))

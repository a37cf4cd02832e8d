"""A cluster that `cluster/node.env` has started turns away who has no token, or a wrong one, at every door.

With the switch for TLS it also turns away who has the token, but no certificate.
"""

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.harness.hosts import ROOT, Hosts

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.timeout(300)]

START = "ray start --head --port=6379 --dashboard-host=127.0.0.1 --num-cpus=2 --object-store-memory=100000000"
WAIT_S, GAVE_UP = 60, 124
"""How long one knocks, and what `timeout` says then."""
GCS = """
import ray._raylet as raylet
raylet.GcsClient(address="{head}:6379").internal_kv_exists(b"x", b"y")
print("came in")
"""
CLIENT = """
import ray
ray.init("ray://{head}:10001")
print("came in")
"""
REQUEST = """
import os, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8265" + sys.argv[1])
if token := os.environ.get("RAY_AUTH_TOKEN"):
    request.add_header("Authorization", "Bearer " + token)
print(urllib.request.urlopen(request).status)
"""


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True)
class Cluster:
    """A head that was started as the cluster files start it, and a machine of somebody else.

    Attributes:
        certificate: variables of who has the certificate; none where none is needed.
    """

    hosts: Hosts
    certificate: Mapping[str, str]

    def come(self, door: str, token: str | None, certificate: Mapping[str, str]) -> tuple[int, str]:
        """Try a door: status and all that is said."""
        host, command = DOORS[door]
        # The head's own file of the token must not help.
        variables = {"RAY_AUTH_TOKEN_PATH": "/nowhere", "PYTHONWARNINGS": "ignore", "RAY_USAGE_STATS_ENABLED": "0"}
        variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
        parts = [part.replace("{head}", self.hosts.addresses["head"]) for part in command]
        done = self.hosts.run(host, "timeout", str(WAIT_S), *parts, variables=variables | dict(certificate))
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module", params=["plain", "TLS"])
def cluster(request: pytest.FixtureRequest, token: str, namespaces: None) -> Iterator[Cluster]:
    with Hosts("laptop", "head", "stranger") as hosts:
        home = hosts.home("head")
        (home / ".ray").mkdir()
        (home / ".ray" / "auth_token").write_text(token)
        (home / ".ray" / "auth_token").chmod(0o600)
        node, certificate = (ROOT / "cluster" / "node.env").read_text(), {}
        if request.param == "TLS":
            certificate = make_certificate(hosts)
            assert node.count("# export RAY_USE_TLS") == node.count("# export RAY_TLS") == 1
            node = node.replace("# export RAY_USE_TLS", "export RAY_USE_TLS").replace(
                "# export RAY_TLS", "export RAY_TLS"
            )
        (home / "node.env").write_text(node)
        hosts.do("head", "bash", "-c", f". ./node.env; {START}")
        yield Cluster(hosts, certificate)


def make_certificate(hosts: Hosts) -> dict[str, str]:
    """As the page says; the stranger has a copy, and may use it or not."""
    script = (ROOT / "cluster" / "make-certificate.sh").read_text()
    hosts.do("head", "bash", "-c", script, "make-certificate.sh", *hosts.addresses.values())
    made = hosts.home("head") / "dcgan-tls"
    assert {file.name: file.stat().st_mode & 0o77 for file in made.iterdir()} == {
        "ca.crt": 0,
        "host.crt": 0,
        "host.key": 0,
    }
    shutil.copytree(made, hosts.home("stranger") / "dcgan-tls")
    parts = {"CA_CERT": "ca.crt", "SERVER_CERT": "host.crt", "SERVER_KEY": "host.key"}
    return {"RAY_USE_TLS": "1"} | {f"RAY_TLS_{name}": f"/root/dcgan-tls/{file}" for name, file in parts.items()}


JOB = ("ray", "job", "submit", "--address", "http://127.0.0.1:8265", "--", "echo", "came", "in")
DOORS = {
    "job": ("head", JOB),
    "dashboard": ("head", ("python", "-c", REQUEST, "/api/jobs/")),
    "version": ("head", ("python", "-c", REQUEST, "/api/version")),
    "GCS": ("stranger", ("python", "-c", GCS)),
    "client": ("stranger", ("python", "-c", CLIENT)),
    "node": ("stranger", ("ray", "start", "--address", "{head}:6379")),
}


ENCRYPTED = ("GCS", "client", "node")
Knocked = Mapping[tuple[str, str], tuple[int, str]]


@pytest.fixture(scope="module")
def knocked(cluster: Cluster, token: str) -> Knocked:
    """What came of knocking: by door, and by what was lacking. Several knock at a time: some are kept waiting."""
    knocks = {(door, "token"): (None, cluster.certificate) for door in DOORS}
    knocks |= {(door, "right token"): (secrets.token_hex(32), cluster.certificate) for door in DOORS}
    if cluster.certificate:
        knocks |= {(door, "certificate"): (token, {}) for door in ENCRYPTED}
    with ThreadPoolExecutor(8) as pool:
        coming = {knock: pool.submit(cluster.come, knock[0], *given) for knock, given in knocks.items()}
    return {knock: done.result() for knock, done in coming.items()}


@pytest.mark.parametrize("lacking", ["token", "right token"])
@pytest.mark.parametrize("door", DOORS)
def test_without_the_token_nobody_comes_in(knocked: Knocked, door: str, lacking: str) -> None:
    status, told = knocked[door, lacking]
    assert status not in (0, GAVE_UP), told
    assert "came in" not in told.replace("echo came in", "")


@pytest.mark.parametrize("door", ENCRYPTED)
@pytest.mark.parametrize("cluster", ["TLS"], indirect=True)
def test_with_tls_nobody_comes_in_without_the_certificate(knocked: Knocked, door: str) -> None:
    status, told = knocked[door, "certificate"]
    assert status != 0, told  # or nothing is answered until who knocks gives up
    assert "came in" not in told


@pytest.mark.parametrize("door", DOORS)
def test_with_what_it_takes_one_does(cluster: Cluster, door: str, token: str) -> None:
    status, told = cluster.come(door, token, cluster.certificate)
    if door == "node":
        cluster.hosts.do("stranger", "ray", "stop", "--force")
    if door == "client" and status:
        told += cluster.hosts.run("head", "sh", "-c", "tail -n 30 /tmp/ray/session_latest/logs/ray_client_*").stdout
    assert status == 0, told


def test_the_dashboard_is_not_reached_from_elsewhere(cluster: Cluster) -> None:
    address = cluster.hosts.addresses["head"]
    assert cluster.hosts.run("stranger", "bash", "-c", f"</dev/tcp/{address}/8265").returncode != 0


def test_no_process_and_no_log_shows_the_token(cluster: Cluster, token: str) -> None:
    assert token not in cluster.hosts.do("head", "ps", "axwwe")
    assert cluster.hosts.run("head", "grep", "-rl", token, "/tmp/ray").stdout == ""


def test_what_the_page_says_can_be_read_by_all_can(cluster: Cluster) -> None:
    hosts = cluster.hosts
    empty = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "", "RAY_AUTH_TOKEN_PATH": "/nowhere"}
    assert hosts.do("head", "python", "-c", REQUEST, "/", variables=empty).strip() == "200"
    found = json.loads(hosts.do("head", "cat", "/tmp/ray/prom_metrics_service_discovery.json"))[0]["targets"]
    # The stranger's may still be among them, who has come in and gone.
    metrics = [target for target in found if target.startswith(hosts.addresses["head"])]
    assert metrics
    for target in metrics:
        read = f"import urllib.request; print(urllib.request.urlopen('http://{target}/metrics').status)"
        assert hosts.do("stranger", "python", "-c", read).strip() == "200"

"""The watch for notices, against servers that answer as those of the clouds do."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

from cluster import preemption_watch
from cluster.preemption_watch import CLOUDS, LEFT_S, PreemptionWatch

AWS = "/latest/meta-data/spot/instance-action"
GCP = "/computeMetadata/v1/instance/preempted"
AZURE = "/metadata/scheduledevents?api-version=2020-07-01"
NAME = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"


@dataclass
class Service:
    """What a cloud's machines can ask.

    Attributes:
        answers: by path; others are not there.
        needed: a header without which nothing is answered.
        tokens: that were given; where there are some, only the last one is taken.
        asked: how often.
    """

    answers: dict[str, str]
    needed: tuple[str, str] | None = None
    tokens: list[str] = field(default_factory=list)
    asked: int = 0
    broken: bool = False
    address: str = ""


@contextmanager
def serving(service: Service) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked += 1
            token = self.headers.get("X-aws-ec2-metadata-token")
            if service.broken:
                self._answer(500, "")
            elif service.needed and self.headers.get(service.needed[0]) != service.needed[1]:
                self._answer(403, "")
            elif service.tokens and token != service.tokens[-1]:
                self._answer(401, "")
            elif self.path in service.answers:
                self._answer(200, service.answers[self.path])
            else:
                self._answer(404, "not found")

        def do_PUT(self) -> None:
            assert self.path == "/latest/api/token"
            assert int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21_600
            service.tokens.append(f"token-{len(service.tokens)}")
            self._answer(200, service.tokens[-1])

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_aws_says_when_and_wants_a_token() -> None:
    service = Service({}, tokens=["of somebody else"])
    with serving(service) as address:
        watch = PreemptionWatch(CLOUDS["aws"], address)
        assert watch.look() is None
        assert watch.look() is None
        assert len(service.tokens) == 2, "one token is enough for many questions"
        service.tokens.append("new")  # the one that it has is not taken any more
        with pytest.raises(OSError, match="401"):
            watch.look()
        service.answers[AWS] = json.dumps({"action": "terminate", "time": f"{later(120):%Y-%m-%dT%H:%M:%SZ}"})
        found = watch.look()
    assert found is not None
    assert 115 < found - time.time() < 121


def test_gcp_gives_half_a_minute() -> None:
    service = Service({GCP: "FALSE"}, needed=("Metadata-Flavor", "Google"))
    with serving(service) as address:
        watch = PreemptionWatch(CLOUDS["gcp"], address)
        assert watch.look() is None
        service.answers[GCP] = "TRUE"
        found = watch.look()
    assert found is not None
    assert 29 < found - time.time() < 31


def test_azure_names_the_machines_that_go() -> None:
    def events(*machines: str, kind: str = "Preempt", before: str | None = None) -> str:
        when = format_datetime(later(30), usegmt=True) if before is None else before
        return json.dumps({"Events": [{"EventType": kind, "Resources": list(machines), "NotBefore": when}]})

    service = Service({AZURE: json.dumps({"Events": []}), NAME: "node_3"}, needed=("Metadata", "true"))
    with serving(service) as address:
        watch = PreemptionWatch(CLOUDS["azure"], address)
        assert watch.look() is None
        for other in (events("node_1"), events("node_3", kind="Reboot")):
            service.answers[AZURE] = other
            assert watch.look() is None
        service.answers[AZURE] = events("node_1", "node_3")
        found = watch.look()
        service.answers[AZURE] = events("node_3", before="")
        begun = watch.look()
    assert found is not None
    assert 28 < found - time.time() < 31
    assert begun is not None
    assert abs(begun - time.time()) < 1


def test_it_waits_through_silence_and_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    service = Service({GCP: "FALSE"}, broken=True)
    found: list[float] = []
    with serving(service) as address:
        watch = PreemptionWatch(CLOUDS["gcp"], address)
        thread = threading.Thread(target=lambda: found.append(watch.wait(0.01)))
        thread.start()
        for broken, answer in ((True, "FALSE"), (False, "FALSE"), (False, "TRUE")):
            service.broken, service.answers[GCP] = broken, answer
            reached = service.asked + 3
            deadline = time.monotonic() + 10
            while service.asked < reached and thread.is_alive():
                assert time.monotonic() < deadline
                time.sleep(0.01)
        thread.join(10)
    assert 29 < found[0] < 31
    told = capsys.readouterr()
    assert told.err.count("notices cannot be read: HTTP Error 500") == 1
    assert told.out == "notices can be read again\n"


class FakeRay:
    """Is told that the node goes, but not before it runs: seconds, and why."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, starts_after: float = 0) -> None:
        self.asked = 0
        self.told: list[tuple[float, str]] = []
        self._starts_after = starts_after
        monkeypatch.setattr(preemption_watch, "drain", self._drain)
        monkeypatch.setattr(preemption_watch, "POLL_S", 0.1)

    def _drain(self, seconds: float, message: str) -> None:
        self.asked += 1
        if self.asked <= self._starts_after:
            raise ConnectionError("no Ray runs here")
        self.told.append((seconds, message))


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["preemption_watch.py", *arguments])
    return preemption_watch.main()


def test_who_knows_already_tells_ray_and_waits_until_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(monkeypatch)
    began = time.monotonic()
    assert command(monkeypatch, "--now", "0.3") == 0
    assert 0.3 <= time.monotonic() - began < 2
    assert ray.told == [(0.3, "the node is shut down")]
    assert command(monkeypatch, "--now", "-1") == 0, "it is over, and Ray is told all the same"
    assert ray.told[1:] == [(-1, "the node is shut down")]


def test_a_notice_is_told_to_ray_as_soon_as_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = FakeRay(monkeypatch, starts_after=2)
    service = Service({GCP: "TRUE"}, needed=("Metadata-Flavor", "Google"))
    with serving(service) as address:
        assert command(monkeypatch, "--cloud", "gcp", "--metadata", address) == 0
    assert ray.asked == 3
    ((seconds, message),) = ray.told
    assert 28 - LEFT_S < seconds <= 30 - LEFT_S - 2 * 0.1
    assert message == "gcp takes the machine away"
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith(" notice: this machine is taken away in 30 s")
    assert last == "Ray drains the node"


def test_a_machine_on_which_no_ray_starts_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(monkeypatch, starts_after=1_000)
    service = Service({AZURE: "", NAME: "node_3"}, needed=("Metadata", "true"))
    event = {"EventType": "Preempt", "Resources": ["node_3"], "NotBefore": ""}
    service.answers[AZURE] = json.dumps({"Events": [event]})
    began = time.monotonic()
    with serving(service) as address, pytest.raises(ConnectionError, match="no Ray runs here"):
        command(monkeypatch, "--cloud", "azure", "--metadata", address)
    # It has begun already: Ray gets a second.
    assert 0.8 < time.monotonic() - began < 3
    assert 5 <= ray.asked <= 11


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "one of the arguments --cloud --now is required"),
        (["--cloud", "gcp", "--now", "3"], "argument --now: not allowed with argument --cloud"),
        (["--cloud", "other"], "argument --cloud: invalid choice: 'other'"),
        (["--now", "soon"], "argument --now: invalid float value: 'soon'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = FakeRay(monkeypatch)
    with pytest.raises(SystemExit):
        command(monkeypatch, *arguments)
    assert told in capsys.readouterr().err
    assert ray.asked == 0


@pytest.mark.parametrize(("accepted", "why"), [(True, ""), (False, "it is the head")])
def test_ray_is_asked_to_drain_this_node_by_the_deadline(
    accepted: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def client(address: str) -> SimpleNamespace:
        def drain_node(*arguments: Any) -> tuple[bool, str]:
            asked.append((address, *arguments))
            return accepted, why

        return SimpleNamespace(drain_node=drain_node)

    context = SimpleNamespace(gcs_address="10.0.0.1:6379", get_node_id=lambda: "a1b2")
    ray = SimpleNamespace(
        init=lambda **options: asked.append(options),
        get_runtime_context=lambda: context,
        _raylet=SimpleNamespace(GcsClient=client),
        shutdown=lambda: asked.append("shutdown"),
    )
    monkeypatch.setattr(preemption_watch, "ray", ray)
    with nullcontext() if accepted else pytest.raises(RuntimeError, match="refuses to drain the node: it is the head"):
        preemption_watch.drain(90, "gcp takes the machine away")
    joined, (*drained, deadline_ms), ended = asked
    assert joined == {"address": "auto", "log_to_driver": False, "configure_logging": False}
    assert drained == [
        "10.0.0.1:6379",
        "a1b2",
        DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"),
        "gcp takes the machine away",
    ]
    assert 85_000 < deadline_ms - 1000 * time.time() <= 90_000
    assert ended == "shutdown"

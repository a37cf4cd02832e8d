"""The watch for notices, against servers that answer as those of the clouds do."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cluster.preemption_watch import CLOUDS, PreemptionWatch

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
    assert told.err.count("no notices can be read: HTTP Error 500") == 1
    assert told.out == "notices can be read again\n"

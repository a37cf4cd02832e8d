"""Tell Ray when the cloud is about to take this machine away, so that runs write a checkpoint first:

python cluster/preemption_watch.py --cloud aws|gcp|azure
python cluster/preemption_watch.py --now SECONDS

It runs on each spot machine beside Ray, and ends once Ray knows. Ray then gives the node's work a time to leave, which
training uses for a checkpoint of its last step, and places nothing new there. `--now` is for who knows already, as
Kubernetes does when it ends a pod; it returns when the time is up.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import ray

POLL_S = 2.0
"""Between two questions; clouds ask for 5 s or less."""
ANSWER_S = 2.0
"""How long an answer may take: it comes from the machine's own host."""
LEFT_S = 5.0
"""Kept back of the time that the cloud gives, for Ray's own leaving."""
REASON = 2
"""Ray's `DRAIN_NODE_REASON_PREEMPTION`."""

Read = Callable[[str, str, float], float | None]
"""From an answer, this machine's name and the time of now: when the machine goes; none: it may stay."""


@dataclass(frozen=True)
class Cloud:
    """How a cloud tells.

    Attributes:
        address: of the service that each machine can ask.
        notice: path of the notice.
        headers: without which nothing is answered.
        read: finds the notice in an answer.
        name: path of the machine's name, where notices name machines.
        token: path that gives a token to be sent along, where one is needed.
    """

    address: str
    notice: str
    headers: Mapping[str, str]
    read: Read
    name: str = ""
    token: str = ""


def read_aws(answer: str, name: str, now: float) -> float | None:
    """`{"action": "terminate", "time": "2026-11-24T08:22:00Z"}`; without a notice there is no answer."""
    return datetime.fromisoformat(json.loads(answer)["time"]).timestamp() if answer else None


def read_gcp(answer: str, name: str, now: float) -> float | None:
    """`TRUE` 30 seconds before."""
    return now + 30 if answer.strip() == "TRUE" else None


def read_azure(answer: str, name: str, now: float) -> float | None:
    """A list of events, each for some machines; at least 30 seconds before. One without a time has begun."""
    for event in json.loads(answer or '{"Events": []}')["Events"]:
        if event["EventType"] == "Preempt" and name in event["Resources"]:
            return parsedate_to_datetime(event["NotBefore"]).timestamp() if event["NotBefore"] else now
    return None


CLOUDS: Mapping[str, Cloud] = {
    # docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html; IMDSv2
    "aws": Cloud(
        "http://169.254.169.254", "/latest/meta-data/spot/instance-action", {}, read_aws, token="/latest/api/token"
    ),
    # cloud.google.com/compute/docs/instances/create-use-preemptible#detecting_if_an_instance_was_preempted
    "gcp": Cloud(
        "http://metadata.google.internal",
        "/computeMetadata/v1/instance/preempted",
        {"Metadata-Flavor": "Google"},
        read_gcp,
    ),
    # learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
    "azure": Cloud(
        "http://169.254.169.254",
        "/metadata/scheduledevents?api-version=2020-07-01",
        {"Metadata": "true"},
        read_azure,
        name="/metadata/instance/compute/name?api-version=2021-02-01&format=text",
    ),
}


class PreemptionWatch:
    """Asks until there is a notice."""

    def __init__(self, cloud: Cloud, address: str = "") -> None:
        """`address`: of the service, where it is not the cloud's own."""
        self._cloud, self._address = cloud, address or cloud.address
        self._token, self._token_ends = "", 0.0
        self._name = ""
        self._silent = False

    def wait(self, poll_s: float = POLL_S) -> float:
        """Seconds until the machine goes, as soon as that is known."""
        while True:
            try:
                found = self.look()
            except (OSError, ValueError, KeyError) as error:
                self._tell(f"no notices can be read: {error}; asking on")
                found = None
            else:
                if self._silent:
                    self._silent = False
                    print("notices can be read again", flush=True)
            if found is not None:
                return max(0.0, found - time.time())
            time.sleep(poll_s)

    def look(self) -> float | None:
        """When the machine goes, seconds since 1970; none: it may stay.

        Raises:
            OSError: nobody answers, or with an error.
            ValueError, KeyError: what is answered is no notice.
        """
        cloud = self._cloud
        if cloud.name and not self._name:
            self._name = self._ask(cloud.name).strip()
        return cloud.read(self._ask(cloud.notice), self._name, time.time())

    def _tell(self, text: str) -> None:
        if not self._silent:
            self._silent = True
            print(text, file=sys.stderr, flush=True)

    def _ask(self, path: str) -> str:
        """An answer; "" where there is none of that name."""
        request = urllib.request.Request(self._address + path, headers={**self._cloud.headers, **self._credentials()})
        try:
            with _open(request) as answer:
                text: str = answer.read(1 << 20).decode()
                return text
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return ""
            if error.code == 401:
                self._token_ends = 0.0  # the next question asks for another one
            raise

    def _credentials(self) -> dict[str, str]:
        if not self._cloud.token:
            return {}
        if time.monotonic() > self._token_ends:
            lifetime_s = 21_600
            asked = {"X-aws-ec2-metadata-token-ttl-seconds": str(lifetime_s)}
            request = urllib.request.Request(self._address + self._cloud.token, method="PUT", headers=asked)
            with _open(request) as answer:
                self._token = answer.read(1 << 12).decode()
            self._token_ends = time.monotonic() + lifetime_s / 2
        return {"X-aws-ec2-metadata-token": self._token}


# No proxy stands between a machine and its host.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _open(request: urllib.request.Request) -> "urllib.response.addinfourl":
    return _opener.open(request, timeout=ANSWER_S)  # type: ignore[no-any-return]


def drain(seconds: float, message: str) -> None:
    """Tell Ray that this node goes.

    Raises:
        ConnectionError: no Ray runs here.
        RuntimeError: it refuses.
    """
    deadline_ms = int(1000 * (time.time() + seconds))
    ray.init(address="auto", log_to_driver=False, configure_logging=False)
    context = ray.get_runtime_context()
    client = ray._raylet.GcsClient(address=context.gcs_address)
    accepted, why = client.drain_node(context.get_node_id(), REASON, message, deadline_ms)
    ray.shutdown()
    if not accepted:
        raise RuntimeError(f"Ray does not let the node go: {why}")


def main() -> int:
    """The command. Returns 0 once Ray knows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--cloud", choices=CLOUDS)
    asked.add_argument("--now", type=float, metavar="SECONDS", help="this machine goes in so many seconds")
    parser.add_argument("--metadata", default="", metavar="URL", help="ask there, and not the cloud's own service")
    given = parser.parse_args()
    if given.now is not None:
        deadline = time.time() + given.now
        drain(given.now, "it is ended")
        time.sleep(max(0.0, deadline - time.time()))
        return 0
    seconds = PreemptionWatch(CLOUDS[given.cloud], given.metadata).wait()
    print(f"{datetime.now(UTC):%H:%M:%S} notice: this machine goes in {seconds:.0f} s", flush=True)
    deadline = time.time() + max(1.0, seconds - LEFT_S)
    while True:
        try:
            drain(deadline - time.time(), f"{given.cloud} takes it away")
            break
        except ConnectionError:  # Ray is about to start, or to start again
            if time.time() + POLL_S > deadline:
                raise
            time.sleep(POLL_S)
    print("Ray knows", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

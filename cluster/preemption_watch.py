"""Tell Ray when the cloud is about to take this machine away, so that runs write a checkpoint first:

python cluster/preemption_watch.py --cloud aws|gcp|azure
python cluster/preemption_watch.py --now SECONDS

It runs on each spot machine beside Ray, and exits once Ray has been told. Ray then drains the node: it places nothing
new there, and gives what runs there until the deadline, which training uses to write a checkpoint of its last step.
`--now` is for callers that know the deadline, such as Kubernetes when it terminates a pod; it returns at the deadline.
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
"""Seconds between two requests; clouds recommend 5 s or less."""
ANSWER_S = 2.0
"""Seconds that an answer may take: it comes from the machine's own host."""
LEFT_S = 5.0
"""Seconds of the cloud's notice that are left for Ray itself to shut down."""
REASON = 2
"""Ray's `DRAIN_NODE_REASON_PREEMPTION`."""

Read = Callable[[str, str, float], float | None]
"""From an answer, this machine's name and the current time: when the machine is taken away, in seconds since 1970, or
None if there is no notice."""


@dataclass(frozen=True)
class Cloud:
    """How a cloud gives notice of preemption.

    Attributes:
        address: address of the metadata service that each machine can ask.
        notice: path of the notice.
        headers: headers that the service requires.
        read: reads the notice from an answer.
        name: path of the machine's name, if notices name machines; else "".
        token: path for a token that requests have to carry, if the service requires one; else "".
    """

    address: str
    notice: str
    headers: Mapping[str, str]
    read: Read
    name: str = ""
    token: str = ""


def read_aws(answer: str, name: str, now: float) -> float | None:
    """`{"action": "terminate", "time": "2026-11-24T08:22:00Z"}`; without a notice there is no such path."""
    return datetime.fromisoformat(json.loads(answer)["time"]).timestamp() if answer else None


def read_gcp(answer: str, name: str, now: float) -> float | None:
    """`TRUE` from 30 seconds before the machine is taken away."""
    return now + 30 if answer.strip() == "TRUE" else None


def read_azure(answer: str, name: str, now: float) -> float | None:
    """A list of events, each for some machines, at least 30 seconds before; an event without a time has begun."""
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
    """Polls a cloud until there is a notice."""

    def __init__(self, cloud: Cloud, address: str = "") -> None:
        """`address`: address of another metadata service than the cloud's own; "": the cloud's."""
        self._cloud, self._address = cloud, address or cloud.address
        self._token, self._token_ends = "", 0.0
        self._name = ""
        self._silent = False

    def wait(self, poll_s: float = POLL_S) -> float:
        """Wait for a notice; return the seconds until the machine is taken away."""
        while True:
            try:
                deadline = self.look()
            except (OSError, ValueError, KeyError) as error:
                self._warn(f"notices cannot be read: {error}; trying again")
                deadline = None
            else:
                if self._silent:
                    self._silent = False
                    print("notices can be read again", flush=True)
            if deadline is not None:
                return max(0.0, deadline - time.time())
            time.sleep(poll_s)

    def look(self) -> float | None:
        """Ask once: when the machine is taken away, in seconds since 1970; None: there is no notice.

        Raises:
            OSError: the service does not answer, or answers with an error.
            ValueError, KeyError: the answer is not a notice.
        """
        cloud = self._cloud
        if cloud.name and not self._name:
            self._name = self._ask(cloud.name).strip()
        return cloud.read(self._ask(cloud.notice), self._name, time.time())

    def _warn(self, text: str) -> None:
        if not self._silent:
            self._silent = True
            print(text, file=sys.stderr, flush=True)

    def _ask(self, path: str) -> str:
        """The answer for a path; "" if there is no such path."""
        request = urllib.request.Request(self._address + path, headers={**self._cloud.headers, **self._credentials()})
        try:
            with _open(request) as answer:
                text: str = answer.read(1 << 20).decode()
                return text
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return ""
            if error.code == 401:
                self._token_ends = 0.0  # the next request gets a new one
            raise

    def _credentials(self) -> dict[str, str]:
        if not self._cloud.token:
            return {}
        if time.monotonic() > self._token_ends:
            lifetime_s = 21_600
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(lifetime_s)}
            request = urllib.request.Request(self._address + self._cloud.token, method="PUT", headers=headers)
            with _open(request) as answer:
                self._token = answer.read(1 << 12).decode()
            self._token_ends = time.monotonic() + lifetime_s / 2
        return {"X-aws-ec2-metadata-token": self._token}


# The metadata service is never behind a proxy.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _open(request: urllib.request.Request) -> "urllib.response.addinfourl":
    return _opener.open(request, timeout=ANSWER_S)  # type: ignore[no-any-return]


def drain(seconds: float, message: str) -> None:
    """Let Ray drain this node.

    Args:
        seconds: until the machine is taken away.
        message: reason, for Ray's logs.

    Raises:
        ConnectionError: Ray does not run here.
        RuntimeError: Ray refuses.
    """
    deadline_ms = int(1000 * (time.time() + seconds))
    ray.init(address="auto", log_to_driver=False, configure_logging=False)
    context = ray.get_runtime_context()
    client = ray._raylet.GcsClient(address=context.gcs_address)
    accepted, why = client.drain_node(context.get_node_id(), REASON, message, deadline_ms)
    ray.shutdown()
    if not accepted:
        raise RuntimeError(f"Ray refuses to drain the node: {why}")


def main() -> int:
    """The command; returns 0 once Ray drains the node."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cloud", choices=CLOUDS, help="ask this cloud's metadata service until there is a notice")
    source.add_argument("--now", type=float, metavar="SECONDS", help="give notice: the machine has this long")
    parser.add_argument(
        "--metadata", default="", metavar="URL", help="address of another metadata service than the cloud's"
    )
    options = parser.parse_args()
    if options.now is not None:
        deadline = time.time() + options.now
        drain(options.now, "the node is shut down")
        time.sleep(max(0.0, deadline - time.time()))
        return 0
    seconds = PreemptionWatch(CLOUDS[options.cloud], options.metadata).wait()
    print(f"{datetime.now(UTC):%H:%M:%S} notice: this machine is taken away in {seconds:.0f} s", flush=True)
    deadline = time.time() + max(1.0, seconds - LEFT_S)
    while True:
        try:
            drain(deadline - time.time(), f"{options.cloud} takes the machine away")
            break
        except ConnectionError:  # Ray is about to start, or to start again
            if time.time() + POLL_S > deadline:
                raise
            time.sleep(POLL_S)
    print("Ray drains the node", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

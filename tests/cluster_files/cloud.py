"""A host that answers as AWS does: moto's server of EC2, IAM and S3, which other hosts find by their variables."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.hosts import Hosts

CLOUD, PORT = "cloud", 5000
REGION = "us-west-2"
BOOT_S = 60.0


def lead_to(hosts: Hosts) -> None:
    """Let programs on hosts that are still to boot find it."""
    hosts.variables |= {
        "AWS_ENDPOINT_URL": f"http://{hosts.addresses[CLOUD]}:{PORT}",
        "AWS_ENDPOINT_URL_S3": f"http://{hosts.addresses[CLOUD]}:{PORT}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def answering(hosts: Hosts, output: Path) -> Iterator[None]:
    """Answer within the block; `output`: where what the server says is written."""
    command = ["python", "-m", "moto.server", "-H", hosts.addresses[CLOUD], "-p", str(PORT)]
    process = hosts.start(CLOUD, *command, variables={"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}, output=output)
    try:
        there = f"ss -Hltn 'sport = {PORT}' | grep -q ."
        hosts.wait(lambda: hosts.run(CLOUD, "sh", "-c", there).returncode == 0, "the cloud", BOOT_S, 0.5)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(hosts: Hosts, script: str) -> str:
    """What a Python script says that has `client(NAME)` and `json`."""
    return hosts.do(CLOUD, "python", "-c", f"import json\nfrom boto3 import client\n{script}")


def make_bucket(hosts: Hosts, name: str) -> None:
    """Make one in the object store."""
    where = {"LocationConstraint": REGION}
    ask(hosts, f"client('s3').create_bucket(Bucket={name!r}, CreateBucketConfiguration={where})")


def read(hosts: Hosts, bucket: str, key: str) -> str:
    """Text of an object."""
    return ask(hosts, f"print(client('s3').get_object(Bucket={bucket!r}, Key={key!r})['Body'].read().decode())")


def keys(hosts: Hosts, bucket: str, prefix: str) -> list[str]:
    """Of the first thousand objects."""
    asked = f"client('s3').list_objects_v2(Bucket={bucket!r}, Prefix={prefix!r})['Contents']"
    return ask(hosts, f"print(*[one['Key'] for one in {asked}], sep='\\n')").splitlines()

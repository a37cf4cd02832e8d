"""`ray up cluster.yaml` with a server that answers as EC2 does, and hosts in place of its machines.

What is not EC2's: each kind of machine has one host, whose address it is given, and whose user is root.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster_files.cloud import CLOUD, answering, ask, lead_to, make_bucket
from tests.harness.onprem import HEAD, Onprem

GPU, SPOT = "w1", "w2"
"""The one that `cluster.yaml` has there from the beginning, and one that comes when it is asked for."""
SEED = """
ec2, iam = client("ec2"), client("iam")
for subnet in ec2.describe_subnets()["Subnets"]:
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/24", AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]
ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
ec2.import_key_pair(KeyName="lab", PublicKeyMaterial=KEY)
for name in ("dcgan-head", "dcgan-worker"):
    iam.create_instance_profile(InstanceProfileName=name)
"""
MACHINES = """
print(json.dumps([
    [one["PrivateIpAddress"], one["State"]["Name"], one["InstanceType"],
     one.get("IamInstanceProfile", {}).get("Arn", ""), one.get("InstanceLifecycle", "")]
    for reservation in client("ec2").describe_instances()["Reservations"] for one in reservation["Instances"]
]))
"""


def changes(addresses: dict[str, str]) -> dict[str, Mapping[str, str]]:
    """Of cluster.yaml, so that it makes a cluster of these hosts."""

    def at(line: str, name: str) -> dict[str, str]:
        return {line: f"{line}\n      PrivateIpAddress: {addresses[name]}"}

    return {
        "cluster.yaml": {
            "  cache_stopped_nodes: false": "  cache_stopped_nodes: false\n  use_internal_ips: true",
            "  ssh_user: ubuntu": "  ssh_user: root\n  ssh_private_key: ~/.ssh/id_ed25519",
            "    node_config: &node": "    node_config: &node\n      KeyName: lab",
            **at("      InstanceType: m6i.xlarge", HEAD),
            **at("      <<: *node\n      InstanceType: g5.2xlarge", GPU),
            **at("      <<: *worker\n      InstanceMarketOptions: { MarketType: spot }", SPOT),
            "    max_workers: 7\n": "    max_workers: 1\n",
            "    max_workers: 4\n": "    max_workers: 0\n",
        }
    }


def machines(lab: Onprem) -> dict[str, tuple[str, str, str, str]]:
    """Of EC2: by address the state, the type, the role and what it is besides."""
    return {address: tuple(told) for address, *told in json.loads(ask(lab.hosts, MACHINES))}


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("namespaces")
def test_machines_come_from_ec2_when_they_are_asked_for_and_go(tmp_path: Path) -> None:
    lab = Onprem(GPU, SPOT, beside=[CLOUD])
    lead_to(lab.hosts)
    lab.changes |= changes(lab.hosts.addresses)
    addresses = lab.hosts.addresses
    with lab, answering(lab.hosts, tmp_path / "cloud.txt"):
        ask(lab.hosts, f"KEY = {lab.hosts.key.with_suffix('.pub').read_text()!r}\n{SEED}")
        make_bucket(lab.hosts, "runs")
        lab.up(tmp_path / "tunnel.txt", "cluster.yaml", nodes=2)
        found = machines(lab)
        assert set(found) == {addresses[HEAD], addresses[GPU]}
        assert [found[addresses[name]][1] for name in (HEAD, GPU)] == ["m6i.xlarge", "g5.2xlarge"]
        assert [found[addresses[name]][2].rpartition("/")[2] for name in (HEAD, GPU)] == ["dcgan-head", "dcgan-worker"]

        # More than the 8 CPUs that the machine there has, as EC2 says of its type.
        options = "--workers 2 --workers.cpus 7 --workers.gpu off --workers.threads 1 --workers.wait-s 20 --images 4000"
        job = f"ray job submit --working-dir . -- python -m dcgan_dist.train {options} --storage s3://runs --name first"
        status, output = lab.run(job, 400)
        assert status == 0, output
        assert "waiting" in output, output
        assert re.search(rf"ranks? .+ on {SPOT} ", output), output
        state, kind, role, besides = machines(lab)[addresses[SPOT]]
        assert (state, kind, role.rpartition("/")[2], besides) == ("running", "g5.2xlarge", "dcgan-worker", "spot")
        assert machines(lab)[addresses[GPU]][3] == ""

        status, output = lab.run("ray down -y cluster.yaml", 240)
        assert status == 0, output
        assert {state for state, *_ in machines(lab).values()} == {"terminated"}

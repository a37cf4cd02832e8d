"""The cluster files are right, and what is wrong in one is found."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import cluster.check
from cluster.check import ROOT, files, problems_of

NOT_CHECKED = (
    "not checked against KubeRay's definitions: 1 file of cluster/kuberay, since there is no $DCGAN_DIST_DATA/kuberay "
    "(docs/cluster.md says where they come from)"
)


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_is_right(file: Path, shared_data: Callable[[str], Path]) -> None:
    assert problems_of(file, shared_data("kuberay")) == []


def changed(name: str, before: str, after: str, folder: Path) -> Path:
    text = (ROOT / name).read_text()
    assert before in text
    copy = folder / Path(name).name
    copy.write_text(text.replace(before, after, 1))
    return copy


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("cluster.yaml", "max_workers: 14", "max_worker: 14", "max_worker"),
        ("cluster.yaml", "head_node_type: head", "head_node_type: heads", "head_node_type"),
        ("cluster.yaml", "region: us-west-2", "regoin: us-west-2", "provider.region is missing"),
        ("cluster.yaml", "region: us-west-2", "regoin: us-west-2", "provider.regoin is not known for aws"),
        (
            "cluster.yaml",
            "MarketType: spot",
            "MarketTyp: spot",
            'Unknown parameter in InstanceMarketOptions: "MarketTyp"',
        ),
        ("cluster.yaml", "VolumeSize: 200", "VolumeSize: large", "Invalid type for parameter BlockDeviceMappings"),
        ("cluster.yaml", "ImageId:", "Imageid:", "ImageId is missing"),
        ("cluster.yaml", "cluster: cluster", "cluster: clusters", "there is no clusters"),
        ("cluster.yaml", ". ~/dcgan-dist/cluster/node.env;", "", "head_start_ray_commands starts Ray without"),
        ("cluster.yaml", "127.0.0.1", "0.0.0.0", "opens the dashboard to the network"),
        ("cluster/onprem.yaml", "head_ip: HEAD", "head: HEAD", "provider.head_ip is missing"),
        ("cluster/onprem.yaml", "  ~/.ray/auth_token: ~/.ray/auth_token\n", "", "has no ~/.ray/auth_token"),
        ("cluster/gcp.yaml", "machineType: n2-standard-4", "machinetype: n2-standard-4", "machinetype is not known"),
        ("cluster/gcp.yaml", "provisioningModel", "provisioning", "scheduling.provisioning is not known"),
        ("cluster/azure.yaml", "priority: Spot", "prioritY: Spot", "prioritY is not a parameter of Ray's template"),
        (
            "cluster/azure.yaml",
            "osDiskSize: 200",
            "osDiskSize: large",
            "osDiskSize is 'large' but needs to be of type int",
        ),
        ("cluster/kuberay/raycluster.yaml", "secretName:", "secret:", "'secret' was unexpected"),
        (
            "cluster/kuberay/raycluster.yaml",
            "medium: Memory, sizeLimit: 4Gi",
            "sizeLimit: 4Gi",
            "has no /dev/shm in memory",
        ),
        ("cluster/kuberay/raycluster.yaml", "maxReplicas: 8", "maxReplicas: many", "'many' is not of type 'integer'"),
        ("cluster/kuberay/rayjob.yaml", "  backoffLimit: 0", "  backofflimit: 0", "'backofflimit' was unexpected"),
        ("cluster/Dockerfile", "USER ray", "USER root", "it runs as root"),
        ("cluster/slurm/train.sbatch", "\nfi\n", "\n", "unexpected end of file"),
        ("cluster/aws/head-role.json", '"ec2:RunInstances"', '"ec2:*"', "ec2:* grants more than is needed"),
    ],
)
def test_what_is_wrong_is_named(
    name: str, before: str, after: str, told: str, tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    found = problems_of(changed(name, before, after, tmp_path), shared_data("kuberay"))
    assert any(told in text for text in found), found


@pytest.mark.parametrize("secret", ["key: AKIAABCDEFGHIJKLMNOP", "password: 0123456789abcdef0123456789abcdef"])
def test_a_secret_in_a_file_is_found(secret: str, tmp_path: Path) -> None:
    for name in ("onprem.yaml", "node.env", "setup.sh"):
        copy = tmp_path / name
        copy.write_text((ROOT / "cluster" / name).read_text() + f"\n# {secret}\n")
        assert any("looks like a secret" in text for text in problems_of(copy, None))


@pytest.mark.parametrize("name", ["raycluster.yaml", "rayjob.yaml"])
def test_pods_are_started_with_what_other_machines_are(name: str) -> None:
    exports = re.findall(r"^export (.+)$", (ROOT / "cluster" / "node.env").read_text(), re.MULTILINE)
    wanted = dict(pair.split("=") for line in exports for pair in line.split())
    for variable in ("PATH", "RAY_AUTH_MODE", "RAY_raylet_start_wait_time_s"):
        del wanted[variable]  # of the image, of authOptions, of machines that boot
    content = yaml.safe_load((ROOT / "cluster" / "kuberay" / name).read_text())
    spec = content["spec"].get("rayClusterSpec", content["spec"])
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert {one["name"]: one["value"] for one in container["env"]} == wanted


@pytest.mark.parametrize(
    ("name", "line", "definitions", "options", "status", "told"),
    [
        ("onprem.yaml", "", True, ["--strict"], 0, "1 file, 0 problems\n"),
        ("onprem.yaml", "", False, ["--strict"], 0, "1 file, 0 problems\n"),
        ("kuberay/rayjob.yaml", "", False, [], 0, f"1 file, 0 problems\n{NOT_CHECKED}\n"),
        ("kuberay/rayjob.yaml", "", False, ["--strict"], 2, f"1 file, 0 problems\n{NOT_CHECKED}\n"),
        ("kuberay/rayjob.yaml", "", True, [], 1, "rayjobs.yaml, or the same gzipped\n1 file, 1 problem\n"),
        ("onprem.yaml", "max_worker: 3\n", True, [], 1, "1 file, 1 problem\n"),
    ],
)
def test_the_command_says_what_it_did_and_did_not(
    name: str,
    line: str,
    definitions: bool,
    options: list[str],
    status: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if definitions:
        (tmp_path / "kuberay").mkdir()
    copy = tmp_path / "cluster" / name
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / "cluster" / name).read_text() + line)
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["check.py", str(copy), *options])
    monkeypatch.chdir(ROOT)
    assert cluster.check.main() == status
    assert capsys.readouterr().out.endswith(told)


def test_definitions_may_be_plain_or_gzipped(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    for file in shared_data("kuberay").glob("*.yaml.gz"):
        (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    wrong = changed("cluster/kuberay/rayjob.yaml", "  backoffLimit: 0", "  backofflimit: 0", tmp_path)
    assert any("'backofflimit' was unexpected" in text for text in problems_of(wrong, tmp_path))


def group(medium: str = "Memory") -> dict[str, Any]:
    """Pods of Ray, with a volume in memory."""
    return {"template": {"spec": {"volumes": [{"name": "logs"}, {"emptyDir": {"medium": medium}}]}}}


def thing(**spec: Any) -> dict[str, Any]:
    """An object of a kind that the definition below knows."""
    metadata = {"name": "mine", "labels": {"any": "name"}}
    return {"apiVersion": "ray.io/v1", "kind": "Thing", "metadata": metadata, "spec": {"headGroupSpec": group()} | spec}


FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}}
DEFINITION = {
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "default": 3},
                "port": {"type": "integer", "x-kubernetes-int-or-string": True},
                "parts": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["weight"],
                        "properties": {"weight": {"type": "integer", "default": 1}},
                    },
                },
                "headGroupSpec": FREE,
                "workerGroupSpecs": {"type": "array", "items": FREE},
                "rayClusterSpec": FREE,
            },
        },
    },
}
IN_A_CLUSTER = {"rayClusterSpec": {"headGroupSpec": group(), "workerGroupSpecs": [group("Disk")]}}
NO_MEMORY = "a group has no /dev/shm in memory: Ray would keep images on disk"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (thing(), []),
        (thing(size=5, port="80%", parts=[{}, {"weight": 2}], workerGroupSpecs=[group()]), []),
        (thing(sise=5), ["spec: Additional properties are not allowed ('sise' was unexpected)"]),
        (thing(size="5"), ["spec.size: '5' is not of type 'integer'"]),
        (
            thing(parts=[{"weigth": 2}]),
            ["spec.parts.0: Additional properties are not allowed ('weigth' was unexpected)"],
        ),
        (thing(workerGroupSpecs=[group(), group("")]), [NO_MEMORY]),
        (thing(**IN_A_CLUSTER), [NO_MEMORY]),
        (thing(headGroupSpec={"template": {"spec": {}}}), [NO_MEMORY]),
        (thing() | {"apiVersion": "ray.io/v2"}, ["apiVersion is ray.io/v2, which Thing does not have"]),
    ],
)
def test_kubernetes_files_are_compared_with_a_definition(
    content: dict[str, Any], told: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "thing.yaml"
    file.write_text(yaml.safe_dump(content))
    definition = {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": DEFINITION}}]}}
    (tmp_path / "ray.io_things.yaml").write_text(yaml.safe_dump(definition))
    assert problems_of(file, tmp_path) == [f"{file}: {text}" for text in told]
    assert problems_of(file, None) == []


def test_an_error_is_told_by_its_first_line_or_its_kind() -> None:
    assert cluster.check._first_line(ValueError("\n no region\nat all")) == "no region"
    assert cluster.check._first_line(ValueError(" \n")) == "ValueError"


def test_all_files_that_make_clusters_are_checked() -> None:
    found = [str(file.relative_to(ROOT)) for file in files()]
    assert found[0] == "cluster.yaml"
    assert found[1:] == sorted(found[1:])
    kinds = {"cluster/Dockerfile", "cluster/aws/trust.json", "cluster/setup.sh", "cluster/node.env"}
    assert kinds | {"cluster/slurm/train.sbatch", "cluster/kuberay/rayjob.yaml", "cluster/onprem.yaml"} < set(found)
    assert not [name for name in found if "monitoring" in name or name.endswith((".py", ".crt"))]


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ("s3:GetObject", []),
        ("s3:*", ["s3:*"]),
        ("*", ["*"]),
        (["s3:GetObject", "ec2:*", "*"], ["ec2:*", "*"]),
    ],
)
def test_a_role_may_do_what_is_named_and_no_more(actions: str | list[str], told: list[str], tmp_path: Path) -> None:
    file = tmp_path / "role.json"
    file.write_text(json.dumps({"Statement": [{"Action": "ec2:RunInstances"}, {"Action": actions}]}))
    wanted = [f"{file}: {action} grants more than is needed: name the actions" for action in told]
    assert problems_of(file, None) == wanted
    file.write_text("{}")
    assert problems_of(file, None) == []


def test_a_file_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["check.py", str(tmp_path / "none.yaml")])
    assert cluster.check.main() == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/none.yaml is not a file")

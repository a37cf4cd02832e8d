"""Check the files in this folder, and cluster.yaml beside it, without access to any cloud:

python cluster/check.py [--strict] [FILE ...]

Reports what Ray's launcher would refuse, and what it does not notice: typos in what it passes to a cloud, a missing
region, a missing token. Kubernetes files are checked against KubeRay's custom resource definitions, if these are in
`$DCGAN_DIST_DATA/kuberay`: the files `ray.io_*.yaml` from the folder `helm-chart/kuberay-operator/crds` of its
repository, as they are or gzipped. Exits with status 1 if something is wrong; with --strict, as in CI, with 2 if a
check did not run.
"""

import argparse
import gzip
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from dcgan_dist.errors import complain
from dcgan_dist.numerals import count

ROOT = Path(__file__).parent.parent
KUBERAY = "kuberay"
"""Folder in `$DCGAN_DIST_DATA` that holds KubeRay's definitions."""

Problems = Iterator[str]
Fields = Mapping[str, Any]
"""Names that are allowed, each with those that are allowed below it; None: what is below is not checked."""

PROVIDERS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "local": (("head_ip", "worker_ips"), ()),
    "aws": (("region",), ("availability_zone", "cache_stopped_nodes", "use_internal_ips", "security_group")),
    "gcp": (("region", "project_id"), ("availability_zone", "use_internal_ips")),
    "azure": (
        ("location", "resource_group"),
        ("subscription_id", "availability_zone", "cache_stopped_nodes", "use_internal_ips", "msi_name"),
    ),
}
"""Fields that each type of provider needs, and those that it may have besides."""

GCP_DISK: Fields = {
    "boot": None,
    "autoDelete": None,
    "type": None,
    "initializeParams": {"diskSizeGb": None, "diskType": None, "sourceImage": None},
}
GCP_NODE: Fields = {
    "machineType": None,
    "disks": GCP_DISK,
    "serviceAccounts": {"email": None, "scopes": None},
    "scheduling": {
        "provisioningModel": None,
        "instanceTerminationAction": None,
        "onHostMaintenance": None,
        "automaticRestart": None,
    },
    "guestAccelerators": {"acceleratorType": None, "acceleratorCount": None},
    "networkInterfaces": None,
    "metadata": None,
    "labels": None,
    "tags": None,
    "shieldedInstanceConfig": None,
}
"""Fields of an instance that such files use, of those in
cloud.google.com/compute/docs/reference/rest/v1/instances."""


def problems_of(file: Path, definitions: Path | None) -> list[str]:
    """What is wrong with a file, one sentence for each problem.

    Args:
        file: to check; what it is follows from its name and content.
        definitions: folder with KubeRay's definitions; None: Kubernetes files are not checked.
    """
    return [
        f"{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}: {text}" for text in _check(file, definitions)
    ]


def _check(file: Path, definitions: Path | None) -> Problems:
    text = file.read_text()
    if re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|(?i:secret|password|token)\s*[:=]\s*['\"]?[0-9a-zA-Z/+]{20}", text):
        yield "it holds what looks like a secret: keep that in a file or a secret of the cluster"
    if file.suffix in {".sh", ".env", ".sbatch"}:
        done = subprocess.run(["bash", "-n", str(file)], capture_output=True, text=True)
        if done.returncode:
            yield done.stderr.strip()
        return
    if file.suffix == ".json":
        yield from _policy(json.loads(text))
        return
    if file.name == "Dockerfile":
        if not re.search(r"(?m)^USER (?!root|0\b)\S", text):
            yield "it runs as root: end with USER and another name"
        return
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"it is not YAML: {' '.join(str(error).split())}"
        return
    if "apiVersion" in content:
        yield from _kubernetes(content, definitions)
    else:
        yield from _launcher(content)


def _launcher(content: dict[str, Any]) -> Problems:
    """Check a file for `ray up`."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    provider = content.get("provider") or {}
    kind = str(provider.get("type"))
    if kind not in PROVIDERS:
        yield f"provider.type is {kind} but needs to be one of {', '.join(PROVIDERS)}"
        return
    needed, allowed = PROVIDERS[kind]
    for name in needed:
        if not provider.get(name):
            yield f"provider.{name} is missing"
    for name in sorted(provider.keys() - {"type", *needed, *allowed}):
        yield f"provider.{name} is not known for {kind}"
    try:
        # Ray warns about mounts that are files; ours are copied again at each `ray up`.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            validate_config(prepare_config(content))
    except Exception as error:  # Ray raises many kinds, plain `Exception` among them
        yield _first_line(error)
    for name, node in (content.get("available_node_types") or {}).items():
        for text in NODES[kind](node.get("node_config") or {}):
            yield f"available_node_types.{name}.node_config.{text}"
    for there, here in (content.get("file_mounts") or {}).items():
        if not here.startswith("~") and not (ROOT / here).exists():
            yield f"file_mounts {there}: there is no {here}"
    if "~/.ray/auth_token" not in (content.get("file_mounts") or {}):
        yield "file_mounts has no ~/.ray/auth_token: nodes would let everybody in, or nobody"
    for name in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [command for command in content.get(name) or [] if "ray start" in command]
        if not starts or not all("node.env" in command for command in starts):
            yield f"{name} starts Ray without cluster/node.env, which requires the token"
        if any("dashboard-host=0.0.0.0" in command for command in starts):
            yield f"{name} opens the dashboard to the network: give --dashboard-host=127.0.0.1 and use a tunnel"


def _no_node(config: dict[str, Any]) -> Problems:
    yield from ()


def _aws_node(config: dict[str, Any]) -> Problems:
    """Check a node against the parameters of EC2 as botocore describes them."""
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    parameters = {name: value for name, value in config.items() if name != "SubnetIds"}  # read by Ray's launcher alone
    report = ParamValidator().validate({**parameters, "MinCount": 1, "MaxCount": 1}, shape)
    if report.has_errors():
        yield from (f" {line}".strip() for line in report.generate_report().splitlines())
    for name in ("InstanceType", "ImageId"):
        if not config.get(name):
            yield f"{name} is missing: the launcher's own choice is older than what torch needs"


def _gcp_node(config: dict[str, Any]) -> Problems:
    yield from _unknown(config, GCP_NODE, "")
    for name in ("machineType", "disks"):
        if not config.get(name):
            yield f"{name} is missing"


def _azure_node(config: dict[str, Any]) -> Problems:
    """Check a node against the template that Ray fills in."""
    import ray.autoscaler._private._azure as azure

    template = json.loads((Path(azure.__file__).parent / "azure-vm-template.json").read_text())["parameters"]
    for name in sorted(config.keys() - {"azure_arm_parameters"}):
        yield f"{name} is not known to Ray, which reads azure_arm_parameters"
    parameters = config.get("azure_arm_parameters") or {}
    for name, value in parameters.items():
        if name not in template:
            yield f"azure_arm_parameters.{name} is not a parameter of Ray's template"
            continue
        kind = {"int": int, "bool": bool, "object": dict, "array": list}.get(template[name]["type"], str)
        if not isinstance(value, kind):
            yield f"azure_arm_parameters.{name} is {value!r} but needs to be of type {template[name]['type']}"
    for name in ("vmSize", "imagePublisher"):
        if not parameters.get(name):
            yield f"azure_arm_parameters.{name} is missing"


NODES: Mapping[str, Callable[[dict[str, Any]], Problems]] = {
    "local": _no_node,
    "aws": _aws_node,
    "gcp": _gcp_node,
    "azure": _azure_node,
}


def _unknown(content: Any, fields: Fields, where: str) -> Problems:
    """Names that are not among the fields, at any level."""
    for part in content if isinstance(content, list) else [content]:
        if not isinstance(part, dict):
            yield f"{where.rstrip('.')} is {part!r} but needs names and values"
            continue
        for name, value in part.items():
            if name not in fields:
                yield f"{where}{name} is not known"
            elif fields[name] is not None:
                yield from _unknown(value, fields[name], f"{where}{name}.")


def _policy(content: dict[str, Any]) -> Problems:
    """Check that a role does not grant every action of a service."""
    for statement in content.get("Statement", []):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if action == "*" or action.endswith(":*"):
                yield f"{action} grants more than is needed: name the actions"


def _kubernetes(content: dict[str, Any], definitions: Path | None) -> Problems:
    if definitions is None:
        return
    kind, version = content["kind"], content["apiVersion"].rpartition("/")[2]
    plain = definitions / f"ray.io_{kind.lower()}s.yaml"
    file = plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")
    if not file.is_file():
        yield f"kind is {kind}, for which {definitions} has no definition: add {plain.name}, or the same gzipped"
        return
    schema = _schemas(file).get(version)
    if schema is None:
        yield f"apiVersion is {content['apiVersion']}, which {kind} does not have"
        return
    _fill_defaults(content, schema)
    for error in jsonschema.Draft202012Validator(schema).iter_errors(content):
        yield f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"
    for group in _groups(content):
        volumes = group["template"]["spec"].get("volumes") or []
        if not any(volume.get("emptyDir", {}).get("medium") == "Memory" for volume in volumes):
            yield "a group has no /dev/shm in memory: Ray would keep images on disk"


def _groups(content: dict[str, Any]) -> list[dict[str, Any]]:
    spec = content["spec"].get("rayClusterSpec", content["spec"])
    return [spec["headGroupSpec"], *spec.get("workerGroupSpecs", [])]


@cache
def _schemas(file: Path) -> dict[str, Any]:
    """Schemas of a kind of object, by version."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
        definition = yaml.load(opened, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {one["name"]: _strict(one["schema"]["openAPIV3Schema"]) for one in definition["spec"]["versions"]}


def _strict(schema: Any) -> Any:
    """The schema with unknown names forbidden, which Kubernetes would drop silently."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(part) for name, part in schema.items()}
    if isinstance(strict.get("properties"), dict) and not strict.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    if strict.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    metadata = strict.get("properties", {}).get("metadata")
    if isinstance(metadata, dict) and metadata.get("type") == "object":
        strict["properties"]["metadata"] = {"type": "object"}  # defined by the server, not by KubeRay
    return strict


def _fill_defaults(content: Any, schema: Any) -> None:
    """Fill in defaults, as the server does before it validates."""
    for name, part in schema.get("properties", {}).items():
        if isinstance(content, dict) and name not in content and "default" in part:
            content[name] = part["default"]
        if isinstance(content, dict) and name in content:
            _fill_defaults(content[name], part)
    if isinstance(content, list) and isinstance(schema.get("items"), dict):
        for part in content:
            _fill_defaults(part, schema["items"])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def files() -> list[Path]:
    """All files that there are to check."""
    kinds = {".yaml", ".sh", ".env", ".sbatch", ".json"}
    found = [file for file in (ROOT / "cluster").rglob("*") if file.suffix in kinds or file.name == "Dockerfile"]
    return [ROOT / "cluster.yaml", *sorted(file for file in found if "monitoring" not in file.parts)]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="check the files that start clusters, without access to any cloud")
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="files to check; all of cluster/ if none is given"
    )
    parser.add_argument("--strict", action="store_true", help="exit with status 2 if a check did not run")
    options = parser.parse_args()
    logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
    checked = [file.resolve() for file in options.files] or files()
    for file in checked:
        if not file.is_file():
            complain(f"{file} is not a file: name files that start clusters, or none to check those of cluster/")
            return 2
    root = os.environ.get("DCGAN_DIST_DATA", "")
    definitions = Path(root) / KUBERAY if root else None
    if definitions is not None and not definitions.is_dir():
        definitions = None
    problems = [text for file in checked for text in problems_of(file, definitions)]
    print("\n".join([*problems, f"{count(len(checked), 'file')}, {count(len(problems), 'problem')}"]))
    skipped = [file for file in checked if definitions is None and "kuberay" in file.parts]
    if skipped:
        print(
            f"not checked against KubeRay's definitions: {count(len(skipped), 'file')} of cluster/kuberay, since there "
            f"is no $DCGAN_DIST_DATA/{KUBERAY} (docs/cluster.md says where they come from)"
        )
    return 1 if problems else 2 if skipped and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())

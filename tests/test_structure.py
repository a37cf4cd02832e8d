"""The rules of the tree: imports go one way, and what is plain PyTorch or arithmetic never meets Ray."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import dcgan_dist

PACKAGE = Path(dcgan_dist.__file__).parent
TUNING = PACKAGE.parent / "tuning"

COMMANDS = {
    "__main__",
    "api",
    "train",
    "sample",
    "evaluate",
    "status",
    "preflight",
    "memorised",
    "study",
    "report",
    "data.prepare",
    "data.check",
    "data.dedup",
}
LAYERS = [
    COMMANDS,
    {"reporting"},
    {"training", "studies"},
    {"evaluation"},
    {"monitoring"},
    {"run_folder"},
    {"data"},
    {"model", "cluster"},
    {"cli"},
    {
        "arrays",
        "bounds",
        "extensions",
        "settings",
        "storage",
        "errors",
        "html",
        "intervals",
        "printing",
        "numerals",
        "versions",
    },
]
"""Commands first; a module imports from its own package, or from those of layers below, whose packages are strangers to
each other. The commands and the last layer are modules, which may import each other."""

NEVER_RAY = [
    "model",
    "run_folder",
    "studies",
    "cli",
    "data.shards",
    "data.checking",
    "data.deduplication",
    "data.faces",
    "data.keep_list",
    "data.kept_shards",
    "data.readers",
    "data.preparation.arrange",
    "data.preparation.convert",
    "data.preparation.encoding",
    "data.preparation.faces",
    "data.preparation.gather",
    "data.preparation.make",
    "data.preparation.naming",
    "data.preparation.opening",
    "data.preparation.options",
    "data.preparation.packages",
    "data.preparation.pieces",
    "data.preparation.processes",
    "data.preparation.progress",
    "data.preparation.record",
    "data.preparation.report",
    "data.preparation.work",
    "data.scenes",
    "evaluation.encoders",
    "evaluation.classifiers",
    "evaluation.tasks",
    "evaluation.probe",
    "evaluation.service.evaluator",
    "evaluation.service.job",
    "evaluation.service.online",
    "monitoring.sinks.curves",
    "monitoring.sinks.terminal",
    "monitoring.collapse",
    "monitoring.hangs",
    "monitoring.run_status",
    "monitoring.stragglers",
    "training.options",
    "training.policy",
    "training.schedule",
    "training.step_metrics",
    "training.stop_consensus",
    "training.length",
    "training.advice",
    "training.estimate",
    "training.speed",
    "settings",
    "storage",
    "sample",
    "status",
    "report",
    "reporting",
]
"""Packages and modules that never meet Ray, also not through what they import."""


RAYS_INTERNALS = {"cluster.ray_internals", "data.streaming.backpressure"}
"""The modules that may use what Ray does not document, see `cluster/ray_internals.py`."""
UNDOCUMENTED = re.compile(r"ray\.(autoscaler|core|dashboard|experimental)\b|ray\.(\w+\.)*_")


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def imports(path: Path) -> set[str]:
    """Everything that a file imports when it is imported, or in one of its functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return names


def own(path: Path) -> set[str]:
    """Modules of the package that a file imports; a package that only holds others is none."""
    known = modules()
    found = {name.removeprefix("dcgan_dist.") for name in imports(path) if name.startswith("dcgan_dist.")}
    return {name for name in found if name in known and imports(known[name]) | {known[name].name} != {"__init__.py"}}


def place(name: str) -> tuple[int, str]:
    """Layer of a module, and its package there."""
    for number, members in enumerate(LAYERS):
        for member in members:
            if name == member or name.startswith(f"{member}."):
                return number, member
    raise AssertionError(f"{name} is in no layer: say in this test where it belongs")


def test_imports_go_down_the_layers_and_never_back() -> None:
    wrong = []
    for name, path in modules().items():
        for used in own(path) if name else ():
            (mine, package), (theirs, other) = place(name), place(used)
            modules_alone = mine in (0, len(LAYERS) - 1)
            if theirs < mine or (theirs == mine and package != other and not modules_alone):
                wrong.append(f"{name} imports {used}")
    assert wrong == []


@pytest.mark.parametrize("name", NEVER_RAY)
def test_plain_parts_never_meet_ray(name: str) -> None:
    known = modules()
    waiting = [module for module in known if module == name or module.startswith(f"{name}.")]
    assert waiting, f"there is no {name}"
    seen = set()
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            assert not any(used.split(".")[0] == "ray" for used in imports(known[module])), module
            waiting += own(known[module])


def test_what_ray_does_not_document_is_used_in_one_place() -> None:
    places = modules() | {f"tuning.{path.stem}": path for path in TUNING.glob("*.py")}
    found = set()
    for name, path in places.items():
        attributes = {
            ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Attribute
        }
        if any(UNDOCUMENTED.match(used) for used in imports(path) | attributes):
            found.add(name)
    assert found == RAYS_INTERNALS


def test_the_package_knows_nothing_of_sweeps() -> None:
    assert [name for name, path in modules().items() if any(used.startswith("tuning") for used in imports(path))] == []


@pytest.mark.parametrize("name", ["space", "objective", "ranking", "capacity", "folder", "table", "options"])
def test_plain_parts_of_sweeps_do_not_import_ray(name: str) -> None:
    used = imports(TUNING / f"{name}.py")
    assert not any(one == "ray" or one.startswith("ray.") for one in used)
    own = {one.split(".")[1] for one in used if one.startswith("tuning.")}
    assert own <= {"space", "objective", "ranking", "capacity", "folder", "table", "options"}

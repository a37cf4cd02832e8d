"""The rules of the tree: imports go one way, and what is plain PyTorch or arithmetic never meets Ray."""

import ast
from pathlib import Path

import pytest

import dcgan_dist

PACKAGE = Path(dcgan_dist.__file__).parent
TUNING = PACKAGE.parent / "tuning"

LAYERS = [
    {"__main__"},
    {"api", "train", "preflight", "sample", "status", "evaluate", "memorised", "data.prepare"},
    {"supervisor", "doctor", "contract"},
    {"evaluation.live"},
    {"evaluation.judge"},
    {"evaluation.options", "evaluation.tables", "evaluation.job"},
    {"evaluation.pool", "evaluation.tasks"},
    {"evaluation.probe", "evaluation.memorisation", "evaluation.baselines"},
    {"evaluation.classifiers"},
    {"evaluation.evaluator"},
    {"evaluation.descriptions", "evaluation.task", "evaluation.coverage"},
    {"evaluation.results", "evaluation.features", "evaluation.svm", "evaluation.nearest", "evaluation.copies"},
    {"commandline", "worker", "group", "failures", "room", "sharing"},
    {
        "cluster",
        "data.source",
        "data.pacing",
        "data.dataset",
        "data.cache",
        "data.batches",
        "data.tasks",
        "data.trained_on",
        "checkpoint",
        "generate",
        "exported",
        "estimate",
        "speed",
        "replay",
        "history",
        "health",
        "monitoring",
    },
    {"placement", "adversarial", "published", "data.reading", "data.foreign"},
    {"advice"},
    {"networks", "length", "data.plan", "data.shards", "data.embedded", "data.listing", "data.splits"},
    {"data.scenes"},
    {"batchnorm", "randomness", "precision", "pictures", "spread", "data.images", "data.tar", "record"},
    {"storage", "runs", "driver"},
    {"extensions", "arguments"},
    {"settings"},
    {"errors", "numerals", "versions", "invocation", "surroundings"},
]
"""Commands first; a module imports from its own layer or from those below."""

WITHOUT_RAY = [
    "networks",
    "batchnorm",
    "adversarial",
    "contract",
    "extensions",
    "replay",
    "published",
    "precision",
    "randomness",
    "pictures",
    "spread",
    "settings",
    "numerals",
    "arguments",
    "commandline",
    "storage",
    "runs",
    "record",
    "driver",
    "invocation",
    "surroundings",
    "__main__",
    "checkpoint",
    "length",
    "advice",
    "estimate",
    "speed",
    "sample",
    "history",
    "health",
    "status",
    "evaluation.features",
    "evaluation.svm",
    "evaluation.descriptions",
    "evaluation.evaluator",
    "evaluation.probe",
    "evaluation.task",
    "evaluation.tables",
    "evaluation.nearest",
    "evaluation.copies",
    "evaluation.memorisation",
    "evaluation.job",
    "evaluation.live",
    "evaluation.judge",
    "evaluation.tasks",
    "evaluation.results",
    "evaluation.tasks.classes",
    "evaluation.tasks.labelled",
    "evaluation.tasks.svhn",
    "evaluation.tasks.neighbours",
    "evaluation.tasks.rooms",
    "evaluation.classifiers",
    "evaluation.coverage",
    "evaluation.baselines.kmeans",
    "data.tar",
    "data.shards",
    "data.images",
    "data.plan",
    "data.reading",
    "data.scenes",
    "data.prepare",
    "data.listing",
    "data.splits",
    "data.foreign",
    "data.trained_on",
    "data.batches",
    "monitoring.messages",
    "monitoring.metrics",
    "monitoring.watchdog",
    "monitoring.ranks",
]

FOLDERS = ("", "data", "monitoring", "evaluation", "evaluation.baselines")
"""Packages with nothing in them but other modules."""


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


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
    known = modules()
    found = {name.removeprefix("dcgan_dist.") for name in imports(path) if name.startswith("dcgan_dist.")}
    return {name for name in found if name in known and name not in FOLDERS}


def test_the_package_knows_nothing_of_sweeps() -> None:
    assert [name for name, path in modules().items() if any(used.startswith("tuning") for used in imports(path))] == []


@pytest.mark.parametrize("name", ["space", "objective", "ranking", "capacity", "folder", "table", "options"])
def test_plain_parts_of_sweeps_do_not_import_ray(name: str) -> None:
    used = imports(TUNING / f"{name}.py")
    assert not any(one == "ray" or one.startswith("ray.") for one in used)
    own = {one.split(".")[1] for one in used if one.startswith("tuning.")}
    assert own <= {"space", "objective", "ranking", "capacity", "folder", "table", "options"}


def layer(name: str) -> int:
    for number, members in enumerate(LAYERS):
        if any(name == member or name.startswith(f"{member}.") for member in members):
            return number
    raise AssertionError(f"{name} is in no layer: say in this test where it belongs")


def test_imports_go_from_commands_to_settings_and_never_back() -> None:
    wrong = [
        f"{name} imports {used}"
        for name, path in modules().items()
        for used in own(path)
        if name not in FOLDERS and layer(used) < layer(name)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", WITHOUT_RAY)
def test_plain_parts_do_not_import_ray(name: str) -> None:
    known = modules()
    seen, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        assert not any(used == "ray" or used.startswith("ray.") for used in imports(known[module])), module
        waiting += own(known[module])

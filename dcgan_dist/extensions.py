"""Networks and losses of a user's own, named by import path: `module:function` (docs/extending.md).

Only the process in which a command is given imports them. From there they travel by value to workers and evaluation
actors, together with the modules that lie beside them, so that their files need not be on any other machine; packages
that are installed have to be installed everywhere.
"""

import hashlib
import importlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import LOSSES, Settings

Code = Mapping[str, Callable[..., Any]]
"""Functions by import path."""
CODE_SETTINGS = ("networks.factory", "optimization.loss")
"""Settings that may be import paths."""
NO_CODE: Code = {}
OURS = {"dcgan_dist", "tuning", "benchmarks"}
_imported: dict[str, ModuleType] = {}
"""Modules that were named by an import path, by their names."""


def named_by(settings: Settings) -> dict[str, str]:
    """Import paths in settings, by the setting's dotted name."""
    paths = zip(CODE_SETTINGS, (settings.networks.factory, settings.optimization.loss), strict=True)
    return {setting: path for setting, path in paths if path not in ("", *LOSSES)}


def import_code(settings: Settings) -> Code:
    """Import what settings name; modules are looked for in this folder first, as by `python -m`.

    Raises:
        SettingsError: a module is not found or cannot be imported, or lacks the function.
    """
    return {path: _import(path, setting) for setting, path in named_by(settings).items()}


def require_trust(paths: Mapping[str, str], trusted: bool, source: str) -> None:
    """Refuse import paths that come out of a file, unless its code is trusted.

    Args:
        paths: import paths by the setting's dotted name.
        source: of the settings, for people.

    Raises:
        SettingsError: naming the module that would be imported.
    """
    for setting, path in paths.items():
        if not trusted:
            raise SettingsError(
                f"{source} says {setting} {path}: to import that runs its code with your rights; give --trust-code if "
                "you know what it does"
            )


def import_networks(settings: Settings, trusted: bool, source: str) -> Code:
    """What makes the networks of a run: import it where it is not ours.

    Raises:
        SettingsError: it is not `trusted`, or cannot be imported.
    """
    paths = {setting: path for setting, path in named_by(settings).items() if setting == "networks.factory"}
    require_trust(paths, trusted, source)
    return {path: _import(path, setting) for setting, path in paths.items()}


def travelling() -> list[ModuleType]:
    """Modules that have to travel by value: those that were imported here, and all that lie in the same folders."""
    roots = [root for root in map(_root, _imported.values()) if root is not None]
    found = dict(_imported)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        # Ours and what is installed is on every machine.
        if name == "__main__" or not file or name.partition(".")[0] in OURS:
            continue
        if any(Path(file).is_relative_to(root) for root in roots) and not _is_installed(Path(file)):
            found[name] = module
    return list(found.values())


def checksums() -> dict[str, str]:
    """SHA-256 of the files of those modules, by name."""
    files = {module.__name__: module.__file__ for module in travelling() if module.__file__}
    return {name: hashlib.sha256(Path(file).read_bytes()).hexdigest() for name, file in sorted(files.items())}


def place_of(error: BaseException) -> str:
    """Where code of a user's own raised an error: ` in FILE, line N`; empty where no line of it is in the traceback."""
    roots = [root for root in map(_root, _imported.values()) if root is not None]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if any(Path(frame.filename).is_relative_to(root) for root in roots) and not _is_installed(Path(frame.filename)):
            return f" in {frame.filename}, line {frame.lineno}"
    return ""


def _import(path: str, setting: str) -> Callable[..., Any]:
    name, _, function = path.partition(":")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise SettingsError(
                f"{setting} is {path} but there is no module {error.name} in {here} or among the installed packages: "
                "give the command in the folder that holds it, or set PYTHONPATH"
            ) from error
        raise SettingsError(f"{setting} is {path} but {name} imports {error.name}, which is not there") from error
    except Exception as error:
        raise SettingsError(
            f"{setting} is {path} but {name} cannot be imported: {type(error).__name__}: {error}{_last_line(error)}"
        ) from error
    _imported[name] = module
    found = getattr(module, function, None)
    if not callable(found):
        what = "has nothing of that name" if found is None else f"its {function} cannot be called"
        raise SettingsError(f"{setting} is {path} but {module.__file__ or name} {what}: name a function in it")
    return found  # type: ignore[no-any-return]


def _last_line(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 1 else ""


def _root(module: ModuleType) -> Path | None:
    """The folder that `import` found a module in, where that is not one of installed packages."""
    if module.__file__ is None:
        return None
    file = Path(module.__file__)
    levels = module.__name__.count(".") + (file.stem == "__init__")
    root = file.parents[levels]
    return None if _is_installed(file) else root


def _is_installed(file: Path) -> bool:
    return any(file.is_relative_to(folder) for folder in _installed_in()) or "site-packages" in file.parts


@cache
def _installed_in() -> frozenset[str]:
    """Folders of installed packages; to ask for them takes a third of a millisecond each time."""
    paths = sysconfig.get_paths()
    return frozenset(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))

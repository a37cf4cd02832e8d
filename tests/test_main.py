"""The console command, from a wheel and in this process."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dcgan_dist import __version__
from dcgan_dist.__main__ import main
from dcgan_dist.cli.invocation import COMMANDS

ROOT = Path(__file__).parents[1]


def test_help_lists_every_command_on_a_screen(call: Any) -> None:
    status, output, errors = call(main, "--help")
    assert (status, errors) == (0, "")
    assert [name for name in COMMANDS if f"\n  {name} " not in output] == []
    assert output.count("\n") <= 30


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trian"], "error: there is no command trian; did you mean train?"),
        (["fid"], "error: there is no command fid; there are train, sample, evaluate, study walk, study pick"),
        (["study", "copies", "RUN"], "error: there is no study copies; there is study walk, study pick, study"),
        (["--verison"], "error: there is no command --verison"),
    ],
)
def test_what_is_no_command_is_one_sentence(arguments: list[str], told: str, call: Any) -> None:
    status, output, errors = call(main, *arguments)
    assert (status, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(told)


def test_a_word_that_begins_several_commands_lists_them(call: Any) -> None:
    status, output, errors = call(main, "study", "--help")
    assert (status, errors) == (0, "")
    assert "\n  study memorised  " in output
    assert "train" not in output.partition("study memorised")[0]
    status, output, errors = call(main, "study")
    assert (status, output) == (2, "")
    assert "\n  study memorised  " in errors


def test_a_command_is_given_the_rest_of_the_line(call: Any) -> None:
    status, _, errors = call(main, "status", "nobody", "--storage", "elsewhere")
    assert status == 2
    assert "elsewhere/nobody" in errors
    status, _, errors = call(main, "study", "memorised", "nobody", "-n", "7")
    assert (status, "number is 7 but needs at least 100" in errors) == (2, True)


def test_help_and_version_take_no_heavy_imports() -> None:
    look = (
        "import sys; from dcgan_dist.__main__ import main; main(['--help']); main(['--version']); "
        "print({'torch', 'ray', 'numpy', 'pyarrow', 'tyro'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_run_is_checked_and_started_without_pytorch() -> None:
    """It is a second of the first minute; workers import it, while Ray's own processes start."""
    look = (
        "import sys; from dcgan_dist.train import main; main(['--data', 'nothing/*.tar', '--dry-run']); "
        "early = {'torch'} & set(sys.modules); import dcgan_dist.training.supervisor; "
        "print(early, {'torch', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "nothing/*.tar" in done.stderr
    assert done.stdout.splitlines()[-1] == "set() {'ray'}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of this checkout: a build leaves folders behind."""
    source, target = tmp_path_factory.mktemp("source") / "tree", tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__", "shared")
    shutil.copytree(ROOT, source, ignore=left_out)
    build = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", str(target), str(source)]
    pip(*build)
    (built,) = target.iterdir()
    return built


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_holds_our_own_namespaces_and_all_their_files(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    files = [path for package in ("dcgan_dist", "tuning") for path in (ROOT / package).rglob("*") if path.is_file()]
    there = {str(path.relative_to(ROOT)) for path in files if path.parent.name != "__pycache__"}
    assert there - set(names) == set(), "a file of ours is missing"
    assert {name.partition("/")[0] for name in names} == {"dcgan_dist", "tuning"}


def test_a_wheel_works_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    venv, work = tmp_path / "venv", tmp_path / "somewhere else"
    work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
    pip("--python", str(venv / "bin" / "python"), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    # What it depends on is taken from where it is installed already; a line of a .pth runs no .pth there, which might
    # lead to this checkout.
    (site,) = (venv / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def command(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [venv / "bin" / "dcgan-dist", *arguments],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    assert command("--version") == (0, f"dcgan-dist {__version__}\n")
    (work / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (20, 20), (80 * number, 0, 90)).save(work / "photos" / f"{number}.png")
    status, output = command("prepare", "photos", "my shards", "--size", "16")
    assert status == 0, output
    # What it says comes next runs as it stands; a wrong setting besides ends it before it starts anything.
    (following,) = re.findall(r"^to train: (.*)$", output, re.MULTILINE)
    assert following.startswith(f"{venv}/bin/dcgan-dist train ")
    done = subprocess.run(f"{following} --lr=0", shell=True, cwd=work, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: optimization.lr is 0.0 but needs to be above 0\n")
    # The sweep is a package of its own.
    status, output = command("sweep", "--report", "nosuch")
    assert (status, output.startswith("error: there is no sweep in ")) == (2, True), output

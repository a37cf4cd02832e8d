"""How tasks are named."""

from pathlib import Path

import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.tasks.registry import parse_tasks


def test_names_lead_to_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    named = parse_tasks(f"cifar10, mine = {tmp_path}/elsewhere, neighbours ")
    assert [(task.name, task.folder and task.folder.address) for task in named] == [
        ("cifar10", f"{tmp_path}/cifar10"),
        ("mine", f"{tmp_path}/elsewhere"),
        ("neighbours", None),
    ]


@pytest.mark.parametrize("name", ["rooms", "neighbours"])
def test_a_folder_that_is_given_is_taken_also_for_what_needs_none(name: str, tmp_path: Path) -> None:
    drawn, (found,) = parse_tasks(name)[0], parse_tasks(f"{name}={tmp_path}")
    assert drawn.folder is None
    assert found.folder is not None
    assert found.folder.address == str(tmp_path)


@pytest.mark.parametrize("name", ["neighbours", "mnist-nn"])
def test_what_judges_samples_is_no_labeled_task(name: str, tmp_path: Path) -> None:
    (named,) = parse_tasks(f"{name}={tmp_path}", "--probe")
    with pytest.raises(SettingsError, match=rf"task {name} evaluates samples, not features: give it to python -m"):
        named.open(32, resize=False, seed=0)


def test_images_of_mnist_nn_are_those_of_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    with pytest.raises(SettingsError, match=rf"task mnist-nn needs its data but there is no folder {tmp_path}/mnist: "):
        parse_tasks("mnist-nn")
    (tmp_path / "mnist").mkdir()
    (named,) = parse_tasks("mnist-nn")
    assert (named.name, named.folder and named.folder.address) == ("mnist-nn", f"{tmp_path}/mnist")
    monkeypatch.delenv("DCGAN_DIST_DATA")
    with pytest.raises(SettingsError, match="mnist-nn=FOLDER, or set DCGAN_DIST_DATA to the folder that holds mnist/"):
        parse_tasks("mnist-nn")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "needs names, as in cifar10, or NAME=FOLDER"),
        ("cifar10,", "needs names"),
        ("mine=", "needs names"),
        ("mine= ", "needs names"),
        ("/data/mine", "names a task '/data/mine' but needs a plain name, as in --tasks mine=/data/mine"),
        ("../mine=cifar10", "names a task '../mine' but needs a plain name, as in --tasks mine=cifar10"),
        ("a\nb=cifar10", "but needs a plain name"),
        ("nobody", "task nobody needs its data but there is no folder"),
        ("a=.,a=.", "task a is given twice"),
        ("neighbours,neighbours", "task neighbours is given twice"),
    ],
)
def test_names_that_lead_nowhere_are_told(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    with pytest.raises(SettingsError, match=sentence):
        parse_tasks(text)


def test_a_name_alone_needs_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    with pytest.raises(SettingsError, match="give --tasks cifar10=FOLDER, or set DCGAN_DIST_DATA"):
        parse_tasks("cifar10")

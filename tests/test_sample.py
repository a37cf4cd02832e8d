from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.exported import load_safetensors
from dcgan_dist.model.pixels import grid
from dcgan_dist.run_folder.checkpoint import load_checkpoint, write_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.sample import main
from dcgan_dist.settings import NetworkSettings, OptimizationSettings, Settings
from dcgan_dist.storage import Place, place
from dcgan_dist.studies.samples import classes_in_words

SETTINGS = Settings(
    images=640,
    networks=NetworkSettings(image_size=8, generator_maps=4, discriminator_maps=4, latent_size=5),
    optimization=OptimizationSettings(batch_size=16, average_images=100),
)


def weights(seed: int) -> dict[str, Tensor]:
    generator = Generator(SETTINGS.networks)
    initialize(generator, seed)
    return generator.state_dict()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A run with two checkpoints, at 320 and 640 images, the first without an average; the test works beside it."""
    run = place(str(tmp_path / "run"))
    older = replace(SETTINGS, optimization=replace(SETTINGS.optimization, average_images=0))
    write_checkpoint(run, {"generator": weights(1)}, older, step=20, attempt=1, kept=True)
    write_checkpoint(run, {"generator": weights(2), "averaged": weights(3)}, SETTINGS, step=40, attempt=1, kept=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return run


@pytest.fixture
def sample(run: Place) -> Callable[..., int]:
    """The command on that run, on the CPU."""
    return lambda *arguments: main([str(run), "--device", "cpu", *arguments])


def pixels(path: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image)


def written(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_grid_of_64_is_named_after_run_images_and_seed(
    sample: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample() == 0
    assert written() == ["run-000000640-averaged-seed0.png"]
    told = capsys.readouterr()
    assert told.out == f"{Path.cwd()}/run-000000640-averaged-seed0.png\n"
    caption = "run after 640 images, averaged generator, batch normalization by fixed statistics of 32 batches of 16 z"
    assert told.err == caption + "\n"
    # 78 pixels would be a stamp.
    assert pixels("run-000000640-averaged-seed0.png").shape == (936, 936, 3)
    with Image.open("run-000000640-averaged-seed0.png") as image:
        assert image.text["Description"] == f"{caption}, seed 0"  # type: ignore[attr-defined]


def test_the_same_seed_gives_the_same_file_and_another_one_does_not(sample: Callable[..., int]) -> None:
    for out, seed in (("a.png", 0), ("b.png", 0), ("c.png", 1)):
        assert sample("--out", out, "--seed", str(seed)) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert (pixels("a.png") != pixels("c.png")).any()


def test_fewer_images_are_the_first_of_more(sample: Callable[..., int]) -> None:
    # 16 images a batch: 5 are a part of one, 37 need three.
    assert sample("-n", "5", "--single", "--out", "few") == 0
    assert sample("-n", "37", "--single", "--out", "many") == 0
    assert written("many") == [f"{number:06}.png" for number in range(37)]
    for name in written("few"):
        assert Path("few", name).read_bytes() == Path("many", name).read_bytes()


def test_the_images_are_those_of_the_frozen_generator(sample: Callable[..., int], run: Place) -> None:
    generator = load_frozen(load_checkpoint(run), "run", "raw", torch.device("cpu"))
    images = np.concatenate(list(generator.draw(20, 7)))
    assert images.shape == (20, 8, 8, 3)
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20
    assert sample("-n", "20", "--seed", "7", "--generator", "raw", "--out", "grid.png") == 0
    assert np.array_equal(pixels("grid.png"), grid(images))


@pytest.mark.parametrize("named", ["run", "run/", "../run", "../run/checkpoints/000000000640"])
def test_a_run_is_its_name_its_folder_or_a_checkpoint(run: Place, named: str) -> None:
    storage = ["--storage", str(run.parent)] if "." not in named else []
    named = str(run) if named == "run/" else named
    assert main([named, *storage, "--device", "cpu", "--out", "a.png"]) == 0
    assert main([str(run), "--device", "cpu", "--out", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_an_older_checkpoint_can_be_named(sample: Callable[..., int]) -> None:
    assert sample("--checkpoint", "000000000320") == 0
    assert sample() == 0
    # The older one has no average, and is called what it is.
    assert written() == ["run-000000320-raw-seed0.png", "run-000000640-averaged-seed0.png"]
    assert (pixels(written()[0]) != pixels(written()[1])).any()


def test_the_default_is_the_averaged_generator_and_the_raw_one_is_another(sample: Callable[..., int]) -> None:
    for kind in ("auto", "averaged", "raw"):
        assert sample("--generator", kind, "--out", f"{kind}.png") == 0
    assert np.array_equal(pixels("auto.png"), pixels("averaged.png"))
    assert (pixels("auto.png") != pixels("raw.png")).any()


def test_exported_files_are_written_whole(sample: Callable[..., int], run: Place) -> None:
    for name in ("g.safetensors", "g.pt2"):
        assert sample("-n", "0", "--generator", "raw", "--export", name) == 0
    assert written() == ["g.pt2", "g.safetensors"]
    read = load_safetensors(place("g.safetensors"))
    expected = load_frozen(load_checkpoint(run), "run", "raw", torch.device("cpu"))
    assert read.about == expected.about
    z = torch.linspace(-1, 1, 80).reshape(16, 5)
    assert torch.equal(read(z), expected(z))
    torch.testing.assert_close(torch.export.load("g.pt2").module()(z), expected(z), rtol=0, atol=1e-6)


@pytest.fixture
def knowing(run: Place) -> Place:
    """A run whose networks know three classes."""
    settings = replace(
        SETTINGS, networks=replace(SETTINGS.networks, classes=3), data=replace(SETTINGS.data, label="wide,tall")
    )
    generator = Generator(settings.networks)
    initialize(generator, 6)
    other = run.parent / "knowing"
    write_checkpoint(other, {"generator": generator.state_dict()}, settings, step=9, attempt=1, kept=True)
    return other


@pytest.mark.parametrize(
    ("classes", "label", "number", "told"),
    [
        (0, "", 64, ""),
        (10, "", 16, ", a class a row, from the top: 0, 3, 6, 9 of 0 to 9 (-n 40 has room for all)"),
        (10, "", 7, ", a class a row, from the top: 0 of 0 to 9 (-n 40 has room for all)"),
        (3, "", 12, ", a class a row, from the top: 0, 1, 2"),
        (3, "parity", 0, ", the class is the value of parity"),
        (8, "bed,window,door", 0, ", the class is the sum of 1 for bed, 2 for window and 4 for door"),
        (
            4,
            "bed,lamp",
            15,
            ", a class a row, from the top: 0, 2, 3 of 0 to 3 (-n 16 has room for all), the class is the "
            "sum of 1 for bed and 2 for lamp",
        ),
    ],
)
def test_classes_are_told_in_words(classes: int, label: str, number: int, told: str) -> None:
    assert classes_in_words(classes, label, number) == told
    if "room for all" in told:
        assert "room for all" not in classes_in_words(classes, label, 4 * classes)
        assert "room for all" in classes_in_words(classes, label, 4 * classes - 1)


def test_a_grid_shows_a_class_a_row_unless_one_is_asked_for(knowing: Place, capsys: pytest.CaptureFixture[str]) -> None:
    command = [str(knowing), "--device", "cpu", "-n", "13", "--seed", "2"]
    assert main(command) == 0
    caption = capsys.readouterr().err.strip()
    assert caption.endswith(
        " z, a class a row, from the top: 0, 1, 2, the class is the sum of 1 for wide and 2 for tall"
    )
    with Image.open(written()[0]) as image:
        assert image.text["Description"] == f"{caption}, seed 2"  # type: ignore[attr-defined]
    assert main([*command, "--class", "1"]) == 0
    assert capsys.readouterr().err.endswith(" z, the class is the sum of 1 for wide and 2 for tall\n")
    assert written() == ["knowing-000000144-raw-class1-seed2.png", "knowing-000000144-raw-seed2.png"]
    frozen = load_frozen(load_checkpoint(knowing, "000000000144"), "knowing", "auto", torch.device("cpu"))
    images, columns = frozen.draw_grid(13, 2)
    assert columns == 4
    assert (pixels(written()[1]) == grid(images, 4)).all()
    of_one = np.concatenate(list(frozen.of_class(1).draw(13, 2)))
    assert (pixels(written()[0]) == grid(of_one)).all()


def test_single_files_tell_their_classes(knowing: Place) -> None:
    assert main([str(knowing), "--device", "cpu", "-n", "18", "--single", "--out", "some"]) == 0
    frozen = load_frozen(load_checkpoint(knowing, "000000000144"), "knowing", "auto", torch.device("cpu"))
    labels = frozen.labels(18)
    assert labels is not None
    assert written("some") == [f"{number:06}-class{labels[number]}.png" for number in range(18)]
    assert (pixels("some/" + written("some")[17]) == np.concatenate(list(frozen.draw(18)))[17]).all()


def test_a_class_that_there_is_not_gets_one_sentence(
    knowing: Place, run: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(knowing), "--class", "3"]) == 2
    assert capsys.readouterr().err == "error: class is 3 but the networks of knowing know classes 0 to 2\n"
    assert main([str(run), "--class", "0"]) == 2
    assert "error: class is 0 but the networks of run know no classes: leave --class out" in capsys.readouterr().err
    assert main([str(knowing), "-n", "0", "--export", "g.safetensors"]) == 2
    assert "the generator of knowing knows classes" in capsys.readouterr().err
    assert written() == []


def test_nothing_is_overwritten_unless_asked_for(
    sample: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("g.safetensors").write_text("precious")
    assert sample("--out", "new.png", "--export", "g.safetensors") == 2
    assert capsys.readouterr().err == (
        f"error: {Path.cwd()}/g.safetensors exists: choose another name, or give --overwrite to replace it\n"
    )
    assert written() == ["g.safetensors"]
    assert Path("g.safetensors").read_text() == "precious"
    assert sample("--out", "new.png", "--export", "g.safetensors", "--overwrite") == 0
    assert Path("g.safetensors").read_bytes() != b"precious"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "-1"], "number is -1 but needs at least 0 images"),
        (["-n", "0"], "number is 0 and no --export is given, so there is nothing to do: give one of them"),
        (["--out", "folder"], "out is folder but needs to be a .png file without --single"),
        (["--single", "--out", "a.png"], "out is a.png but needs to be a folder with --single"),
        (["--export", "g.pt"], "export is g.pt but needs to end in .safetensors or .pt2"),
        (
            ["--checkpoint", "000000000320", "--generator", "averaged"],
            "checkpoint 000000000320 holds no averaged generator: give --generator auto or raw, or train with "
            "--optimization.average-images",
        ),
        (["--checkpoint", "9999"], "RUN has no checkpoint 9999: it has 000000000320, 000000000640"),
        (
            ["--out", "/no-such-folder/a.png"],
            "out leads into /no-such-folder, which is not there, and is made only in a folder that is: make it, "
            "or give another name",
        ),
        (
            ["--single", "--out", "two/levels"],
            "out leads into HERE/two/levels, which is not there, and is made only in a folder that is: make it, "
            "or give another name",
        ),
        (
            ["-n", "0", "--export", "../run/settings/deep/g.pt2"],
            "export leads into RUN/settings/deep, which is not there, and is made only in a folder that is: make it, "
            "or give another name",
        ),
    ],
)
def test_a_wrong_input_gets_one_sentence(
    sample: Callable[..., int], run: Place, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sample(*arguments) == 2
    sentence = sentence.replace("RUN", str(run)).replace("HERE", str(Path.cwd()))
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert written() == []
    assert not Path("/no-such-folder").exists()


def test_a_picture_that_cannot_be_written_is_no_wrong_input(
    sample: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("new/000001.png").mkdir(parents=True)
    assert sample("-n", "3", "--single", "--out", "new", "--overwrite") == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors[-1].startswith(f"error: cannot write {Path.cwd()}/new/000001.png")
    assert sum(line.startswith("error: ") for line in errors) == 1


def test_one_folder_in_another_is_made(sample: Callable[..., int]) -> None:
    assert sample("-n", "2", "--single", "--out", "new") == 0
    assert sample("--out", "other/a.png") == 0
    assert written() == ["new", "other"]


@pytest.mark.parametrize("arguments", [["--device", "abacus"], ["--checkpoint", "best"], ["--out", "/dev/null/a.png"]])
def test_what_other_parts_refuse_gets_one_sentence_too(
    sample: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert sample(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_that_is_no_run_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1

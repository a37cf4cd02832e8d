from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from dcgan_dist.checkpoint import load_checkpoint, write_checkpoint
from dcgan_dist.networks import Generator, initialize
from dcgan_dist.pictures import grid, to_uint8
from dcgan_dist.sample import draw, load_generator, main
from dcgan_dist.settings import NetworkSettings, OptimizationSettings, Settings, from_yaml
from dcgan_dist.storage import Place, place

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
    assert written() == ["run-000000640-seed0.png"]
    assert capsys.readouterr().out == f"{Path.cwd()}/run-000000640-seed0.png\n"
    assert pixels("run-000000640-seed0.png").shape == (78, 78, 3)


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


def test_the_images_are_those_of_the_generator_in_batches_of_the_training(
    sample: Callable[..., int], run: Place
) -> None:
    checkpoint = load_checkpoint(run)
    generator = load_generator(checkpoint)
    images = np.concatenate(list(draw(generator, checkpoint, 20, 7, torch.device("cpu"))))
    assert images.shape == (20, 8, 8, 3)
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20
    assert sample("-n", "20", "--seed", "7", "--out", "grid.png") == 0
    assert np.array_equal(pixels("grid.png"), grid(images))
    # Another batch size has other statistics, so the fixed one matters.
    z = torch.rand(16, 5) * 2 - 1
    with torch.no_grad():
        assert not np.array_equal(to_uint8(generator(z))[:4], to_uint8(generator(z[:4])))


def test_an_older_checkpoint_can_be_named(sample: Callable[..., int]) -> None:
    assert sample("--checkpoint", "000000000320") == 0
    assert sample() == 0
    assert written() == ["run-000000320-seed0.png", "run-000000640-seed0.png"]
    assert (pixels(written()[0]) != pixels(written()[1])).any()


def test_the_averaged_generator_is_another_one(sample: Callable[..., int]) -> None:
    assert sample("--out", "plain.png") == 0
    assert sample("--averaged", "--out", "averaged.png") == 0
    assert (pixels("plain.png") != pixels("averaged.png")).any()


def test_exported_weights_draw_the_same_images(sample: Callable[..., int], run: Place) -> None:
    assert sample("-n", "0", "--averaged", "--export", "g.safetensors") == 0
    assert written() == ["g.safetensors"]
    with safe_open("g.safetensors", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    settings = from_yaml(metadata["settings"], "g.safetensors")
    assert settings == SETTINGS
    assert (metadata["checkpoint"], metadata["images"], metadata["averaged"]) == ("000000000640", "640", "true")
    generator = Generator(settings.networks)
    generator.load_state_dict(tensors)
    z = torch.linspace(-1, 1, 80).reshape(16, 5)
    with torch.no_grad():
        assert torch.equal(generator(z), load_generator(load_checkpoint(run), averaged=True)(z))


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
        (["--export", "g.pt"], "export is g.pt but needs to end in .safetensors"),
        (
            ["--checkpoint", "000000000320", "--averaged"],
            "checkpoint 000000000320 holds no averaged generator: leave --averaged out, or train with "
            "--optimization.average-images",
        ),
    ],
)
def test_a_wrong_input_gets_one_sentence(
    sample: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sample(*arguments) == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert written() == []


@pytest.mark.parametrize("arguments", [["--device", "abacus"], ["--checkpoint", "best"], ["--out", "/dev/null/a.png"]])
def test_what_other_parts_refuse_gets_one_sentence_too(
    sample: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert sample(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_that_is_no_run_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1

"""Wrong input, of all commands: one sentence on stderr, status 2, no traceback, nothing left, and no Ray started."""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dcgan_dist import evaluate, memorised, preflight, sample, status, train
from dcgan_dist.__main__ import main as dcgan_dist
from dcgan_dist.data import check, prepare
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import NetworkSettings, Settings, to_yaml
from dcgan_dist.storage import Place
from tuning import sweep

Main = Callable[[Sequence[str]], int]
COMMANDS: dict[str, Main] = {
    "train": train.main,
    "sample": sample.main,
    "evaluate": evaluate.main,
    "memorised": memorised.main,
    "status": status.main,
    "preflight": preflight.main,
    "prepare": prepare.main,
    "check": check.main,
    "sweep": sweep.main,
    "dcgan-dist": dcgan_dist,
}
SETTINGS = Settings(
    images=640, name="done", networks=NetworkSettings(image_size=8, generator_maps=4, discriminator_maps=4)
)
LR = "--search lr=uniform(1e-4,1e-3)"

CASES: list[tuple[str, str, str]] = [
    # Numbers as nobody can read them.
    ("train", "--images 1k", "--images is 1k but needs a whole number: write 1000"),
    ("train", "--images 240,000", "write 240000, or 240_000"),
    ("train", "--images abc", "--images is abc but needs a whole number"),
    ("train", "--images 3.5", "--images is 3.5 but needs a whole number"),
    ("train", "--images -5", "images is -5 but needs at least 1"),
    ("train", "--images=", "--images is '' but needs a whole number"),
    ("train", "--images 1e400", "--images is 1e400 but needs a whole number"),
    ("train", "--epochs inf", "epochs is inf but needs"),
    ("train", "--epochs nan", "--epochs is nan but needs a number"),
    ("train", "--lr 0,0004", "--lr is 0,0004 but needs a number: write 0.0004"),
    ("train", "--lr inf", "optimization.lr is inf but needs"),
    ("train", "--lr -1", "optimization.lr is -1.0 but needs to be above 0"),
    ("train", "--beta1 1.5", "optimization.beta1 is 1.5 but needs to be at least 0 and below 1"),
    ("train", "--batch-size 64k", "--batch-size is 64k but needs a whole number: write 64000"),
    ("train", "--workers two", "--workers is two but needs a whole number"),
    ("train", "--workers 8:2", "workers.at_least is 8 but needs to be from 1 to workers.number, which is 2"),
    ("train", "--workers 2:x", "workers is 2:x but needs to be a number, or a range such as 2:8"),
    ("train", "--networks.image-size 48", "networks.image_size is 48 but needs to be one of 8, 14, 16, 28"),
    ("train", "--networks.channels 2", "--networks.channels is 2 but needs to be one of 1, 3"),
    ("train", "--networks.classes -1", "networks.classes is -1 but needs at least 0"),
    (
        "train",
        "--networks.structure maxout",
        "networks.batchnorm is prescribed but networks.structure maxout has no such thing: give --networks.batchnorm "
        "nowhere",
    ),
    (
        "train",
        "--preset original28 --networks.classes 10",
        "networks.classes is 10 but networks.structure maxout has no such thing: give --networks.classes 0",
    ),
    (
        "train",
        "--preset original28 --networks.dense-units 9",
        "networks.dense_units is 9 but networks.structure maxout",
    ),
    ("train", "--preset original28 --networks.head average", "networks.head is average but networks.structure maxout"),
    (
        "train",
        "--preset original32 --networks.generator-activations relu,tanh",
        "networks.generator_activations is 'relu,tanh' but needs to be of relu, sigmoid, joined by commas",
    ),
    (
        "train",
        "--networks.generator-activations relu,tanh",
        "networks.generator_activations is 'relu,tanh' but needs to be one of relu, leaky_relu, tanh, maxout with "
        "networks.structure 5x5",
    ),
    (
        "train",
        "--networks.discriminator-activations sigmoid",
        "--networks.discriminator-activations is sigmoid but needs to be one of leaky_relu, relu, tanh, maxout",
    ),
    (
        "train",
        "--preset original28 --networks.resampling pooling",
        "networks.resampling is pooling but networks.structure maxout has no such thing: give --networks.resampling "
        "strided",
    ),
    (
        "train",
        "--preset original28 --networks.discriminator-activations relu",
        "networks.discriminator_activations is relu but networks.structure maxout has no such thing",
    ),
    (
        "train",
        "--optimization.loss hinge --optimization.real-label 0.9",
        "optimization.real_label is 0.9 but the loss hinge has no probabilities to smooth: leave it out, or give "
        "--optimization.loss bce",
    ),
    ("train", "--optimization.real-label 0.4", "optimization.real_label is 0.4 but needs to be from 0.5 to 1"),
    ("train", "--optimization.r1 -1", "optimization.r1 is -1.0 but needs at least 0"),
    (
        "train",
        "--optimization.r1 10",
        "optimization.r1 is 10 but networks.batchnorm is prescribed, by which D's logit of an image depends on the "
        "images beside it and has no slope of its own: give --networks.batchnorm generator",
    ),
    (
        "train",
        "--preset original32conv --networks.image-size 64",
        "networks.image_size is 64 but needs to be one of 14, 32, 56, 128, 224 with networks.structure maxout-conv",
    ),
    (
        "train",
        "--preset original32conv --networks.dense-units 0",
        "networks.dense_units is 0 but networks.structure maxout-conv needs such a layer: give, for "
        "example, --networks.dense-units 500",
    ),
    (
        "train",
        "--preset original32conv --networks.classes 7",
        "networks.classes is 7 but networks.structure maxout-conv has no such thing: give --networks.classes 0",
    ),
    (
        "train",
        "--preset original32conv --supervised cifar10",
        "networks.structure is maxout-conv but supervised.task trains the layers of the paper's discriminator",
    ),
    (
        "train",
        "--networks.maxout-pieces 3",
        "networks.maxout_pieces is 3 but networks.structure 5x5 has no such thing: give --networks.maxout-pieces 5",
    ),
    ("train", "--networks.maxout-pieces 1", "networks.maxout_pieces is 1 but needs at least 2"),
    (
        "train",
        "--preset original28 --beta1 0.6",
        "optimization.beta1 is 0.6 but optimization.optimizer is momentum, which has no such thing: give "
        "--optimization.beta1 0.5, or --optimization.optimizer adam",
    ),
    (
        "train",
        "--preset original32 --optimization.optimizer adam",
        "optimization.momentum_images is 10000000 but optimization.optimizer is adam, which has no such thing: give "
        "--optimization.momentum-images 12500000, or --optimization.optimizer momentum",
    ),
    (
        "train",
        "--preset original28 --supervised cifar10",
        "networks.structure is maxout but supervised.task trains the layers of the paper's discriminator",
    ),
    (
        "train",
        "--supervised cifar10 --optimization.lr-divisor 1.5",
        "optimization.lr_divisor is 1.5 but supervised.task learns by Adam, whose rate may only fall at the end",
    ),
    ("train", "--supervised cifar10 --optimization.optimizer momentum", "optimization.optimizer is momentum but"),
    ("train", "--optimization.lr-divisor 0.9", "optimization.lr_divisor is 0.9 but needs at least 1"),
    ("train", "--optimization.lr-floor 0.1", "optimization.lr_floor is 0.1 but needs to be at most optimization.lr, "),
    ("train", "--data.label night", "data.label is night but networks.classes is 0, so no class is looked at"),
    ("sample", "done --class 3", "class is 3 but the networks of done know no classes: leave --class out"),
    ("train", "--seed -1", "seed is -1 but needs to be from 0"),
    ("train", "--minutes 0", "minutes is 0.0 but needs to be above 0"),
    ("sample", "runs/done -n ten", "is ten but needs a whole number"),
    ("sample", "runs/done -n -3", "number is -3 but needs at least 0 images"),
    ("evaluate", "runs/done --actors 0", "actors is 0 but needs at least 1"),
    ("evaluate", "runs/done --cpus 0.00005", "cpus is 5e-05 but needs to be 0, or at least 0.0001"),
    ("memorised", "runs/done --gpus 2.5", "gpus is 2.5 but needs to be a fraction of 1, or a whole number"),
    ("train", "--probe.gpus 1.5", "probe.gpus is 1.5 but needs to be a fraction of 1, or a whole number"),
    ("train", "--probe.cpus 0.00009", "probe.cpus is 9e-05 but needs to be 0, or at least 0.0001"),
    ("train", "--workers.cpus 0.00009", "workers.cpus is 9e-05 but needs at least 0.0001"),
    ("evaluate", "--features pixels --size 0", "size is 0 but needs at least 1"),
    (
        "evaluate",
        "runs/done --tasks a/b=photos",
        "names a task 'a/b' but needs a plain name, as in --tasks mine=photos",
    ),
    ("evaluate", "runs/done --tasks ../x=photos", "but needs a plain name"),
    ("memorised", "runs/done --number 1k", "--number is 1k but needs a whole number: write 1000"),
    ("prepare", "photos out --size 32px", "--size is 32px but needs a whole number"),
    ("prepare", "photos out --size 33", "size is 33 but needs to be one of 8, 14, 16, 28"),
    ("sweep", f"{LR} --trials 1.5", "--trials is 1.5 but needs a whole number"),
    ("sweep", f"{LR} --budget-minutes soon", "--budget-minutes is soon but needs a number"),
    # Options that there are not, and values that are missing.
    ("train", "--image 6000", "--image is not an option; did you mean --images?"),
    ("train", "--lrr 3", "--lrr is not an option; did you mean --lr?"),
    ("train", "--beta2 0.9", "--beta2 is not an option; did you mean --optimization.beta2?"),
    ("train", "--images", "--images has no value"),
    ("train", "--preset", "--preset has no value"),
    ("train", "images=3", "images=3 is one argument too many; did you mean --images=3?"),
    ("train", "photos", "photos is one argument too many"),
    ("train", "--dry-run=yes", "--dry-run takes no value but was given yes"),
    ("train", "--optimization.schedule bth", "did you mean both?"),
    ("sample", "", "RUN is missing"),
    ("status", "", "RUN is missing"),
    ("prepare", "photos", "photos was given but the command needs ADDRESS... and OUT"),
    ("check", "", "is missing"),
    ("check", "shards --processes -1", "processes is -1 but needs at least 0"),
    ("check", "nosuch", "/nosuch does not exist"),
    ("check", "nothing", "nothing is empty"),
    ("check", "photos", "holds pictures, such as"),
    ("check", ",", "',' names no shards"),
    ("status", "runs/done runs/done", "runs/done is one argument too many"),
    ("preflight", "--doctr", "--doctr is not an option; did you mean --doctor?"),
    ("sample", "runs/done --sed 3", "--sed is not an option; did you mean --seed?"),
    ("dcgan-dist", "trian", "did you mean train?"),
    ("dcgan-dist", "sample runs/done --exprot g.safetensors", "did you mean --export?"),
    # Presets, files and settings.
    ("train", "--preset scenes23", "preset is scenes23 but needs to be one of scenes32"),
    ("train", "--config nosuch.yaml", "/nosuch.yaml: give a file of settings, such as RUN/settings.yaml"),
    ("train", "--config wrong.yaml", "optimization.beta3 is not a setting; did you mean optimization.beta2?"),
    ("train", "--config list.yaml", "holds no settings"),
    ("train", "--config photos/a.png", "is not YAML"),
    ("train", "--images 5 --epochs 2", "images and epochs are both given"),
    ("train", "--preset cifar32 --config wrong.yaml", "give one of them"),
    ("train", "--name a/b", "name is 'a/b' but needs to be a plain folder name"),
    ("train", "--name ..", "name is '..'"),
    (
        "train",
        "--storage /proc/runs",
        "but nothing can be written in /proc (No such file or directory): give another folder",
    ),
    # Runs that there are not, or that there are already.
    ("train", "--name done", "runs/done exists"),
    ("train", "--resume nosuch", "is a run's folder; the runs in "),
    ("train", "--resume", "--resume names no run: give one, as in --resume NAME"),
    ("sample", "runs/nosuch", "/nosuch is not the folder of a run; the runs in "),
    ("sample", "runs/done --checkpoint 9999", "has no checkpoint 9999: "),
    ("sample", "photos", "is a run's folder; the runs in "),
    ("status", "photos", "/runs are done"),
    ("evaluate", "runs/nosuch --tasks rooms", "/nosuch is not the folder of a run; the runs in "),
    ("sweep", "--report nosuch", "there is no sweep in"),
    ("sweep", "--resume done", "there is no sweep in"),
    # Data that is none.
    ("train", "--data photos", "photos holds pictures, such as a.png, and no shards: make some of them by"),
    ("train", "--data photos/a.png", "holds pictures, such as a.png, and no shards: make some of them by"),
    (
        "train",
        "--data data.zip",
        "data.zip is an archive, which nothing here reads: unpack it to a folder, for example by unzip",
    ),
    ("train", "--data nosuch/*.tar", "matches no shards"),
    ("prepare", "nosuch out", "/nosuch: give a folder or files that are there"),
    ("prepare", "photos photos/out", "/photos, which is to be read: choose one outside of it"),
    ("prepare", "nothing out", "/nothing; it is empty: give a folder of JPEG, PNG or WebP files"),
    # Sweeps.
    ("sweep", "--search lrr=uniform(0,1)", "--search lrr is not a setting; did you mean lr?"),
    ("sweep", "--search lr=uniform(1,0)", "is an empty range"),
    ("sweep", "--search lr=normal(0,1)", "is none of uniform(LOW,HIGH)"),
    ("sweep", f"{LR} --objective samples/spred", "did you mean samples/spread?"),
    ("sweep", f"{LR} --objective samples/spread --images 1280", "give --monitoring.steps"),
    ("sweep", f"{LR} --scheduler ashaa", "did you mean asha?"),
    ("sweep", "--search images=choice(100,200)", "--search cannot vary images"),
]


@pytest.fixture
def here(tmp_path: Path) -> list[Path]:
    """A folder with a run, pictures and files that are none; what is in it."""
    run = tmp_path / "runs" / "done"
    generator, discriminator = build_networks(SETTINGS.networks, 1, torch.device("cpu"), torch.float32, False)
    state = {"generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    write_checkpoint(Place(str(run)), state, SETTINGS, step=10, attempt=1, kept=True)
    (run / "settings.yaml").write_text(to_yaml(SETTINGS))
    (run / "run.json").write_text(json.dumps({"status": "finished"}))
    (tmp_path / "nothing").mkdir()
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 9), "red").save(tmp_path / "photos" / "a.png")
    (tmp_path / "wrong.yaml").write_text("images: 5\noptimization: {beta3: 0.5}\n")
    (tmp_path / "list.yaml").write_text("- images\n")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("a.png", (tmp_path / "photos" / "a.png").read_bytes())
    return sorted(tmp_path.rglob("*"))


@pytest.mark.parametrize(("command", "arguments", "told"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_wrong_input_is_one_sentence_before_anything_starts(
    command: str,
    arguments: str,
    told: str,
    here: list[Path],
    call: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(*args: object, **options: object) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("ray.init", start)
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ended, output, errors = call(COMMANDS[command], *arguments.split())
    assert ended == 2, errors
    assert errors.startswith("error: ")
    assert told in errors
    assert errors.count("\n") == 1, "one sentence"
    assert "Traceback" not in errors
    assert output == ""
    assert sorted(tmp_path.rglob("*")) == here, "nothing is left"


def test_there_are_sixty() -> None:
    assert len(CASES) >= 60
    assert len({case[:2] for case in CASES}) == len(CASES)
    assert {case[0] for case in CASES} == COMMANDS.keys()
    for _, arguments, told in CASES:
        assert told not in arguments, "any sentence that repeats the arguments would do"

"""Networks and losses of a user's own: found, tried, refused in a sentence; and what the docs show works."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import simplejpeg
import torch
import torch.nn.functional as F
from ray import cloudpickle

from dcgan_dist import evaluate, extensions, memorised, sample, train
from dcgan_dist.cluster.connect import carry_code
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import SettingsError
from dcgan_dist.extensions import import_code, travelling
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.run_folder.checkpoint import load_checkpoint, named_checkpoint, write_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings, Settings, replaced, to_yaml
from dcgan_dist.storage import Place
from dcgan_dist.training.custom_code_checks import require_contract
from dcgan_dist.training.options import parse
from tests.conftest import Call
from tuning.options import parse as parse_sweep
from tuning.sweep import Sweep

DOCS = Path(__file__).parents[1] / "docs" / "extending.md"
SETTINGS = Settings(
    images=100,
    networks=NetworkSettings(image_size=16, generator_maps=3, discriminator_maps=5, latent_size=7),
    optimization=OptimizationSettings(batch_size=6, average_images=50),
)


def example() -> str:
    """`mine.py` of the docs."""
    return DOCS.read_text().partition("<!-- example: mine.py -->\n```python\n")[2].partition("```")[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which commands are given; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(extensions, "_imported", {})
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(tmp_path):
            if name in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.unregister_pickle_by_value(sys.modules[name])
            del sys.modules[name]


def own(factory: str = "", loss: str = "bce") -> Settings:
    return replaced(SETTINGS, {"networks.factory": factory, "optimization.loss": loss}, "test")


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(SettingsError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_example_of_the_docs_keeps_the_contract(folder: Path) -> None:
    (folder / "mine.py").write_text(example())
    settings = own("mine:build", "mine:hinge")
    code = import_code(settings)
    require_contract(settings, code)
    generator, discriminator = build_networks(settings.networks, 3, torch.device("cpu"), torch.float32, True, code)
    assert type(generator).__module__ == "mine"
    assert discriminator(generator(torch.zeros(2, 7))).shape == (2,)


def test_initial_weights_depend_on_the_seed_alone(folder: Path) -> None:
    (folder / "mine.py").write_text(example())
    settings = own("mine:build")
    code = import_code(settings)

    def weights(seed: int) -> list[torch.Tensor]:
        torch.rand(seed)  # whatever was drawn before
        networks = build_networks(settings.networks, seed, torch.device("cpu"), torch.float32, False, code)
        return [weight for network in networks for weight in network.state_dict().values()]

    assert all(map(torch.equal, weights(3), weights(3)))
    assert not all(map(torch.equal, weights(3), weights(4)))
    torch.manual_seed(1)
    undisturbed = torch.rand(4)
    torch.manual_seed(1)
    build_networks(settings.networks, 3, torch.device("cpu"), torch.float32, False, code)
    assert torch.equal(torch.rand(4), undisturbed)


BUILD = """
import torch
from torch import nn
class G(nn.Module):
    def __init__(self, n, size):
        super().__init__()
        self.size, self.linear = size, nn.Linear(n, 3 * size * size)
    def forward(self, z):
        return self.linear(z).tanh().unflatten(1, (3, self.size, self.size))
class D(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(3 * size * size, 1)
    def forward(self, images, groups=1):
        return self.linear(images.flatten(1)).squeeze(1)
def build(settings):
    return G(settings.latent_size, settings.image_size), D(settings.image_size)
def loss(settings):
    return (lambda real, generated: generated - real), (lambda generated: -generated)
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("return G(settings.latent_size, settings.image_size), D(settings.image_size)", "return D(8)", "returns D but"),
        ("return G(settings.latent_size, settings.image_size), D(settings.image_size)", "pass", "returns NoneType but"),
        ("settings.image_size), D", "8), D", "float32 [4, 3, 8, 8], needed is float32 [4, 3, 16, 16]"),
        (".tanh()", ".mul(100)", "its generator draws values up to"),
        (".tanh()", ".double().tanh()", "float64 [4, 3, 16, 16], needed is float32 [4, 3, 16, 16]"),
        (".tanh()", ".log()", "numbers that are not finite"),
        (".squeeze(1)", "", "its discriminator makes of images [8, 3, 16, 16] float32 [8, 1], needed is float32 [8]"),
        (".squeeze(1)", ".squeeze(1).tolist()", "a list where a tensor [8] is needed"),
        (", groups=1):", "):", "which fails: TypeError: "),
        ("self.linear = nn.Linear(3", "self.unused = nn.Linear(2, 2); self.linear = nn.Linear(3", "gets no gradient"),
        ("self.linear = nn.Linear(3", "import random; self.x = nn.Parameter(torch.tensor(random.random())); "
         "self.linear = nn.Linear(3", "x of its discriminator is another one at each call"),
        ("self.linear = nn.Linear(3", "self.x = nn.Parameter(torch.tensor(float('nan'))); self.linear = nn.Linear(3",
         "x of its discriminator is not finite"),
        ("images.flatten(1)", "images.flatten(2)", "mine.py, line 15: RuntimeError: "),
        ("generated - real", "(generated - real).mean()", "a loss of shape [] for logits of shape [4]"),
        ("generated - real", "generated.log()", "loss/discriminator is nan in a first step"),
        ("(lambda generated: -generated)", "None", "needs to return two functions"),
        ("(lambda generated: -generated)", "(lambda generated: generated.nothing)", "AttributeError: "),
    ],
)  # fmt: skip
def test_what_is_not_as_asked_is_told_in_a_sentence(folder: Path, old: str, new: str, told: str) -> None:
    settings = own("mine:build", "mine:loss")
    assert old in BUILD
    (folder / "mine.py").write_text(BUILD.replace(old, new))
    sentence = refusal(lambda: require_contract(settings, import_code(settings)))
    assert told in sentence
    assert sentence.startswith(("networks.factory is mine:build", "optimization.loss is mine:loss"))


@pytest.mark.parametrize(
    ("maps", "told"),
    [
        ("", "mine:build has no method maps"),
        ("def maps(self, images): return images", "something else than a list of maps"),
        ("def maps(self, images): return [images.flatten(1)]", "something else than a list of maps"),
    ],
)
def test_a_discriminator_without_maps_is_refused_before_a_run_that_is_probed(
    folder: Path, maps: str, told: str
) -> None:
    (folder / "mine.py").write_text(
        BUILD.replace("    def forward(self, images", f"    {maps}\n    def forward(self, images")
    )
    settings = own("mine:build")
    require_contract(settings, import_code(settings))
    probed = replaced(settings, {"probe.tasks": "cifar10"}, "test")
    assert told in refusal(lambda: require_contract(probed, import_code(settings)))


def test_networks_that_know_classes_are_tried_with_some(folder: Path) -> None:
    text = BUILD.replace("def forward(self, z", "def forward(self, z, labels").replace(
        "def forward(self, images, groups=1", "def forward(self, images, groups=1, *, labels"
    )
    (folder / "mine.py").write_text(text)
    settings = replaced(own("mine:build"), {"networks.classes": 3}, "test")
    require_contract(settings, import_code(settings))
    assert "labels" in refusal(lambda: require_contract(own("mine:build"), import_code(settings)))


def test_the_plain_example_of_this_file_is_as_asked(folder: Path) -> None:
    (folder / "mine.py").write_text(BUILD)
    for settings in (own("mine:build", "mine:loss"), own("mine:build"), own(loss="mine:loss")):
        require_contract(settings, import_code(settings))


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("nosuch:build", "", "there is no module nosuch in"),
        ("mine.nosuch:build", "", "there is no module mine"),
        ("mine:nosuch", "", "has nothing of that name"),
        ("mine:number", "number = 3", "its number cannot be called"),
        ("mine:build", "import nosuch_package", "imports nosuch_package, which is not there"),
        ("mine:build", "def build(:", "cannot be imported: SyntaxError"),
        ("mine:build", "\n1 / 0", "cannot be imported: ZeroDivisionError: division by zero ("),
    ],
)
def test_what_cannot_be_imported_is_told_in_a_sentence(folder: Path, path: str, text: str, told: str) -> None:
    (folder / "mine.py").write_text(text)
    assert told in refusal(lambda: import_code(own(path)))
    assert told in refusal(lambda: import_code(own(loss=path)))


@pytest.mark.parametrize(
    "path", ["mine", "mine:", ":build", "mine.py:build()", "my file:build", "../mine:build", "hinges"]
)
def test_what_is_no_import_path_is_refused(path: str) -> None:
    assert "needs to be" in refusal(lambda: own(path))
    assert "needs to be bce, saturating, hinge, least_squares, or module:function" in refusal(lambda: own(loss=path))


@pytest.mark.parametrize("preset", ["original28", "original32", "original32conv"])
def test_a_loss_of_ones_own_is_tried_on_the_original_gan(preset: str) -> None:
    """Which has dropout, and, for CIFAR-10, values beyond what pixels can be."""

    def logistic(settings: OptimizationSettings) -> Any:
        return (
            lambda real, generated: F.softplus(-real) + F.softplus(generated),
            lambda generated: F.softplus(-generated),
        )

    settings = PRESETS[preset]()
    settings = replace(settings, optimization=replace(settings.optimization, loss="mine:logistic"))
    require_contract(settings, {"mine:logistic": logistic})


def test_own_networks_are_not_given_bf16(folder: Path) -> None:
    assert "use torch.autocast" in refusal(
        lambda: replaced(own("mine:build"), {"optimization.precision": "bf16"}, "test")
    )


def test_code_and_what_lies_beside_it_travels_to_where_its_files_are_not(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "parts" / "shapes.py").write_text(
        "import beside\nfrom beside import half\ndef side(n): return half(n) + beside.ZERO\n"
    )
    (folder / "beside.py").write_text("ZERO = 0\ndef half(n): return n // 2\n")
    (folder / "parts" / "nets.py").write_text(
        "import json\nfrom parts import shapes\nfrom dcgan_dist.model.batchnorm import BatchNorm\n"
        "class Net:\n    def __init__(self, n): super().__init__(); self.n = shapes.side(n)\n"
        "def build(settings): return json.dumps([Net(settings).n, BatchNorm.__module__])\n"
    )
    code = import_code(own("parts.nets:build"))
    assert {module.__name__ for module in travelling()} >= {"parts.nets", "parts.shapes", "beside"}
    assert not {module.__name__ for module in travelling()} & {
        "json",
        "torch",
        "dcgan_dist.model.batchnorm",
        "__main__",
    }
    carry_code()
    away = folder / "away"
    away.mkdir()
    (away / "code").write_bytes(cloudpickle.dumps(code))
    # From the driver of a sweep it goes to that of a trial, and from there to workers.
    load = (
        "import pickle, sys; from ray import cloudpickle; code = pickle.load(open('code', 'rb')); "
        "open('code', 'wb').write(cloudpickle.dumps(code)); print(code['parts.nets:build'](8)); "
        "sys.exit('beside' in sys.modules)"
    )
    for _ in range(2):
        told = subprocess.run([sys.executable, "-c", load], cwd=away, capture_output=True, text=True)
        assert (told.returncode, told.stdout) == (0, '[4, "dcgan_dist.model.batchnorm"]\n'), told.stderr


def test_a_sweep_imports_and_tries_every_loss_that_its_trials_may_have(folder: Path) -> None:
    (folder / "mine.py").write_text(BUILD)
    plan = ["--images=12800", "--trials=2", "--objective=loss/generator", "--mode=min"]
    search = ["--search", "optimization.loss=choice(bce,mine:loss)"]
    assert Sweep(parse_sweep([*plan, *search])).code.keys() == {"mine:loss"}
    (folder / "mine.py").write_text(BUILD.replace("generated - real", "(generated - real).mean()"))
    del sys.modules["mine"]
    assert "a loss of shape []" in refusal(lambda: Sweep(parse_sweep([*plan, *search])))


@pytest.mark.parametrize(
    ("parser", "options"), [(parse, []), (parse_sweep, ["--search", "lr=uniform(1e-4,1e-3)"])], ids=["train", "sweep"]
)
def test_code_that_a_file_names_runs_only_where_it_is_trusted(
    folder: Path, parser: Callable[[Sequence[str]], Any], options: list[str]
) -> None:
    (folder / "mine.py").write_text("raise SystemExit('its code was run')")
    (folder / "theirs.yaml").write_text(to_yaml(own("mine:build", "mine:loss")))
    read = ["--config=theirs.yaml", *options]
    assert "theirs.yaml says networks.factory mine:build" in refusal(lambda: parser(read))
    # What the command line names itself it need not be told to trust.
    given = [*read, "--networks.factory=mine:build"]
    assert "theirs.yaml says optimization.loss mine:loss" in refusal(lambda: parser(given))
    assert parser([*given, "--optimization.loss", "mine:loss"]).settings.networks.factory == "mine:build"
    assert parser([*read, "--trust-code"]).settings.optimization.loss == "mine:loss"
    assert "mine" not in sys.modules


@pytest.fixture
def own_run(folder: Path) -> Place:
    """A run of the example's networks, with a checkpoint of their initial weights."""
    (folder / "mine.py").write_text(example())
    settings = own("mine:build", "mine:hinge")
    code = import_code(settings)
    networks = build_networks(settings.networks, 3, torch.device("cpu"), torch.float32, True, code)
    step = AdversarialStep(*networks, settings.optimization, 9, code)
    random = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=random)
    for number in range(3):
        step(images, torch.rand(6, 7, generator=random) * 2 - 1, number)
    run = Place(str(folder / "runs" / "own"))
    (run / "settings.yaml").write_bytes(to_yaml(settings).encode())
    write_checkpoint(run, step.state_dict(), settings, step=3, attempt=1, kept=True)
    del sys.modules["mine"]
    return run


def test_samples_and_exports_of_own_networks(own_run: Place, folder: Path, call: Call) -> None:
    for number in ("30", "3"):
        status, _, err = call(sample.main, "runs/own", "-n", number, "--trust-code", "--single", f"--out={number}")
        assert status == 0, err
    assert (folder / "30" / "000002.png").read_bytes() == (folder / "3" / "000002.png").read_bytes()
    assert (folder / "3" / "000001.png").read_bytes() != (folder / "3" / "000002.png").read_bytes()
    status, _, err = call(sample.main, "runs/own", "-n=0", "--trust-code", "--export=own.safetensors")
    assert status == 2
    assert "export it as .pt2" in err
    status, _, err = call(sample.main, "runs/own", "-n=0", "--trust-code", "--export=own.pt2", "--generator=raw")
    assert status == 0, err
    checkpoint = named_checkpoint(own_run, "latest", trust_code=True)
    frozen = load_frozen(checkpoint, "own", "raw", torch.device("cpu"))
    z = frozen.latents(5, seed=4)
    drawn = torch.export.load(folder / "own.pt2").module()(z)
    torch.testing.assert_close(drawn, frozen(z), rtol=0, atol=1e-5)


def test_code_is_not_run_by_reading_a_run(own_run: Place, folder: Path, call: Call) -> None:
    (folder / "mine.py").write_text("raise SystemExit('its code was run')")
    load_checkpoint(own_run)
    for main, arguments in ((sample.main, ["-n=3"]), (evaluate.main, []), (memorised.main, ["-n=100"])):
        status, _, err = call(main, "runs/own", *arguments)
        assert status == 2
        assert "settings.yaml says networks.factory mine:build: to import that runs its code with your rights" in err
    status, _, err = call(train.main, "--resume=own")
    assert status == 2
    assert "to import that runs its code with your rights; give --trust-code" in err
    (folder / "mine.py").unlink()
    status, _, err = call(sample.main, "runs/own", "-n=3", "--trust-code")
    assert status == 2
    assert "networks.factory is mine:build but there is no module mine in" in err
    assert "mine" not in sys.modules


@pytest.mark.system
@pytest.mark.ray
def test_a_run_with_own_networks_and_loss_goes_all_the_way(standing_cluster: None, folder: Path, call: Call) -> None:
    (folder / "mine.py").write_text(example())
    random = np.random.default_rng(0)
    for split, number in (("train", 120), ("test", 30)):
        with ShardWriter(Place(str(folder / "bands")), split, 200) as writer:
            for i in range(number):
                image = random.integers(0, 100, (16, 16, 3))
                image[5 * (i % 3) : 5 * (i % 3) + 5] += 150
                writer.add(simplejpeg.encode_jpeg(image.astype(np.uint8), quality=90), label=i % 3)

    def run(main: Callable[[Sequence[str]], int], *arguments: str) -> tuple[int, str]:
        with patch.object(train, "connected", lambda address, cpus: contextlib.nullcontext()):
            status, out, err = call(main, *arguments)
        return status, out + err

    status, told = run(
        train.main,
        "--networks.factory=mine:build",
        "--optimization.loss=mine:hinge",
        "--data=bands/train-*.tar",
        "--images=96",
        "--batch-size=12",
        "--name=own",
        "--workers=2",
        "--workers.threads=1",
        "--workers.cpus=0.5",
        "--data.cpus=1",
        "--networks.image-size=16",
        "--networks.generator-maps=4",
        "--networks.discriminator-maps=4",
        "--probe=bands=bands",
        "--probe.cpus=0",
        "--optimization.average-images=20",
    )
    assert status == 0, told
    assert "probe bands of checkpoint 000000000096: " in told
    at = Place(str(folder / "runs" / "own"))
    state = load_checkpoint(at).state
    assert "convolutions.0.parametrizations.weight.original" in state["discriminator"]
    assert state["averaged"]["layers.0.num_batches_tracked"] == 8

    (folder / "mine.py").write_text(example() + "# another one\n")
    status, told = run(train.main, "--resume=own", "--images=144", "--trust-code", "--probe.tasks=")
    assert status == 0, told
    assert "code: mine has changed since the run was last started" in told

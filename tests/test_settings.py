"""Settings against the paper's numbers, YAML there and back, and one sentence for each mistake."""

from dataclasses import asdict

import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import PRESETS, NetworkSettings, Settings, flatten, from_yaml, replaced, to_yaml


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_yaml(name: str) -> None:
    settings = PRESETS[name]()
    assert from_yaml(to_yaml(settings), "settings.yaml") == settings


def test_published_presets_have_the_published_numbers() -> None:
    """Paper, section 4; published code; name of the published SVHN model."""
    runs = {name: flatten(PRESETS[name]()) for name in ("lsun64", "faces64", "imagenet32", "svhn32")}
    columns = {
        "optimization.lr": (2e-4, 2e-4, 2e-4, 5e-4),
        "optimization.beta1": (0.5,) * 4,
        "optimization.beta2": (0.999,) * 4,
        "optimization.eps": (1e-8,) * 4,
        "optimization.batch_size": (128, 128, 128, 64),
        "optimization.weight_decay": (0.0, 1e-5, 0.0, 0.0),
        "optimization.schedule": ("alternate",) * 4,
        "optimization.decay": (0.0, 0.0, 0.5, 0.0),
        # Passes over the images of each set; TensorFlow Datasets, published code, a copy of its script, Netzer et al.
        "images": (5 * 3_033_042, 25 * 350_000, 60 * 1_281_167, 200 * 73_257),
        "epochs": (None,) * 4,
        "networks.structure": ("5x5", "5x5", "3x3", "5x5"),
        "networks.image_size": (64, 64, 32, 32),
        "networks.latent_size": (100, 100, 256, 100),
        "networks.latent": ("uniform", "uniform", "uniform", "normal"),
        "networks.generator_maps": (128, 128, 128, 64),
        "networks.discriminator_maps": (128, 128, 128, 64),
        "data.fit": ("resize", "crop", "resize", "resize"),
    }
    for setting, values in columns.items():
        assert tuple(run[setting] for run in runs.values()) == values, setting


def test_the_original_gan_has_its_published_numbers() -> None:
    """goodfeli/adversarial: mnist.yaml, cifar10_fully_connected.yaml, cifar10_convolutional.yaml; passes are ours, as
    none are published."""
    runs = [flatten(PRESETS[name]()) for name in ("original28", "original32", "original32conv")]
    columns = {
        "optimization.batch_size": (100, 100, 128),
        "optimization.lr": (0.1, 0.025, 0.004),
        "optimization.momentum": (0.5, 0.5, 0.5),
        "optimization.final_momentum": (0.7, 0.7, 0.7),
        "optimization.momentum_images": (250 * 50_000, 250 * 40_000, 250 * 40_000),
        "optimization.lr_divisor": (1.000004, 1.000004, 1.000004),
        "optimization.lr_floor": (1e-6, 1e-6, 1e-6),
        "optimization.discriminator_weight": (0.5, 0.5, 0.5),
        "optimization.weight_decay": (0.0, 0.0, 0.0),
        "optimization.schedule": ("simultaneous",) * 3,
        "optimization.average_images": (0, 0, 0),
        "images": (250 * 50_000, 250 * 40_000, 250 * 40_000),
        "networks.generator_maps": (1_200, 8_000, 80),
        "networks.generator_activations": ("relu,relu", "relu,sigmoid", "relu,sigmoid"),
        "networks.discriminator_maps": (240, 1_600, 32),
        "networks.dense_units": (0, 0, 500),
        "networks.maxout_pieces": (5, 5, 5),
        "networks.output": ("sigmoid", "linear", "linear"),
        "networks.channels": (1, 3, 3),
        "networks.latent_size": (100, 100, 100),
        "networks.latent": ("normal", "normal", "normal"),
    }
    for setting, values in columns.items():
        assert tuple(run[setting] for run in runs) == values, setting


def test_runs_from_before_other_activations_could_be_chosen_are_those_of_now() -> None:
    """Every settings.yaml had the value that belongs to the original GAN alone."""
    assert from_yaml("images: 9\nnetworks: {generator_activations: 'relu,relu'}", "settings.yaml").networks == (
        NetworkSettings()
    )
    original = from_yaml(to_yaml(PRESETS["original28"]()), "settings.yaml")
    assert original.networks.generator_activations == "relu,relu"


def test_networks_of_ones_own_may_ignore_the_structure() -> None:
    settings = NetworkSettings(structure="maxout", factory="mine:build", classes=3)
    assert settings.batchnorm == "prescribed"


def test_presets_of_our_own_update_both_networks_in_a_step() -> None:
    assert {PRESETS[name]().optimization.schedule for name in ("scenes32", "own64", "cifar32")} == {"both"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("images: 1\na: 1", "a is not a setting"),
        ("images: 1\ndata: {pth: x}", "data.pth is not a setting; did you mean data.path?"),
        ("images: 3.5", "images is 3.5 but needs to be a whole number or nothing"),
        ("images: true", "images is True but needs to be a whole number or nothing"),
        ("images: 1\noptimization: {lr: fast}", "optimization.lr is 'fast' but needs to be a number"),
        (
            "images: 1\noptimization: {schedule: bath}",
            "optimization.schedule is 'bath' but needs to be one of both, alt",
        ),
        ("images: 1\ndata: 3", "data is 3 but needs settings of its own"),
        ("- 3", "holds no settings"),
        ("a: [", "is not YAML"),
        ("images: 1\nepochs: 1", "images and epochs are both given"),
        ("seed: 1", "neither images nor epochs is given"),
        ("images: 1\nname: a/b", "name is 'a/b' but needs to be a plain folder name"),
        ("images: 1\nnetworks: {image_size: 48}", "networks.image_size is 48 but needs to be one of 8, 14, 16, 28"),
        ("images: 1\nworkers: {number: 200}", "batch_size is 128 but needs at least 1 image for each of 200 workers"),
        (
            "images: 1\nworkers: {number: 100}\nnetworks: {batchnorm_over: worker}",
            "needs at least 2 images for each of 100 workers",
        ),
        (
            "images: 1\nworkers: {number: 100, exchange_steps: 3}",
            "batch_size is 128 but workers.exchange_steps 3 needs at least 2 images for each of 100 workers",
        ),
        ("images: 1\nworkers: {outer_lr: 0.7}", "workers.outer_lr is 0.7 but workers.exchange_steps is 1, so that"),
        ("images: 1\nworkers: {outer_momentum: 0.9}", "workers.outer_momentum is 0.9 but workers.exchange_steps is 1"),
        (
            "images: 1\nworkers: {gradients: powersgd, exchange_steps: 4}",
            "workers.gradients is powersgd but workers.exchange_steps is 4, by which no gradients are sent",
        ),
        ("images: 1\nprobe: {resource: GPU}", "probe.resource is GPU but needs to be one that machines offer"),
        ("images: 1\noptimization: {lr: -1}", "optimization.lr is -1.0 but needs to be above 0"),
        ("images: 1\noptimization: {lr: .nan}", "optimization.lr is nan but needs to be a finite number"),
        ("images: 1\noptimization: {beta1: 1}", "optimization.beta1 is 1.0 but needs to be at least 0 and below 1"),
        ("images: 1\ndata: {max_bad_fraction: 1}", "data.max_bad_fraction is 1.0"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_yaml(text, "settings.yaml")
    told = str(caught.value)
    assert sentence in told
    assert "\n" not in told


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    assert from_yaml("images: 1\noptimization: {lr: 1e-4, eps: 1}", "").optimization.lr == 1e-4
    assert [from_yaml(f"images: {text}", "").images for text in ("1e5", "240_000", "2.4e5")] == [
        100_000,
        240_000,
        240_000,
    ]


def test_flatten_names_every_setting_once() -> None:
    flat = flatten(Settings(images=1))
    assert flat["data.path"] == "scenes"
    assert flat["optimization.batch_size"] == 128
    groups = asdict(Settings(images=1)).items()
    names = [[f"{group}.{name}" for name in of] if isinstance(of, dict) else [group] for group, of in groups]
    assert list(flat) == [name for some in names for name in some]


FLOATS = [name for name, value in flatten(Settings(epochs=1.0, minutes=1.0)).items() if isinstance(value, float)]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [".inf", ".nan", "-.inf"])
def test_no_number_is_infinite_or_none(name: str, value: str) -> None:
    group, _, rest = name.rpartition(".")
    line = f"{group}: {{{rest}: {value}}}" if group else f"{rest}: {value}"
    length = "" if name == "epochs" else "images: 7\n"
    with pytest.raises(SettingsError, match=rf"{rest} is -?(inf|nan) but needs"):
        from_yaml(f"{length}{line}\n", "a file")


def test_a_length_that_no_one_means_is_refused() -> None:
    with pytest.raises(SettingsError, match=f"images is {2**54} but needs at most {2**53}"):
        Settings(images=2**54)
    with pytest.raises(SettingsError, match=r"epochs is 1e\+300 but needs at most 1,000,000"):
        Settings(epochs=1e300)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"supervised.per_class": 3}, r"supervised\.per_class is given without supervised\.task"),
        (
            {"supervised.begin_with": "gan", "supervised.dropout": 0.5},
            r"supervised\.begin_with and supervised\.dropout is given without supervised\.task",
        ),
        ({"supervised.task": "rooms", "supervised.dropout": 1.0}, r"supervised\.dropout is 1.0 but needs to be"),
        ({"supervised.task": "rooms", "workers.number": 2}, r"workers\.number is 2 but needs to be 1 with supervised"),
        ({"supervised.task": "rooms", "networks.factory": "m:build"}, r"networks\.factory is m:build but supervised"),
        ({"supervised.task": "rooms", "networks.classes": 8}, r"networks\.classes is 8, which tells the networks"),
        ({"supervised.task": "rooms", "probe.tasks": "rooms"}, r"probe\.tasks is rooms but .* leave --probe out"),
    ],
)
def test_what_does_not_go_with_labels_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        replaced(PRESETS["cifar32"](), changes, "here")

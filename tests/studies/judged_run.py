"""A run that was trained on drawn faces or rooms, for a moment, with the judge of these beside it."""

import json
from dataclasses import replace
from pathlib import Path

import safetensors.torch

from dcgan_dist.data.scenes import Kind
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.judges.store import VERSION

TESTED = {"scenes": 21, "right": {"smile": 0.625}}


def judged_run(folder: Path, kind: Kind) -> Path:
    """The run, in `folder`; its judge has learned nothing, and says that it was tested by `TESTED`."""
    settings = scenes32()
    settings = replace(
        settings,
        data=replace(settings.data, scenes=kind),
        networks=replace(settings.networks, generator_maps=4, discriminator_maps=4),
    )
    state = {}
    for name, network in (
        ("generator", Generator(settings.networks)),
        ("discriminator", Discriminator(settings.networks)),
    ):
        initialize(network, 5)
        state[name] = network.state_dict()
    write_checkpoint(Place(str(folder / "mine")), state, settings, step=10, attempt=1, kept=True)
    judge = FaceJudge.untrained(7) if kind == "faces" else RoomJudge.untrained(7)
    (folder / "data").mkdir()
    content = safetensors.torch.save(judge.network.state_dict(), {"tested": json.dumps(TESTED)})
    (folder / "data" / f"judge-{kind}-v{VERSION}.safetensors").write_bytes(content)
    return folder / "mine"

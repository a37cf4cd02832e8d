"""Train a DCGAN:

python -m dcgan_dist.train
python -m dcgan_dist.train --preset cifar32 --data "cifar10/train-*.tar" --epochs 3 --lr 1e-4
python -m dcgan_dist.train --preset lsun64 --data "s3://bucket/lsun/*.tar" --storage s3://bucket/runs --workers 8
python -m dcgan_dist.train --preset cifar32 --supervised cifar10 --epochs 10
python -m dcgan_dist.train --resume NAME
"""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from dcgan_dist.cluster.connect import connected, cpus_for, describe_connecting, has_address, set_environment
from dcgan_dist.cluster.environment import interfaces, require_interfaces
from dcgan_dist.errors import DcganDistError, complain
from dcgan_dist.run_folder.checkpoint import newest_manifest
from dcgan_dist.run_folder.driver_lock import sole_driver
from dcgan_dist.storage import place, require_writable
from dcgan_dist.training.launch import Launch, RunDone
from dcgan_dist.training.options import TrainOptions, parse

if TYPE_CHECKING:
    from dcgan_dist.training.supervised import SupervisedLaunch


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0 when the run has finished, 1 when it failed, 2 for wrong input, 130 or 143 after a
    signal."""
    started, launch = False, None
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        for note in options.notes:
            print(note, flush=True)
        if options.starts_or_goes_on and options.is_done:
            print(f"{place(options.settings.storage) / options.settings.name} is finished")
            return 0
        set_environment(options.settings.workers.address, options.settings.workers.wait_s)
        launch = new_launch(options)
        if not options.dry_run:
            require_writable(place(options.settings.storage), "--storage")
        if not has_address(options.settings.workers.address):
            require_interfaces(os.environ, interfaces(), gpus=False)
        # The folder of a new run is made when it starts.
        claimed = bool(options.resume) and not options.dry_run
        with sole_driver(launch.run) if claimed else nullcontext():
            print(describe_connecting(options.settings.workers.address), flush=True)
            with connected(options.settings.workers.address, cpus_for(options.settings)):
                launch.preflight()
                if options.dry_run:
                    launch.rehearse()
                    return 0
                launch.open_data()
                started = True
                return launch.train(claimed=claimed)
    except RunDone as done:
        if options.starts_or_goes_on:
            print(done)
            return 0
        complain(f"{done}; give a larger --images to train it further")
        return 2
    except DcganDistError as error:
        complain(error)
        return 1 if started else error.status
    except KeyboardInterrupt:
        print(_left(launch if started else None), file=sys.stderr)
        return 130


def new_launch(options: TrainOptions) -> "Launch | SupervisedLaunch":
    """What trains by these options: a DCGAN, or a network that learns from labels; raises as they do."""
    if not options.settings.supervised.task:
        return Launch(options)
    # As in `launch`, Ray is imported once its environment is set.
    from dcgan_dist.training.supervised import SupervisedLaunch

    return SupervisedLaunch(options)


def _left(launch: "Launch | SupervisedLaunch | None") -> str:
    """What to print when Ctrl-C ended the command at once."""
    if launch is None:
        return "stopped before training began; nothing was saved, and the same command starts the run again"
    newest = newest_manifest(launch.run)
    if newest is None:
        return (
            f"stopped before the first checkpoint: --resume {launch.settings.name} starts training from the beginning"
        )
    return (
        f"stopped without a new checkpoint: --resume {launch.settings.name} resumes from the one at "
        f"{newest['images']:,} images"
    )


if __name__ == "__main__":
    sys.exit(main())

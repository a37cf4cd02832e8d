"""Pictures from a checkpoint:

python -m dcgan_dist.sample runs/scenes32 -n 64
python -m dcgan_dist.sample runs/scenes32 -n 10000 --single --out samples/
python -m dcgan_dist.sample s3://bucket/runs/lsun64 -n 0 --export generator.safetensors
"""

import sys
from collections.abc import Sequence
from functools import partial

import tyro

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import DcganDistError, complain
from dcgan_dist.numerals import count
from dcgan_dist.studies.samples import SampleOptions, sample


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 2 for wrong input, 1 where it failed later."""
    try:
        config = (tyro.conf.FlagCreatePairsOff,)
        options = read(SampleOptions, arguments, prog=prog("sample"), config=config)
        written = sample(options, partial(print, file=sys.stderr))
    except DcganDistError as error:
        complain(error)
        return error.status
    if len(written) > 2:
        print(f"{count(len(written), 'file')} in {written[0].parent}")
    else:
        print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

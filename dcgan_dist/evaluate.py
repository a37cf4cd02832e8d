"""How good the features of a run's discriminator are, by classifiers on them, and how near samples come to the data:

python -m dcgan_dist.evaluate runs/cifar32 --tasks cifar10,neighbours
python -m dcgan_dist.evaluate runs/cifar32 --tasks cifar10=FOLDER --features discriminator,random,pixels
python -m dcgan_dist.evaluate s3://bucket/runs/NAME --tasks cifar10,mine=s3://bucket/mine --actors 4
python -m dcgan_dist.evaluate --features pixels,kmeans1600,published-imagenet --tasks cifar10
"""

import sys
from collections.abc import Sequence

import tyro

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.evaluation.service.comparison import EvaluateOptions, evaluate, results_folder
from dcgan_dist.evaluation.service.options import status_of
from dcgan_dist.evaluation.tables import table
from dcgan_dist.monitoring.sinks.terminal import Line
from dcgan_dist.printing import tell
from dcgan_dist.run_folder.naming import find_run


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, 2 for wrong input, 1 for what fails later, 130 after Ctrl-C."""

    def act(line: Line) -> None:
        config = (tyro.conf.FlagCreatePairsOff,)
        options = read(EvaluateOptions, arguments, prog=prog("evaluate"), config=config)
        of = find_run(options.run, options.storage) if options.run else None
        results = evaluate(options, of, line.say)
        line.clear()
        for task, of_task in results.items():
            for told in (*table(task, of_task), ""):
                tell(told, sys.stdout)
        tell(f"results are in {results_folder(options, of.place if of else None)}", sys.stdout)

    return status_of(act, "stopped; finished results are kept, and the same command continues from there")


if __name__ == "__main__":
    sys.exit(main())

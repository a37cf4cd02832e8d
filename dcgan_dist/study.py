"""Look inside a trained generator: the studies of the paper's section 6, each with a figure and its numbers:

python -m dcgan_dist.study walk scenes32
python -m dcgan_dist.study walk published-svhn

The name of the study may also stand behind that of the run. Results go to RUN/studies/.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import COMMANDS, command_line, prog
from dcgan_dist.cli.signals import terminable
from dcgan_dist.errors import SettingsError, at_work
from dcgan_dist.evaluation.service.evaluator import Evaluator, Evaluators, ThisProcess
from dcgan_dist.evaluation.service.options import open_pool, status_of
from dcgan_dist.monitoring.sinks.terminal import Line
from dcgan_dist.storage import require_writable
from dcgan_dist.studies.registry import STUDIES
from dcgan_dist.studies.result import write
from dcgan_dist.studies.subject import open_subject


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 0, 2 for wrong input, 1 for what fails later, 130 or 143 after a signal."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["--help"], ["-h"]):
        print(usage())
        return 0

    def act(line: Line) -> None:
        with terminable():
            _study(given, line)

    return status_of(act, "stopped; a result is complete once its JSON file is there")


def _study(given: Sequence[str], line: Line) -> None:
    name, others = split(given)
    study = STUDIES[name]
    options = read(study.options, others, prog=prog(f"study {name}"))
    subject = open_subject(options)
    require_writable(subject.out, "out" if options.out else "the folder of results")
    line.say(subject.about.caption)
    opening = [partial(_evaluators, options, line)] if study.on_actors else []
    result = study.make(subject, options, line.say, *opening)
    with at_work():
        figure = write(name, subject, options, command_line(f"study {name}", *others), result)
    line.clear()
    print(*result.lines, subject.about.caption, f"look at {figure}", sep="\n")


def _evaluators(options: Any, line: Line, kind: type[Evaluator]) -> AbstractContextManager[Evaluators]:
    """Those that a study asks for: actors, or one in this process."""
    if not options.actors:
        return nullcontext(ThisProcess(kind))
    line.clear()
    return open_pool(options, line.say, kind)


def split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The name of the study, which is the first or the second word, and all other words.

    Raises:
        SettingsError: neither is one.
    """
    for place in (0, 1):
        if words[place : place + 1] and words[place] in STUDIES:
            return words[place], [*words[:place], *words[place + 1 :]]
    names = ", ".join(STUDIES)
    if not words:
        raise SettingsError(f"no study is named; there are {names}: give its name, and that of the run")
    raise SettingsError(f"{' '.join(words[:2])} names no study; there are {names}")


def usage() -> str:
    """All studies, each in a line."""
    width = max(map(len, STUDIES))
    lines = [f"  {name:{width}}  {COMMANDS[f'study {name}'][1]}" for name in STUDIES]
    first = f"usage: {prog('study walk').removesuffix(' walk')} STUDY RUN ..."
    return "\n".join([first, "", *lines, "", "STUDY --help tells the options of each."])


if __name__ == "__main__":
    sys.exit(main())

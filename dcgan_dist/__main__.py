"""All commands under one name, `dcgan-dist COMMAND ...`, as `python -m dcgan_dist COMMAND ...` is too.

Nothing heavy is imported before it is known which command is meant: help and version take no seconds.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence

from dcgan_dist import __version__
from dcgan_dist.cli.invocation import COMMANDS, CONSOLE
from dcgan_dist.errors import complain


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the status of the one that is named; 0 for help and version, 2 where none is meant."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["--help"], ["-h"], ["help"]):
        print(usage())
        return 0
    if given == ["--version"]:
        print(f"{CONSOLE} {__version__}")
        return 0
    if not given:
        print(usage(), file=sys.stderr)
        return 2
    name = next((name for name in COMMANDS if given[: len(name.split())] == name.split()), None)
    if name is None:
        parts = group(given[0])
        if parts and given[1:2] in ([], ["--help"], ["-h"], ["help"]):
            print(usage(parts), file=sys.stdout if given[1:] else sys.stderr)
            return 0 if given[1:] else 2
        complain(unknown(given))
        return 2
    module, *options = COMMANDS[name][0].split()
    try:
        status: int = importlib.import_module(module).main([*options, *given[len(name.split()) :]])
    except KeyboardInterrupt:  # while it was being imported
        return 130
    return status


def group(first: str) -> list[str]:
    """Commands of several words that begin with this one."""
    return [name for name in COMMANDS if name.startswith(f"{first} ")]


def usage(names: Sequence[str] = tuple(COMMANDS)) -> str:
    """Commands, each in a line."""
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {COMMANDS[name][1]}" for name in names]
    return "\n".join(
        [
            f"usage: {CONSOLE} COMMAND ...",
            "",
            *lines,
            "",
            f"{CONSOLE} COMMAND --help tells the options of each; {CONSOLE} --version, which version this is.",
        ]
    )


def unknown(given: Sequence[str]) -> str:
    """One sentence for what is no command."""
    if parts := group(given[0]):
        return f"there is no {' '.join(given[:2])}; there is {', '.join(parts)}"
    close = difflib.get_close_matches(given[0], [name.split()[0] for name in COMMANDS], n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
    return f"there is no command {given[0]}; {hint}"


if __name__ == "__main__":
    sys.exit(main())

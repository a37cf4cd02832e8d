"""A command line read into a dataclass, where whatever is wrong with it is one sentence.

Tyro reads it. What it says of wrong input are boxes with its own internals in them, so that a hook of its takes over.
"""

import contextlib
import dataclasses
import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import tyro
from tyro import _errors as events
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from dcgan_dist.errors import SettingsError
from dcgan_dist.numerals import real, whole

Options = TypeVar("Options")


def read(
    kind: type[Options],
    arguments: Sequence[str] | None,
    *,
    prog: str,
    default: Options | None = None,
    config: tuple[Any, ...] = (),
    description: str | None = None,
    words: str = "",
) -> Options:
    """Options from the command line; `--help` is answered, and ends the process with status 0.

    Args:
        kind: a dataclass, whose fields' docstrings are the help.
        arguments: None: those of the process.
        prog: what the command is called.
        default: what the options are where nothing is given; None: as the dataclass says.
        config: markers of Tyro's.
        description: what help begins with; None: the docstring of the dataclass.
        words: name of a field, a tuple of words, which may also stand between options and behind them.

    Raises:
        SettingsError: there is no such option, a value is missing or of a wrong type, a choice is none.
    """
    given = sys.argv[1:] if arguments is None else arguments
    command: Callable[..., Options] = partial(
        tyro.cli, kind, prog=prog, config=config, description=description, registry=_NUMBERS
    )
    if default is not None:
        command = partial(command, default=default)
    try:
        try:
            with events.on_parse_error(lambda event: _refuse(event, given, command)):
                return _with_words(command, given, words, prog) if words else command(args=given)
        finally:
            sys.stdout.flush()  # a short help lies in a buffer until now
    except BrokenPipeError:
        drop_output()
        sys.exit(0)


def _with_words(command: Callable[..., Any], given: Sequence[str], words: str, prog: str) -> Any:
    """Options, to whose words those are added that Tyro leaves over: it takes the first ones in a row alone."""
    options, left = command(args=given, return_unknown_args=True)
    # Of `--flag=VALUE` only the value is left over, which is no argument by itself.
    if wrong := [text for text in left if text.startswith("-") or text not in given]:
        raise SettingsError(_unknown(wrong, given, _known(command), f"see {prog} --help"))
    return dataclasses.replace(options, **{words: (*getattr(options, words), *left)})


def drop_output() -> None:
    """Print nothing any more, since the reader has seen enough, as by `| head`: Python would complain at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(event: events.ParseErrorEvent, arguments: Sequence[str], command: Callable[..., object]) -> None:
    """Raise the sentence of a kind of wrong input that we know; of others Tyro tells, and ends with status 2."""
    see = f"see {event.prog} --help"
    if isinstance(event, events.UnrecognizedArgs):
        raise SettingsError(_unknown(event.tokens, arguments, _known(command), see))
    if isinstance(event, events.MissingArgs):
        if event.unrecognized_tokens:
            raise SettingsError(_unknown(event.unrecognized_tokens, arguments, _known(command), see))
        names = [_named(one.arg, arguments) for one in event.missing_arguments]
        raise SettingsError(f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing: {see}")
    if isinstance(event, events.BadValue):
        name = _named(event.argument, arguments)
        if event.argument.is_positional():
            known = _known(command)
            tokens = [text for text in arguments if text.startswith("-") and _option(text) not in known]
            raise SettingsError(_unknown(tokens, arguments, known, see) if tokens else f"{name} is missing: {see}")
        raise SettingsError(f"{name} has no value: give {name} {event.argument.lowered.metavar or 'VALUE'}; {see}")
    if isinstance(event, events.InvalidChoice):
        choices = [str(choice) or "''" for choice in event.choices]
        close = difflib.get_close_matches(event.value, choices, n=1)
        raise SettingsError(
            f"{_named(event.argument, arguments)} is {event.value or repr('')} but needs to be one of "
            f"{', '.join(choices)}" + (f"; did you mean {close[0]}?" if close else "")
        )
    if isinstance(event, events.InstantiationFailure) and event.argument is not None:
        name = _named(event.argument, arguments)
        raise SettingsError(f"{name} is {_value(name, arguments)} but {event.message}")


def _named(argument: Any, arguments: Sequence[str]) -> str:
    """An option as it was given, which may have several names."""
    if argument.is_positional():
        return str(argument.lowered.metavar)
    given = {_option(text) for text in arguments}
    names = [str(name) for name in argument.lowered.name_or_flags]
    return next((name for name in names if name in given), names[0])


def _value(name: str, arguments: Sequence[str]) -> str:
    """What was given as an option's last value."""
    value = ""
    for text, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if _option(text) == name:
            value = text.partition("=")[2] if "=" in text else following
    return value or repr("")


def _option(text: str) -> str:
    """The name in `--name=value`."""
    return _hyphened(text.partition("=")[0])


def _hyphened(option: str) -> str:
    return "--" + option[2:].replace("_", "-") if option.startswith("--") else option


def _unknown(tokens: Sequence[str], arguments: Sequence[str], known: Sequence[str], see: str) -> str:
    """What is to be said of arguments that are no options, and no values of any."""
    first = next((token for token in tokens if token.startswith("-")), tokens[0])
    if not first.startswith("-"):
        for text, following in zip(arguments, [*arguments[1:], ""], strict=True):
            if _option(text) in known and first in (text.partition("=")[2], following):
                return f"{_option(text)} takes no value but was given {first}: leave that out"
        meant = _option("--" + first)
        hint = f"; did you mean --{first}?" if "=" in first and meant in known else f": {see}"
        return f"{first} is one argument too many{hint}"
    name = _option(first)
    short = {option.rpartition(".")[2].lstrip("-"): option for option in known}
    plain = name.lstrip("-")
    if short.get(plain, name) != name:
        return f"{name} is not an option; did you mean {short[plain]}?"
    if near := difflib.get_close_matches(name, [option for option in known if "." not in option], n=1, cutoff=0.9):
        return f"{name} is not an option; did you mean {near[0]}?"
    if words := [option for last, option in short.items() if plain in last.split("-")]:
        return f"{name} is not an option; did you mean {' or '.join(words)}?"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75) or [
        short[found] for found in difflib.get_close_matches(plain, short, n=1, cutoff=0.75)
    ]
    return f"{name} is not an option" + (f"; did you mean {close[0]}?" if close else f": {see}")


def _known(command: Callable[..., object]) -> list[str]:
    """All options of a command by name, from its help."""
    told = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(told):
        command(args=["--help"])
    lines = [line.strip("│ ") for line in told.getvalue().splitlines()]
    return [name for line in lines if line.startswith("-") for name in re.findall(r"(?<!\S)--?[a-z][-.\w]*", line)]


_NUMBERS = ConstructorRegistry()
"""How numbers are read: as `numerals` has it, and with its sentences."""


@_NUMBERS.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """An int or a float; or None, which is written so, where that is a value."""
    hint = info.type
    kinds = set(get_args(hint)) if get_origin(hint) in {Union, UnionType} else {hint}
    optional = type(None) in kinds
    kinds -= {type(None)}
    parsers: dict[type[Any], Callable[[str], float]] = {int: whole, float: real}
    if len(kinds) != 1 or not kinds <= parsers.keys():
        return None
    (kind,) = kinds

    def parse(texts: list[str]) -> float | None:
        return None if optional and texts[0].lower() == "none" else parsers[kind](texts[0])

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="NUMBER",
        instance_from_str=parse,
        is_instance=lambda value: isinstance(value, kind) or (optional and value is None),
        str_from_instance=lambda value: [str(value)],
    )

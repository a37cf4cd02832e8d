"""How many small faults in the pure modules their tests notice: mutants of these modules, made and run by mutmut.

python -m benchmarks.mutants [--json benchmarks/results/mutants.json] [--sample 0] [MODULE ...]

pyproject.toml lists the modules and their tests under `tool.mutmut`. Survivors are printed, as the lines that were
changed; those that no test can notice are listed in benchmarks/equivalent_mutants.toml, with the reason. Set
$DCGAN_DIST_DATA: the tests that need it count too.
"""

import ast
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_mutant_name, orig_function_and_class_names_from_key

from benchmarks.report import Bar, Report, Table, parser, publish

EQUIVALENT = Path(__file__).parent / "equivalent_mutants.toml"
KILLED_AT_LEAST = 0.85
SAMPLE = 60
"""Mutants of each module that are tried; all of them would take hours."""
SEED = 28


@dataclass(frozen=True)
class Mutant:
    """One change of one function.

    Attributes:
        function: with its class, as in `Plan.steps`.
        before: the lines that it changes, without indentation.
        after: what it makes of them.
    """

    function: str
    before: str
    after: str


def mutants_of(path: Path, source: str) -> dict[str, Mutant]:
    """All mutants of a file by mutmut's names, but those that a test of behavior cannot notice, see `_meaning`."""
    made = mutate_file_contents(str(path), source)
    functions = {node.name: node for node in ast.walk(ast.parse(made.code)) if isinstance(node, ast.FunctionDef)}
    found = {}
    for name in made.mutant_names:
        original, mutant = (_source(functions[one]) for one in (f"{name.rpartition('_')[0]}_orig", name))
        if _meaning(original) != _meaning(mutant):
            function, owner = orig_function_and_class_names_from_key(name)
            changed = _changed_lines(original, mutant)
            found[get_mutant_name(path, name)] = Mutant(f"{owner}.{function}" if owner else function, *changed)
    return found


def _source(function: ast.FunctionDef) -> str:
    """A function without its name, which is mutmut's, and what it is wrapped in."""
    return ast.unparse(ast.FunctionDef("_", function.args, function.body, [], lineno=0))


def _meaning(source: str) -> str:
    """Code without what no test in one process notices: text, when lines are flushed, and what `zip` checks."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
        elif isinstance(node, ast.Call):
            node.keywords = [
                one for one in node.keywords if one.arg not in ("help", "description", "metavar", "flush", "strict")
            ]
    return ast.dump(tree)


def _changed_lines(original: str, mutant: str) -> tuple[str, str]:
    """The lines that two functions do not share."""
    difference = list(ndiff(original.splitlines(), mutant.splitlines()))

    def lines(sign: str) -> str:
        return "\n".join(line[2:].strip() for line in difference if line.startswith(sign))

    return lines("- "), lines("+ ")


def sample(names: Iterable[str], size: int) -> list[str]:
    """So many of the names, the same ones each time; all of them where there are no more, or for a size of 0."""
    every = sorted(names)
    return sorted(random.Random(SEED).sample(every, size)) if 0 < size < len(every) else every


def equivalents(file: Path = EQUIVALENT) -> dict[tuple[str, Mutant], str]:
    """By module and mutant: why no test can notice it."""
    listed = tomllib.loads(file.read_text())["mutant"]
    return {(one["module"], Mutant(one["function"], one["before"], one["after"])): one["why"] for one in listed}


def run(names: Sequence[str]) -> None:
    """Let mutmut run the tests on these mutants, in a copy of the checkout in `mutants/`, which is made anew."""
    shutil.rmtree("mutants", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "mutmut", "run", *names], check=True)


def outcomes(path: Path) -> dict[str, str]:
    """What became of the mutants of a file, in mutmut's words: killed, survived, timeout, no tests and others."""
    data = SourceFileMutationData(path=path)
    data.load()
    return {name: status_by_exit_code[code] for name, code in data.exit_code_by_key.items()}


@dataclass(frozen=True)
class Module:
    """What became of the mutants of one module.

    Attributes:
        name: as in `data/shards/tar`.
        made: mutants that it has; `tried` of them were run.
        killed: mutants that a test noticed, `timeouts` of them by never coming to an end.
        survivors: mutants that a test could have noticed and none did.
        equivalent: mutants that none could.
    """

    name: str
    made: int
    tried: int
    killed: int
    timeouts: int
    survivors: Sequence[Mutant]
    equivalent: int

    @property
    def share(self) -> float:
        """Killed ones of those that are not equivalent."""
        return self.killed / (self.tried - self.equivalent)


def summarize(
    name: str, mutants: Mapping[str, Mutant], found: Mapping[str, str], reasons: Mapping[tuple[str, Mutant], str]
) -> Module:
    """Count what became of the mutants of a module.

    Args:
        mutants: all of them, by mutmut's names.
        found: the outcomes of those that were tried.
        reasons: as `equivalents` gives them.
    """
    timeouts = list(found.values()).count("timeout")
    killed = list(found.values()).count("killed") + timeouts
    alive = [mutants[one] for one, outcome in found.items() if outcome not in ("killed", "timeout")]
    survivors = [one for one in alive if (name, one) not in reasons]
    return Module(name, len(mutants), len(found), killed, timeouts, survivors, len(alive) - len(survivors))


def report(modules: Sequence[Module]) -> Report:
    """The table and the bars."""
    return Report(
        command="make mutants",
        tables={
            "mutants": Table(
                ["module", "mutants", "tried", "killed", "timeouts", "survived", "equivalent", "killed, %"],
                [
                    [
                        f"`{one.name}`",
                        one.made,
                        one.tried,
                        one.killed,
                        one.timeouts,
                        len(one.survivors),
                        one.equivalent,
                        f"{100 * one.share:.0f}",
                    ]
                    for one in modules
                ],
            )
        },
        samples={"survivors": {one.name: [vars(mutant) for mutant in one.survivors] for one in modules}},
        bars=[Bar(one.name, one.share, at_least=KILLED_AT_LEAST) for one in modules],
    )


def main() -> None:
    """The command."""
    options = parser("how many small faults in the pure modules their tests notice")
    options.add_argument("--sample", type=int, default=SAMPLE, help="mutants of each module that are tried; 0: all")
    options.add_argument("modules", nargs="*", metavar="MODULE", help="such as data/shards/tar; without: all")
    given = options.parse_args()
    paths = {name_of(path): Path(path) for path in config().only_mutate}
    if unknown := set(given.modules) - set(paths):
        options.error(f"{', '.join(sorted(unknown))} is none of {', '.join(paths)}")
    chosen = {
        name: mutants_of(path, path.read_text()) for name, path in paths.items() if name in (given.modules or paths)
    }
    tried = {name: sample(mutants, given.sample) for name, mutants in chosen.items()}
    run([one for names in tried.values() for one in names])
    reasons, modules = equivalents(), []
    for name, mutants in chosen.items():
        found = outcomes(paths[name])
        modules.append(summarize(name, mutants, {one: found[one] for one in tried[name]}, reasons))
        for mutant in modules[-1].survivors:
            print(f"\n{name}, {mutant.function}\n- {mutant.before}\n+ {mutant.after}")
    publish(report(modules), given.json)


def name_of(path: str) -> str:
    """A module's name in tables, as in `data/shards/tar`."""
    return path.removeprefix("dcgan_dist/").removesuffix(".py")


if __name__ == "__main__":
    main()

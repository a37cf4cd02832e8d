"""Which mutants count, and what becomes of them; and that the committed report is good enough."""

import json
import tomllib
from pathlib import Path

from benchmarks.mutants import Mutant, equivalents, mutants_of, name_of, report, sample, summarize

ROOT = Path(__file__).parents[2]

SOURCE = """
class Chooser:
    def first(self, values, names):
        for value, name in zip(values, names, strict=True):
            if value < 2:
                raise ValueError(f"{name} is too small: give 2 or more")
        return names[0] or "none"

def add(parser):
    parser.add_argument("--size", type=int, help="of an image", metavar="PIXELS")
"""


def test_mutants_are_named_by_function_and_changed_lines() -> None:
    found = mutants_of(Path("package/choosing.py"), SOURCE)
    assert all(name.startswith(("package.choosing.x_add__mutmut_", "package.choosing.xǁChooserǁ")) for name in found)
    assert Mutant("Chooser.first", "if value < 2:", "if value <= 2:") in found.values()
    assert Mutant("Chooser.first", "return names[0] or 'none'", "return names[1] or 'none'") in found.values()
    assert {mutant.function for mutant in found.values()} == {"Chooser.first", "add"}


def test_what_only_people_read_and_what_zip_checks_is_left_out() -> None:
    found = mutants_of(Path("package/choosing.py"), SOURCE).values()
    changed = {mutant.after for mutant in found}
    assert not [after for after in changed if "XX" in after or "NONE" in after or "strict=False" in after]
    options = {after for after in changed if "add_argument" in after}
    assert "parser.add_argument('--size', type=None, help='of an image', metavar='PIXELS')" in options
    assert "parser.add_argument('--size', help='of an image', metavar='PIXELS')" in options
    assert not [after for after in options if "help=None" in after or "help=" not in after or "metavar=" not in after]


def test_a_sample_is_the_same_each_time_whatever_the_order() -> None:
    names = [f"mutant {number}" for number in range(200)]
    assert sample(names, 30) == sample(reversed(names), 30)
    assert len(set(sample(names, 30))) == 30
    assert sample(names, 0) == sample(names, 200) == sample(names, 300) == sorted(names)


def mutants(number: int) -> dict[str, Mutant]:
    return {str(one): Mutant("choose", f"return {one}", f"return {one + 1}") for one in range(number)}


def test_outcomes_are_counted_without_those_that_no_test_can_notice() -> None:
    made = mutants(9)
    found = dict(
        zip("01234567", ["killed"] * 3 + ["timeout", "survived", "survived", "no tests", "killed"], strict=True)
    )
    reasons = {
        ("choosing", made["5"]): "never used",
        ("other", made["6"]): "of another module",
        ("choosing", made["0"]): "",
    }
    module = summarize("choosing", made, found, reasons)
    assert (module.made, module.tried, module.killed, module.timeouts, module.equivalent) == (9, 8, 5, 1, 1)
    assert module.survivors == [made["4"], made["6"]]
    assert module.share == 5 / 7
    (bar,) = report([module]).bars
    assert (bar.name, bar.value, bar.met) == ("choosing", 5 / 7, False)
    assert report([module]).tables["mutants"].rows == [["`choosing`", 9, 8, 5, 1, 2, 1, "71"]]


def test_each_module_has_most_of_its_mutants_noticed() -> None:
    """In the report that is committed."""
    content = json.loads((ROOT / "benchmarks" / "results" / "mutants.json").read_text())
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    assert [bar["name"] for bar in content["bars"]] == [name_of(path) for path in listed]
    assert [bar["name"] for bar in content["bars"] if not bar["met"]] == []


def test_what_no_test_can_notice_is_in_a_module_that_is_tried_and_has_a_reason() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    names = {name_of(path) for path in listed["only_mutate"]}
    for (module, mutant), why in equivalents().items():
        assert module in names
        assert why, mutant
    for path in [*listed["only_mutate"], *listed["pytest_add_cli_args_test_selection"]]:
        assert (ROOT / path).is_file()

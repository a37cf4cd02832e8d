"""Every number that is logged is described, in one place."""

import ast
import re
from pathlib import Path

import pytest

import dcgan_dist
from dcgan_dist.monitoring.metric_names import METRICS, describe
from dcgan_dist.monitoring.stragglers import Ranks
from dcgan_dist.training.step_metrics import StepMetrics
from tests.model.test_adversarial_step import EXACT, make, run
from tests.monitoring.test_stragglers import heard

PACKAGE = Path(dcgan_dist.__file__).parent
DOCS = PACKAGE.parent / "docs" / "training.md"
LOGGED = re.compile(r"(loss|score|gradient|speed|data|samples|probe|supervised|worker)/\w+")


def test_what_the_code_logs_is_described() -> None:
    texts = {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and LOGGED.fullmatch(node.value)
    }
    assert len(texts) > 10
    assert [name for name in texts if not describe(name)] == []


def test_what_steps_log_is_described() -> None:
    metrics = StepMetrics(EXACT.batch_size, None)
    metrics.add(run(make(EXACT), range(1))[0])
    values = metrics.take()
    assert len(values) >= 9
    assert [name for name in values if not describe(name)] == []


def test_shares_of_ranks_are_described() -> None:
    ranks = Ranks()
    ranks.hear([heard(1, 0.0, 0.3)])
    values, _ = ranks.hear([heard(1, 100.0, 0.3)])
    assert len(values) >= 6
    assert [name for name in values if not describe(name)] == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("loss/generator", True),
        ("probe/cifar10/accuracy", True),
        ("worker/11/busy_share", True),
        ("samples/averaged", True),
        ("health", True),
        ("settings", True),
        ("loss/generators", False),
        ("probe/a/b/accuracy", False),
        ("worker/11/nothing", False),
    ],
)
def test_a_name_is_looked_up_whole(name: str, known: bool) -> None:
    assert bool(describe(name)) is known


def test_the_table_of_the_docs_says_the_same() -> None:
    table = DOCS.read_text().partition("## Metrics\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {text} |" for name, text in METRICS.items()]

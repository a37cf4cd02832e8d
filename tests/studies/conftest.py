"""Studies are made by the evaluators of tests of evaluation."""

from tests.evaluation.conftest import here

__all__ = ["here"]

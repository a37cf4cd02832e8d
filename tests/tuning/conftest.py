"""Evaluators in this process, as in the tests of evaluation."""

from tests.evaluation.conftest import here

__all__ = ["here"]

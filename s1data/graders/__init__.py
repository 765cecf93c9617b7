"""Graders: is an answer the reference answer, and who says so.

Each is a function ``grade(reference, attempt, question, metadata)`` in a file of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from s1data.graders.extraction import Extracted, final_answer
from s1data.graders.protocol import Grade, Grader, Verdict

GRADERS: Final = {
    "exact": "exact",
    "number": "numbers",
    "choice": "choice",
    "maths": "maths",
    "gym": "gym",
    "cascade": "cascade",
}
"""Method to module: a grader's module is imported when first used."""

__all__ = ["GRADERS", "Extracted", "Grade", "Grader", "Verdict", "final_answer", "get"]


def get(name: str) -> Grader:
    """The grader of that name; KeyError if there is none."""
    return cast("Grader", import_module(f"{__name__}.{GRADERS[name]}").grade)

r"""Expressions, equations, sets, tuples, intervals and matrices, by math-verify.

Single letters and words are not shown to it: it reads "C" and "(C)" as two things and a word as a
product of letters. The reference is the gold side, since ``verify`` is not symmetric.
"""

from __future__ import annotations

import re
from typing import Final

from s1data.graders import doubts, exact, units, workers
from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grade, answer_of, undecided

METHOD: Final = "maths"
LONGEST: Final = 1_000
"""Characters of an answer that is compared; no answer of a question is longer."""

_PROSE: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}(?![A-Za-z({])")
_FUNCTIONS: Final = re.compile(
    r"sqrt|arcsin|arccos|arctan|sinh|cosh|tanh|begin|matrix|cases|array|frac|integral|asin|acos|atan",
    re.IGNORECASE,
)
_UNEVALUATED: Final = re.compile(r"\b(?:Integral|Derivative|Sum|Product|Limit)\s*\(")
_UNIT_TEXT: Final = re.compile(r"\\(?:text|mathrm|mbox|textbf)\s*\{[^{}]*\}")


def is_maths(text: str) -> bool:
    """Whether a text is something that math-verify can be asked about."""
    plain = _FUNCTIONS.sub("", _UNIT_TEXT.sub(" ", text))
    if len(text) > LONGEST or len(_PROSE.findall(plain)) > 2:
        return False
    compact = exact.compact(text)
    return bool(re.search(r"\d|[\\^_+=<>|/*()\[\]{},-]", compact)) or (
        len(compact) == 1 and compact.islower()
    )


def task(reference: str, answer: str) -> workers.Task | str:
    """What a worker is asked, or the reason why nobody is."""
    if not is_maths(reference):
        return "reference_not_maths"
    if any(_UNEVALUATED.search(side) for side in (reference, answer)):
        return "unevaluated"  # it would be read as a product of letters
    if not is_maths(answer):
        return "answer_not_maths"
    if reason := doubts.before(reference, answer):
        return reason
    (reference, unit), (answer, other) = units.split(reference), units.split(answer)
    if unit and other and unit != other:
        return "units"
    sides = (exact.normalised(side) for side in (reference, answer))
    gold, given = (side.replace("^\\circ", "").replace("$", "") for side in sides)
    return {"grader": METHOD, "reference": gold, "answer": given}


def grade(
    reference: str,
    attempt: str | Extracted,
    question: str = "",  # noqa: ARG001 - the protocol's
    metadata: str | None = None,  # noqa: ARG001 - the protocol's
) -> Grade:
    """Right or wrong as math-verify says. Starts a process for it: grade many by the cascade."""
    answer = answer_of(attempt)
    if answer is None:
        return undecided("no_answer", answer)
    return workers.grade_alone(task(reference, answer), METHOD, answer)

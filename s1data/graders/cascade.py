"""Which grader is asked about what, cheapest first, for many pairs at once.

The kind of the reference routes: equality decides for every kind; a generated question goes to its
family's scorer; letters and short words never reach math-verify; plain numbers are compared
without it. Code, chemical formulae, proofs and prose are undecided unless equal. What stays
undecided is where a judge stage comes in: it reads the verdicts that are null and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from s1data.graders import choice, exact, gym, maths, numbers, scorers, workers
from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grade, answer_of, decided, undecided

Kind: TypeAlias = Literal[
    "none", "gym", "choice", "number", "word", "code", "formula", "proof", "maths", "text"
]

_CODE: Final = re.compile(
    r"```|^\s*(?:def|class|import|from|#include|public|int main)\b|;\s*\n|\breturn\b", re.MULTILINE
)
_PROOF: Final = re.compile(
    r"^\s*(?:prove|proof|show that|we (?:prove|show))\b|\bQ\.?E\.?D\b", re.IGNORECASE
)
_FORMULA: Final = re.compile(
    r"\\ce\{|(?:\d*(?:[A-Z][a-z]?(?:_?\{?\d++\}?)?+|\((?:[A-Z][a-z]?\d*)+\)\d*+)){2,}(?:\^?\{?\d*[+-]\}?)?"
)
_WORD: Final = re.compile(r"[^\W\d_]{2,}(?:[ -][^\W\d_]+){0,2}")
CLOSED: Final = frozenset({"yes", "no", "true", "false", "maybe", "unknown", "uncertain"})
"""Words that answer a question of a few possible answers: two that differ are not the same."""
_TRUTH: Final = {"yes": "true", "true": "true", "no": "false", "false": "false"}
_OPEN: Final = ("undecided:units", "undecided:percent")
"""Numbers that were read and cannot be compared: math-verify would drop what makes them differ."""
_OPPOSITE: Final = ({"yes", "no"}, {"true", "false"})
_EITHER: Final = re.compile(r"(?:yes|true)\W+(?:or\W+)?(?:no|false)\b", re.IGNORECASE)
"""Both answers at once: what is asked, said again, and no answer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and the final answer of an attempt; the question where it can matter."""

    reference: str
    answer: str
    question: str = ""
    metadata: str | None = None


def kind(reference: str, metadata: str | None = None) -> Kind:  # noqa: PLR0911 - a routing table
    """What sort of answer a reference is."""
    text = exact.normalised(reference)
    if not text:
        return "none"
    if scorers.family_of(metadata) is not None:
        return "gym"
    if choice.is_letter(reference):
        return "choice"
    if numbers.read(reference) is not None:
        return "number"
    if _PROOF.search(text):
        return "proof"
    if _CODE.search(reference):
        return "code"
    if _WORD.fullmatch(text):
        return "word"
    if re.search(r"\d|\\ce", text) and _FORMULA.fullmatch(exact.compact(text)):
        return "formula"
    return "maths" if maths.is_maths(reference) else "text"


def grade_pairs(
    pairs: Sequence[Pair],
    pool: workers.Workers,
    progress: Callable[[int, int], None] | None = None,
) -> list[Grade]:
    """The grade of every pair, in order; equal pairs are the caller's to fold."""
    out: list[Grade] = []
    tasks: list[workers.Task] = []
    asked: list[int] = []
    for place, pair in enumerate(pairs):
        found = _cheap(pair)
        if isinstance(found, Grade):
            out.append(found)
            continue
        out.append(undecided("crashed", pair.answer))
        tasks.append(found)
        asked.append(place)
    outcomes = pool.outcomes(tasks, progress)
    for place, task, outcome in zip(asked, tasks, outcomes, strict=True):
        out[place] = workers.graded(outcome, str(task["grader"]), pairs[place].answer)
    return out


def _cheap(pair: Pair) -> Grade | workers.Task:  # noqa: PLR0911 - a routing table
    """The grade of what needs no worker, else what a worker is asked."""
    answer, reference = pair.answer, pair.reference
    of = kind(reference, pair.metadata)
    if of == "none":
        return undecided("no_reference", answer)
    if of == "gym":
        return _or_undecided(gym.task(reference, answer, pair.question, pair.metadata), answer)
    if exact.same(reference, answer):
        return decided(correct=True, method=exact.METHOD, answer=answer)
    given = Extracted(answer, "given")
    chosen = choice.grade(reference, given, pair.question)
    if of == "choice" or chosen.right is not None:
        return chosen
    if of == "word":
        return _words(reference, answer)
    if of not in ("number", "maths"):
        return undecided(of, answer)
    number = numbers.grade(reference, given)
    if number.right is not None or number.method in _OPEN:
        return number
    return _or_undecided(maths.task(reference, answer), answer)


def _or_undecided(task: workers.Task | str, answer: str) -> Grade | workers.Task:
    return undecided(task, answer) if isinstance(task, str) else task


def _words(reference: str, answer: str) -> Grade:
    gold, given = exact.normalised(reference), exact.normalised(answer)
    first = re.match(r"[a-z]+", given.casefold())
    one, other = gold.casefold(), first.group() if first else ""
    if one not in CLOSED or other not in CLOSED or _EITHER.match(given):
        return undecided("word", answer)
    if one == other or _TRUTH.get(one, one) == _TRUTH.get(other, other):
        return decided(correct=True, method=exact.METHOD, answer=answer)
    # No, said of whether something is false, is not False: only like words contradict each other.
    if {one, other} <= {"yes", "no", "true", "false"} and {one, other} not in _OPPOSITE:
        return undecided("truth_value", answer)
    return decided(correct=False, method=exact.METHOD, answer=answer)


def grade(
    reference: str,
    attempt: str | Extracted,
    question: str = "",
    metadata: str | None = None,
) -> Grade:
    """The cascade's grade of one attempt."""
    answer = answer_of(attempt)
    if answer is None:
        return undecided("no_answer", answer)
    with workers.Workers(1) as pool:
        return grade_pairs([Pair(reference, answer, question, metadata)], pool)[0]

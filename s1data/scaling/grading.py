"""Forced samples as a table with their verdicts, and the majority vote over equal answers.

All of a budget's answers are graded together, so that the workers of the cascade start once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from s1data import graders
from s1data.graders import cascade, workers
from s1data.graders.protocol import Grade, answer_of, undecided
from s1data.scaling.forcing import Forced

_LEADS: Final = re.compile(r"\banswer\b|\\boxed", re.IGNORECASE)
SAMPLES: Final = pl.Schema(
    {
        "id": pl.String(),
        "sample": pl.Int64(),
        "right": pl.Boolean(),
        "method": pl.String(),
        "extracted": pl.String(),
        "thinking_tokens": pl.Int64(),
        "answer_tokens": pl.Int64(),
        "waits": pl.Int64(),
        "cut": pl.Boolean(),
        "mute": pl.Boolean(),
        "error": pl.String(),
        "thinking": pl.String(),
        "answer": pl.String(),
    }
)
"""One row for each question and sample; ``right`` is null where no grader could decide."""


def graded(frame: pl.DataFrame, forced: Sequence[Forced], grader: str) -> pl.DataFrame:
    """The samples with their grades; one whose request failed is wrong by method ``error``."""
    known = {id_: (q, a) for id_, q, a in frame.select("id", "question", "answer").iter_rows()}
    grades = _grades(known, [one for one in forced if one.error is None], grader)
    rows = []
    for one in forced:
        got = grades.get((one.id, one.sample))
        rows.append(
            {
                "id": one.id,
                "sample": one.sample,
                "right": False if got is None else got.right,
                "method": "error" if got is None else got.method,
                "extracted": None if got is None else got.extracted,
                "thinking_tokens": one.tokens("thinking"),
                "answer_tokens": one.tokens("answer"),
                "waits": one.count("wait") + one.count("minimum"),
                "cut": one.cut,
                "mute": one.mute,
                "error": one.error,
                "thinking": one.thinking,
                "answer": one.answer,
            }
        )
    return pl.DataFrame(rows, schema=SAMPLES)


def _grades(
    known: Mapping[str, tuple[str, str]], forced: Sequence[Forced], grader: str
) -> dict[tuple[str, int], Grade]:
    """By (id, sample); equal answers to a question are graded once."""
    if grader != "cascade":
        grade = graders.get(grader)
        return {
            (one.id, one.sample): grade(known[one.id][1], _told(one), known[one.id][0])
            for one in forced
        }
    said = {(one.id, one.sample): answer_of(_told(one)) for one in forced}
    pairs = {
        (id_, answer): cascade.Pair(known[id_][1], answer, known[id_][0])
        for (id_, _), answer in said.items()
        if answer is not None
    }
    with workers.Workers() as pool:
        found = dict(zip(pairs, cascade.grade_pairs(list(pairs.values()), pool), strict=True))
    return {
        key: undecided("no_answer", None) if answer is None else found[key[0], answer]
        for key, answer in said.items()
    }


def _told(one: Forced) -> str:
    """What is graded: the lead-in that was put in only where the model gave none of its own."""
    said = one.text("answer")
    return said if not said.strip() or _LEADS.search(said) else one.answer


@dataclass(frozen=True, slots=True)
class Elected:
    """The answer that most samples of a question gave."""

    answer: str
    """As most of those who gave it wrote it."""
    votes: int
    right: bool | None
    """The verdict on it; None where no grader could decide."""


def majority(table: pl.DataFrame, questions: Mapping[str, str]) -> dict[str, Elected | None]:
    """The most frequent answer to each question of a samples ``table``: the parallel baseline.

    Votes are counted over *equal* answers: 0.5 and 1/2 are one where the cascade of graders judges
    either right against the other (paper, Figure 4b). A class of them gathers round its most
    frequent text. Of classes with equally many votes, and of texts, the first in the order of code
    points is taken, so that the order of samples says nothing. Null answers do not vote; a question
    that has no other gets None.
    """
    votes: dict[str, Counter[str]] = {}
    verdicts: dict[tuple[str, str], bool | None] = {}
    for id_, answer, right in table.select("id", "extracted", "right").iter_rows():
        counted = votes.setdefault(id_, Counter())
        if answer is not None:
            counted[answer] += 1
            verdicts[id_, answer] = right
    classes = _classes(votes, questions)
    return {id_: _elected(id_, classes[id_], counted, verdicts) for id_, counted in votes.items()}


def _elected(
    id_: str,
    classes: Sequence[Sequence[str]],
    counted: Mapping[str, int],
    verdicts: Mapping[tuple[str, str], bool | None],
) -> Elected | None:
    if not classes:
        return None
    sums = [sum(counted[text] for text in texts) for texts in classes]
    most = min(range(len(classes)), key=lambda place: (-sums[place], classes[place][0]))
    decided = (verdicts[id_, text] for text in classes[most])
    right = next((verdict for verdict in decided if verdict is not None), None)
    return Elected(classes[most][0], sums[most], right)


def _most_first(counted: Mapping[str, int]) -> list[str]:
    return sorted(counted, key=lambda text: (-counted[text], text))


def _classes(
    votes: Mapping[str, Mapping[str, int]], questions: Mapping[str, str]
) -> dict[str, list[list[str]]]:
    """Equal answers of each question, the most frequent text of each class first.

    In every round the most frequent text that is left gathers its equals, of all questions at once.
    """
    found: dict[str, list[list[str]]] = {id_: [] for id_ in votes}
    left = {id_: _most_first(counted) for id_, counted in votes.items()}
    with workers.Workers() as pool:
        while left := {id_: texts for id_, texts in left.items() if texts}:
            equal = _equal(left, questions, pool)
            for id_, (leader, *others) in left.items():
                found[id_].append([leader, *(text for text in others if (id_, text) in equal)])
                left[id_] = [text for text in others if (id_, text) not in equal]
    return found


def _equal(
    left: Mapping[str, Sequence[str]], questions: Mapping[str, str], pool: workers.Workers
) -> set[tuple[str, str]]:
    """Which texts are equal to the first of their question, whichever of the two is the gold."""
    asked = [(id_, texts[0], text) for id_, texts in left.items() for text in texts[1:]]
    there = [cascade.Pair(first, text, questions[id_]) for id_, first, text in asked]
    back = [cascade.Pair(text, first, questions[id_]) for id_, first, text in asked]
    grades = cascade.grade_pairs([*there, *back], pool)
    return {
        (id_, text)
        for (id_, _, text), one, other in zip(
            asked, grades[: len(asked)], grades[len(asked) :], strict=True
        )
        if one.right or other.right
    }

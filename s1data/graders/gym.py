"""The family's own scorer for questions that reasoning-gym generated.

Many of its questions have more than one right answer: only the family knows them all. The full
score is right, anything less wrong. The family and what its scorer needs stand in the metadata.
"""

from __future__ import annotations

import json
from typing import Final

from s1data.graders import scorers, workers
from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grade, answer_of, undecided

METHOD: Final = "gym"


def task(reference: str, answer: str, question: str, metadata: str | None) -> workers.Task | str:
    """What a worker is asked, or the reason why nobody is."""
    family = scorers.family_of(metadata)
    if family is None or metadata is None:
        return "no_family"
    more = {"family": family, "metadata": json.loads(metadata)}
    return {
        "grader": METHOD,
        "reference": reference,
        "answer": answer,
        "question": question,
        "more": more,
    }


def grade(
    reference: str,
    attempt: str | Extracted,
    question: str = "",
    metadata: str | None = None,
) -> Grade:
    """Right or wrong as the family says. Starts a process for it: grade many by the cascade."""
    answer = answer_of(attempt)
    if answer is None:
        return undecided("no_answer", answer)
    return workers.grade_alone(task(reference, answer, question, metadata), METHOD, answer)

"""What a grader is: a function from a reference and an attempt to a grade.

A grade says right, wrong or undecided, and by which method. Undecided is an honest end: the method
then says why (``undecided:code``), and only such attempts are worth a judge's call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from s1data.graders.extraction import Extracted, final_answer

Verdict: TypeAlias = Literal["right", "wrong", "undecided"]
UNDECIDED: Final = "undecided:"
"""How the method of an undecided grade begins; the reason follows."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict, who gave it (or, undecided, why nobody could), and the answer it is about."""

    verdict: Verdict
    method: str
    extracted: str | None

    @property
    def right(self) -> bool | None:
        """The verdict as columns hold it: null where undecided."""
        return None if self.verdict == "undecided" else self.verdict == "right"


class Grader(Protocol):
    """One way to grade.

    ``attempt`` is the text of a reply, or an answer taken from one already. ``metadata`` is the
    row's, as JSON; only the scorers of generated questions read it.
    """

    def __call__(
        self,
        reference: str,
        attempt: str | Extracted,
        question: str = "",
        metadata: str | None = None,
    ) -> Grade:
        """The grade of one attempt."""


def answer_of(attempt: str | Extracted) -> str | None:
    """The final answer of an attempt, trimmed; None where it has none."""
    answer = final_answer(attempt).answer if isinstance(attempt, str) else attempt.answer
    return (answer or "").strip() or None


def decided(correct: bool, method: str, answer: str | None) -> Grade:
    """A grade of a grader that knows."""
    return Grade("right" if correct else "wrong", method, answer)


def undecided(reason: str, answer: str | None) -> Grade:
    """A grade of a grader that does not know, and why."""
    return Grade("undecided", UNDECIDED + reason, answer)

"""Whether the thinking of a trace settles on another answer than its reply gives.

Both final answers must be named as such: a last number is a step as often as an answer. Whether
they differ is the graders' to say, with either one as the reference, since rounding goes one way:
only what is wrong both ways differs. Prose is compared by nobody: a pane and a window may be one.
"""

from __future__ import annotations

import re
from typing import Final

from s1data.graders import cascade, workers
from s1data.graders.extraction import final_answer
from s1data.graders.protocol import Grade

TAIL: Final = 400
"""Last characters of the thinking, in which it settles."""
LONGEST: Final = 80
"""Characters of an answer that is compared; a longer one is a whole solution."""
_SURE: Final = ("boxed", "final_answer_is", "answer_tag", "hashes", "answer_is", "choice")
_TAGS: Final = re.compile(r"</?answer>|\*\*|\\boxed\b", re.IGNORECASE)
_HEDGED: Final = re.compile(
    r"\b(?:or|about|approximately|around|nearly|likely|probably|perhaps|if|but)\b|\?|\u2248|\\approx"
)


def answers_differ(thinking: str, answer: str, question: str, pool: workers.Workers) -> str | None:
    """The two answers, where graders say that they differ; None where not, or where nobody can."""
    if not thinking.strip() or not answer.strip():
        return None
    thought, said = final_answer(thinking[-TAIL:]), final_answer(answer)
    if thought.rule not in _SURE or said.rule not in _SURE:
        return None
    one, two = (_TAGS.sub("", found.answer or "").strip() for found in (thought, said))
    if not one or not two or max(len(one), len(two)) > LONGEST:
        return None
    if any(_HEDGED.search(side) for side in (one, two)):
        return None
    pairs = [cascade.Pair(one, two, question), cascade.Pair(two, one, question)]
    if any(grade.right is not False for grade in _grades(pairs, pool)):
        return None
    return f"thinking: {thought.answer}; answer: {said.answer}"


def _grades(pairs: list[cascade.Pair], pool: workers.Workers) -> list[Grade]:
    """Of the second pair only where the first is wrong: most are told apart without a worker."""
    first = cascade.grade_pairs(pairs[:1], pool)
    return first if first[0].right is not False else first + cascade.grade_pairs(pairs[1:], pool)

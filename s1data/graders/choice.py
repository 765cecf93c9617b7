r"""Multiple choice: letters, and the texts of the options, both ways.

Options are read from the question: ``(A) …``, ``A. …``, ``A) …`` from A on without a gap. A
reference may be a letter or an option's text, and so may an answer. Several letters are a set.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from s1data.graders import exact, numbers
from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grade, answer_of, decided, undecided

METHOD: Final = "choice"

_LABEL: Final = re.compile(
    r"(?:^|(?<=[\s,;.?:$}]))\\?(?:text|textbf|mathrm|mathbf)?\{?\s*"
    r"(?:\((?P<round>[A-P])\)|(?P<plain>[A-P])(?:[).:\uff0e\u3001]))[}~\s]*"
)
_LETTERS: Final = re.compile(
    r"(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|statement)?s?\s*(?:is|are)?\s*:?\s*"
    r"(?P<letters>[(\[{]*[A-P][)\]}]*(?:\s*(?:,|;|and|&|\s)\s*[(\[{]*[A-P][)\]}]*)*|[A-P]{2,6})"
    r"\s*(?P<rest>[).:,]?\s.*|[).:].*)?",
    re.IGNORECASE | re.DOTALL,
)
_SAYS_SO: Final = re.compile(
    r"\s+(?:is|are|must be)(?:\s+the)?(?:\s+(?:only|best|most))*\s+(?:correct|right|true|answers?)"
    r"(?:\s+(?:one|option|choice|answer|statement)s?)?[\s.!]*",
    re.IGNORECASE,
)
_DASHED: Final = re.compile(r"\s+[-\u2013\u2014]\s+[^\W\d_]{2}")
"""A dash and a word after a letter: the text of the option. C - 5 is no such thing."""


def letters(text: str) -> frozenset[str]:
    """The letters that a text names, and nothing but names; empty for any other text."""
    plain = exact.cleaned(text).strip("*_ .")
    found = _LETTERS.fullmatch(plain)
    if found is None:
        return frozenset()
    named = found["letters"]
    rest = plain[found.end("letters") :]
    marked = (
        re.fullmatch(r"[(\[{]*[A-Pa-p][)\]}]+", named)
        or re.match(r"[).:,]", rest.lstrip())
        or _SAYS_SO.fullmatch(rest)
        or _DASHED.match(rest)
    )
    if rest.strip(" .") and not marked:
        return frozenset()  # "A man of …" names nothing
    if re.fullmatch(r"[a-p]", named) and rest:
        return frozenset()
    return frozenset(re.sub(r"and|[^A-P]", "", named.upper().replace("AND", " ")))


def is_letter(text: str) -> bool:
    """Whether a reference is the name of an option, or of several."""
    plain = exact.cleaned(text)
    return re.fullmatch(r"\(?[A-Pa-p]\)?\.?|[A-P]{2,5}|[A-P](?:\s*,\s*[A-P])+", plain) is not None


@lru_cache(maxsize=8_192)
def options(question: str) -> dict[str, str]:
    """The options that a question lists, by letter; empty unless there are two or more."""
    found: dict[str, str] = {}
    marks = list(_LABEL.finditer(question))
    start = max((i for i, m in enumerate(marks) if (m["round"] or m["plain"]) == "A"), default=None)
    if start is None:
        return {}
    wanted = "A"
    places: list[tuple[str, int, int]] = []
    for mark in marks[start:]:
        if (mark["round"] or mark["plain"]) == wanted:
            places.append((wanted, mark.start(), mark.end()))
            wanted = chr(ord(wanted) + 1)
    ends = [begin for _, begin, _ in places[1:]] + [len(question)]
    for (letter, _, begin), end in zip(places, ends, strict=True):
        found[letter] = question[begin:end].strip().strip("\\,;$").strip()
    return found if len(found) > 1 else {}


def _option_of(text: str, listed: dict[str, str]) -> frozenset[str]:
    """The one option whose text this is; empty for none or more than one."""
    value = numbers.read(text)
    matches = [
        letter
        for letter, option in listed.items()
        if exact.same(option, text)
        or (
            value is not None and (o := numbers.read(option)) is not None and o.value == value.value
        )
    ]
    return frozenset(matches) if len(matches) == 1 else frozenset()


def grade(
    reference: str,
    attempt: str | Extracted,
    question: str = "",
    metadata: str | None = None,  # noqa: ARG001 - the protocol's
) -> Grade:
    """Right or wrong where both sides name options; otherwise undecided."""
    answer = answer_of(attempt)
    if answer is None:
        return undecided("no_answer", answer)
    listed = options(question)
    gold = letters(reference) if is_letter(reference) else _option_of(reference, listed)
    if not gold:
        return undecided("no_choice", answer)
    given = letters(answer) or _option_of(answer, listed)
    if not given:
        return undecided("choice", answer)
    return decided(gold == given, METHOD, answer)

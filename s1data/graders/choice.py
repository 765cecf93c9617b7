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
    r"(?:^|(?<=[\s,;.?:$}]))\\?(?:text|textbf|mathrm|mathbf)?(?:\{\s{0,8})?"
    r"(?:\((?P<round>[A-P])\)|(?P<plain>[A-P])(?:[).:\uff0e\u3001]))"
)
_ONE: Final = r"(?:[(\[{]*[A-P][)\]}]*|[(\[{][a-p][)\]}])"
_LETTERS: Final = re.compile(
    r"(?i:(?:the\s+)?(?:correct\s+)?(?:(?:option|choice|answer|statement)s?\s*)?(?:(?:is|are)\b)?)"
    rf"\s*:?\s*(?P<letters>{_ONE}(?:\s*(?:,\s*and\b|,|;|(?i:and)\b|&)\s*{_ONE})*|[a-p][)\]}}]*|[A-P]{{2,6}})"
    r"\s*(?P<rest>[).:,]?\s.*|[).:].*)?",
    re.DOTALL,
)
_SAYS_SO: Final = re.compile(
    r"\s+(?:is|are|must be)(?:\s+the)?(?:\s+(?:only|best|most))*\s+(?:correct|right|true|answers?)"
    r"(?:\s+(?:one|option|choice|answer|statement)s?)?[\s.!]*",
    re.IGNORECASE,
)
_DASHED: Final = re.compile(r"\s+[-\u2013\u2014]\s+[^\W\d_]{2}")
"""A dash and a word after a letter: the text of the option. C - 5 is no such thing."""
_DOUBT: Final = re.compile(
    r"\b(?:not?|n't|nor|or|but|maybe|perhaps|possibly|either|neither|unless|except|unsure|unclear"
    r"|wrong|incorrect|false|guess)\b|n't\b|\?",
    re.IGNORECASE,
)
_ANOTHER: Final = re.compile(r"(?<![\w$\\^_{])(?:[B-HJ-P](?![\w'\u2019=+*/^-])|A(?=[).:,;]|$))")
"""One more letter behind the first; not the article, nor "I"."""


def letters(text: str) -> frozenset[str]:
    """The letters that a text names, and nothing but names; empty for any other text."""
    return _named(text)[0]


def _named(text: str) -> tuple[frozenset[str], str]:
    """The letters that a text names, and what it says behind them: the text of an option."""
    nothing = frozenset[str](), ""
    plain = exact.cleaned(text).strip("*_ .")
    found = _LETTERS.fullmatch(plain)
    if found is None:
        return nothing
    named = found["letters"]
    rest = plain[found.end("letters") :]
    bare = rest.strip(" .")
    says_so = _SAYS_SO.fullmatch(rest)
    marked = (
        re.fullmatch(r"[(\[{]*[A-Pa-p][)\]}]+", named)
        or re.match(r"[).:]|,\s*[a-z]", rest.lstrip())
        or says_so
        or _DASHED.match(rest)
    )
    if bare and not marked:
        return nothing  # "A man of …" names nothing
    if re.fullmatch(r"[a-p]", named) and rest:
        return nothing
    several = re.sub(r"[^A-P]", "", re.sub(r"(?i:and)", " ", named).upper())
    if re.fullmatch(r"[A-P]{2,6}", named) and (bare or not _in_order(named)):
        return nothing  # "II" and "HF" are no two options
    return frozenset(several), "" if says_so else bare.lstrip(").:,-\u2013\u2014 ")


def _in_order(run: str) -> bool:
    return list(run) == sorted(set(run)) and run != "NO"


def is_letter(text: str) -> bool:
    """Whether a reference is the name of an option, or of several."""
    plain = exact.cleaned(text)
    if re.fullmatch(r"[A-P]{2,5}", plain):
        return _in_order(plain)
    return re.fullmatch(r"\(?[A-Pa-p]\)?\.?|[A-P](?:\s*,\s*[A-P])+", plain) is not None


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
        found[letter] = question[begin:end].lstrip("} ~\t\r\n").strip().strip("\\,;$").strip()
    return found if len(found) > 1 else {}


def _option_of(text: str, listed: dict[str, str]) -> frozenset[str]:
    """The one option whose text this is; empty for none or more than one."""
    found = frozenset(
        letter for letter, option in listed.items() if exact.same(option, text)
    ) or frozenset(letter for letter, option in listed.items() if numbers.same(option, text))
    return found if len(found) == 1 else frozenset()


def _chosen(text: str, listed: dict[str, str], *, named: bool = True) -> frozenset[str] | None:
    """The options that a text means; None where it can mean two things, or contradicts itself."""
    by_text = _option_of(text, listed)
    by_letter, rest = _named(text) if named else (frozenset[str](), "")
    if len(by_letter) > 1 and listed and not by_letter <= listed.keys():
        by_letter = frozenset()
    if by_text:
        # A letter may be the text of another option: nobody knows which was meant.
        one = re.fullmatch(r"[A-Pa-p]", exact.cleaned(text)) is not None
        return None if one and by_letter and by_letter != by_text else by_text
    return None if rest and not _agrees(by_letter, rest, listed) else by_letter


def _agrees(named: frozenset[str], rest: str, listed: dict[str, str]) -> bool:
    """Whether what stands behind a letter can be the text of that option."""
    if len(named) > 1:
        return False
    own = _words(listed.get(min(named), ""))
    said = _words(rest)
    if own.strip() and said.startswith(own):
        said = said[len(own) - 1 :]
        rest = rest[-len(said) :] if said.strip() else ""
    if _DOUBT.search(rest) or any(m.group() not in named for m in _ANOTHER.finditer(rest)):
        return False
    if _option_of(rest, listed) - named:
        return False
    others = (_words(option) for letter, option in listed.items() if letter not in named)
    return not any(other.strip() and other in said for other in others)


def _words(text: str) -> str:
    words = re.findall(r"[^\W_]+", exact.cleaned(text).casefold())
    return f" {' '.join(words)} "


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
    gold = _chosen(reference, listed, named=is_letter(reference))
    if not gold:
        return undecided("no_choice" if gold is not None else "choice", answer)
    given = _chosen(answer, listed)
    if not given:
        return undecided("choice", answer)
    if gold != given and not _comparable(gold, given, listed):
        return undecided("choice", answer)
    return decided(gold == given, METHOD, answer)


def _comparable(gold: frozenset[str], given: frozenset[str], listed: dict[str, str]) -> bool:
    """Whether letters that differ are sure to be options."""
    if listed:
        return gold | given <= listed.keys()
    return (len(gold) > 1) == (len(given) > 1)

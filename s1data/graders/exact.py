r"""Equality of answers as texts, after one normalisation that changes no meaning.

Removed: math delimiters, boxes, text and font commands, sizes of brackets, spaces, a full stop at
the end, the name before ``=`` where the other side has none. Words compare without case, anything
else with it: ``x`` is not ``X`` in an equation.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grade, answer_of, decided, undecided

METHOD: Final = "exact"

_SIGNS: Final = str.maketrans(
    {
        "\u2212": "-", "\u2013": "-", "\u2010": "-", "\u2011": "-", "\ufe63": "-",
        "\u00d7": "\\times ", "\u00b7": "\\cdot ", "\u22c5": "\\cdot ", "\u00f7": "/",
        "\u03c0": "\\pi ", "\u221e": "\\infty ", "\u2264": "\\le ", "\u2265": "\\ge ",
        "\u2260": "\\ne ", "\u222a": "\\cup ", "\u2229": "\\cap ", "\u2208": "\\in ",
        "\u00b0": "^\\circ ", "\u2032": "'", "\u2019": "'", "\u00b1": "\\pm ",
        "\u00bd": " 1/2", "\u00bc": " 1/4", "\u00be": " 3/4", "\u2153": " 1/3",
        "\u2154": " 2/3", "\u2044": "/", "\u2009": " ", "\u202f": " ", "\u00a0": " ",
    }
)  # fmt: skip
_FONT: Final = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|mathrm|mathbf|mathit|mathsf|mathbb|operatorname|mbox|boxed"
    r"|fbox|boldsymbol|bm)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_SPACES: Final = re.compile(
    r"(?<!\\)\\[,;:! ]|\\quad\b|\\qquad\b|~|\\hspace\*?\{[^{}]*\}|\\displaystyle\b"
)
_SIZES: Final = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?)(?=\s*(?:[()\[\]|./<>]|\\[{}|]|\\[lr](?:vert|angle|floor|ceil)))\s*\.?"
)
_DELIMITERS: Final = re.compile(r"(?<!\\)\$+|(?<!\\)\\[()\[\]](?!\w)")
_SHORT_FRACTION: Final = re.compile(r"\\frac\s*(?:\{(\w+)\}|(\w))\s*(?:\{(\w+)\}|(\w))")
_SYNONYMS: Final = (
    (re.compile(r"\\[dtc]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\leq?(?:slant)?(?![a-z])"), r"\\le"),
    (re.compile(r"\\geq?(?:slant)?(?![a-z])"), r"\\ge"),
    (re.compile(r"\\neq(?![a-z])"), r"\\ne"),
    (re.compile(r"\^\s*\{?\s*\\(?:circ|degree)\s*\}?|\\degree(?![a-z])"), r"^\\circ"),
    (re.compile(r"\\(?:lbrace|\{)"), r"\\{"),
    (re.compile(r"\\(?:rbrace|\})"), r"\\}"),
    (re.compile(r"\\(?:varnothing|emptyset)"), r"\\emptyset"),
)
_NAME: Final = re.compile(r"^[A-Za-z](?:_\{?\w{1,3}\}?)?(?:\([A-Za-z]\))?=(?=[^=])")
_THOUSANDS: Final = re.compile(r"(?<![\w.] )(?<![\w.])[1-9]\d{0,2}(?: \d{3})+(?!\d)(?! \d)")
_BETWEEN_NUMBERS: Final = re.compile(r"(?<=\d) (?=[-+]?[\d.])")
_RAISED: Final = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b]+")
_DIGITS: Final = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b", "0123456789-"
)
_WORDS: Final = re.compile(r"[^\W\d_][^\d\\^_=+*/<>{}$|]*")


@lru_cache(maxsize=65_536)
def cleaned(text: str) -> str:
    """The text without what does not change its meaning; upper and lower case stay."""
    text = unicodedata.normalize("NFC", text).translate(_SIGNS).strip()
    text = _RAISED.sub(_raised, text)
    text = text.removeprefix('\\"').removesuffix('\\"').strip('*`"').strip()
    for pattern in (_SIZES, _SPACES, _DELIMITERS):
        text = pattern.sub(" " if pattern is _SPACES else "", text)
    for _ in range(3):
        text = _FONT.sub(r" \1 ", text)
    for pattern, same_as in _SYNONYMS:
        text = pattern.sub(same_as, text)
    text = _SHORT_FRACTION.sub(_whole_fraction, text)
    return " ".join(text.split()).strip().rstrip(".,;").strip()


def normalised(text: str) -> str:
    """`cleaned`, and words without case."""
    text = cleaned(text)
    return text.casefold() if _WORDS.fullmatch(text) and len(text) > 1 else text


def _raised(match: re.Match[str]) -> str:
    power = match.group().translate(_DIGITS)
    return f"^{power}" if len(power) == 1 else f"^{{{power}}}"


def _whole_fraction(match: re.Match[str]) -> str:
    above, below = match[1] or match[2], match[3] or match[4]
    return f"\\frac{{{above}}}{{{below}}}"


def compact(text: str) -> str:
    """`normalised` and, unless it is words, without any space but between two numbers."""
    text = normalised(text)
    if _WORDS.fullmatch(text):
        return text
    text = _THOUSANDS.sub(lambda found: found.group().replace(" ", ""), text)
    return _BETWEEN_NUMBERS.sub("\x1f", text).replace(" ", "").replace("\x1f", " ")


def same(reference: str, answer: str) -> bool:
    """Whether two answers are the same text."""
    one, other = compact(reference), compact(answer)
    if one == other:
        return bool(one)
    return bool(one) and bool(other) and _unnamed(one) == _unnamed(other) and _one_named(one, other)


def _unnamed(text: str) -> str:
    return _NAME.sub("", text)


def _one_named(one: str, other: str) -> bool:
    # x=1 and y=1 are two answers; x=1 and 1 are one.
    return _NAME.match(one) is None or _NAME.match(other) is None


def grade(
    reference: str,
    attempt: str | Extracted,
    question: str = "",  # noqa: ARG001 - the protocol's
    metadata: str | None = None,  # noqa: ARG001 - the protocol's
) -> Grade:
    """Right where the texts are the same; texts that differ may still mean the same: undecided."""
    answer = answer_of(attempt)
    if answer is not None and same(reference, answer):
        return decided(correct=True, method=METHOD, answer=answer)
    return undecided("differs" if answer is not None else "no_answer", answer)

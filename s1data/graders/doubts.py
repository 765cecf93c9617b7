r"""Where math-verify's verdict is not sure, from how the two answers are written.

It drops degree signs, bases, accents and words, takes a tuple for a set, and reads ``i`` and odd
roots of negative numbers in ways of its own. What such a pair is, is undecided.
"""

from __future__ import annotations

import re
from typing import Final

from s1data.graders import exact

_ANGLE: Final = re.compile(r"\\?(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_BASE: Final = re.compile(r"(?<![A-Za-z_\d])[\dA-F]*\d_\s*\{?\s*(\d+)")
_WORD: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z{])")
_COMMAND: Final = re.compile(r"\\(?:begin|end)\s*\{[a-z*]+\}|\\[A-Za-z]+")
_TEXT: Final = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mbox|operatorname)\b")
_SMALL: Final = re.compile(
    r"(?:^|\s)(?:in|or|is|to|at|of|by|not|no|if|as|an|on|we|it|be)(?=\s|$)", re.IGNORECASE
)
_KNOWN: Final = re.compile(
    r"and|or|(?:a|arc)?(?:sin|cos|tan)h?|sqrt|cot|sec|csc|log|ln|exp|frac|pi"
    r"|min|max|gcd|lcm|inf|sup|lim|det|mod|infty|infinity|theta|alpha|beta|gamma|lambda|phi|omega"
    r"|sigma|delta|mu|oo",
    re.IGNORECASE,
)
_ACCENT: Final = re.compile(
    r"\\(?:vec|hat|bar|overline|overrightarrow|overleftarrow|tilde|dot|ddot|widehat|mathbf)(?![a-z])"
)
_ODD_ROOT: Final = re.compile(r"\\sqrt\s*\[\s*\d*[13579]\s*\]\s*\{?\s*-")
_IMAGINARY: Final = re.compile(r"(?<![A-Za-z])i(?![A-Za-z])|\\sqrt\s*\{?\s*-|\\mathrm\s*\{?i\b")
_LN, _LOG = (re.compile(rf"(?<![A-Za-z]){name}(?![A-Za-z])") for name in ("ln", "log"))
_LABEL: Final = re.compile(r"\s*\(?[A-P]\)\s*\S")
_NAMED: Final = re.compile(r"[A-Za-z](?:_\{?\w{1,3}\}?)?=(?=[^=])")
_PRODUCT: Final = re.compile(r"-?\d+(?:\.\d+)?[A-Za-z]+(?:\^\{?\d+\}?[A-Za-z]*)*")
_SEQUENCE: Final = re.compile(r"\d(?:\s+-?\d[\d.]*)+")


def before(reference: str, answer: str) -> str | None:
    """Why a pair need not be asked about."""
    sides = [exact.cleaned(side) for side in (reference, answer)]
    if any(r"^\circ" in side and _ANGLE.search(side) for side in sides):
        return "degrees"
    if len(set(map(_bases, sides))) > 1 and all(map(_bases, sides)):
        return "bases"
    if sum(_SEQUENCE.fullmatch(side) is not None for side in sides):
        return "several_numbers"  # side by side they would be multiplied
    if sides[1].count("%") > sides[0].count("%"):
        return "percent"
    return None


def _bases(text: str) -> tuple[str, ...]:
    return tuple(_BASE.findall(text))


def of_wrong(reference: str, answer: str) -> str | None:
    """Why a pair that math-verify calls different may be the same."""
    sides = reference, answer
    if any(map(_has_words, sides)):
        return "words"
    for reason, pattern in (("bases", _BASE), ("notation", _ACCENT), ("label", _LABEL)):
        if (
            len(
                {
                    pattern.match(s) is None if reason == "label" else pattern.findall(s) == []
                    for s in sides
                }
            )
            > 1
        ):
            return reason
    if all({log.search(s) is None for s in sides} == {True, False} for log in (_LN, _LOG)):
        return "notation"
    if any(_ODD_ROOT.search(side) for side in sides):
        return "roots"
    return None


def _shown(pattern: re.Pattern[str], reason: str, text: str) -> bool:
    # A label stands before an answer, the others anywhere in it.
    return (pattern.match if reason == "label" else pattern.search)(text) is not None


def is_product(text: str) -> bool:
    """Whether a text is a number with letters joined to it."""
    return _PRODUCT.fullmatch(exact.compact(text)) is not None


def has_imaginary(*sides: str) -> bool:
    """Whether one of the texts may have an imaginary number."""
    return any(_IMAGINARY.search(side) for side in sides)


def _has_words(text: str) -> bool:
    plain = _COMMAND.sub(" ", _TEXT.sub(" ", text))
    if any(found.group().strip().casefold() != "or" for found in _SMALL.finditer(plain)):
        return True
    return any(
        len(word) > 2 and re.search("[aeiouy]", word.casefold()) and not _KNOWN.fullmatch(word)
        for word in _WORD.findall(plain)
    )


def of_right(reference: str, answer: str) -> str | None:
    """Why a pair that math-verify calls the same may differ."""
    one, other = (
        exact.compact(re.sub(r"\\{2}(?=[a-z])", r"\\", side)) for side in (reference, answer)
    )
    (shape, mine), (form, theirs) = _items(one), _items(other)
    if {shape, form} == {"set", "tuple"} and max(len(mine), len(theirs)) > 1:
        return "set_or_tuple"
    if len(mine) < 2 or len(theirs) < 2:
        return None
    if "\\cup" in one + other or "\\pm" in one + other:
        return None
    if len(mine) != len(theirs):
        return "several_values"
    named = [all(_NAMED.match(item) for item in items) for items in (mine, theirs)]
    if "tuple" in (shape, form) or sum(named) == 1:
        ordered = shape == form == "tuple" and not any(named)
        pairs = zip(mine, theirs, strict=True)
        return None if ordered or all(_alike(a, b) for a, b in pairs) else "order"
    return None


def _alike(one: str, other: str) -> bool:
    from s1data.graders import numbers

    one, other = _NAMED.sub("", one), _NAMED.sub("", other)
    return exact.same(one, other) or numbers.same(one, other)


def _items(text: str) -> tuple[str, list[str]]:
    """How a text holds its values, and these: a set, a tuple, or a list without brackets."""
    shape = "list"
    for kind, start, end in (("set", "\\{", "\\}"), ("tuple", "(", ")")):
        inner = text[len(start) : -len(end)]
        if text.startswith(start) and text.endswith(end) and _balanced(inner):
            shape, text = kind, inner
            break
    items, depth, begin = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            items.append(text[begin:at])
            begin = at + 1
    return shape, [item for item in (*items, text[begin:]) if item]


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0

r"""Plain numbers, compared exactly and without a computer algebra system.

Read are integers, decimals, ``3e8``, ``3 \times 10^8``, fractions and mixed numbers, with thousands
separators, a currency before and a unit, ordinal or per cent behind. A number means its value:
``1/2`` is ``0.5``. A per cent sign may be left out (28% is 28 and is 0.28). A decimal reference
stands for what rounds to it, within a thousandth of its size. Anything else is undecided.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from s1data.graders import exact, units
from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grade, answer_of, decided, undecided

METHOD: Final = "number"
DIGITS: Final = 400
"""Characters of a number; longer ones are left to nobody: no answer is that long."""
NOISY: Final = 12
"""Digits from which on a reference is a number that a program printed."""
EXPONENT: Final = 400
"""The largest power of ten that is written out."""

_UNSIGNED: Final = (
    r"(?:(?P<grouped>[1-9]\d{0,2}(?:(?P<mark>,|\{,\}|, | |')\d{3})(?:(?P=mark)\d{3})*)"
    r"|(?P<plain>\d+))?"
    r"(?:[.](?P<decimals>\d+)|[.](?!\w))?"
)
_NUMBER: Final = re.compile(
    rf"(?P<sign>[-+])?\s*{_UNSIGNED}"
    r"(?:\s*[eE](?P<exponent>[-+]?\d{1,4})(?!\w)"
    r"|\s*(?:\\times|\\cdot|x|\*)\s*10\s*(?:\^|\*\*)\s*\{?\(?(?P<power>[-+]?\d{1,4})\)?\}?)?"
)
_FRACTION: Final = re.compile(
    r"(?P<sign>[-+])?\s*(?:(?P<whole>\d+)\s+(?=\d+\s*/)|(?P<mixed>\d+)\s*(?=\\frac))?"
    r"(?:(?P<above>-?\d+(?:\.\d+)?)\s*/\s*(?P<below>-?\d+(?:\.\d+)?)"
    r"|\\frac\s*\{\s*(?P<top>-?\d+(?:\.\d+)?)\s*\}\s*\{\s*(?P<bottom>-?\d+(?:\.\d+)?)\s*\})"
)
_HEX: Final = re.compile(r"(-?)\s*0x([0-9a-fA-F]{1,300})")
_COMMA: Final = re.compile(r"(?P<sign>-?)(?P<whole>\d+),(?P<decimals>\d+)")
_CURRENCY: Final = re.compile(
    r"^([-+]?)\s*(\\\$|\$(?=[^$]*$)|US\$|USD|Rs\.?|[€£¥₹])\s*(?=[\d.])|^([-+]?)\s*\$\s*(?=[\d.])"
)
_POWER: Final = r"\^\{?-?\d\}?|[²³]"
# Possessive, each word whole: words split in every way took 2^n steps on a long one.
_TAIL: Final = re.compile(
    r"\s*(?P<percent>\\?%|percent\b|per cent\b|pct\b)?"
    r"\s*(?P<unit>(?:\^\\circ\s*[CFK]?|[°$€£¥₹¢]"
    rf"|[^\W\d_]++(?:[.]|(?<=[^\W\d_]{{2}})(?:{_POWER}))?)"
    rf"(?:[\s/*·-]*+[^\W\d_]++(?:{_POWER})?)*"
    r"[²³]?(?:\^\{?-?[0-9]\}?)?)?\s*[.,;]?"
)
_ORDINAL: Final = frozenset({"st", "nd", "rd", "th"})
_NO_UNIT: Final = frozenset({"i", "e", "x", "y", "z", "n", "k", "a", "b", "or", "and", "to", "pi"})
"""What stands behind a number and is not a unit: variables, constants, a second answer."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number as read: its value, digits behind the point (None if it is no decimal), its unit.

    ``measure`` says whether the unit is one of measure, and not any other word.
    """

    value: Fraction
    decimals: int | None
    percent: bool
    unit: str
    measure: bool = False


@lru_cache(maxsize=65_536)
def read(text: str) -> Value | None:  # noqa: C901 - one form of number after the other
    """The one number that a text is; None where it is anything else."""
    if len(text) > DIGITS or not any(c.isdigit() for c in text):
        return None
    # A currency's dollar goes before the delimiters do: both go then.
    text, currency = _without_currency(text.strip().replace("{,}", ","))
    plain, second = _without_currency(exact.normalised(text))
    plain = re.sub(r"\s+(?=\^)", "", plain)
    currency = currency or second
    if name := re.match(r"[A-Za-z](?:_\w)?\s*=\s*(?=[-+.\d\\])", plain):
        plain = plain[name.end() :]
    if hexadecimal := _HEX.fullmatch(plain):
        whole = Fraction(int(hexadecimal[2], 16))
        return Value(-whole if hexadecimal[1] else whole, None, percent=False, unit="")
    for pattern, value in ((_FRACTION, _of_fraction), (_NUMBER, _of_number)):
        found = pattern.match(plain)
        if found is None or not found.group().strip("+- "):
            continue
        tail = _TAIL.fullmatch(plain, found.end())
        words = (tail["unit"] or "").strip(" .") if tail else ""
        joined = tail is not None and plain[tail.start() : tail.start() + 1].isalpha()
        if tail is None or words in _NO_UNIT:
            continue
        number = value(found)
        if number is None:
            continue
        exact_value, decimals = number
        if words in _ORDINAL:
            return Value(exact_value, decimals, bool(tail["percent"]), currency)
        if joined and re.fullmatch(r"[A-Za-z]", words):
            # 5t is a product; 5 t may be tonnes.
            return Value(exact_value, decimals, bool(tail["percent"]), "*" + words)
        unit, known = units.spelled(f"{currency} {words}")
        if joined and not known and not tail["percent"]:
            continue
        return Value(exact_value, decimals, bool(tail["percent"]), unit, known)
    return None


def _without_currency(text: str) -> tuple[str, str]:
    """A text without the currency before its number, and that currency."""
    found = _CURRENCY.match(text)
    if found is None:
        return text, ""
    sign = found[1] or found[3] or ""
    mark = (found[2] or "").lstrip("\\").removeprefix("US")
    return sign + text[found.end() :], {"D": "$"}.get(mark, mark.rstrip("."))


def _of_fraction(found: re.Match[str]) -> tuple[Fraction, int | None] | None:
    above, below = found["above"] or found["top"], found["below"] or found["bottom"]
    bottom = Fraction(below)
    if not bottom:
        return None
    whole = int(found["whole"] or found["mixed"] or 0)
    value = whole + Fraction(above) / bottom
    return (-value if found["sign"] == "-" else value), None


def _of_number(found: re.Match[str]) -> tuple[Fraction, int | None] | None:
    digits = re.sub(r"\D", "", found["grouped"] or found["plain"] or "")
    decimals = found["decimals"] or ""
    if not digits and not decimals:
        return None
    exponent = int(found["exponent"] or found["power"] or 0)
    if abs(exponent) > EXPONENT:
        return None
    value = Fraction(int(digits + decimals or "0"), 10 ** len(decimals))
    value *= Fraction(10) ** exponent
    places = len(decimals) - exponent if decimals or exponent else None
    return (-value if found["sign"] == "-" else value), places


def equal(reference: Value, answer: Value) -> bool:
    """Whether the answer's number is the reference's, up to per cent and rounding."""
    values = [answer.value]
    if answer.percent != reference.percent:
        values.append(answer.value / 100 if answer.percent else answer.value * 100)
    return any(_rounds_to(reference, value, answer.decimals) for value in values)


def same(reference: str, answer: str) -> bool:
    """Whether two texts are the same number of the same things."""
    one, other = read(reference), read(answer)
    return one is not None and other is not None and _verdict(one, other) is True


def _verdict(one: Value, other: Value) -> bool | str:
    """Right, wrong, or why that is not sure: what stands behind the numbers decides first."""
    alike = equal(one, other)
    if one.unit.lstrip("*") != other.unit.lstrip("*"):
        named = one if one.unit else other
        if (one.unit and other.unit) or not named.measure:
            return "units"  # 5 km is not 5 m, and may be 5,000 of them; 5 million are not 5
        if not alike and named.unit != "unit" and _scaled(one.value, other.value):
            return "units"
        return alike
    if alike and other.percent and not one.percent and abs(one.value) <= 1:
        # 50 may stand for 50%; 0.5 is 50% and hardly 0.5%.
        return _rounds_to(one, other.value / 100, other.decimals) or "percent"
    return alike


def _scaled(one: Fraction, other: Fraction) -> bool:
    """Whether a bare number may be the same quantity in another unit: a power of 10 or 60."""
    if not one or not other:
        return False
    ratio = max(abs(one / other), abs(other / one))
    for base in (10, 60):
        power = ratio
        while power > 1 and power.denominator == 1:
            power /= base
        if power == 1:
            return True
    return False


def _rounds_to(reference: Value, value: Fraction, decimals: int | None) -> bool:
    off = abs(value - reference.value)
    if not off:
        return True
    size = abs(reference.value)
    # Of twelve digits and more, as programs print them, the last are noise; of ten they are meant.
    long = reference.decimals is not None and (
        size * Fraction(10) ** reference.decimals >= 10 ** (NOISY - 1)
    )
    noise = long and off <= size / 10**9
    rounded = (
        reference.decimals is not None
        and (decimals is None or decimals > reference.decimals)
        and value.denominator != 1
        and 2 * off * Fraction(10) ** reference.decimals <= 1
        and off * 1000 <= size
    )
    # A fraction has no last digit; its decimal is taken if it is given to six.
    written_out = (
        reference.decimals is None
        and reference.value.denominator != 1
        and decimals is not None
        and decimals >= 6
        and off * 10**6 <= size
    )
    return noise or rounded or written_out


def grade(
    reference: str,
    attempt: str | Extracted,
    question: str = "",  # noqa: ARG001 - the protocol's
    metadata: str | None = None,  # noqa: ARG001 - the protocol's
) -> Grade:
    """Right or wrong where both are plain numbers in one unit; otherwise undecided."""
    answer = answer_of(attempt)
    if answer is None:
        return undecided("no_answer", answer)
    one, other = read(reference), read(answer)
    if one is None or other is None:
        one, other = _with_commas(reference, other, answer, one)
    if one is None or other is None:
        return undecided("no_number", answer)
    found = _verdict(one, other)
    if isinstance(found, str):
        return undecided(found, answer)
    return decided(found, METHOD, answer)


def _with_commas(
    reference: str, other: Value | None, answer: str, one: Value | None
) -> tuple[Value | None, Value | None]:
    """A comma is a decimal one only beside a number without: else 1,2 may be two answers."""
    if one is None and other is not None:
        return _decimal_comma(reference), other
    if other is None and one is not None and one.decimals is not None:
        return one, _decimal_comma(answer)
    return None, None


def _decimal_comma(text: str) -> Value | None:
    found = _COMMA.fullmatch(exact.compact(text))
    if found is None:
        return None
    return read(f"{found['sign']}{found['whole']}.{found['decimals']}")

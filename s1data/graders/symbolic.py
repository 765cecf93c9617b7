r"""One comparison of two mathematical answers by math-verify, with its known traps closed.

Runs in a worker process only (see `workers`): math-verify has no safe time limit of its own there,
is not thread-safe, and may hang or eat memory. Both sides are written into one box, since without
delimiters it reads no equation but the last number (3x-y+13=0 is then 0); nothing but LaTeX is
read, since its reader of plain expressions finds numbers inside anything. Numbers are compared
once more here: math-verify looks at their difference to 15 digits, so that 2^-99 is 2^-98 to it.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any, Final

import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify

from s1data.graders import doubts

logging.getLogger("math_verify").setLevel(logging.CRITICAL)  # it warns of having no time limit

ROUNDING: Final = 6
"""Digits behind the point to which floating numbers agree (math-verify's own default)."""
RELATIVE: Final = 1e-9
"""How far two numbers may be apart, as a share of the larger."""

_CONFIG: Final = LatexExtractionConfig(
    boxed_match_priority=0,
    normalization_config=NormalizationConfig(
        basic_latex=True,
        units=True,
        malformed_operators=True,
        nits=True,
        boxed="last",
        equations=False,
    ),
)
_FUNCTION: Final = re.compile(
    r"(?<![\\A-Za-z])(sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp|arcsin|arccos|arctan|pi)(?![A-Za-z])"
)


def written(text: str) -> str:
    """Plain notation (``x**2``, ``sqrt(3)``, ``3e8``) as the LaTeX that math-verify reads."""
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d+)(?!\w)", r"\1 \\times 10^{\2}", text)
    text = re.sub(r"\*\*\s*\(([^()]*)\)", r"^{\1}", text)
    text = re.sub(r"\*\*\s*(-?\w+)", r"^{\1}", text)
    text = re.sub(r"\^\s*\(([^()]*)\)", r"^{\1}", text)
    text = re.sub(r"\\?sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = _FUNCTION.sub(r"\\\1 ", text)
    text = re.sub(r"(?<=\{)\s+|\s+(?=\})", "", text)  # else it takes " e }" for a unit
    text = re.sub(r"\\mathrm\s*\{\s*e\s*\}", "e", text)
    text = re.sub(r"\u221a\s*(\w|\([^()]*\))", r"\\sqrt{\1}", text)
    return text.replace("*", r" \cdot ")


@lru_cache(maxsize=8_192)
def read(text: str) -> Any:  # noqa: ANN401 - sympy has no types
    """What math-verify reads in an answer; None where that is nothing mathematical."""
    found = parse(
        f"\\boxed{{{written(text)}}}",
        extraction_config=[_CONFIG],
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,
        raise_on_error=True,
    )
    expressions = [item for item in found if not isinstance(item, str)]
    return expressions[0] if expressions else None


def compare(reference: str, answer: str) -> bool | str:  # noqa: PLR0911 - each its own reason
    """Whether the answer is the reference, or the reason why that cannot be said."""
    if re.search(r"\b0x[0-9a-fA-F]", reference + " " + answer):
        return "hexadecimal"  # it reads 0 times x, so that all of them are equal
    gold, given = read(reference), read(answer)
    if gold is None or given is None:
        return "unreadable_reference" if gold is None else "unreadable_answer"
    if any(side is value for side in (gold, given) for value in (sympy.zoo, sympy.nan)):
        return "unreadable_reference"
    if any(
        doubts.is_product(side) and not getattr(value, "free_symbols", None)
        for side, value in ((reference, gold), (answer, given))
    ):
        return "product"  # its letters went as units
    same = verify(
        gold,
        given,
        float_rounding=ROUNDING,
        allow_set_relation_comp=True,
        timeout_seconds=None,
        raise_on_error=True,
    )
    if same and _both_numbers(gold, given):
        same = _near(gold, given)
    if same:
        return doubts.of_right(reference, answer) or True
    if doubts.has_imaginary(reference, answer) and (found := _complex(gold, given)) is not None:
        return found
    return doubts.of_wrong(reference, answer) or False


def _complex(gold: Any, given: Any) -> bool | str | None:  # noqa: ANN401 - sympy
    """Whether two numbers are the same once ``i`` and ``e`` are read as constants."""
    if not all(isinstance(value, sympy.Expr) for value in (gold, given)):
        return None
    constants = {"i": sympy.I, "e": sympy.E}
    gold, given = (
        value.subs({s: constants[s.name] for s in value.free_symbols if s.name in constants})
        for value in (gold, given)
    )
    if gold.free_symbols | given.free_symbols:
        return True if sympy.expand(gold - given) == 0 else None
    size = sympy.Max(1, sympy.Abs(gold).evalf(30), sympy.Abs(given).evalf(30))
    off = sympy.Abs(gold - given).evalf(30)
    if not off.is_comparable:
        return "complex"
    return True if off <= size * RELATIVE else None


def _both_numbers(*values: Any) -> bool:  # noqa: ANN401 - sympy
    return all(isinstance(v, sympy.Expr) and v.is_number for v in values)


def _near(gold: Any, given: Any) -> bool:  # noqa: ANN401 - sympy
    """Whether two numbers that math-verify calls equal are so in the size they have."""
    gold, given = gold.doit(), given.doit()
    if gold == given or _percent_of(gold, given):
        return True
    off = sympy.Abs(gold - given).evalf(30)
    size = sympy.Max(sympy.Abs(gold), sympy.Abs(given)).evalf(30)
    if any(v.has(sympy.Float) for v in (gold, given)) and size > 10.0**-ROUNDING * 10:
        return True
    return bool(off <= size * RELATIVE)


def _percent_of(gold: Any, given: Any) -> bool:  # noqa: ANN401 - sympy
    return any(a == b * 100 for a, b in ((gold, given), (given, gold)))

"""The own scorers of reasoning-gym's families, called on text that a model wrote.

Runs in a worker process only. Some scorers evaluate the answer as Python (``eval``, or sympy's
``parse_expr``, which is the same): an answer reaches those only if it is a literal, or an
expression of numbers, names of mathematical functions and operators. No other answer is run.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from typing import Any, Final

EVALUATED: Final = frozenset(
    {"binary_matrix", "n_queens", "number_sorting", "spiral_matrix", "string_insertion"}
)
"""Families whose scorer may ``eval`` the answer (seen in reasoning-gym 0.1.25)."""
PARSED: Final = frozenset(
    {
        "bitwise_arithmetic",
        "countdown",
        "intermediate_integration",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
    }
)
"""Families whose scorer hands the answer, or metadata, to sympy's parser or to ``eval``."""
REFUSED: Final = frozenset({"codeio"})
"""Families whose scorer runs a program."""

BOARDS: Final = frozenset({"arc_agi", "rearc"})
"""Families whose scorer compares with a board of tuples, which JSON gives back as lists."""

_NAMES: Final = frozenset(
    """sin cos tan cot sec csc asin acos atan sinh cosh tanh asinh acosh atanh exp log ln sqrt Abs
    pi E I C Integral Rational""".split()  # noqa: SIM905 - as a list it would be twenty lines
)
_EXPRESSION: Final = re.compile(r"[\w\s+*/^().,=<>&|~-]*")
_QUEENS: Final = re.compile(r"[Q_\s]*")
"""A chess board: two names, neither of which is anything."""
_BIG_POWER: Final = re.compile(
    r"(?:\*\*|\^)\s*\(?\s*-?\d{4,}|(?:\*\*|\^)[^+]*(?:\*\*|\^)[^+]*\d{3}"
)


def safe(family: str, text: str) -> bool:
    """Whether a family's scorer may see a text."""
    if family in REFUSED:
        return False
    if family in EVALUATED:
        plain = _QUEENS.fullmatch(text) or not re.search(r"[()\[\]{}_`@:=]", text)
        return bool(plain) or _is_literal(text)
    return family not in PARSED or _is_expression(text)


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def _is_expression(text: str) -> bool:
    names = re.findall(r"[^\W\d]\w*", re.sub(r"\b0x[0-9a-fA-F]+\b", "0", text))
    return (
        _EXPRESSION.fullmatch(text) is not None
        and "__" not in text
        and not re.search(r"\.\s*[^\W\d]", text)
        and all(len(name) == 1 or name in _NAMES for name in names)
        and _BIG_POWER.search(text) is None
        and len(text) < 2_000
    )


@cache
def scorer(family: str) -> Any:  # noqa: ANN401 - not typed there
    """The scoring function of a family; None where there is no such family."""
    from reasoning_gym.factory import DATASETS, get_score_answer_fn

    return get_score_answer_fn(family) if family in DATASETS else None


def score(reference: str, answer: str, question: str, more: dict[str, Any]) -> bool | str:
    """Right where the family gives the full score; else wrong, or why its scorer cannot say."""
    family, metadata = more["family"], more["metadata"]
    if not all(safe(family, text) for text in (answer, reference, *_problems(metadata))):
        return "unsafe_answer"
    try:
        score_answer = scorer(family)
    except ImportError:
        return "reasoning_gym_missing"
    if score_answer is None:
        return "unknown_family"
    if family in BOARDS and "output" in metadata:
        metadata = metadata | {"output": tuple(map(tuple, metadata["output"]))}
    entry = {"question": question, "answer": reference, "metadata": metadata}
    try:
        given = float(score_answer(answer, entry))
    except KeyError:
        return "metadata_missing"
    return given >= 1.0


def _problems(metadata: dict[str, Any]) -> list[str]:
    """What a scorer evaluates beside the answer."""
    return [str(metadata[key]) for key in ("problem", "integrand") if key in metadata]


def family_of(metadata: str | None, source_type: str | None = None) -> str | None:
    """The family that made a question, by its metadata or its ``source_type``."""
    if source_type and source_type.startswith("reasoning_gym/"):
        return source_type.rpartition("/")[2]
    if not metadata or "source_dataset" not in metadata:
        return None
    try:
        found = json.loads(metadata).get("source_dataset")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None

"""The errors users meet: one small family, each also a standard exception, each picklable.

A message says who speaks, what was wanted, what was got and what to do. A bad *row* is never an
exception: it is a ledger line with a reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class S1DataError(Exception):
    """Any error that s1data raises on purpose; ``str(error)`` is ready to be shown."""


class RecipeError(S1DataError, ValueError):
    """A recipe, or a value set on it, cannot be run as written."""


class PoolError(S1DataError, ValueError):
    """A source or a named input cannot be read as a question pool."""


class StageError(S1DataError, RuntimeError):
    """A stage broke its contract or could not do its work; names the stage's label."""


class RunError(S1DataError, RuntimeError):
    """A run directory cannot be used as asked: locked, damaged, foreign or unfinished."""


class RunStopped(RunError):  # noqa: N818 - on purpose, and nothing went wrong
    """A run stopped where it stands, on purpose, and goes on from there: says what it needs."""


class StoreError(S1DataError, RuntimeError):
    """The reply store or the spending journal could not keep or read what it was given."""


class BudgetError(S1DataError, RuntimeError):
    """A request may cost more than is left of the budget, or what it may cost is not known."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; nearest: a, b"`` for the names most like ``name``, or an empty text."""
    found = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(found)}" if found else ""

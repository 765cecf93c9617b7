"""Asking again what ended so before: a store that does not show some of its replies.

A reply that is none (empty, malformed, blocked, cut) is settled, so nobody asks for it twice by
himself. Whoever wants it asked again is shown a store without it; what comes then stands beside it
in the same store, and counts in its place: an answer before what is none, else the later of two.
Replies that are answers are always shown: nothing that was paid for and is of use is asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import polars as pl

from s1data.asking.seams import Store
from s1data.models import POLICIES, Outcome, Reply

AGAIN: Final = tuple(
    outcome for outcome, policy in POLICIES.items() if policy.settled and not policy.answers
)
"""Outcomes that are settled and no answers: those that may be asked again."""


class Told(Store, Protocol):
    """A store that says what it has without reading texts."""

    def known(self, keys: pl.Series) -> pl.DataFrame:
        """Narrow columns of the replies to these requests."""

    def narrow(self) -> pl.DataFrame:
        """Narrow columns of all replies."""


class AskedAgain:
    """A store without the replies that ended as one of ``outcomes`` before this object was made."""

    def __init__(self, store: Told, outcomes: Collection[Outcome]) -> None:
        self._store = store
        self._outcomes = frozenset(outcomes)
        self._since = datetime.now(UTC).isoformat(timespec="microseconds")
        self._new: set[str] = set()
        """Keys whose replies came through here: a batch job may have asked for them before."""

    def get(self, keys: Sequence[str]) -> dict[str, Reply]:
        return {
            key: reply
            for key, reply in self._store.get(keys).items()
            if not self._hidden(key, reply.outcome, reply.asked)
        }

    def has(self, keys: Sequence[str]) -> set[str]:
        return set(self.known(pl.Series(keys, dtype=pl.String))["key"])

    def known(self, keys: pl.Series) -> pl.DataFrame:
        found = self._store.known(keys)
        told = found.select("key", "outcome", "asked").iter_rows()
        return found.filter(pl.Series([not self._hidden(*one) for one in told], dtype=pl.Boolean))

    def narrow(self) -> pl.DataFrame:
        return self._store.narrow()

    def put(self, replies: Sequence[Reply]) -> None:
        self._store.put(replies)
        self._new.update(reply.key for reply in replies)

    def claim(self, keys: Sequence[str]) -> set[str]:
        return self._store.claim(keys)

    def release(self, keys: Sequence[str]) -> None:
        self._store.release(keys)

    def waiting(self, keys: Sequence[str]) -> set[str]:
        return self._store.waiting(keys)

    def _hidden(self, key: str, outcome: str, asked: str | None) -> bool:
        return outcome in self._outcomes and key not in self._new and (asked or "") < self._since


def ended_so(record: Mapping[str, Any], outcomes: Collection[Outcome]) -> dict[str, int]:
    """How many of the replies that a stage used ended as each of the outcomes, by its record."""
    found: dict[str, int] = {}
    for used in record.get("figures", {}).get("models", {}).values() if "open" in record else ():
        for outcome in outcomes:
            if count := used["outcomes"].get(outcome.value, 0):
                found[outcome.value] = found.get(outcome.value, 0) + count
    return dict(sorted(found.items()))

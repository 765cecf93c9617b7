"""What a session needs of the reply store and of the budget, in so many words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from s1data.models import Reply


class Store(Protocol):
    """The part of the reply store that asking uses; thread-safe."""

    def get(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Settled replies by key, without their raw bodies."""

    def has(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that have a settled reply; nothing of it is read."""

    def put(self, replies: Sequence[Reply]) -> None:
        """Durable when it returns."""

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those that this process may ask now; the others a live process is asking."""

    def release(self, keys: Sequence[str]) -> None:
        """Gives claims back."""

    def waiting(self, keys: Sequence[str]) -> set[str]:
        """Those still claimed by another live process."""


class Budget(Protocol):
    """The part of the spending ledger that asking uses; an item is one sending of a request."""

    @property
    def room(self) -> float | None:
        """Dollars that may still be reserved; None without a cap."""

    def reserve(self, items: Sequence[tuple[str, float]]) -> None:
        """Durable when it returns; BudgetError, and nothing reserved, where the cap would go."""

    def settle(self, items: Sequence[tuple[str, float | None]]) -> None:
        """What an item cost; None where that is unknown, and its maximum stands."""

    def unsettled(self) -> Mapping[str, float]:
        """Items reserved and not settled, with their maximum."""

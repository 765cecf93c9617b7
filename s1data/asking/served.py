"""A model as a session has it: its settings, the thing that sends, its lane, price and tally."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from s1data.asking.lanes import Lane, Limits
from s1data.asking.prices import Price
from s1data.models import Batches, Model, ModelSpec, Outcome, Reply


@dataclass(frozen=True, kw_only=True)
class Served:
    """One of the recipe's models with what the run gives it."""

    name: str
    spec: ModelSpec
    model: Model
    limits: Limits = field(default_factory=Limits)
    price: Price | None = None
    """None: it costs nothing, or its cost is not counted."""
    batches: Batches | None = None
    """Its batch mode, for a session that has one; see `providers.open_batches`."""


@dataclass
class Tally:
    """What happened to one model in one session."""

    sent: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Every sending by how it ended, those that were tried again included."""
    prompt_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    usd: float = 0.0
    busy: float = 0.0
    """Seconds with at least one request in flight."""

    def took(self, reply: Reply, usd: float | None) -> None:
        """Counts a reply that came."""
        self.outcomes[reply.outcome] += 1
        self.prompt_tokens += reply.prompt_tokens or 0
        self.thinking_tokens += reply.thinking_tokens or 0
        self.answer_tokens += reply.answer_tokens or 0
        self.usd += usd or 0.0

    def figures(self) -> dict[str, Any]:
        """JSON-able; ``tokens_per_second`` is what a self-served model's price is made of."""
        made = self.thinking_tokens + self.answer_tokens
        return {
            "sent": self.sent,
            "outcomes": {outcome.value: n for outcome, n in sorted(self.outcomes.items())},
            "prompt_tokens": self.prompt_tokens,
            "thinking_tokens": self.thinking_tokens,
            "answer_tokens": self.answer_tokens,
            "usd": round(self.usd, 9),
            "seconds": round(self.busy, 3),
            "tokens_per_second": round(made / self.busy, 1) if self.busy else None,
        }


class Line:
    """What a session keeps for one served model while it runs."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.lane = Lane(served.limits)
        self.tally = Tally()
        self.checked: asyncio.Task[None] | None = None
        self.refused: list[Reply] = []
        """Bad requests since the start, until the model has answered once: see `Session`."""
        self.answered = False
        self.silent = 0
        """Requests given up in a row."""
        self.hollow = 0
        """Replies since the start that say nothing; -1 as soon as one does."""
        self._since = 0.0

    @property
    def fit(self) -> bool:
        """Whether the check is over and all is well."""
        done = self.checked is not None and self.checked.done() and not self.checked.cancelled()
        return done and self.checked is not None and self.checked.exception() is None

    async def enter(self, tokens: int) -> bool:
        """As `Lane.enter`, with the clock of busy seconds."""
        if not await self.lane.enter(tokens):
            return False
        if self.lane.in_flight == 1:
            self._since = time.monotonic()
        return True

    def leave(self) -> None:
        """As `Lane.leave`."""
        self.lane.leave()
        if self.lane.in_flight == 0:
            self.tally.busy += time.monotonic() - self._since


def place(spec: ModelSpec) -> tuple[str, str, str | None, str | None]:
    """Where a request belongs: sampling settings differ, the served model is the same."""
    return (spec.provider, spec.model, spec.revision, spec.api_version)

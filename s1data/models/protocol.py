"""The one small protocol that every provider answers, and the error it raises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from s1data.digest import canonical_json
from s1data.errors import S1DataError
from s1data.models.outcome import POLICIES, Outcome
from s1data.models.reply import Reply
from s1data.models.request import Request


class ModelError(S1DataError, RuntimeError):
    """A request that got no reply: which outcome, and when it may be tried again.

    Picklable; the message has no secret in it.
    """

    def __init__(
        self,
        message: str,
        outcome: Outcome = Outcome.DROPPED,
        retry_after: float | None = None,
        *,
        billed: bool = False,
    ) -> None:
        super().__init__(message, outcome, retry_after)
        self.message = message
        self.outcome = outcome
        self.retry_after = retry_after
        """Seconds that the service asked to wait (RetryInfo, Retry-After)."""
        self.billed = billed
        """Whether the service may have charged for it (a timeout, a body cut short)."""

    def __str__(self) -> str:
        return self.message

    @property
    def retryable(self) -> bool:
        """Whether sending the same request again may help."""
        return POLICIES[self.outcome].sends > 1


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-probabilities (natural logarithm) of the tokens of a given text."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    prompt_tokens: int | None = None
    """Tokens that were read, those before the text included, as the service counts them."""

    def written(self) -> str:
        """The log-probabilities as the answer of a reply (JSON); `logprobs_in` reads it."""
        return canonical_json({"logprobs": [round(value, 7) for value in self.logprobs]})


def logprobs_in(answer: str | None) -> list[float] | None:
    """The log-probabilities in the answer of a reply to a text to score; None if it has none."""
    try:
        found = json.loads(answer or "")["logprobs"]
        return [float(value) for value in found]
    except (ValueError, TypeError, KeyError):
        return None


class Model(Protocol):
    """One model at one or more endpoints; safe for many requests at once in one event loop."""

    async def ask(self, request: Request) -> Reply:
        """Sends a request once. Raises ModelError where no reply came.

        Never retries, never waits for a limit: the session does. Blocked, cut, empty and malformed
        replies are returned with their outcome, since they are billed and kept. A request with a
        text to score is answered with `Scored.written`.
        """

    async def score(self, request: Request) -> Scored:
        """Log-probabilities of ``request.score`` after ``request.prompt``; ModelError if none."""

    async def check(self) -> None:
        """Asks one tiny request; ModelError naming cause and cure where the model cannot serve."""

    def tiny(self) -> tuple[Request, ...]:
        """What `check` sends, one for each endpoint, with ``max_tokens`` set: for its price."""

    async def close(self) -> None:
        """Closes connections; calling it twice is fine."""

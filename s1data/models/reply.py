"""What came back for one request, as it is stored: raw, parsed, counted and named."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from s1data.models.outcome import POLICIES, Outcome


class TraceKind(StrEnum):
    """What the thinking of a reply is."""

    RAW = "raw"
    SUMMARY = "summary"
    LEAKED = "leaked"
    """Thinking that stands in the answer without a mark."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a service's reply says, read out of its body."""

    outcome: Outcome
    trace_kind: TraceKind = TraceKind.NONE
    thinking: str | None = None
    answer: str | None = None
    finish: str | None = None
    """The service's own word for how it ended."""
    prompt_tokens: int | None = None
    thinking_tokens: int | None = None
    answer_tokens: int | None = None
    """Tokens as the service counts them; None where it does not say. Thinking is not in answer."""
    detail: str | None = None
    """One line about a failure: status and message of the service, with no secret in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Told):
    """One reply, or one named failure that is for good."""

    key: str
    """`Request.key`."""
    provider: str
    model: str
    raw: str | None = None
    """The body as received (JSON text)."""
    request: str | None = None
    """What the key is the hash of: the prompt and every setting (`Request.text`)."""
    origin: str = "live"
    """``live``, ``rehearsal`` or ``imported:NAME``."""
    asked: str | None = None
    """UTC time of sending, ISO 8601."""
    seconds: float | None = None
    usd: float | None = None
    sends: int = 1

    @property
    def settled(self) -> bool:
        """Whether it is for good; one that is not stands for a request that is still open."""
        return POLICIES[self.outcome].settled

    @property
    def answers(self) -> bool:
        """Whether it may be served as an answer."""
        return POLICIES[self.outcome].answers

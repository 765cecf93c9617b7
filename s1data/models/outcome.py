"""How asking a model can end: one class each, and what is done about it.

An outcome is *settled* when asking the same request again is not worth its money: a settled reply
is stored and never asked again. The others leave the request open: they are tried again within the
session as often as the policy says, and again by the next run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """The class of a reply, or of the failure to get one."""

    OK = "ok"
    OK_WITHOUT_THOUGHTS = "ok_without_thoughts"
    SUMMARY = "summary"
    LEAKED_THOUGHTS = "leaked_thoughts"
    RECITATION = "recitation"
    SAFETY = "safety"
    PROHIBITED = "prohibited"
    BLOCKED = "blocked"
    CUT_THINKING = "cut_thinking"
    CUT_ANSWERING = "cut_answering"
    EMPTY = "empty"
    MALFORMED = "malformed"
    QUOTA_MINUTE = "quota_minute"
    QUOTA_DAY = "quota_day"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done about an outcome."""

    answers: bool = False
    """Whether the reply may be served as an answer."""
    settled: bool = False
    """Whether the reply is stored for good and its request not asked again."""
    sends: int = 1
    """How often one session sends a request that ends so, the first time included."""
    stops: bool = False
    """Whether it stops the run: no other request of the model would fare better."""
    slows: bool = False
    """Whether the lane of the model sends less from then on."""


_ANSWER: Final = Policy(answers=True, settled=True)
_REFUSED: Final = Policy(settled=True)

POLICIES: Final[dict[Outcome, Policy]] = {
    Outcome.OK: _ANSWER,
    Outcome.OK_WITHOUT_THOUGHTS: _ANSWER,
    Outcome.SUMMARY: _ANSWER,
    Outcome.LEAKED_THOUGHTS: _ANSWER,
    Outcome.RECITATION: _REFUSED,
    Outcome.SAFETY: _REFUSED,
    Outcome.PROHIBITED: _REFUSED,
    Outcome.BLOCKED: _REFUSED,
    Outcome.CUT_THINKING: _REFUSED,
    Outcome.CUT_ANSWERING: _REFUSED,
    # Billed, and often cured by asking once more: kept only when it happens again and again.
    Outcome.EMPTY: Policy(settled=True, sends=3),
    Outcome.MALFORMED: Policy(settled=True, sends=3),
    # A row that the server refuses as such (prompt too long, bad characters) is refused for good.
    Outcome.BAD_REQUEST: _REFUSED,
    Outcome.QUOTA_MINUTE: Policy(sends=12, slows=True),
    Outcome.QUOTA_DAY: Policy(stops=True),
    Outcome.AUTH: Policy(stops=True),
    Outcome.NOT_FOUND: Policy(stops=True),
    Outcome.OVERLOADED: Policy(sends=8, slows=True),
    # Each timed-out request may be billed, so it is sent fewer times.
    Outcome.TIMEOUT: Policy(sends=3),
    Outcome.DROPPED: Policy(sends=6),
}
"""What is done about each outcome; every outcome has its line."""

CUT: Final = frozenset({
    # At a limit: our own outcomes, and the words of providers, servers and records.
    "cut_thinking", "cut_answering", "cut", "length", "max_length", "model_length",
    "context_length", "max_tokens", "max_output_tokens", "max_completion_tokens",
    "max_new_tokens", "token_limit",
    "model_context_window_exceeded", "continuation", "incomplete", "truncated", "pause_turn",
    # By somebody else.
    "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content",
    "spii", "error", "timeout", "abort", "aborted", "cancelled", "canceled", "failed",
})  # fmt: skip
"""How a reply ends that is not there whole, as `finish_word` spells it.

Any other word, and none, is taken for a reply that ended by itself.
"""


def finish_word(finish: str) -> str:
    """One spelling of a recorded finish: ``FinishReason.MAX_TOKENS`` is ``max_tokens``."""
    return re.sub(r"[\s-]+", "_", finish.strip().lower().rpartition(".")[2])


def is_cut(finish: str | None) -> bool:
    """Whether a reply with this finish is not there whole."""
    return finish is not None and finish_word(finish) in CUT

"""How OpenAI-compatible servers refuse: a status and a body turned into an error of one line."""

from __future__ import annotations

import json
from collections.abc import Mapping

from s1data.models import ModelError, Outcome
from s1data.providers.connections import Key
from s1data.providers.failures import cure_of, failure, one_line, outcome_of, seconds_to_wait
from s1data.providers.replies import mapping, text


class FilteredError(ModelError):
    """A prompt that the host's filter refused."""


def refusal(who: str, key: Key, status: int, headers: Mapping[str, str], body: str) -> ModelError:
    """The error that a status other than a success is."""
    try:
        told = mapping(json.loads(body))
    except (ValueError, RecursionError):
        told = {}
    told = mapping(told.get("error")) or told
    message = text(told.get("message")) or text(told.get("detail")) or body
    code = f"{told.get('code')} {told.get('type')}"
    outcome = outcome_of(status)
    wait = seconds_to_wait(headers)
    got = one_line(key.hide(f"{status}: {message}"))
    if outcome is Outcome.BAD_REQUEST and ("content_filter" in code or "policy" in code):
        return FilteredError(f"{who}: {got}", Outcome.BAD_REQUEST)
    if outcome is Outcome.QUOTA_MINUTE:
        outcome = _quota(code, message, wait)
    cure = cure_of(outcome, key.variable)
    if outcome is Outcome.AUTH and status in {402, 429}:
        cure = f"the credit is used up: add some, or set {key.variable} to another account's key"
    return failure(who, outcome, got, cure, wait, billed=outcome is Outcome.TIMEOUT)


def _quota(code: str, message: str, wait: float | None) -> Outcome:
    if "insufficient_quota" in code:
        return Outcome.AUTH  # the credit is used up: no waiting helps
    said = message.lower()
    daily = any(word in said for word in ("per day", "per-day", "daily", "(rpd)", "(tpd)"))
    # A day's quota that refills bit by bit is waited for as any other.
    return Outcome.QUOTA_DAY if daily and not (wait and wait < 600) else Outcome.QUOTA_MINUTE

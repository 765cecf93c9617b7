"""How a service says no: statuses and texts turned into outcomes and one-line errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from s1data.models import ModelError, Outcome

_BY_STATUS: Final = {
    400: Outcome.BAD_REQUEST,
    401: Outcome.AUTH,
    402: Outcome.AUTH,
    403: Outcome.AUTH,
    404: Outcome.NOT_FOUND,
    405: Outcome.NOT_FOUND,
    408: Outcome.TIMEOUT,
    409: Outcome.OVERLOADED,
    413: Outcome.BAD_REQUEST,
    422: Outcome.BAD_REQUEST,
    425: Outcome.OVERLOADED,
    429: Outcome.QUOTA_MINUTE,
    501: Outcome.NOT_FOUND,
    504: Outcome.TIMEOUT,
}


def outcome_of(status: int) -> Outcome:
    """The class of an HTTP status that is not a success."""
    if 300 <= status < 400:
        return Outcome.NOT_FOUND  # a redirect: the address is another one
    return _BY_STATUS.get(status, Outcome.OVERLOADED if status >= 500 else Outcome.DROPPED)


def failure(
    who: str,
    outcome: Outcome,
    got: str,
    cure: str = "",
    retry_after: float | None = None,
    *,
    billed: bool = False,
) -> ModelError:
    """An error of one line: who, what came, what to do."""
    text = f"{who}: {got}" + (f"; {cure}" if cure else "")
    return ModelError(text, outcome, retry_after, billed=billed)


def cure_of(outcome: Outcome, variable: str) -> str:
    """What to do about a failure that stops a run."""
    return {
        Outcome.AUTH: f"set {variable} to a key that may use this model",
        Outcome.NOT_FOUND: "check the model's name, its api_version and the URL",
        Outcome.QUOTA_DAY: "run again when the day's quota is new",
        Outcome.OVERLOADED: "run again later",
    }.get(outcome, "")


def one_line(text: str, limit: int = 300) -> str:
    """A service's message (HTML too) on one line of at most ``limit`` characters."""
    bare = re.sub(
        r"<(style|script)\b.*?</\1\s*>|<[^<>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE
    )
    line = " ".join(bare.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What ``retry-after-ms`` or ``Retry-After`` (seconds or a date) says; None if nothing."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(float(milliseconds) / 1000, 0.0)
        value = headers.get("Retry-After")
        if not value:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None

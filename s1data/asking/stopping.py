"""Why a session sends nothing more, in words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from s1data.errors import S1DataError
from s1data.models import ModelError, Outcome

Reason = Literal[
    "auth", "not_found", "quota_day", "budget", "interrupted", "silent", "refused",
    "not_accepted", "no_endpoint", "batch", "failed",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of sending: a slug, and one line for people."""

    reason: Reason
    message: str


class NotSent(S1DataError, RuntimeError):  # noqa: N818 - it is an answer, not a fault
    """A request that was never sent, since the session had stopped; nothing was paid for it."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop)
        self.stop = stop

    def __str__(self) -> str:
        return self.stop.message


def stop_for(name: str, provider: str, error: ModelError, now: datetime | None = None) -> Stop:
    """What an outcome that stops the run says to people."""
    if error.outcome == Outcome.AUTH:
        return Stop("auth", f"model {name}: {error}")
    if error.outcome == Outcome.NOT_FOUND:
        return Stop("not_found", f"model {name}: {error}")
    back = come_back(provider, error.retry_after, now or datetime.now(UTC))
    return Stop("quota_day", f"model {name}: the day's quota is used up ({error}); {back}")


def come_back(provider: str, retry_after: float | None, now: datetime) -> str:
    """When a day's quota is there again: as the service said, or at its midnight."""
    if retry_after:
        at = now + timedelta(seconds=retry_after)
    elif provider == "gemini":
        at = _midnight_of_california(now)
    else:
        return "run the same command again when it is renewed"
    hours = (at - now).total_seconds() / 3600
    when = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"run the same command again after {when} (in {hours:.1f} hours)"


def _midnight_of_california(now: datetime) -> datetime:
    # Gemini's daily quotas are renewed at midnight Pacific time.
    try:
        there = now.astimezone(ZoneInfo("America/Los_Angeles"))
    except ZoneInfoNotFoundError:  # a machine without time zones: winter time is never too early
        there = now.astimezone(UTC) - timedelta(hours=8)
        midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight + timedelta(hours=8)
    day = (there + timedelta(days=1)).date()
    return datetime(day.year, day.month, day.day, tzinfo=there.tzinfo).astimezone(UTC)

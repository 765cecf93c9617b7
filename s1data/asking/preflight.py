"""A check before paying: each model answers one tiny request, or the run sends nothing at all.

A wrong key, name or address shows in seconds. One that is slow to answer, since it is being loaded
or thinks about everything, is given the minute that its provider grants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from s1data.asking.purse import Item, Purse
from s1data.asking.served import Served
from s1data.models import ModelError, Outcome, Request

TRIES: Final = 3
BUSY: Final = frozenset({Outcome.OVERLOADED, Outcome.QUOTA_MINUTE})
"""A service that answers so is there, and knows key and model; a moment later it may have time."""
PATIENCE: Final = 60.0
"""Seconds: one that wants a longer wait is left for another day."""
FREE: Final = frozenset({Outcome.AUTH, Outcome.NOT_FOUND, Outcome.BAD_REQUEST})
"""Refusals of a tiny request, which nobody bills."""


async def preflight(served: Sequence[Served]) -> None:
    """Asks all models at once; one ModelError naming every model that cannot serve, and why."""
    found = await asyncio.gather(*(_check(one) for one in served))
    errors = [error for error in found if error is not None]
    if not errors:
        return
    first = errors[0]
    raise ModelError("; ".join(str(error) for error in errors), first.outcome, first.retry_after)


async def _check(served: Served) -> ModelError | None:
    left = TRIES
    while True:
        left -= 1
        try:
            await served.model.check()
        except ModelError as error:
            wait = error.retry_after or 1.0
            if left and error.outcome in BUSY and wait <= PATIENCE:
                await asyncio.sleep(wait)
                continue
            who = f"model {served.name}"
            message = str(error) if str(error).startswith(who) else f"{who}: {error}"
            return ModelError(message, error.outcome, error.retry_after)
        return None


async def within_budget(served: Sequence[Served], purse: Purse) -> None:
    """As `preflight`, with what the tiny requests can cost reserved before, and counted as paid.

    What they cost is not told, and less than it can be is not known.
    """
    tiny = [(one.price, asked) for one in served if one.price for asked in one.model.tiny()]
    if not tiny:
        return await preflight(served)
    # One reservation for all: a second one would wait for the first to be settled. Room for the
    # least that a row can cost is in it: a check that no row can follow is money for nothing.
    most = sum(price.maximum(asked) for price, asked in tiny)
    least = min(_least(one) for one in served)
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    item = Item(f"check-{tiny[0][1].key}", now, most + least)
    await purse.reserve(item)
    try:
        await preflight(served)
    except ModelError as error:
        if len(served) == 1 and error.outcome in FREE:
            most = 0.0
        raise
    finally:
        await purse.settle(item, most)


def _least(served: Served) -> float:
    """The least that must be reserved for any request to a model."""
    if served.price is None:
        return 0.0
    return served.price.maximum(Request(**dict(served.spec), prompt="?"))

"""A check before paying: each model answers one tiny request, or the run sends nothing at all.

A wrong key, name or address shows in seconds. One that is slow to answer, since it is being loaded
or thinks about everything, is given the minute that its provider grants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from s1data.asking.served import Served
from s1data.models import ModelError


async def preflight(served: Sequence[Served]) -> None:
    """Asks all models at once; one ModelError naming every model that cannot serve, and why."""
    found = await asyncio.gather(*(_check(one) for one in served))
    errors = [error for error in found if error is not None]
    if not errors:
        return
    first = errors[0]
    raise ModelError("; ".join(str(error) for error in errors), first.outcome, first.retry_after)


async def _check(served: Served) -> ModelError | None:
    try:
        await served.model.check()
    except ModelError as error:
        message = f"model {served.name}: {error}"
        return ModelError(message, error.outcome, error.retry_after)
    return None

"""A check before paying: each model answers one tiny request, or the run sends nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from s1data.asking.served import Served
from s1data.models import ModelError, Outcome

SECONDS: Final = 5.0


async def preflight(served: Sequence[Served], seconds: float = SECONDS) -> None:
    """Asks all models at once; one ModelError naming every model that cannot serve, and why."""
    found = await asyncio.gather(*(_check(one, seconds) for one in served))
    errors = [error for error in found if error is not None]
    if not errors:
        return
    first = errors[0]
    raise ModelError("; ".join(str(error) for error in errors), first.outcome, first.retry_after)


async def _check(served: Served, seconds: float) -> ModelError | None:
    try:
        async with asyncio.timeout(seconds):
            await served.model.check()
    except ModelError as error:
        message = f"model {served.name}: {error}"
        return ModelError(message, error.outcome, error.retry_after)
    except TimeoutError:
        message = (
            f"model {served.name} ({served.spec.model}): no answer to a tiny request within "
            f"{seconds:g} seconds; is its server up, and its address right?"
        )
        return ModelError(message, Outcome.TIMEOUT)
    return None

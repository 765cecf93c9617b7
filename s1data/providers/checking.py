"""The check before a run: a model answers one tiny request before more is paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from s1data.models import ModelError, ModelSpec, Outcome, Request, Told
from s1data.providers.failures import failure

READY: Final = "Reply with the one word: ready."
MAX_TOKENS: Final = 16
_SECONDS: Final = 60.0
_T = TypeVar("_T")


async def in_time(answer: Awaitable[_T], who: str) -> _T:
    """What comes for the tiny request; ModelError (timeout) where nothing does in a minute."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await answer
    except TimeoutError:
        got = f"no reply to a tiny request in {_SECONDS:.0f} s"
        raise failure(who, Outcome.TIMEOUT, got) from None


def tiny_request(spec: ModelSpec) -> Request:
    """The tiny request to a model."""
    return Request(**(dict(spec) | {"prompt": READY, "max_tokens": MAX_TOKENS}))


def refused(message: str | None) -> ModelError:
    """A tiny request that is refused as such: the settings are at fault."""
    return ModelError(f"{message}; mend the model's settings", Outcome.BAD_REQUEST)


def refuse_malformed(told: Told, who: str) -> None:
    """ModelError where what came for the tiny request is no reply of the protocol at all.

    Something else answers at that address: its replies would be paid for, kept and of no use.
    """
    if told.outcome is Outcome.MALFORMED:
        got = f"what came for a tiny request is no reply ({told.detail or 'malformed'})"
        raise failure(who, Outcome.NOT_FOUND, got, "see that the URL is that of a model server")

"""Which outcomes are tried again, how often and how long after: tenacity, told by `POLICIES`.

Each class of outcome has its own count, so that three time-outs end a request that would have
been sent again after a third dropped connection. What the service says of when to come back
(RetryInfo, Retry-After) is the least that is waited.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity
from pydantic import Field

from s1data.frozen import Frozen
from s1data.models import POLICIES, ModelError, Outcome, Reply

T = TypeVar("T")


class Backoff(Frozen):
    """Seconds between sends: doubling from ``first``, never over ``most`` but on request."""

    first: float = Field(default=0.5, ge=0)
    most: float = Field(default=60.0, ge=0)

    def seconds(self, key: str, sends: int, retry_after: float | None) -> float:
        """The wait after so many sends; spread by the key, so that a crowd does not come back."""
        spread = int(hashlib.sha256(f"{key} {sends}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        step: float = min(self.most, self.first * 2 ** min(sends - 1, 16))
        # The spread goes on top of what the service asked for: sooner would be refused again.
        return (retry_after or 0.0) + step * (0.5 + spread)


async def retry(
    send: Callable[[], Awaitable[T]],
    key: str,
    backoff: Backoff,
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """Sends until a reply comes that is not worth another, or its policy says enough.

    The last reply is returned, the last ModelError raised; any other error passes at once.
    """
    # Nearly every first sending is the last, and tenacity's way to find out costs as much as
    # reading the reply: it is given only those that are sent again.
    first: T | ModelError | None = None
    try:
        first = await send()
        if not isinstance(first, Reply) or POLICIES[first.outcome].sends == 1:
            return first
    except ModelError as error:
        if not error.retryable:
            raise
        first = error
    ended: Counter[Outcome] = Counter()

    def again(state: tenacity.RetryCallState) -> bool:
        outcome = _outcome(state)
        if outcome is None:
            return False
        ended[outcome] += 1
        return ended[outcome] < POLICIES[outcome].sends

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        after = error.retry_after if isinstance(error, ModelError) else None
        return backoff.seconds(key, state.attempt_number, after)

    trying = tenacity.AsyncRetrying(
        retry=again, wait=wait, stop=tenacity.stop_never, sleep=sleep, reraise=True
    )

    async def once() -> T:  # a lambda would not be known as asynchronous
        nonlocal first
        before, first = first, None
        if isinstance(before, ModelError):
            raise before
        return await send() if before is None else before

    return await trying(once)


def _outcome(state: tenacity.RetryCallState) -> Outcome | None:
    if state.outcome is None:
        return None
    error = state.outcome.exception()
    if error is None:
        got = state.outcome.result()
        return got.outcome if isinstance(got, Reply) else None
    return error.outcome if isinstance(error, ModelError) else None

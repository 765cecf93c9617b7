"""Calls of the Hub that are tried again where that can help.

The client itself never repeats the request that makes a commit, and `datasets` waits for errors
that newer clients no longer raise. So it is done here: for conflicts (409, 412) after a fresh look
at the repository, for 429 and 5xx after the wait that the server asks for, else a growing one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from s1data.errors import RunError
from s1data.published import in_words

T = TypeVar("T")
STATUSES: Final = frozenset({408, 409, 412, 429, 500, 502, 503, 504})
TRIES: Final = 6
LONGEST_WAIT: Final = 60.0
_LINES: Final = frozenset({"TransportError", "ConnectionError", "TimeoutError"})


def retrying(what: str, act: Callable[[], T], say: Callable[[str], None]) -> T:
    """``act()``, up to `TRIES` times; RunError that names ``what`` where it cannot be done."""
    for tried in range(1, TRIES + 1):
        try:
            return act()
        except RunError:
            raise
        except Exception as error:
            wait = _wait(error, tried)
            if wait is None or tried == TRIES:
                times = f" (tried {tried} times)" if tried > 1 else ""
                raise RunError(f"{what}: {in_words(_root(error))}{times}") from error
            say(f"{what}: {in_words(_root(error))}; again in {wait:.0f} s")
            time.sleep(wait)
    raise AssertionError


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error stands for, if it stands for one."""
    for link in _chain(error):
        status = getattr(getattr(link, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _wait(error: Exception, tried: int) -> float | None:
    """Seconds to wait before another try; None where another try cannot help."""
    grown = min(2.0 ** (tried - 1), LONGEST_WAIT)
    status = status_of(error)
    if status is None:
        names = {k.__name__ for link in _chain(error) for k in type(link).__mro__}
        return grown if names & _LINES else None
    if status not in STATUSES:
        return None
    asked = _asked(error)
    return grown if asked is None else min(asked, LONGEST_WAIT)


def _asked(error: BaseException) -> float | None:
    for link in _chain(error):
        headers = getattr(getattr(link, "response", None), "headers", None) or {}
        try:
            return float(headers["Retry-After"])
        except (KeyError, ValueError):
            continue
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root(error: Exception) -> Exception:
    """The error that says most: the one with a response, else the innermost."""
    links = [link for link in _chain(error) if isinstance(link, Exception)]
    return next((link for link in links if hasattr(link, "response")), links[-1])

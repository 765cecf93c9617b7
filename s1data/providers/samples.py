"""How samples of one question differ on the wire, where their bodies would be the same.

A service that samples needs no telling. One that is given a seed gets another for each sample, else
all of them would be one reply. A server on this machine is told which sample is meant: an emulator
answers the same request with the same bytes. None of it counts in a request's key, which has the
sample already.
"""

from __future__ import annotations

from typing import Final

from s1data.models import Request
from s1data.providers.connections import is_loopback

HEADER: Final = "X-S1Data-Sample"


def seed_of(request: Request) -> int | None:
    """The seed to be sent."""
    return None if request.seed is None else request.seed + request.sample


def headers_of(request: Request, url: str) -> dict[str, str]:
    """Further headers for a request to this address; none for another machine."""
    return {HEADER: str(request.sample)} if is_loopback(url) else {}

"""How a round goes as batch jobs, and how it is cut into waves that the budget has room for.

A wave is one job. The most that its requests can cost is reserved before it is made, so that no
wave is larger than what is left of the budget; what it really cost is settled when its results
come, and what that leaves over is the next wave's. Execution, never identity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from s1data.asking.prices import Price
from s1data.frozen import Frozen
from s1data.models import Request

Fallback = Literal["stop", "wait", "online"]


class Batching(Frozen):
    """Batch mode of a session."""

    folder: Path = Field(description="Where jobs under way are written down; see `store.jobs`.")
    fallback: Fallback = Field(
        default="stop",
        description="A job that expired, failed or is stuck: stop and say so; stay in batch mode "
        "(wait on for what is stuck, a new job for the rest); or ask online, at full price.",
    )
    poll: float = Field(default=5.0, gt=0, description="Seconds between the first two looks.")
    poll_most: float = Field(default=300.0, gt=0, description="Seconds that looks are ever apart.")
    stuck_after: float = Field(
        default=26 * 3600.0, gt=0, description="Seconds after which a job counts as stuck."
    )
    tries: int = Field(default=3, gt=0, description="Jobs that a request goes in, at the most.")
    wave_usd: float | None = Field(
        default=None, gt=0, description="Most that one wave may reserve; None: the budget decides."
    )
    wave_requests: int = Field(default=50_000, gt=0, description="Most requests of a wave.")
    wave_bytes: int = Field(default=200_000_000, gt=0, description="Most bytes of its prompts.")


@dataclass(frozen=True, slots=True)
class Cost:
    """One request of a wave to be."""

    maximum: float
    """Dollars, in batch mode."""
    expected: float
    """Dollars that it will likely cost; the maximum where nothing better is known."""
    size: int
    """Bytes of its texts."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One job to be."""

    requests: int
    maximum: float
    """Dollars reserved for it."""
    expected: float
    whole: bool
    """Whether it is as large as it would be with any budget."""


def cost(request: Request, price: Price | None, expected: float | None = None) -> Cost:
    """What a request counts for in a wave; ``price`` is the online one. BudgetError: unbounded."""
    size = sum(len(text.encode()) for text in (request.prompt, request.system or ""))
    most = price.in_batch().maximum(request) if price else 0.0
    return Cost(most, most if expected is None else expected, size)


def next_wave(costs: Sequence[Cost], room: float | None, batching: Batching) -> Wave:
    """The wave of the first of ``costs``, in order; of no requests where there is no room."""
    room = math.inf if room is None else room
    most = math.inf if batching.wave_usd is None else batching.wave_usd
    maximum = expected = 0.0
    size = count = 0
    for one in costs:
        # Reservations are rounded up to whole nano-dollars.
        total = maximum + one.maximum + (1e-9 if one.maximum else 0.0)
        if total > room:
            return Wave(count, maximum, expected, whole=False)
        full = count == batching.wave_requests or size + one.size > batching.wave_bytes
        if count and (full or total > most):
            break
        maximum, expected = total, expected + one.expected
        size, count = size + one.size, count + 1
    return Wave(count, maximum, expected, whole=True)


def waves(costs: Sequence[Cost], room: float | None, batching: Batching) -> list[Wave]:
    """All waves of a round, if each costs what is expected of it; for a plan.

    They end early where the budget does: then they have fewer requests than ``costs``. ``room`` is
    what is left of the budget, None without one.
    """
    found: list[Wave] = []
    left = list(costs)
    while left:
        wave = next_wave(left, room, batching)
        if not wave.requests:
            break
        found.append(wave)
        left = left[wave.requests :]
        room = None if room is None else room - wave.expected
    return found

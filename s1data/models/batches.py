"""Batch jobs of a service, as asking needs them: made, found again, fetched, cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from s1data.models.protocol import ModelError
from s1data.models.reply import Reply
from s1data.models.request import Request


class JobState(StrEnum):
    """Where a job is."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """There are results; single requests may have failed all the same."""
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    GONE = "gone"
    """The service knows no such job any more, or no longer has its results."""

    @property
    def ended(self) -> bool:
        """Whether it will never change again."""
        return self not in {JobState.PENDING, JobState.RUNNING}


class Batches(Protocol):
    """The batch mode of one model. Every method raises ModelError and tries nothing twice.

    A service that makes a job does not know whether it has made the same before: what tells is the
    ``token`` that the job is given as its display name.
    """

    async def submit(self, requests: Sequence[Request], token: str) -> str:
        """Makes a job of requests to one model; returns the service's name for it."""

    async def find(self, token: str) -> str | None:
        """The name of the job that was made with this token, if there is one."""

    async def look(self, job: str) -> JobState:
        """The state of a job."""

    def fetch(
        self, job: str, requests: Mapping[str, Request], draft: Path
    ) -> AsyncIterator[tuple[str, Reply | ModelError]]:
        """What came of each request of a job that succeeded, by key, in any order.

        ``requests`` are the job's, by key; lines of other keys are left out. ``draft`` is where
        results that come as a file are put meanwhile.
        """

    async def cancel(self, job: str) -> None:
        """Asks the service to end a job."""

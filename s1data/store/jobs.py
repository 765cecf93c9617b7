"""Batch jobs under way, on disk before anything is paid, so that any process can wait for them.

    FOLDER/TOKEN/requests.jsonl  the requests, whole
    FOLDER/TOKEN/job.json        model, time, and the service's name of the job once it has one
    FOLDER/TOKEN/alive           held by the process that sees to the job

The token is the job's display name at the service, made of the requests' keys and the time. The
folder goes when the job's results are in the reply store, or when it ended without any.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import orjson

from s1data.durable import sync_folder
from s1data.errors import StoreError
from s1data.models import Request
from s1data.store.files import held, hold, put_in_place

FORMAT: Final = 1
_LINE: Final = orjson.OPT_APPEND_NEWLINE
_BEGINNING: Final = 60.0
"""Seconds in which a folder without a description may be one that is just being made."""


class JobRecord:
    """One job as its folder has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = folder.name
        self._handle: int | None = None
        self._told: dict[str, Any] = {}

    @classmethod
    def begin(cls, jobs: Path, requests: Sequence[Request], place: Sequence[Any], at: str) -> Self:
        """Writes down a job that is about to be made, and holds it. ``at``: UTC time, ISO 8601."""
        keys = "".join(sorted(request.key for request in requests))
        digest = hashlib.sha256(keys.encode()).hexdigest()[:16]
        stamp = "".join(filter(str.isdigit, at.partition("+")[0]))
        record = cls(jobs / f"s1data-{digest}-{stamp}")
        record.folder.mkdir(parents=True)
        record._handle = hold(record.folder / "alive")
        lines = [
            orjson.dumps(request.model_dump(mode="json", exclude_defaults=True), option=_LINE)
            for request in requests
        ]
        put_in_place(b"".join(lines), record._draft, record.folder / "requests.jsonl")
        sync_folder(jobs)
        record._tell(format=FORMAT, place=list(place), asked=at, count=len(requests), name=None)
        return record

    @property
    def asked(self) -> str:
        """UTC time at which it was written down: that of its reservations and replies."""
        return str(self._told["asked"])

    @property
    def name(self) -> str | None:
        """The service's name of the job; None where it may not have been made."""
        name = self._told["name"]
        return None if name is None else str(name)

    @property
    def place(self) -> tuple[Any, ...]:
        """Which model it asks: provider, model, revision, api version."""
        return tuple(self._told["place"])

    @property
    def count(self) -> int:
        """How many requests it has."""
        return int(self._told["count"])

    @property
    def results(self) -> Path:
        """Where results are put while they are read."""
        return self.folder / "results.jsonl.tmp"

    def read(self) -> bool:
        """Reads what is written down; False where the job has ended or was never whole."""
        try:
            told = orjson.loads((self.folder / "job.json").read_bytes())
        except FileNotFoundError:
            return False
        except orjson.JSONDecodeError as error:
            raise StoreError(
                f"{self.folder}: job.json is not as it was written; look the job up at the service "
                f"by its display name {self.token}, then remove the folder"
            ) from error
        if told.get("format") != FORMAT:
            raise StoreError(
                f"{self.folder}: a batch job of format {FORMAT} was wanted, got "
                f"{told.get('format')!r}; use the version of s1data that wrote it"
            )
        self._told = told
        return True

    def requests(self) -> dict[str, Request]:
        """The job's requests by key, in the order in which they were sent."""
        lines = (self.folder / "requests.jsonl").read_bytes().splitlines()
        requests = (Request.model_validate_json(line) for line in lines)
        return {request.key: request for request in requests}

    def hold(self) -> bool:
        """Takes the job over; False while a live process sees to it, or where it has ended."""
        try:
            self._handle = hold(self.folder / "alive")
        except (BlockingIOError, FileNotFoundError):
            return False
        if self.read():
            return True
        self.let_go()
        return False

    def named(self, name: str) -> None:
        """Writes down the service's name of the job. Durable when it returns."""
        self._tell(**(self._told | {"name": name}))

    def let_go(self) -> None:
        """Leaves the job to whoever comes next."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def end(self) -> None:
        """Nothing is left to be done for it: its folder goes."""
        # The description first: without it nobody takes up what is left.
        (self.folder / "job.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder)
        self.let_go()

    def swept(self) -> bool:
        """Removes what a kill left of a job that was never whole, or had ended. Always False."""
        with suppress(FileNotFoundError):
            old = time.time() - self.folder.stat().st_mtime > _BEGINNING
            if old and not held(self.folder / "alive"):
                shutil.rmtree(self.folder)
        return False

    @property
    def _draft(self) -> Path:
        return self.folder / "draft.tmp"

    def _tell(self, **told: Any) -> None:  # noqa: ANN401 - JSON
        self._told = told
        put_in_place(orjson.dumps(told), self._draft, self.folder / "job.json")


def records(jobs: Path) -> list[JobRecord]:
    """Jobs under way, oldest first, whoever sees to them; nothing of them is held."""
    try:
        folders = sorted(path for path in jobs.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    found = [record for record in map(JobRecord, folders) if record.read() or record.swept()]
    return sorted(found, key=lambda record: record.asked)


def end_answered(jobs: Path, stored: Callable[[list[str]], Collection[str]]) -> None:
    """Ends jobs whose replies are all in the store: a kill came between the last and the end.

    ``stored`` gives those of some keys that are there. One that a live process sees to is left.
    """
    for record in records(jobs):
        if not record.hold():
            continue
        keys = list(record.requests())
        if len(stored(keys)) == len(keys):
            record.end()
        else:
            record.let_go()

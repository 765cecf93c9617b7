"""Batch jobs and files of the Gemini protocol, held in memory.

A job's requests are answered when it is first seen to have succeeded; an expired, failed or stuck
job answers nothing and costs nothing. Results never stand in the order of the requests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from s1data.emulator import gemini
from s1data.emulator.minds import Minds
from s1data.emulator.script import JobFate
from s1data.emulator.words import Refused, draw

Line = tuple[Any, dict[str, Any]]
"""A request's key (or inlined metadata) and its body."""


@dataclass(slots=True)
class File:
    """One uploaded or generated file."""

    name: str
    data: bytearray
    mime_type: str = "application/jsonl"
    display_name: str | None = None
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    generated: bool = False

    def extend(self, offset: int, data: bytes) -> None:
        """Takes the next piece; Refused (400) where it does not follow the one before."""
        if offset != len(self.data):
            raise Refused(400, "INVALID_ARGUMENT", f"offset {offset} is not {len(self.data)}")
        self.data.extend(data)

    def described(self, base: str) -> dict[str, Any]:
        """The file as the protocol shows it."""
        told: dict[str, Any] = {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.data)),
            "createTime": _stamp(self.made),
            "updateTime": _stamp(self.made),
            "expirationTime": _stamp(self.made + timedelta(hours=48)),
            "uri": f"{base}/v1beta/{self.name}",
            "state": "ACTIVE",
            "source": "GENERATED" if self.generated else "UPLOADED",
        }
        if self.display_name:
            told["displayName"] = self.display_name
        if self.generated:
            told["downloadUri"] = f"{base}/v1beta/{self.name}:download?alt=media"
        return told


@dataclass(slots=True)
class Job:
    """One batch job."""

    name: str
    model: str
    lines: list[Line]
    inlined: bool
    fate: JobFate
    display_name: str
    began: float = field(default_factory=time.monotonic)
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    cancelled: bool = False
    output: dict[str, Any] | None = None


class Jobs:
    """All files and jobs of one emulator."""

    def __init__(self, minds: Minds) -> None:
        self._minds = minds
        self._made = 0
        self.files: dict[str, File] = {}
        self.jobs: dict[str, Job] = {}

    @property
    def answer_seconds(self) -> float:
        """How late an upload and the making of a job are answered, once they are there."""
        return self._minds.script.job_answer_seconds

    def begin_file(self, name: str | None, kind: str, shown: str | None) -> File:
        """Starts an upload."""
        name = name or f"files/{self._next('file')}"
        made = File(name, bytearray(), kind, shown)
        self.files[name] = made
        return made

    def file(self, name: str) -> File:
        """A file by name; Refused (404) if there is none."""
        if name not in self.files:
            raise Refused(404, "NOT_FOUND", f"file {name} is not found")
        return self.files[name]

    def job(self, name: str) -> Job:
        """A job by name; Refused (404) if there is none."""
        if name not in self.jobs:
            raise Refused(404, "NOT_FOUND", f"batch {name} is not found")
        return self.jobs[name]

    def create(self, model: str, body: Any) -> Job:  # noqa: ANN401 - JSON
        """Takes a job; Refused (400) where its input cannot be read."""
        if not self._minds.serves(model):
            raise Refused(404, "NOT_FOUND", f"models/{model} is not found")
        batch = body.get("batch") or {}
        given = batch.get("inputConfig") or batch.get("input_config") or {}
        name = given.get("fileName") or given.get("file_name")
        try:
            lines = self._lines(name) if name else _inlined(given)
        except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
            message = f"the batch's input cannot be read: {error}"
            raise Refused(400, "INVALID_ARGUMENT", message) from None
        if not lines:
            raise Refused(400, "INVALID_ARGUMENT", "a batch without requests")
        fates = self._minds.script.jobs
        fate: JobFate = fates[len(self.jobs)] if len(self.jobs) < len(fates) else "succeeds"
        shown = str(batch.get("displayName") or batch.get("display_name") or "")
        job = Job(f"batches/{self._next('batch')}", model, lines, not name, fate, shown)
        self.jobs[job.name] = job
        return job

    def described(self, job: Job) -> dict[str, Any]:
        """The job as the protocol shows it now; answers its requests if it has just succeeded."""
        state = self._state(job)
        told: dict[str, Any] = {
            "model": f"models/{job.model}",
            "displayName": job.display_name,
            "state": f"BATCH_STATE_{state}",
            "createTime": _stamp(job.made),
            "updateTime": _stamp(job.made),
            "batchStats": {"requestCount": str(len(job.lines))},
        }
        shown: dict[str, Any] = {"name": job.name, "metadata": told}
        if state in {"PENDING", "RUNNING"}:
            return shown
        told["endTime"] = _stamp(datetime.now(UTC))
        shown["done"] = True
        if state == "SUCCEEDED":
            job.output = job.output or self._work(job)
            told["output"] = shown["response"] = job.output
        return shown

    def _state(self, job: Job) -> str:
        if job.cancelled:
            return "CANCELLED"
        passed = time.monotonic() - job.began
        if job.fate == "stuck" or passed < self._minds.script.job_seconds / 3:
            return "PENDING"
        if passed < self._minds.script.job_seconds:
            return "RUNNING"
        ends = {"expires": "EXPIRED", "fails": "FAILED"}
        return ends.get(job.fate, "SUCCEEDED")

    def _work(self, job: Job) -> dict[str, Any]:
        results = [self._one(job, place, *line) for place, line in enumerate(job.lines)]
        seed = self._minds.script.seed
        order = sorted(range(len(results)), key=lambda place: draw("order", seed, job.name, place))
        shuffled = [results[place] for place in order]
        if job.inlined:
            return {"inlinedResponses": {"inlinedResponses": shuffled}}
        made = self.begin_file(None, "application/jsonl", None)
        made.data.extend(b"".join(orjson.dumps(one) + b"\n" for one in shuffled))
        made.generated = True
        return {"responsesFile": made.name}

    def _one(self, job: Job, place: int, key: Any, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - JSON
        told = {"metadata" if job.inlined else "key": key}
        if job.fate == "partial" and place % 2:
            return {**told, "error": {"code": 13, "message": "An internal error has occurred."}}
        try:
            asked = gemini.asked(job.model, body, _sample(key), "batch")
            answer = self._minds.answer(asked, job=job.name)
        except Refused as refused:
            return {**told, "error": {"code": 3, "message": refused.message}}
        self._minds.note(asked, answer, 200, job=job.name)
        thoughts = gemini.wants_thoughts(body)
        return {**told, "response": gemini.response(asked, answer, thoughts=thoughts)}

    def _lines(self, name: str) -> list[Line]:
        data = bytes(self.file(name).data)
        lines = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        return [(line["key"], line["request"]) for line in lines]

    def _next(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{int(draw(kind, time.time_ns(), self._made) * 16**10):010x}"


def _inlined(given: dict[str, Any]) -> list[Line]:
    return [(one.get("metadata"), one["request"]) for one in given["requests"]["requests"]]


def _sample(key: Any) -> int | None:  # noqa: ANN401 - JSON
    """Which sample a line is, as the header says it online: what stands after ``#`` in its key."""
    told = key.get("key") if isinstance(key, dict) else key
    number = str(told).rpartition("#")[2] if "#" in str(told) else ""
    return int(number) if number.isdecimal() else None


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

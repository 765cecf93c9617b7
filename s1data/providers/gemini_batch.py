"""Gemini's batch jobs: half the price, results within a day; by a file, or inlined where few.

Requests of a job go as a JSONL file through the files API (its resumable upload is the package's)
in the shape of the REST protocol. Few and small ones are inlined, since nothing is left behind
then; their replies come with the job itself, and jobs with large inlined replies have been seen
that no longer could be fetched, so that only few are.

A line's key is ``KEY#SAMPLE``: results are matched by the first, never by their order. An emulator
reads the second, as it does the header of a request that is sent alone.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import orjson

from s1data.models import JobState, ModelError, Outcome, Reply, Request
from s1data.providers import gemini_bodies
from s1data.providers.failures import failure, one_line, outcome_of
from s1data.providers.gemini import HARMS, SAMPLING, Gemini, config
from s1data.providers.replies import Sending, count, mapping
from s1data.providers.samples import seed_of

if TYPE_CHECKING:
    from google.genai import types

INLINE_BYTES: Final = 200_000
"""Prompts of so many bytes are inlined; the service takes 20 MB."""
INLINE_MOST: Final = 64
_MIME: Final = "application/jsonl"
_STATES: Final = {
    "QUEUED": JobState.PENDING,
    "PENDING": JobState.PENDING,
    "UNSPECIFIED": JobState.PENDING,
    "SUCCEEDED": JobState.SUCCEEDED,
    "PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "EXPIRED": JobState.EXPIRED,
    "CANCELLED": JobState.CANCELLED,
}
# The numbers of google.rpc.Code that a failed line carries, as HTTP says them.
_STATUS: Final = {
    3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 13: 500, 14: 503, 16: 401,
}  # fmt: skip


class GeminiBatches:
    """The batch mode of a `Gemini`, whose connection it uses. See `s1data.models.Batches`."""

    def __init__(self, model: Gemini, inline_bytes: int = INLINE_BYTES) -> None:
        self._model = model
        self._inline_bytes = inline_bytes

    async def submit(self, requests: Sequence[Request], token: str) -> str:
        with self._errors():
            source: Any
            if self._may_be_inlined(requests):
                source = [_inlined(request, self._model.url) for request in requests]
            else:
                source = await self._uploaded(requests, token)
            job = await self._model.client().aio.batches.create(
                model=requests[0].model, src=source, config={"display_name": token}
            )
        return self._name(job)

    async def find(self, token: str) -> str | None:
        with self._errors():
            listed = await self._model.client().aio.batches.list(config={"page_size": 100})
            async for job in listed:
                if job.display_name == token:
                    return self._name(job)
        return None

    async def look(self, job: str) -> JobState:
        try:
            found = await self._get(job)
        except ModelError as error:
            if error.outcome is Outcome.NOT_FOUND:
                return JobState.GONE
            raise
        state = str(found.state.value if found.state else "").removeprefix("JOB_STATE_")
        return _STATES.get(state, JobState.RUNNING)

    async def fetch(
        self, job: str, requests: Mapping[str, Request], draft: Path
    ) -> AsyncIterator[tuple[str, Reply | ModelError]]:
        found = await self._get(job)
        lines: Iterator[dict[str, Any]]
        if found.dest is not None and found.dest.file_name:
            with self._errors():
                await self._model.client().aio.files.download(
                    file=found.dest.file_name, destination=draft
                )
            lines = _lines_of(draft)
        else:
            inlined = (found.dest.inlined_responses if found.dest else None) or []
            lines = map(_line_of, inlined)
        for line in lines:
            key = str(line.get("key") or "").partition("#")[0]
            request = requests.get(key)
            if request is not None:
                yield key, self._read(request, line, job)
            await asyncio.sleep(0)

    async def cancel(self, job: str) -> None:
        with self._errors():
            await self._model.client().aio.batches.cancel(name=job)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with self._model.typed_errors():
            try:
                yield
            except KeyError as error:  # so the package says that no upload was begun
                got = one_line(self._model.key.hide(f"the upload was not begun: {error}"))
                raise failure(self._model.who, Outcome.DROPPED, got) from None

    def _may_be_inlined(self, requests: Sequence[Request]) -> bool:
        size = sum(len(request.prompt) + len(request.system or "") for request in requests)
        plain = all({name for name, _ in request.extra} <= SAMPLING for request in requests)
        return plain and len(requests) <= INLINE_MOST and size <= self._inline_bytes

    async def _uploaded(self, requests: Sequence[Request], token: str) -> str:
        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(_write, requests, file)
            uploaded = await self._model.client().aio.files.upload(
                file=file,
                config={"mime_type": _MIME, "display_name": token},
            )
        if not uploaded.name:
            raise failure(self._model.who, Outcome.DROPPED, "an upload without a name")
        return uploaded.name

    async def _get(self, job: str) -> types.BatchJob:
        with self._errors():
            return await self._model.client().aio.batches.get(name=job)

    def _name(self, job: types.BatchJob) -> str:
        if not job.name:
            raise failure(self._model.who, Outcome.DROPPED, "a job without a name")
        return job.name

    def _read(self, request: Request, line: dict[str, Any], job: str) -> Reply | ModelError:
        who = f"{self._model.who}, {job}"
        sending = Sending(request)
        try:
            if "response" not in line:
                raise self._refusal(mapping(line.get("error")), who)
            body = self._model.key.hide(orjson.dumps(line["response"]).decode())
            made = sending.reply(gemini_bodies.read(body, request, who), body)
        except ModelError as error:
            if error.outcome is not Outcome.BAD_REQUEST:
                return error
            made = sending.refused(error)
        return replace(made, seconds=None)

    def _refusal(self, error: dict[str, Any], who: str) -> ModelError:
        code = count(error.get("code")) or 0
        message = str(error.get("message") or "no reason given")
        got = one_line(self._model.key.hide(f"{code}: {message}"))
        outcome = outcome_of(_STATUS.get(code, code if code >= 300 else 500))
        return failure(who, outcome, got)


def body_of(request: Request) -> dict[str, Any]:
    """A request as the REST protocol has it: what the package sends when it is asked alone."""
    extra = dict(request.extra)
    settings: dict[str, Any] = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": None if extra.get("top_k") is None else float(extra["top_k"]),
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "presencePenalty": extra.get("presence_penalty"),
        "frequencyPenalty": extra.get("frequency_penalty"),
        "seed": seed_of(request),
    }
    if request.thinking is not None:
        level = request.thinking.level
        settings["thinkingConfig"] = _told(
            {
                "includeThoughts": request.thinking.include,
                "thinkingBudget": request.thinking.budget,
                "thinkingLevel": level.upper() if level else None,
            }
        )
    body: dict[str, Any] = {"contents": [_content(request.prompt)]}
    if request.system is not None:
        body["systemInstruction"] = _content(request.system)
    if request.safety == "off":
        body["safetySettings"] = [
            {"category": f"HARM_CATEGORY_{harm}", "threshold": "OFF"} for harm in HARMS
        ]
    if told := _told(settings):
        body["generationConfig"] = told
    return body | {name: value for name, value in extra.items() if name not in SAMPLING}


def _content(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}], "role": "user"}


def _told(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _key(request: Request) -> str:
    return f"{request.key}#{request.sample}"


def _write(requests: Sequence[Request], file: IO[bytes]) -> None:
    for request in requests:
        line = {"key": _key(request), "request": body_of(request)}
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    file.seek(0)


def _inlined(request: Request, url: str) -> types.InlinedRequest:
    from google.genai import types

    settings = config(request, url).model_copy(update={"http_options": None})
    return types.InlinedRequest(
        contents=request.prompt, metadata={"key": _key(request)}, config=settings
    )


def _lines_of(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            try:
                yield mapping(orjson.loads(line))
            except orjson.JSONDecodeError:  # its request is found missing
                continue


def _line_of(one: types.InlinedResponse) -> dict[str, Any]:
    line: dict[str, Any] = {"key": (one.metadata or {}).get("key")}
    if one.response is not None:
        line["response"] = one.response.model_dump(mode="json", by_alias=True, exclude_none=True)
    else:
        line["error"] = one.error.model_dump(mode="json") if one.error else {}
    return line

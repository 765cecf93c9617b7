"""The routes: two protocols on one port, told apart by path and by where the key stands."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from aiohttp import web

from s1data.emulator import gemini, openai_protocol, sending
from s1data.emulator.jobs import Jobs
from s1data.emulator.minds import Answer, Minds
from s1data.emulator.script import Fault
from s1data.emulator.words import Asked, Call, Refused

_UNSENT: Final = frozenset({Fault.DROP_BEFORE, Fault.RESET, Fault.HANG})
_MOST_BYTES: Final = 256 * 1024 * 1024
_Answered = web.StreamResponse


def application(minds: Minds) -> web.Application:
    """The server of one emulator."""
    routes = _Routes(minds)
    app = web.Application(client_max_size=_MOST_BYTES)
    version = "/{version:v[0-9][a-z0-9]*}"
    app.add_routes(
        [
            web.post("/v1/chat/completions", routes.chat),
            web.post("/v1/completions", routes.completions),
            web.post(version + "/models/{model:[^:]+}:{verb:[A-Za-z]+}", routes.gemini),
            web.get(version + "/models", routes.models),
            web.get(version + "/models/{model:.+}", routes.model),
            web.post("/upload" + version + "/files", routes.upload),
            web.get(version + "/files", routes.files),
            web.get("/download" + version + "/files/{name}:download", routes.download),
            web.get(version + "/files/{name}:download", routes.download),
            web.get(version + "/files/{name}", routes.file),
            web.delete(version + "/files/{name}", routes.delete_file),
            web.get(version + "/batches", routes.batches),
            web.get(version + "/batches/{name}", routes.batch),
            web.post(version + "/batches/{name}:cancel", routes.cancel),
            web.delete(version + "/batches/{name}", routes.delete_batch),
        ]
    )
    return app


class _Routes:
    def __init__(self, minds: Minds) -> None:
        self._minds = minds
        self._jobs = Jobs(minds)

    async def gemini(self, request: web.Request) -> _Answered:
        verb = request.match_info["verb"]
        calls: dict[str, Call] = {"generateContent": "generate", "streamGenerateContent": "stream"}
        model = request.match_info["model"]
        if (wrong := self._wrong_key(request)) is not None:
            return wrong
        if verb not in {*calls, "countTokens", "batchGenerateContent"}:
            missing = Refused(404, "NOT_FOUND", f"there is no method {verb}")
            return self._refused(request, verb, missing)
        try:
            body = await _body(request)
            if verb == "countTokens":
                return self._told(request, "count_tokens", gemini.count(body))
            if verb == "batchGenerateContent":
                job = self._jobs.create(model, body)
                return self._told(request, "batch_create", self._jobs.described(job))
            asked = gemini.asked(model, body, _sample(request), calls[verb])
            answer = self._minds.answer(asked, gemini.choices(body))
        except Refused as refused:
            return self._refused(request, verb, refused)
        failed = await self._before_a_reply(request, asked, answer)
        if failed is not None:
            return failed
        made = gemini.response(asked, answer, thoughts=gemini.wants_thoughts(body))
        pieces = gemini.stream(made) if asked.streams else [orjson.dumps(made)]
        return await sending.whole(request, pieces, answer.fault, events=asked.streams)

    async def chat(self, request: web.Request) -> _Answered:
        return await self._openai(request, "chat")

    async def completions(self, request: web.Request) -> _Answered:
        return await self._openai(request, "completions")

    async def _openai(self, request: web.Request, call: Call) -> _Answered:
        if (wrong := self._wrong_key(request)) is not None:
            return wrong
        try:
            body = await _body(request)
            asked = openai_protocol.asked(body, _sample(request), call)
            answer = self._minds.answer(asked, body.get("n") or 1)
        except Refused as refused:
            return self._refused(request, call, refused)
        failed = await self._before_a_reply(request, asked, answer)
        if failed is not None:
            return failed
        persona = self._minds.script.persona(asked.model)
        made = (
            openai_protocol.scored(asked)
            if asked.call == "score"
            else openai_protocol.response(asked, answer, persona)
        )
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        pieces = (
            openai_protocol.stream(made, with_usage=usage)
            if asked.streams
            else [orjson.dumps(made)]
        )
        return await sending.whole(request, pieces, answer.fault, events=asked.streams)

    async def _before_a_reply(
        self, request: web.Request, asked: Asked, answer: Answer
    ) -> _Answered | None:
        """Waits, notes the try, and sends what comes in a reply's place, if anything does."""
        if answer.seconds:
            await asyncio.sleep(answer.seconds)
        fault = answer.fault
        if fault in _UNSENT:
            self._minds.note(asked, answer, 0)
            return await sending.nothing(request, fault)
        if fault is Fault.OVERLOADED_HTML:
            self._minds.note(asked, answer, 503)
            return sending.as_page()
        refuses = not answer.said
        if asked.protocol == "openai" and fault is Fault.BLOCKED_PROMPT:
            refuses = True
        if fault is None or not refuses:
            self._minds.note(asked, answer, 200)
            return None
        headers: dict[str, str] = {}
        if asked.protocol == "gemini":
            status, body = gemini.failure(fault, asked.model, answer.retry_after)
        else:
            status, body = openai_protocol.failure(fault)
            if fault is Fault.QUOTA_MINUTE:
                headers["Retry-After"] = f"{answer.retry_after:g}"
        self._minds.note(asked, answer, status)
        return sending.as_json(body, status, headers)

    async def models(self, request: web.Request) -> _Answered:
        if (wrong := self._wrong_key(request)) is not None:
            return wrong
        if _is_gemini(request):
            listed = {"models": [gemini.described(name) for name in self._minds.models]}
            return self._told(request, "models", listed)
        entries = [
            openai_protocol.described(name, self._minds.script.persona(name))
            for name in self._minds.models
        ]
        return self._told(request, "models", {"object": "list", "data": entries})

    async def model(self, request: web.Request) -> _Answered:
        if (wrong := self._wrong_key(request)) is not None:
            return wrong
        name = request.match_info["model"]
        if not self._minds.serves(name):
            return self._refused(request, "model", Refused(404, "NOT_FOUND", f"no model {name}"))
        told = (
            gemini.described(name)
            if _is_gemini(request)
            else openai_protocol.described(name, self._minds.script.persona(name))
        )
        return self._told(request, "model", told)

    async def upload(self, request: web.Request) -> _Answered:
        """The resumable protocol: a start without data, then pieces with their offsets."""
        base = str(request.url.origin())
        command = request.headers.get("X-Goog-Upload-Command", "")
        name = request.query.get("upload_id")
        try:
            if name is None:
                if (wrong := self._wrong_key(request)) is not None:
                    return wrong
                given = (await _body(request)).get("file") or {}
                size = int(request.headers.get("X-Goog-Upload-Header-Content-Length") or 0)
                kind = request.headers.get("X-Goog-Upload-Header-Content-Type") or ""
                shown = given.get("displayName") or given.get("display_name")
                file = self._jobs.begin_file(given.get("name"), size, kind, shown)
                url = f"{base}{request.path}?upload_id={file.name}"
                headers = {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"}
                return self._told(request, "upload_start", {}, headers)
            file = self._jobs.file(name)
            offset = int(request.headers.get("X-Goog-Upload-Offset") or 0)
            file.extend(offset, await request.read())
        except Refused as refused:
            return self._refused(request, "upload", refused)
        if "finalize" not in command:
            return self._told(request, "upload", {}, {"X-Goog-Upload-Status": "active"})
        headers = {"X-Goog-Upload-Status": "final"}
        return self._told(request, "upload", {"file": file.described(base)}, headers)

    async def files(self, request: web.Request) -> _Answered:
        base = str(request.url.origin())
        listed = [file.described(base) for file in self._jobs.files.values()]
        return self._told(request, "files", {"files": listed})

    async def file(self, request: web.Request) -> _Answered:
        try:
            file = self._jobs.file(f"files/{request.match_info['name']}")
        except Refused as refused:
            return self._refused(request, "file", refused)
        return self._told(request, "file", file.described(str(request.url.origin())))

    async def download(self, request: web.Request) -> _Answered:
        try:
            file = self._jobs.file(f"files/{request.match_info['name']}")
        except Refused as refused:
            return self._refused(request, "download", refused)
        self._minds.witness.note(protocol="gemini", call="download", status=200)
        return web.Response(body=bytes(file.data), headers={"Server": sending.SERVER})

    async def delete_file(self, request: web.Request) -> _Answered:
        self._jobs.files.pop(f"files/{request.match_info['name']}", None)
        return self._told(request, "delete_file", {})

    async def batches(self, request: web.Request) -> _Answered:
        listed = [self._jobs.described(job) for job in self._jobs.jobs.values()]
        return self._told(request, "batches", {"operations": listed})

    async def batch(self, request: web.Request) -> _Answered:
        try:
            job = self._jobs.job(f"batches/{request.match_info['name']}")
        except Refused as refused:
            return self._refused(request, "batch_get", refused)
        return self._told(request, "batch_get", self._jobs.described(job))

    async def cancel(self, request: web.Request) -> _Answered:
        try:
            job = self._jobs.job(f"batches/{request.match_info['name']}")
        except Refused as refused:
            return self._refused(request, "batch_cancel", refused)
        job.cancelled = job.output is None
        return self._told(request, "batch_cancel", {})

    async def delete_batch(self, request: web.Request) -> _Answered:
        self._jobs.jobs.pop(f"batches/{request.match_info['name']}", None)
        return self._told(request, "batch_delete", {"done": True})

    def _told(
        self,
        request: web.Request,
        call: str,
        body: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        self._minds.witness.note(protocol=_protocol(request), call=call, status=200)
        return sending.as_json(body, headers=headers)

    def _refused(self, request: web.Request, call: str, refused: Refused) -> web.Response:
        protocol = _protocol(request)
        self._minds.witness.note(protocol=protocol, call=call, status=refused.status)
        body = (
            gemini.error(refused.status, refused.word, refused.message)
            if protocol == "gemini"
            else openai_protocol.error(refused.status, refused.word.lower(), refused.message)
        )
        return sending.as_json(body, refused.status)

    def _wrong_key(self, request: web.Request) -> web.Response | None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        key = request.headers.get("x-goog-api-key") or request.query.get("key") or bearer
        if self._minds.lets_in(key):
            return None
        gem = _protocol(request) == "gemini"
        status, body = gemini.wrong_key() if gem else openai_protocol.failure(Fault.UNAUTHORISED)
        self._minds.witness.note(
            protocol=_protocol(request), call="wrong_key", status=status, fault="unauthorised"
        )
        return sending.as_json(body, status)


def _is_gemini(request: web.Request) -> bool:
    """Both protocols may list models under /v1: the place of the key tells them apart."""
    return (
        "x-goog-api-key" in request.headers
        or "key" in request.query
        or request.match_info.get("version", "v1") != "v1"
    )


def _protocol(request: web.Request) -> str:
    own = ("/v1/chat/", "/v1/completions")
    if request.path.startswith(own):
        return "openai"
    if "/models" in request.path and "verb" not in request.match_info:
        return "gemini" if _is_gemini(request) else "openai"
    return "gemini"


def _sample(request: web.Request) -> int:
    told = request.headers.get("X-S1Data-Sample", "0")
    return int(told) if told.isdecimal() else 0


async def _body(request: web.Request) -> Any:  # noqa: ANN401 - JSON
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refused(400, "INVALID_ARGUMENT", f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "INVALID_ARGUMENT", "the body is no JSON object")
    return body

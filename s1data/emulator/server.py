"""The routes: two protocols on one port, told apart by path and by where the key stands.

What comes before every route stands in `door`; batch jobs and files in `job_routes`.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from aiohttp import web

from s1data.emulator import gemini, openai_protocol, sending
from s1data.emulator.door import VERSION, Door, body_of, is_gemini, sample_of
from s1data.emulator.job_routes import JobRoutes
from s1data.emulator.jobs import Jobs
from s1data.emulator.minds import Answer, Minds
from s1data.emulator.script import Fault
from s1data.emulator.words import Asked, Call, Refused

_UNSENT: Final = frozenset({Fault.DROP_BEFORE, Fault.RESET, Fault.HANG})
_CALLS: Final[dict[str, Call]] = {"generateContent": "generate", "streamGenerateContent": "stream"}
_MOST_BYTES: Final = 256 * 1024 * 1024


def application(minds: Minds) -> web.Application:
    """The server of one emulator."""
    door = Door(minds)
    replies = _ReplyRoutes(minds, door)
    jobs = JobRoutes(Jobs(minds), door)
    app = web.Application(client_max_size=_MOST_BYTES, middlewares=[door.guard])
    model = VERSION + "/models/{model:[^:]+}"
    app.add_routes(
        [
            web.post("/v1/chat/completions", replies.chat, name="chat"),
            web.post("/v1/completions", replies.completions, name="completions"),
            web.post(model + ":countTokens", replies.count, name="count_tokens"),
            web.post(model + ":batchGenerateContent", jobs.create, name="batch_create"),
            web.post(model + ":{verb:[A-Za-z]+}", replies.gemini, name="generate"),
            web.get(VERSION + "/models", replies.models, name="models"),
            web.get(VERSION + "/models/{model:.+}", replies.model, name="model"),
            *jobs.routes(),
        ]
    )
    return app


class _ReplyRoutes:
    def __init__(self, minds: Minds, door: Door) -> None:
        self._minds = minds
        self._door = door

    async def gemini(self, request: web.Request) -> web.StreamResponse:
        call = _CALLS.get(request.match_info["verb"])
        if call is None:
            raise Refused(404, "NOT_FOUND", f"there is no method {request.match_info['verb']}")
        body = await body_of(request)
        asked = gemini.asked(request.match_info["model"], body, sample_of(request), call)
        answer = self._minds.answer(asked, gemini.choices(body))
        failed = await self._in_its_place(request, asked, answer)
        if failed is not None:
            return failed
        made = gemini.response(asked, answer, thoughts=gemini.wants_thoughts(body))
        pieces = gemini.stream(made) if asked.streams else [orjson.dumps(made)]
        return await sending.whole(request, pieces, answer.fault, events=asked.streams)

    async def count(self, request: web.Request) -> web.StreamResponse:
        return self._door.told(request, gemini.count(await body_of(request)))

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._openai(request, "chat")

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self._openai(request, "completions")

    async def _openai(self, request: web.Request, call: Call) -> web.StreamResponse:
        body = await body_of(request)
        asked = openai_protocol.asked(body, sample_of(request), call)
        answer = self._minds.answer(asked, body.get("n") or 1)
        failed = await self._in_its_place(request, asked, answer)
        if failed is not None:
            return failed
        persona = self._minds.script.persona(asked.model)
        made = (
            openai_protocol.scored(asked)
            if asked.call == "score"
            else openai_protocol.response(asked, answer, persona)
        )
        pieces = [orjson.dumps(made)]
        if asked.streams:
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            pieces = openai_protocol.stream(made, with_usage=usage)
        return await sending.whole(request, pieces, answer.fault, events=asked.streams)

    async def _in_its_place(
        self, request: web.Request, asked: Asked, answer: Answer
    ) -> web.StreamResponse | None:
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
        blocked = asked.protocol == "openai" and fault is Fault.BLOCKED_PROMPT
        if fault is None or (answer.said and not blocked):
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

    async def models(self, request: web.Request) -> web.StreamResponse:
        names, persona = self._minds.models, self._minds.script.persona
        if is_gemini(request):
            return self._door.told(request, {"models": [gemini.described(n) for n in names]})
        entries = [openai_protocol.described(name, persona(name)) for name in names]
        return self._door.told(request, {"object": "list", "data": entries})

    async def model(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["model"]
        if not self._minds.serves(name):
            raise Refused(404, "NOT_FOUND", f"model {name} is not found")
        if is_gemini(request):
            return self._door.told(request, gemini.described(name))
        persona = self._minds.script.persona(name)
        return self._door.told(request, openai_protocol.described(name, persona))

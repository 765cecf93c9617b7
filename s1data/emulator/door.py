"""What comes before and after every route: the key, the JSON, refusals, the log of small calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from s1data.emulator import gemini, openai_protocol, sending
from s1data.emulator.minds import Minds
from s1data.emulator.script import Fault
from s1data.emulator.witness import Entry
from s1data.emulator.words import Refused

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

VERSION: Final = "/{version:v[0-9][a-z0-9]*}"
_OPENAI: Final = frozenset({"chat", "completions"})
_EITHER: Final = frozenset({"models", "model"})


class Door:
    """Lets requests in, and answers those that get no further."""

    def __init__(self, minds: Minds) -> None:
        self._minds = minds

    @property
    def guard(self) -> Middleware:
        """The middleware around all routes."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._minds.lets_in(_key(request)):
                return self._wrong_key(request)
            try:
                return await handler(request)
            except Refused as refused:
                return self._refused(request, refused)
            except web.HTTPNotFound:
                return self._refused(request, Refused(404, "NOT_FOUND", "there is no such path"))

        return guard

    def told(
        self, request: web.Request, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> web.Response:
        """Answers a call that generates nothing, and notes it by its route's name."""
        self.note(request, 200)
        return sending.as_json(body, headers=headers)

    def note(self, request: web.Request, status: int, fault: str | None = None) -> None:
        """Notes a call that generated nothing."""
        entry = Entry(
            protocol="gemini" if is_gemini(request) else "openai",
            call=request.match_info.route.name or "unknown",
            status=status,
            fault=fault,
        )
        self._minds.witness.note(entry)

    def _refused(self, request: web.Request, refused: Refused) -> web.Response:
        self.note(request, refused.status)
        body = (
            gemini.error(refused.status, refused.word, refused.message)
            if is_gemini(request)
            else openai_protocol.error(refused.status, refused.word.lower(), refused.message)
        )
        return sending.as_json(body, refused.status)

    def _wrong_key(self, request: web.Request) -> web.Response:
        status, body = (
            gemini.wrong_key()
            if is_gemini(request)
            else openai_protocol.failure(Fault.UNAUTHORISED)
        )
        self.note(request, status, "wrong_key")
        return sending.as_json(body, status)


def is_gemini(request: web.Request) -> bool:
    """Both protocols may list models under /v1: the place of the key tells them apart."""
    name = request.match_info.route.name
    if name in _EITHER:
        named = "x-goog-api-key" in request.headers or "key" in request.query
        return named or request.match_info["version"] != "v1"
    return name is not None and name not in _OPENAI


def sample_of(request: web.Request) -> int | None:
    """Which of several samples the client says this is, if it does."""
    told = request.headers.get("X-S1Data-Sample", "")
    return int(told) if told.isdecimal() else None


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; Refused (400) for anything else."""
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refused(400, "INVALID_ARGUMENT", f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "INVALID_ARGUMENT", "the body is no JSON object")
    return body


def _key(request: web.Request) -> str | None:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
    return request.headers.get("x-goog-api-key") or request.query.get("key") or bearer

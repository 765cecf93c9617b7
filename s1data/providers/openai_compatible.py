"""OpenAI-compatible servers (vLLM, SGLang, llama.cpp, hosted) through openai on aiohttp.

One client each endpoint; a request goes to the endpoint with the fewest in flight among those that
are well, and on to another where it was not taken at all (no connection, 429, 5xx). One that may
have been worked on is not sent elsewhere: whoever asked decides. `max_tokens` is clamped to what
the endpoint's context holds.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from s1data.models import ModelError, ModelSpec, Outcome, Reply, Request, Scored, Told
from s1data.providers import openai_bodies
from s1data.providers.checking import MAX_TOKENS, in_time, refuse_malformed, refused, tiny_request
from s1data.providers.connections import checked_url, find_key, reach
from s1data.providers.failures import failure
from s1data.providers.openai_refusals import FilteredError, refusal
from s1data.providers.replies import Sending
from s1data.providers.samples import headers_of

if TYPE_CHECKING:
    from s1data.providers.openai_client import Client

SERVICE: Final = "https://api.openai.com/v1"
_ELSEWHERE: Final = frozenset(
    {Outcome.DROPPED, Outcome.OVERLOADED, Outcome.QUOTA_MINUTE, Outcome.QUOTA_DAY}
)
_UNWELL: Final = _ELSEWHERE | {Outcome.TIMEOUT}
_LONGEST_REST: Final = 60.0


@dataclass(slots=True)
class _Endpoint:
    url: str
    client: Client | None = None
    in_flight: int = 0
    failed: int = 0
    rests_until: float = 0.0
    context: int | None = None
    told_context: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def failing(self, error: ModelError) -> None:
        if error.outcome in _UNWELL:
            self.failed += 1
            rest = error.retry_after or min(0.25 * 2.0**self.failed, _LONGEST_REST)
            self.rests_until = time.monotonic() + rest

    def well(self) -> None:
        self.failed = 0
        self.rests_until = 0.0


class OpenAICompatible:
    """A model at one or more endpoints. Implements `s1data.models.Model`."""

    def __init__(
        self,
        spec: ModelSpec,
        endpoints: Sequence[str] = (),
        key: str | None = None,
        timeout: float = 1200.0,
        *,
        name: str | None = None,
    ) -> None:
        given = [*endpoints] or [*filter(None, [os.environ.get("OPENAI_BASE_URL")])]
        urls = tuple(dict.fromkeys(checked_url(url, spec.model) for url in given))
        self._key = find_key(spec, urls, key, name)
        self._endpoints = [_Endpoint(url) for url in urls or (SERVICE,)]
        self._spec = spec
        self._timeout = timeout
        self._name = name or spec.model

    async def ask(self, request: Request) -> Reply:
        sending = Sending(request)
        if request.score is not None:
            return await sending.scored(self.score)
        path = "/chat/completions" if request.mode == "chat" else "/completions"
        try:
            body, endpoint = await self._post(
                path,
                request,
                lambda allowed: openai_bodies.body_of(request, allowed),
            )
        except FilteredError as error:
            return sending.reply(Told(outcome=Outcome.SAFETY, detail=str(error)))
        except ModelError as error:
            if error.outcome is Outcome.BAD_REQUEST:
                return sending.refused(error)
            raise
        body = self._key.hide(body)
        return sending.reply(openai_bodies.read(body, request, self._who(endpoint)), body)

    async def score(self, request: Request) -> Scored:
        if not request.score:
            raise failure(
                f"model {self._name}", Outcome.BAD_REQUEST, "no text to score", "give score"
            )
        # One token more is asked for, and left out: not every server takes max_tokens 0.
        asked: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt + request.score,
            "max_tokens": 1,
            "echo": True,
            "logprobs": 1,
            "temperature": 0,
        }
        body, endpoint = await self._post("/completions", request, lambda _: asked)
        return openai_bodies.scored(body, request, self._who(endpoint))

    async def check(self) -> None:
        found = await asyncio.gather(
            *(self._check(endpoint) for endpoint in self._endpoints), return_exceptions=True
        )
        errors = [one for one in found if isinstance(one, BaseException)]
        for error in errors:
            # One of several endpoints may be down; a key or a name that is wrong is wrong.
            down = isinstance(error, ModelError) and error.outcome in _UNWELL
            if not down or len(errors) == len(found):
                raise error

    def tiny(self) -> tuple[Request, ...]:
        return tuple(tiny_request(self._spec) for _ in self._endpoints)

    async def close(self) -> None:
        for endpoint in self._endpoints:
            if endpoint.client is not None:
                client, endpoint.client = endpoint.client, None
                await client.close()

    async def _check(self, endpoint: _Endpoint) -> None:
        who = self._who(endpoint)
        await reach(endpoint.url, who)
        request = tiny_request(self._spec)
        if "max_completion_tokens" in dict(self._spec.extra):
            extra = dict(self._spec.extra) | {"max_completion_tokens": MAX_TOKENS}
            request = Request(**(dict(request) | {"max_tokens": None, "extra": extra}))
        path = "/chat/completions" if request.mode == "chat" else "/completions"
        tiny = openai_bodies.body_of(request, request.max_tokens)
        try:
            body = await in_time(self._post_to(endpoint, path, request, tiny), who)
        except FilteredError:
            return
        except ModelError as error:
            if error.outcome is Outcome.BAD_REQUEST:
                raise refused(str(error)) from None
            raise
        refuse_malformed(openai_bodies.read(body, request, who), who)

    def _who(self, endpoint: _Endpoint) -> str:
        return f"model {self._name} at {endpoint.url}"

    async def _post(
        self, path: str, request: Request, body_for: Callable[[int | None], dict[str, Any]]
    ) -> tuple[str, _Endpoint]:
        left = list(self._endpoints)
        while True:
            now = time.monotonic()
            endpoint = min(left, key=lambda one: (max(one.rests_until - now, 0.0), one.in_flight))
            left.remove(endpoint)
            endpoint.in_flight += 1
            try:
                return await self._post_clamped(endpoint, path, request, body_for), endpoint
            except ModelError as error:
                if error.billed or error.outcome not in _ELSEWHERE or not left:
                    raise
            finally:
                endpoint.in_flight -= 1

    async def _post_clamped(
        self,
        endpoint: _Endpoint,
        path: str,
        request: Request,
        body_for: Callable[[int | None], dict[str, Any]],
    ) -> str:
        allowed = request.max_tokens
        if allowed is not None and request.score is None:
            await self._learn_context(endpoint, request.model)
            allowed = openai_bodies.clamped(request, endpoint.context)
        try:
            return await self._post_to(endpoint, path, request, body_for(allowed))
        except ModelError as error:
            room = openai_bodies.room_in(str(error))
            if error.outcome is not Outcome.BAD_REQUEST or room is None or allowed is None:
                raise
            # The refusal, which costs nothing, says to the token what fits.
            endpoint.context = room[0]
            if not 0 < room[0] - room[1] < allowed:
                raise
            return await self._post_to(endpoint, path, request, body_for(room[0] - room[1]))

    async def _learn_context(self, endpoint: _Endpoint, model: str) -> None:
        if endpoint.told_context:
            return
        async with endpoint.lock:
            if endpoint.told_context:
                return
            try:
                listed = await self._request(endpoint, "/models", seconds=5.0)
            except ModelError as error:
                # Many hosts list no models; one that is down is asked again when it is up.
                endpoint.told_context = error.outcome not in _UNWELL
                return
            endpoint.told_context = True
            endpoint.context = openai_bodies.context_of(listed, model)

    async def _post_to(
        self, endpoint: _Endpoint, path: str, request: Request, body: dict[str, Any]
    ) -> str:
        headers = headers_of(request, endpoint.url)
        try:
            answer = await self._request(endpoint, path, body, headers, seconds=self._timeout)
        except ModelError as error:
            endpoint.failing(error)
            raise
        endpoint.well()
        return answer

    async def _request(
        self,
        endpoint: _Endpoint,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        *,
        seconds: float,
    ) -> str:
        """The text that a POST of the body, or a GET where there is none, is answered with."""
        if endpoint.client is None:
            from s1data.providers.openai_client import Client

            endpoint.client = Client(endpoint.url, self._key.value, self._timeout)
        who = self._who(endpoint)
        status, told, answer = await endpoint.client.send(who, path, body, headers, seconds)
        if not 200 <= status < 300:
            raise refusal(who, self._key, status, told, answer)
        return answer

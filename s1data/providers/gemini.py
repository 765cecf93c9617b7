"""Gemini through google-genai, async on aiohttp; with `gemini_batch`, the only file to import it.

One client and one aiohttp session each model. The package's own repeats and continuations are
off: they would pay again without being seen.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from s1data.errors import RecipeError
from s1data.models import ModelError, ModelSpec, Outcome, Reply, Request, Scored
from s1data.providers import gemini_bodies
from s1data.providers.checking import in_time, refuse_malformed, refused, tiny_request
from s1data.providers.connections import checked_url, find_key, reach, transport_failure
from s1data.providers.failures import cure_of, failure, one_line, outcome_of, seconds_to_wait
from s1data.providers.replies import Sending, mapping
from s1data.providers.samples import headers_of, seed_of

if TYPE_CHECKING:
    import aiohttp
    from google import genai
    from google.genai import errors, types

SERVICE: Final = "https://generativelanguage.googleapis.com"
HARMS: Final = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


class Gemini:
    """A Gemini model, or a server that speaks its protocol. Implements `s1data.models.Model`."""

    def __init__(
        self,
        spec: ModelSpec,
        endpoints: Sequence[str] = (),
        key: str | None = None,
        timeout: float = 1200.0,
        *,
        name: str | None = None,
    ) -> None:
        if spec.mode != "chat":
            raise RecipeError(f"model {spec.model}: gemini has no mode completions; leave mode out")
        if len(endpoints) > 1:
            raise RecipeError(
                f"model {spec.model}: gemini takes one endpoint, got {len(endpoints)}; give one"
            )
        given = [*endpoints, *filter(None, [os.environ.get("GOOGLE_GEMINI_BASE_URL")])][:1]
        self.url = checked_url(given[0], spec.model) if given else SERVICE
        self.key = find_key(spec, (self.url,), key, name)
        # Loading the package takes seconds on a busy machine: not those of the check before paying.
        importlib.import_module("google.genai")
        self._spec = spec
        self._timeout = timeout
        self.who = f"model {name or spec.model} at {self.url}"
        self._open: tuple[genai.Client, aiohttp.ClientSession] | None = None

    async def ask(self, request: Request) -> Reply:
        sending = Sending(request)
        if request.score is not None:
            return await sending.scored(self.score)
        try:
            body = await self._send(request)
        except ModelError as error:
            if error.outcome is Outcome.BAD_REQUEST:
                return sending.refused(error)
            raise
        body = self.key.hide(body)
        return sending.reply(gemini_bodies.read(body, request, self.who), body)

    async def score(self, request: Request) -> Scored:
        raise failure(
            f"model {request.model}",
            Outcome.BAD_REQUEST,
            "gemini gives no log-probabilities of a given text",
            "ask an openai_compatible server",
        )

    async def check(self) -> None:
        await reach(self.url, self.who)
        reply = await in_time(self.ask(tiny_request(self._spec)), self.who)
        if reply.outcome is Outcome.BAD_REQUEST:
            raise refused(reply.detail)
        refuse_malformed(reply, self.who)

    def tiny(self) -> tuple[Request, ...]:
        return (tiny_request(self._spec),)

    async def close(self) -> None:
        if self._open is not None:
            client, session = self._open
            self._open = None
            await client.aio.aclose()
            await session.close()

    async def _send(self, request: Request) -> str:
        client = self.client()
        with self.typed_errors():
            async with asyncio.timeout(self._timeout):
                made = await client.aio.models.generate_content(
                    model=request.model, contents=request.prompt, config=config(request, self.url)
                )
        response = made.sdk_http_response
        return (response.body if response is not None else None) or ""

    @contextmanager
    def typed_errors(self) -> Iterator[None]:
        """Where the package's exceptions end: what is raised within becomes a ModelError."""
        import aiohttp
        import httpx2
        from google.genai import errors

        try:
            yield
        except errors.APIError as error:
            raise self._refusal(error) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise failure(
                self.who, Outcome.DROPPED, "a body that is not whole JSON", billed=True
            ) from None
        except (aiohttp.ClientError, httpx2.TransportError, OSError) as error:
            raise transport_failure(self.who, error) from None
        except ValueError as error:
            # The package refuses settings before it sends them.
            got = one_line(self.key.hide(str(error)))
            raise failure(self.who, Outcome.BAD_REQUEST, got) from None

    def client(self) -> genai.Client:
        """The package's client, made when it is first wanted."""
        if self._open is None:
            from google import genai
            from google.genai import types

            session = _session()
            options = types.HttpOptions(
                base_url=self.url,
                api_version=self._spec.api_version,
                timeout=int(self._timeout * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
                aiohttp_client=session,
            )
            client = genai.Client(vertexai=False, api_key=self.key.value, http_options=options)
            self._open = client, session
        return self._open[0]

    def _refusal(self, error: errors.APIError) -> ModelError:
        told = mapping(mapping(error.details).get("error"))
        details = told.get("details")
        details = [mapping(one) for one in details] if isinstance(details, list) else []
        outcome = outcome_of(error.code)
        message = str(error.message or "")
        if outcome is Outcome.BAD_REQUEST and _is_about_the_account(error, message, details):
            outcome = Outcome.AUTH
        if outcome is Outcome.QUOTA_MINUTE and _is_per_day(details):
            outcome = Outcome.QUOTA_DAY
        cure = cure_of(outcome, self.key.variable)
        if outcome is Outcome.QUOTA_DAY:
            cure = "run again after midnight Pacific time, when the day's quota is new"
        got = one_line(self.key.hide(f"{error.code} {error.status or ''}: {message}"))
        wait = _retry_info(details)
        if wait is None:
            wait = seconds_to_wait(getattr(error.response, "headers", None) or {})
        billed = outcome is Outcome.TIMEOUT
        return failure(self.who, outcome, got, cure, wait, billed=billed)


def _is_about_the_account(
    error: errors.APIError, message: str, details: list[dict[str, Any]]
) -> bool:
    # Google answers a wrong key, a closed region and missing billing with 400.
    if error.status == "FAILED_PRECONDITION" or "api key" in message.lower():
        return True
    return any(str(one.get("reason", "")).startswith("API_KEY") for one in details)


def _is_per_day(details: list[dict[str, Any]]) -> bool:
    return any(
        "PerDay" in str(mapping(violation).get("quotaId", ""))
        for one in details
        if str(one.get("@type", "")).endswith("google.rpc.QuotaFailure")
        for violation in one.get("violations") or ()
    )


def _retry_info(details: list[dict[str, Any]]) -> float | None:
    for one in details:
        if str(one.get("@type", "")).endswith("google.rpc.RetryInfo"):
            found = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(one.get("retryDelay", "")))
            if found:
                return float(found[1])
    return None


def config(request: Request, url: str) -> types.GenerateContentConfig:
    """A request's settings in the package's words."""
    from google.genai import types

    extra = dict(request.extra)
    known = {name: extra.pop(name) for name in [*extra] if name in SAMPLING}
    thinking = None
    if request.thinking is not None:
        level = request.thinking.level
        thinking = types.ThinkingConfig(
            include_thoughts=request.thinking.include,
            thinking_budget=request.thinking.budget,
            thinking_level=types.ThinkingLevel(level.upper()) if level else None,
        )
    headers = headers_of(request, url)
    safety = None
    if request.safety == "off":
        off = types.HarmBlockThreshold.OFF
        safety = [
            types.SafetySetting(category=types.HarmCategory(f"HARM_CATEGORY_{harm}"), threshold=off)
            for harm in HARMS
        ]
    return types.GenerateContentConfig(
        system_instruction=request.system,
        temperature=request.temperature,
        top_p=request.top_p,
        max_output_tokens=request.max_tokens,
        stop_sequences=list(request.stop) or None,
        seed=seed_of(request),
        thinking_config=thinking,
        safety_settings=safety,
        automatic_continuation=False,
        should_return_http_response=True,
        http_options=types.HttpOptions(extra_body=extra or None, headers=headers or None)
        if extra or headers
        else None,
        **known,
    )


SAMPLING: Final = frozenset({"top_k", "presence_penalty", "frequency_penalty"})
"""Further settings by the package's names; other ``extra`` fields go into the body as they are."""


def _session() -> aiohttp.ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        # Our own lanes are the limit.
        connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
    )


def _socket(address: Any) -> socket.socket:  # noqa: ANN401 - aiohttp's tuple
    made = socket.socket(family=address[0], type=address[1], proto=address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # A host that is gone is noticed in a minute, one that never answers in some seven seconds; the
    # package has a timeout for the whole request only, which is as long as a model may think.
    for option, value in {"KEEPIDLE": 30, "KEEPINTVL": 10, "KEEPCNT": 3, "SYNCNT": 2}.items():
        number = getattr(socket, f"TCP_{option}", None)
        if number is not None:
            made.setsockopt(socket.IPPROTO_TCP, number, value)
    return made

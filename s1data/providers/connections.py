"""Where a model is served and with which key: addresses, secrets, and how a connection can fail.

An address never holds a secret: one that does is refused, without being repeated in the message. A
key is hidden from every `repr` and cut out of every text that goes on.
"""

from __future__ import annotations

import asyncio
import os
import re
import urllib.request
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from s1data.errors import RecipeError
from s1data.models import ModelError, ModelSpec, Outcome
from s1data.providers.failures import failure

CONNECT_SECONDS: Final = 4.0
"""For the check before a run: a wrong address is told in under five seconds."""
NO_KEY: Final = "no-key"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_VARIABLES: Final = {
    "gemini": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),  # in the order of Google's own package
    "transformers": (),
    "openai_compatible": ("OPENAI_API_KEY",),
}


def checked_url(url: str, model: str) -> str:
    """The address without a slash at its end; RecipeError unless it is a bare http(s) URL."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise RecipeError(
            f"model {model}: an endpoint is not a URL; give http(s)://HOST/…"
        ) from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise RecipeError(
            f"model {model}: the endpoint at {host} has a user, password, query or fragment in its"
            " URL; give the bare URL, and the key in the environment"
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise RecipeError(f"model {model}: an endpoint is not a URL; give http(s)://HOST/…")
    return url.strip().rstrip("/")


@lru_cache(maxsize=256)
def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in _LOOPBACK


@dataclass(frozen=True, slots=True)
class Key:
    """A service's key, and the variable to set where it is wrong."""

    value: str = field(repr=False)
    variable: str

    def hide(self, text: str) -> str:
        """The text with the key cut out of it; one that is an ordinary word is no secret."""
        return text if self.is_a_word else text.replace(self.value, "[key]")

    @property
    def is_a_word(self) -> bool:
        """Whether it stands for no key at all, as on one's own server, or may be met in prose.

        Cutting ``x`` or ``message`` out of replies would spoil them; services' keys are longer.
        """
        return self.value == NO_KEY or len(self.value) < 8 or self.value.isalpha()


def find_key(spec: ModelSpec, urls: tuple[str, ...], key: str | None, name: str | None) -> Key:
    """The key for a model at these addresses; ModelError (auth) where one is needed and missing.

    A service's own variable goes to the service, to https and to this machine only: a key sent to
    another machine in the clear is one that was named for it, ``S1DATA_KEY_<NAME>``.
    """
    own = "S1DATA_KEY_" + re.sub(r"[^A-Z0-9]+", "_", (name or spec.model).upper()).strip("_")
    safe = all(url.startswith("https:") or is_loopback(url) for url in urls)
    general = _VARIABLES[spec.provider] if safe else ()
    found = key
    variable = own if name or not general else general[-1]
    for candidate in () if key is not None else (own, *general):
        if os.environ.get(candidate, "").strip():
            found, variable = os.environ[candidate], candidate
            break
    found = (found or "").strip()
    if not found:
        if (spec.provider != "gemini" and urls) or (urls and all(map(is_loopback, urls))):
            return Key(NO_KEY, variable)  # one's own server asks for none
        others = "".join(f", or {one}" for one in general[-1:] if one != variable)
        raise failure(f"model {spec.model}", Outcome.AUTH, "no key", f"set {variable}{others}")
    if not found.isascii() or not found.isprintable() or " " in found:
        raise failure(
            f"model {spec.model}",
            Outcome.AUTH,
            f"{variable} is not a key",
            "set it to the key alone",
        )
    return Key(found, variable)


async def reach(url: str, who: str) -> None:
    """Opens and closes a connection; ModelError (dropped) where none comes about in time."""
    parts = urlsplit(url)
    if urllib.request.getproxies().get(parts.scheme) and not is_loopback(url):
        return  # the proxy resolves the name and connects
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        got = "no connection in time" if isinstance(error, TimeoutError) else "no connection"
        cure = "see that the server runs and that the URL is right"
        raise failure(who, Outcome.DROPPED, f"{got} ({type(error).__name__})", cure) from None


def transport_failure(who: str, error: BaseException) -> ModelError:
    """What an exception of the network is, whichever library raised it.

    The innermost cause decides: openai's aiohttp transport calls a connection that was closed by
    the server a connect timeout.
    """
    import aiohttp
    import httpx2

    chain = _chain(error)
    unsent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    if any(isinstance(one, unsent) for one in chain):
        return failure(who, Outcome.DROPPED, "no connection", "see that the server runs")
    if any(isinstance(one, TimeoutError) for one in chain):
        return failure(who, Outcome.TIMEOUT, "no reply in time", billed=True)
    if not any(isinstance(one, aiohttp.ClientError) for one in chain):
        if any(isinstance(one, httpx2.ConnectError | httpx2.ConnectTimeout) for one in chain):
            return failure(who, Outcome.DROPPED, "no connection", "see that the server runs")
        if any(isinstance(one, httpx2.TimeoutException) for one in chain):
            return failure(who, Outcome.TIMEOUT, "no reply in time", billed=True)
    got = f"the connection broke ({type(chain[-1]).__name__})"
    return failure(who, Outcome.DROPPED, got, billed=True)


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    return chain

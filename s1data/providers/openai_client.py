"""One endpoint's client of the package openai, on its aiohttp transport; the only file with either.

Requests go to the package's HTTP client as they are. The method of the package that makes them anew
takes five eighths of the CPU of a request, for repeats and types that are not wanted here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import httpx2
import openai

from s1data.providers.connections import transport_failure


class Client:
    """Connections to one endpoint; the key and the package's headers are in every request."""

    def __init__(self, url: str, key: str, seconds: float) -> None:
        # aiohttp reads 0 as no limit: whoever asks has limits of its own.
        limits = httpx2.Limits(max_connections=0)
        timeout = httpx2.Timeout(seconds, connect=10.0, pool=10.0)
        self._http = openai.DefaultAioHttpClient(
            limits=limits, timeout=timeout, follow_redirects=False
        )
        self._client = openai.AsyncOpenAI(
            api_key=key, base_url=url, max_retries=0, timeout=timeout, http_client=self._http
        )
        told = self._client.default_headers | self._client.auth_headers
        # Which machine this is, which the package would tell, is no server's business.
        kept = {
            name: value
            for name, value in told.items()
            if isinstance(value, str) and not name.lower().startswith("x-stainless-")
        }
        whole = self._http.build_request("GET", url, headers=kept)
        self._headers, self._extensions = whole.headers, dict(whole.extensions)
        self._url = url
        self._urls: dict[str, httpx2.URL] = {}

    async def send(
        self,
        who: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None,
        seconds: float,
    ) -> tuple[int, Mapping[str, str], str]:
        """Status, headers and text that a POST, or a GET without a body, is answered with.

        ModelError (dropped, timeout) where the network fails.
        """
        request = self._request(path, body)
        if headers:
            request.headers.update(headers)
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.send(request)
        except (httpx2.RequestError, aiohttp.ClientError, OSError) as error:
            raise transport_failure(who, error) from None
        # JSON is UTF-8; another charset need not be looked up.
        answer = response.content.decode(errors="replace")
        return response.status_code, response.headers, answer

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    def _request(self, path: str, body: dict[str, Any] | None) -> httpx2.Request:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx2.URL(self._url + path)
        method, content = "GET", None
        if body is not None:
            method, content = "POST", _json(body)
        return httpx2.Request(
            method, url, headers=self._headers, content=content, extensions=self._extensions
        )


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

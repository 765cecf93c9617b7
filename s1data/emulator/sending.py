"""How a reply leaves: whole, in pieces, cut, dropped, reset, or never.

The log entry is written by the caller before any of this, so that what a client has is in the log.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from aiohttp import web

from s1data.emulator.script import Fault

SERVER: Final = "s1data-emulator"
"""Stands in the header Server of every answer: nobody takes a rehearsal for the real thing."""
_HANG_SECONDS: Final = 3_600.0
_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>503</title></head>"
    b"<body><h1>503 Service Unavailable</h1></body></html>"
)


def as_json(
    value: Any,  # noqa: ANN401 - JSON
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A JSON response."""
    return web.Response(
        body=orjson.dumps(value),
        status=status,
        headers={**(headers or {}), "Server": SERVER},
        content_type="application/json",
        charset="utf-8",
    )


def as_page() -> web.Response:
    """A 503 as a proxy in front of a service sends it."""
    return web.Response(
        body=_PAGE, status=503, headers={"Server": SERVER}, content_type="text/html"
    )


async def nothing(request: web.Request, fault: Fault) -> web.StreamResponse:
    """No answer at all: closed, reset, or held open until the client gives up."""
    if fault is Fault.HANG:
        waited = 0.0
        while request.transport is not None and waited < _HANG_SECONDS:
            await asyncio.sleep(0.05)
            waited += 0.05
    elif fault is Fault.RESET:
        _reset(request)
    elif request.transport is not None:
        request.transport.close()
    return web.Response(status=499)


async def whole(
    request: web.Request, pieces: Sequence[bytes], fault: Fault | None, *, events: bool
) -> web.StreamResponse:
    """The pieces of a reply, as far as the fault lets them go."""
    body = b"".join(pieces)
    kind = "text/event-stream" if events else "application/json"
    if fault is Fault.EMPTY_BODY:
        body = b""
    elif fault is Fault.CUT_JSON:
        body = body[: len(body) // 2]
    elif fault is None and not events:
        return web.Response(body=body, headers={"Server": SERVER}, content_type=kind)
    response = web.StreamResponse(headers={"Server": SERVER})
    response.content_type = kind
    if events:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(body)
    await response.prepare(request)
    if fault is Fault.DROP_BODY:
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response
    for piece in pieces if events and fault in {None, Fault.SLOW} else [body] if body else []:
        await response.write(piece)
    await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        # Closing with a linger of zero seconds sends RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()

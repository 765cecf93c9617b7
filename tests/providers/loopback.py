"""A server on loopback that does what a case says, and notes what it was sent."""

import asyncio
import contextlib
import json

import pytest
from aiohttp import web

from s1data.models import ModelError
from s1data.providers import open_model


class Server:
    def __init__(self, *acts, models=None):
        self.acts = list(acts)
        self.models = models
        self.seen = []
        self.headers = []
        self.paths = []

    async def __aenter__(self):
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()

    async def _handle(self, request):
        if request.method == "GET":
            if self.models is None:
                return web.json_response({"error": {"message": "no list"}}, status=404)
            return web.json_response({"data": self.models})
        self.seen.append(await request.json())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return await act(request)


def says(body, status=200, headers=None, kind="application/json"):
    text = body if isinstance(body, str) else json.dumps(body)

    async def act(_request):
        return web.Response(text=text, status=status, headers=headers, content_type=kind)

    return act


def drops(after=b""):
    """Closes the connection, after some of the body."""

    async def act(request):
        response = web.StreamResponse(
            headers={"Content-Length": "5000", "Content-Type": "application/json"}
        )
        if after:
            await response.prepare(request)
            await response.write(after)
            await asyncio.sleep(0.02)
        request.transport.abort()
        return response

    return act


def sleeps(seconds=30):
    async def act(_request):
        await asyncio.sleep(seconds)
        return web.Response(text="{}")

    return act


@contextlib.asynccontextmanager
async def closing(model):
    try:
        yield model
    finally:
        await model.close()


def failing(act, spec, request, key):
    """The error that an act of the server ends a request with, told in one line; sent once."""

    async def run():
        async with (
            Server(act) as server,
            closing(open_model(spec, [server.url], key, 5.0)) as model,
        ):
            with pytest.raises(ModelError) as caught:
                await model.ask(request)
            assert len(server.seen) == 1
            return caught.value

    error = asyncio.run(run())
    assert "\n" not in str(error)
    assert key not in repr(error)
    return error


def failing_check(act, spec, key):
    """The error that an act of the server ends a check with; sent once, the key not told."""

    async def run():
        async with Server(act) as server, closing(open_model(spec, [server.url], key)) as model:
            with pytest.raises(ModelError) as caught:
                await model.check()
            assert len(server.seen) == 1
            return caught.value

    error = asyncio.run(run())
    assert key not in repr(error)
    return error


def closed_port():
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"

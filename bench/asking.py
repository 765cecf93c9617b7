"""What asking costs the asker: both providers beside plain aiohttp, 64 requests in flight.

    python -m bench.asking

A server in a process of its own answers at once, or after 50 ms; its CPU is not counted. Each way
of asking sends the same question and reads a reply of 15 kB; the ways take turns, and the best of
several rounds counts. Requests per second say little on a busy machine; CPU per request, as a ratio
to plain aiohttp in the same run, says more.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection

import aiohttp
from aiohttp import web

from s1data.models import Model, ModelSpec, Outcome, Request
from s1data.providers import open_model

IN_FLIGHT, ROUNDS = 64, 3
WAITS = {"instant": (0.0, 800), "50 ms": (0.05, 800)}
PROMPT = "What is the sum of the first 30 odd numbers?"
THINKING, ANSWER = "One and three make four. " * 600, "It is \\boxed{900}. " * 20
USAGE = {"prompt_tokens": 12, "completion_tokens": 4000}
CHAT = json.dumps(
    {
        "choices": [
            {
                "message": {"content": ANSWER, "reasoning_content": THINKING},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)
GEMINI = json.dumps(
    {
        "candidates": [
            {
                "content": {"parts": [{"text": THINKING}, {"text": ANSWER}]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {"thoughtsTokenCount": 3900, "candidatesTokenCount": 100},
    }
)
Ask = Callable[[int], Awaitable[object]]


def serve(told: Connection, wait: float) -> None:
    """Answers until it is terminated."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        if wait:
            await asyncio.sleep(wait)
        body = CHAT if request.path.endswith("completions") else GEMINI
        return web.Response(text=body, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{tail:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def server(wait: float) -> Iterator[str]:
    """The URL of a server that answers after so many seconds."""
    mine, its = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(its, wait))
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}"
    finally:
        process.terminate()
        process.join()


async def measured(ask: Ask, requests: int) -> tuple[float, float]:
    """(wall, CPU) seconds of so many requests."""
    numbers = iter(range(requests))

    async def line() -> None:
        for number in numbers:
            await ask(number)

    await ask(0)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(line() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - wall, time.process_time() - cpu


def by_model(model: Model, spec: ModelSpec) -> Ask:
    """Asks through a provider."""

    async def ask(number: int) -> None:
        reply = await model.ask(Request(**dict(spec), prompt=PROMPT, sample=number))
        if reply.outcome is not Outcome.OK:
            raise SystemExit(f"bench.asking: wanted ok, got {reply.outcome}")

    return ask


async def run(url: str, requests: int) -> dict[str, tuple[float, float]]:
    """The best (wall, CPU) of each way of asking."""
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

        async def plain(_: int) -> object:
            message = {"role": "user", "content": PROMPT}
            body = {"model": "m-thinking", "messages": [message]}
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                return json.loads(await response.text())

        ways: dict[str, Ask] = {"plain aiohttp": plain}
        for provider in ("openai_compatible", "gemini"):
            spec = ModelSpec.model_validate({"provider": provider, "model": "m-thinking"})
            model = open_model(spec, [url + "/v1" if provider != "gemini" else url], "a-key")
            stack.push_async_callback(model.close)
            ways[provider] = by_model(model, spec)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, ask in ways.items():
                found[name].append(await measured(ask, requests))
    return {name: (min(w for w, _ in of), min(c for _, c in of)) for name, of in found.items()}


def main() -> None:
    """Prints the figures."""
    for name, (wait, requests) in WAITS.items():
        with server(wait) as url:
            found = asyncio.run(run(url, requests))
        plain = found["plain aiohttp"][1]
        print(f"answers: {name}; {requests} requests, {IN_FLIGHT} in flight")
        for way, (wall, cpu) in found.items():
            print(
                f"  {way:18} {requests / wall:6.0f} requests/s"
                f" {1000 * cpu / requests:6.2f} ms CPU each {cpu / plain:5.1f} x"
            )


if __name__ == "__main__":
    main()

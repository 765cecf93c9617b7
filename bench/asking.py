"""What asking costs the asker, beside a plain aiohttp loop: 64 requests in flight.

    python -m bench.asking [REQUESTS]

A server in a process of its own answers with 2 KB or 20 KB, at once or after 50 ms; its CPU is not
counted. Asked are: a plain loop, each provider alone, and the whole way of an Asker through a
session into a new reply store. The ways take turns, and the best of several rounds counts. At once,
it is the CPU of the asker or of the server that sets the pace, whichever is more; after 50 ms it is
the server's wait, as with every real one, until the asker's CPU is used up.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import polars as pl

from bench.parts.answering import server
from s1data.asking import Served, Session, ask_in_rounds
from s1data.models import Model, ModelSpec, Outcome, Request
from s1data.providers import open_model
from s1data.stages.asked_traces import AddTraces
from s1data.store.replies import ReplyStore

REQUESTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
IN_FLIGHT, ROUNDS = 64, 3
PROMPT = "What is the sum of the first 30 odd numbers?"
PROVIDERS = ("openai_compatible", "gemini")
PLAIN = "plain aiohttp"
Ask = Callable[[int], Awaitable[object]]
Cost = tuple[float, float]
"""Wall and CPU seconds."""


async def measured(ask: Ask, requests: int) -> Cost:
    """What so many requests cost."""
    numbers = iter(range(requests))

    async def line() -> None:
        for number in numbers:
            await ask(number)

    await ask(0)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(line() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - wall, time.process_time() - cpu


def spec_of(provider: str) -> ModelSpec:
    return ModelSpec.model_validate({"provider": provider, "model": "m-thinking"})


def opened(provider: str, url: str) -> Model:
    return open_model(spec_of(provider), [url if provider == "gemini" else f"{url}/v1"], "a-key")


async def plain(url: str) -> Cost:
    """The loop that anybody writes first."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> object:
            message = {"role": "user", "content": f"{PROMPT} {number}"}
            body = {"model": "m-thinking", "messages": [message]}
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                return json.loads(await response.text())

        return await measured(ask, REQUESTS)


async def alone(provider: str, url: str) -> Cost:
    """A provider without limits, store or repeats."""
    async with AsyncExitStack() as stack:
        model = opened(provider, url)
        given: dict[str, Any] = {"provider": provider, "model": "m-thinking"}
        stack.push_async_callback(model.close)

        async def ask(number: int) -> None:
            reply = await model.ask(Request(**given, prompt=f"{PROMPT} {number}"))
            if reply.outcome is not Outcome.OK:
                raise SystemExit(f"bench.asking: wanted ok, got {reply.outcome}")

        return await measured(ask, REQUESTS)


def whole(provider: str, url: str) -> Cost:
    """An Asker's rows through a session into a store, every reply on disk before it counts."""
    spec = spec_of(provider)
    rows = pl.DataFrame({"question": [f"{PROMPT} {number}" for number in range(REQUESTS)]})
    asker = AddTraces(teachers=("teacher",))
    with tempfile.TemporaryDirectory() as folder, ReplyStore(Path(folder) / "store") as store:
        served = Served(name="teacher", spec=spec, model=opened(provider, url))
        with Session([served], store) as session:
            wall, cpu = time.perf_counter(), time.process_time()
            asked = ask_in_rounds(asker, rows, {"teacher": spec}, session)
            cost = time.perf_counter() - wall, time.process_time() - cpu
        if asked.open:
            raise SystemExit(f"bench.asking: {len(asked.open)} requests got no reply")
    return cost


def _run_alone(provider: str, url: str) -> Cost:
    return asyncio.run(alone(provider, url))


def ways(url: str) -> dict[str, Callable[[], Cost]]:
    """Each way of asking, by name."""
    found: dict[str, Callable[[], Cost]] = {PLAIN: lambda: asyncio.run(plain(url))}
    for provider in PROVIDERS:
        found[provider] = partial(_run_alone, provider, url)
        found[f"{provider}, session, store"] = partial(whole, provider, url)
    return found


def main() -> None:
    """Prints the figures."""
    for wait in (0.0, 0.05):
        for size in (2_000, 20_000):
            costs: dict[str, list[Cost]] = {}
            with server(wait, size) as url:
                for _ in range(ROUNDS):
                    for name, way in ways(url).items():
                        costs.setdefault(name, []).append(way())
            when = f"after {1000 * wait:.0f} ms" if wait else "at once"
            print(f"{size // 1000} KB {when}; {REQUESTS} requests, {IN_FLIGHT} in flight")
            pace, least = (min(part) for part in zip(*costs[PLAIN], strict=True))
            for name, of in costs.items():
                wall, cpu = (min(part) for part in zip(*of, strict=True))
                print(
                    f"  {name:34} {REQUESTS / wall:6.0f} requests/s {pace / wall:5.2f} of plain"
                    f" {1000 * cpu / REQUESTS:6.2f} ms CPU each {cpu / least:5.1f} x",
                    flush=True,
                )


if __name__ == "__main__":
    main()

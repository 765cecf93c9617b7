"""A model server for benchmarks, in a process of its own: one answer to everybody.

Speaks as much of the OpenAI protocol (chat) and of Gemini's as asking takes; `GET /count` says how
many questions were posted.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from aiohttp import web

ANSWER = "It is \\boxed{900}. " * 10
GENEROUS = {"x-ratelimit-limit-requests": "10000000", "x-ratelimit-limit-tokens": "1000000000000"}


def bodies(size: int) -> tuple[str, str]:
    """A chat completion and a Gemini reply of about so many bytes."""
    sentence = "One and three make four. "
    thinking = sentence * max(1, (size - 600) // len(sentence))
    message = {"role": "assistant", "content": ANSWER, "reasoning_content": thinking}
    chat = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "m-thinking",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 4000, "total_tokens": 4012},
    }
    gemini = {
        "candidates": [
            {"content": {"parts": [{"text": thinking}, {"text": ANSWER}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"thoughtsTokenCount": 3900, "candidatesTokenCount": 100},
    }
    return json.dumps(chat), json.dumps(gemini)


def _serve(told: Connection, wait: float, size: int) -> None:
    chat, gemini = bodies(size)
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        await request.read()
        count += 1
        if wait:
            await asyncio.sleep(wait)
        body = chat if request.path.endswith("completions") else gemini
        return web.Response(text=body, content_type="application/json", headers=GENEROUS)

    async def counted(_: web.Request) -> web.Response:
        return web.Response(text=str(count))

    async def run() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/count", counted)
        app.router.add_post("/{tail:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def server(wait: float = 0.0, size: int = 15_000) -> Iterator[str]:
    """The URL of a server that answers after so many seconds with so many bytes."""
    mine, its = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(its, wait, size))
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}"
    finally:
        process.terminate()
        process.join()

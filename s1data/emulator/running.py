"""Starting the server: inside a test or a rehearsal, or as a command of its own.

It listens on the loopback only.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, Self

import polars as pl
from aiohttp import web

from s1data.emulator.minds import Minds
from s1data.emulator.script import Script, ScriptError
from s1data.emulator.server import application
from s1data.emulator.tables import ANSWERS, REPLAY, wanted
from s1data.emulator.witness import Bill, Entry

HOST: Final = "127.0.0.1"


class Emulator:
    """The server in a thread of its own; a context manager.

    ``answers``: columns question, answer and maybe domain. ``replay``: columns question, model,
    answer and maybe thinking, sample, finish. ``log``: a file that gets one JSON line per request.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        answers: pl.DataFrame | None = None,
        replay: pl.DataFrame | None = None,
        log: Path | None = None,
        port: int = 0,
    ) -> None:
        self._minds = _minds(script or Script(), answers, replay, log)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._run, name="s1data-emulator", daemon=True)

    @property
    def url(self) -> str:
        """Base of the Gemini protocol; the OpenAI protocol stands under ``/v1``."""
        return f"http://{HOST}:{self._port}"

    @property
    def openai_url(self) -> str:
        """Base of the OpenAI protocol."""
        return f"{self.url}/v1"

    @property
    def log(self) -> tuple[Entry, ...]:
        """Every request so far, in the order of answering."""
        return self._minds.witness.entries

    @property
    def bill(self) -> Mapping[str, Bill]:
        """What was generated so far, by model; thinking is in it, and what never arrived."""
        return self._minds.witness.bill

    def follow(self, script: Script) -> None:
        """Goes on by another script, for the requests that come from now on."""
        self._minds.script = script

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self._start)
        except ScriptError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server and its thread; closing twice is fine."""
        if self._loop.is_closed():
            return
        self._call(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._minds.witness.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(what(), self._loop).result()

    async def _start(self) -> None:
        self._runner, self._port = await _listen(self._minds, self._port)

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


def serve(
    script: Script,
    *,
    answers: pl.DataFrame | None = None,
    replay: pl.DataFrame | None = None,
    log: Path | None = None,
    port: int = 0,
    ready: Callable[[str], None],
) -> Mapping[str, Bill]:
    """Serves until SIGINT or SIGTERM, then returns the bill; ``ready`` gets the URL."""
    minds = _minds(script, answers, replay, log)

    async def until_told() -> None:
        runner, at = await _listen(minds, port)
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told.set)
        ready(f"http://{HOST}:{at}")
        await told.wait()
        await runner.cleanup()

    asyncio.run(until_told())
    minds.witness.close()
    return minds.witness.bill


def _minds(
    script: Script, answers: pl.DataFrame | None, replay: pl.DataFrame | None, log: Path | None
) -> Minds:
    if answers is not None:
        answers = wanted(answers, ANSWERS, "answers")
    if replay is not None:
        replay = wanted(replay, REPLAY, "replay")
    return Minds(script, answers, replay, log)


async def _listen(minds: Minds, port: int) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(application(minds), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ScriptError(f"port {port}: {error.strerror}; --port 0 takes a free one") from None
    at: int = runner.addresses[0][1]
    return runner, at

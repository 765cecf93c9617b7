"""The event loop that a session asks in, from a script and from inside another loop alike.

A notebook runs cells inside a loop of its own, which cannot be entered again: there the session's
loop is driven by a thread, and Ctrl-C (the notebook's stop button) is handed on to it.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """One event loop for all work of a session, which is given to it by one thread at a time."""

    def __init__(self) -> None:
        # A factory keeps the runner from replacing the notebook's loop as its thread's current one.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result. On Ctrl-C it is cancelled, and KeyboardInterrupt raised."""
        if _inside_a_loop():
            return self._run_beside(work)
        return self._runner.run(work)

    def close(self) -> None:
        """Cancels what is left and closes the loop; twice is fine."""
        if not _inside_a_loop():
            self._runner.close()
            return
        thread = threading.Thread(target=self._runner.close)
        thread.start()
        thread.join()

    def _run_beside(self, work: Coroutine[Any, Any, T]) -> T:
        task: Future[asyncio.Task[Any] | None] = Future()
        result: Future[T] = Future()
        interrupts: list[int] = []

        async def named() -> T:
            mine = asyncio.current_task()
            task.set_result(mine)
            if interrupts and mine:  # Ctrl-C came before there was a task to cancel
                mine.cancel()
            return await work

        def drive() -> None:
            try:
                result.set_result(self._runner.run(named()))
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                result.set_exception(error)

        def interrupted(number: int, _frame: object) -> None:
            """Each Ctrl-C cancels the work once more. It takes no lock: it may come at any line."""
            interrupts.append(number)
            if task.done() and not result.done() and (running := task.result()):
                self._runner.get_loop().call_soon_threadsafe(running.cancel)

        with _on_interrupt(interrupted):
            threading.Thread(target=drive, name="s1data-session", daemon=True).start()
            result.exception()  # waits for how it ends
        if interrupts:
            raise KeyboardInterrupt
        return result.result()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _on_interrupt(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """What Ctrl-C does for a while. An exception would come at any line, also while starting."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

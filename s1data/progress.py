"""What a run tells while it works: bars on a terminal, plain lines elsewhere, nothing if asked.

Every teller answers the same four calls, so that a log file can listen beside a terminal.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

TICK_SECONDS: Final = 10.0


class Teller(Protocol):
    """Listens to a run."""

    def begin(self, label: str, rows: int | None) -> None:
        """A stage starts on this many rows."""

    def tick(self, done: int, of: int) -> None:
        """The stage under way has done so much."""

    def end(self, label: str, rows_in: int, rows_out: int, seconds: float, *, cached: bool) -> None:
        """The stage is complete."""

    def say(self, text: str) -> None:
        """A remark that concerns the whole run."""

    def close(self) -> None:
        """Nothing more will be told."""


class Remarks(logging.Handler):
    """Hands what s1data's modules log, such as a damaged file set aside, to a teller."""

    def __init__(self, tell: Teller) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell.say(record.getMessage())

    def __enter__(self) -> Self:
        log = logging.getLogger("s1data")
        log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("s1data").removeHandler(self)


class Silent:
    """Tells nothing."""

    def begin(self, label: str, rows: int | None) -> None: ...

    def tick(self, done: int, of: int) -> None: ...

    def end(
        self, label: str, rows_in: int, rows_out: int, seconds: float, *, cached: bool
    ) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


def in_words(label: str, rows_in: int, rows_out: int, seconds: float, *, cached: bool) -> str:
    """One stage's line: ``drop_solved   721 → 231 (490 dropped, 0.1 s)``."""
    change = f"{rows_in:,} → {rows_out:,}" if rows_in != rows_out else f"{rows_out:,} rows"
    dropped = f"{rows_in - rows_out:,} dropped, " if rows_in > rows_out else ""
    rate = f", {rows_in / seconds:,.0f} rows/s" if seconds >= 1 else ""
    when = "as before" if cached else f"{seconds:.1f} s{rate}"
    return f"{label:<24} {change} ({dropped}{when})"


class Lines:
    """Plain lines; a long stage says every ten seconds how far it is."""

    def __init__(self, stream: TextIO, *, stamped: bool = False) -> None:
        self._stream = stream
        self._stamped = stamped
        self._label = ""
        self._since = self._told = time.monotonic()

    def begin(self, label: str, rows: int | None) -> None:  # noqa: ARG002 - told at the end
        self._label = label
        self._since = self._told = time.monotonic()

    def tick(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._told >= TICK_SECONDS and done < of:
            self._told = now
            rate = done / (now - self._since)
            self.say(f"{self._label:<24} {done:,} of {of:,} ({rate:,.0f}/s)")

    def end(self, label: str, rows_in: int, rows_out: int, seconds: float, *, cached: bool) -> None:
        self.say(in_words(label, rows_in, rows_out, seconds, cached=cached))

    def say(self, text: str) -> None:
        stamp = f"{datetime.now().astimezone().isoformat(timespec='seconds')} "
        self._stream.write(f"{stamp if self._stamped else ''}{text}\n")
        self._stream.flush()

    def close(self) -> None: ...


class Bars:
    """A live bar for the stage under way, above it a line for each that is complete."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._bars: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._since = time.monotonic()
        self._bars.start()

    def begin(self, label: str, rows: int | None) -> None:
        self._since = time.monotonic()
        self._task = self._bars.add_task(label, total=rows, rate="")

    def tick(self, done: int, of: int) -> None:
        if self._task is not None:
            rate = done / max(time.monotonic() - self._since, 1e-9)
            self._bars.update(self._task, completed=done, total=of, rate=f"{rate:,.0f}/s")

    def end(self, label: str, rows_in: int, rows_out: int, seconds: float, *, cached: bool) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self.say(in_words(label, rows_in, rows_out, seconds, cached=cached))

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._bars.stop()


class Both:
    """Tells several."""

    def __init__(self, *tellers: Teller) -> None:
        self._tellers = tellers

    def begin(self, label: str, rows: int | None) -> None:
        for teller in self._tellers:
            teller.begin(label, rows)

    def tick(self, done: int, of: int) -> None:
        for teller in self._tellers:
            teller.tick(done, of)

    def end(self, label: str, rows_in: int, rows_out: int, seconds: float, *, cached: bool) -> None:
        for teller in self._tellers:
            teller.end(label, rows_in, rows_out, seconds, cached=cached)

    def say(self, text: str) -> None:
        for teller in self._tellers:
            teller.say(text)

    def close(self) -> None:
        for teller in self._tellers:
            teller.close()

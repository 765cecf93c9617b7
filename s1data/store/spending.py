"""The spending of one run: reserved before a request is sent, settled after, on disk both times.

One line per event in a journal that only grows. A reservation that was never settled (the process
was killed, or the service did not say) counts at its maximum until it is. Sums are whole
nano-dollars, so that a hundred thousand small costs add up exactly; the cap holds for all
processes that share the file and for all resumes of the run.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import filelock
import orjson

from s1data.errors import BudgetError, StoreError
from s1data.store.files import Tail, append, open_to_append, sealed, unsealed

_NANO: Final = 1_000_000_000
Item = tuple[str, float]


class Spending:
    """What a run has reserved and spent, in US dollars; ``cap`` None is no limit. Thread-safe."""

    def __init__(self, path: Path, cap: float | None) -> None:
        if cap is not None and not (math.isfinite(cap) and cap >= 0):
            raise BudgetError(f"budget: a cap of 0 dollars or more was wanted, got {cap}")
        self.path = Path(path)
        self.cap = cap
        self._lock = threading.RLock()
        self._tail = Tail(self.path)
        self._handle: int | None = None
        self._spent = 0
        self._open: dict[str, list[int]] = {}
        with self._lock:
            self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spent(self) -> float:
        """Dollars settled."""
        with self._lock:
            self._read()
            return self._spent / _NANO

    @property
    def reserved(self) -> float:
        """Dollars reserved and not settled, at their maximum."""
        with self._lock:
            self._read()
            return self._reserved() / _NANO

    @property
    def room(self) -> float | None:
        """Dollars that may still be reserved; None without a cap."""
        if self.cap is None:
            return None
        with self._lock:
            self._read()
            left = math.floor(self.cap * _NANO + 0.5) - self._spent - self._reserved()
            return max(left, 0) / _NANO

    def unsettled(self) -> dict[str, float]:
        """Dollars by key of what is reserved and not settled, whoever reserved it."""
        with self._lock:
            self._read()
            return {key: sum(most) / _NANO for key, most in self._open.items()}

    def reserve(self, items: Sequence[Item]) -> None:
        """Reserves the most that each item can cost, durably.

        BudgetError, and nothing reserved, where all together would pass the cap.
        """
        wanted = [(key, _nano(key, usd, math.ceil)) for key, usd in items]
        if not wanted:
            return
        with self._writing() as handle:
            new = sum(most for _, most in wanted)
            total = self._spent + self._reserved() + new
            if self.cap is not None and total > math.floor(self.cap * _NANO + 0.5):
                raise BudgetError(
                    f"budget: {self._spent / _NANO:.6f} USD spent and "
                    f"{self._reserved() / _NANO:.6f} reserved; {len(wanted)} more at up to "
                    f"{new / _NANO:.6f} would pass the cap of {self.cap:g}: nothing was sent; "
                    "raise --max-usd to go on"
                )
            self._write(handle, [("reserve", key, most) for key, most in wanted])

    def settle(self, items: Sequence[tuple[str, float | None]]) -> None:
        """Puts what each item cost in place of its reservation, durably.

        None is unknown: the reservation stays until it is settled with a figure.
        """
        with self._writing() as handle:
            left = {key: len(most) for key, most in self._open.items()}
            events: list[tuple[str, str, int | None]] = []
            for key, usd in items:
                if not left.get(key):
                    raise StoreError(f"{self.path}: {key} was settled but is not reserved")
                left[key] -= usd is not None
                cost = None if usd is None else _nano(key, usd, round)
                events.append(("unknown" if usd is None else "settle", key, cost))
            if events:
                self._write(handle, events)

    def close(self) -> None:
        """Closes the file; twice is fine."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    def _reserved(self) -> int:
        return sum(sum(most) for most in self._open.values())

    @contextmanager
    def _writing(self) -> Iterator[int]:
        with self._lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                lock = filelock.FileLock(f"{self.path}.lock", is_singleton=False)
                with lock:
                    if self._handle is None:
                        self._handle = open_to_append(self.path)
                    self._read()
                    # A line that a kill cut short was never acknowledged.
                    if os.fstat(self._handle).st_size > self._tail.offset:
                        os.ftruncate(self._handle, self._tail.offset)
                    yield self._handle
            except OSError as error:
                raise StoreError(
                    f"{self.path}: could not be written: {error.strerror or error}; what stands in "
                    "it is safe: mend the cause (is the disk full?) and run again"
                ) from error

    def _write(self, handle: int, events: Sequence[tuple[str, str, int | None]]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [
            sealed(orjson.dumps({"event": event, "key": key, "nano_usd": nano, "at": now}))
            for event, key, nano in events
        ]
        append(handle, b"".join(lines))
        self._read()

    def _read(self) -> None:
        try:
            lines = self._tail.lines()
        except FileNotFoundError:
            return
        for line in lines:
            body = unsealed(line)
            if body is None:
                raise StoreError(
                    f"{self.path}: a line is not as it was written, so what was spent is unknown; "
                    "restore the file, or move it away and lower --max-usd by what was spent"
                )
            self._take(orjson.loads(body))

    def _take(self, event: dict[str, object]) -> None:
        key = str(event["key"])
        if event["event"] == "unknown":
            return
        nano = int(str(event["nano_usd"]))
        if event["event"] == "reserve":
            self._open.setdefault(key, []).append(nano)
            return
        self._spent += nano
        self._open[key].pop()
        if not self._open[key]:
            del self._open[key]


def _nano(key: str, usd: float, to_whole: object) -> int:
    if not (math.isfinite(usd) and usd >= 0):
        raise StoreError(f"spending: {key}: dollars of 0 or more were wanted, got {usd!r}")
    # The ninth digit first: 0.1 * 1e9 may come out a hair above a whole number.
    exact = round(usd * _NANO, 6)
    return math.ceil(exact) if to_whole is math.ceil else round(exact)

"""What the emulator was asked, answered and would have charged for, one entry per request.

Entries are written before the reply goes out: a client that has a reply finds it in the log. The
log holds hashes and counts, no prompt, no reply and no key.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from s1data.emulator.script import ScriptError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request; counts are None where nothing was generated."""

    number: int = 0
    """Order of answering, from 1; it and the time are the witness's to set."""
    at: str = ""
    protocol: str
    call: str
    """generate, stream, chat, completions, score, batch, or the name of another call."""
    model: str | None = None
    role: str | None = None
    material: str | None = None
    """`Asked.material`: equal for two requests that a service could not tell apart."""
    question: str | None = None
    sample: int | None = None
    tries: int | None = None
    """Which try of the same material, from 1."""
    status: int
    """HTTP status; 0 where the connection ended without one."""
    fault: str | None = None
    finish: str | None = None
    source: str | None = None
    answered: bool = False
    """Whether a whole reply went out, wanted or not."""
    prompt_tokens: int | None = None
    thinking_tokens: int | None = None
    answer_tokens: int | None = None
    usd: float | None = None
    job: str | None = None
    """Name of the batch job that asked."""


@dataclass(slots=True, kw_only=True)
class Bill:
    """Sums over all that was generated for one model, delivered or not."""

    requests: int = 0
    prompt_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    usd: float = 0.0


class Witness:
    """Keeps the entries and the bill; safe to read from another thread."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._bill: dict[str, Bill] = {}
        try:
            # Appended to: an emulator that is started again goes on with the same witness.
            self._file = path.open("ab", buffering=0) if path is not None else None
        except OSError as error:
            raise ScriptError(f"log {path}: {error.strerror}") from None

    def note(self, told: Entry) -> None:
        """Writes one entry, with its number and time."""
        with self._lock:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            entry = replace(told, number=len(self._entries) + 1, at=at)
            self._entries.append(entry)
            if self._file is not None:
                self._file.write(orjson.dumps(asdict(entry), option=orjson.OPT_APPEND_NEWLINE))
            if entry.answer_tokens is not None and entry.model is not None:
                self._charge(self._bill.setdefault(entry.model, Bill()), entry)

    @staticmethod
    def _charge(bill: Bill, entry: Entry) -> None:
        bill.requests += 1
        bill.prompt_tokens += entry.prompt_tokens or 0
        bill.thinking_tokens += entry.thinking_tokens or 0
        bill.answer_tokens += entry.answer_tokens or 0
        bill.usd += entry.usd or 0.0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries so far."""
        with self._lock:
            return tuple(self._entries)

    @property
    def bill(self) -> Mapping[str, Bill]:
        """The bill so far, by model."""
        with self._lock:
            return {
                model: Bill(**{name: getattr(bill, name) for name in Bill.__slots__})
                for model, bill in self._bill.items()
            }

    def close(self) -> None:
        """Closes the log file."""
        if self._file is not None:
            self._file.close()

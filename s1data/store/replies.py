"""The reply store: every settled reply of every run, by the key of its request.

    HOME/store.json            format, and whether it holds rehearsed replies
    HOME/store.lock            held for moments: a process begins, or claims keys
    HOME/parts/part-*.parquet  replies that were rolled out of journals
    HOME/writers/NAME/         one per process that writes: journal, claims, sign of life
    HOME/damaged/              what was not as it was written

Reading takes no lock: journals first, then parts, so that what is rolled in between is seen twice
rather than not at all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import filelock
import orjson
import polars as pl

from s1data.durable import sync_folder
from s1data.errors import StoreError
from s1data.models import POLICIES, Reply
from s1data.store import compacting, writers
from s1data.store.files import put_in_place
from s1data.store.parts import Parts
from s1data.store.rows import (
    NARROW,
    SCHEMA,
    WITHOUT_RAW,
    better,
    fold,
    storable,
    to_frame,
    to_line,
    to_replies,
)

FORMAT: Final = 1
ROLL_BYTES: Final = 32_000_000
"""Bytes of a journal that become a part: what a process holds in memory of what it wrote."""


class ReplyStore:
    """Settled replies by key; any number of processes and threads.

    Nothing is made on disk before the first `put` or `claim`. A store for rehearsed replies holds
    no others, and the shared one none of them: StoreError for a reply of the wrong origin.
    """

    def __init__(
        self, home: Path, *, rehearsal: bool = False, roll_bytes: int = ROLL_BYTES
    ) -> None:
        self.home = Path(home)
        self.rehearsal = rehearsal
        self._roll_bytes = roll_bytes
        self._lock = threading.RLock()
        self._aside = self.home / "damaged"
        self._writers = self.home / "writers"
        self.parts = Parts(self.home / "parts", self._aside)
        self._journals = writers.Journals(self._writers)
        self._claims = writers.Claims(self._writers)
        self._writer: writers.Writer | None = None
        self._pending: dict[str, Reply] = {}
        self._closed = False
        self._look_at_mark()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def damaged(self) -> list[str]:
        """One line for everything that this object found damaged and moved aside."""
        return list(self.parts.damaged)

    # Reading

    def get(self, keys: Sequence[str], *, raw: bool = False) -> dict[str, Reply]:
        """Settled replies by key; those that are not there are left out, and so is their body."""
        wanted = _unique(keys)
        here = self._in_journals(wanted)
        frame = self.parts.read(wanted, list(SCHEMA if raw else WITHOUT_RAW))
        found = {reply.key: reply for reply in to_replies(frame)}
        for key, reply in here.items():
            found[key] = better(found[key], reply) if key in found else reply
        if not raw:
            found = {key: _without_raw(reply) for key, reply in found.items()}
        return found

    def known(self, keys: pl.Series) -> pl.DataFrame:
        """What is known without a text: one line per key that is there, in the order of ``keys``.

        Columns: key, provider, model, outcome, trace_kind, the tokens, usd, origin, asked.
        """
        wanted = _unique(keys)
        here = to_frame(self._in_journals(wanted).values()).select(NARROW)
        _, rows = self.parts.find(wanted)
        if here.is_empty():
            return rows.select(NARROW)
        both = fold(pl.concat([rows.select(NARROW), here]))
        return wanted.to_frame().join(both, on="key", how="inner", maintain_order="left")

    def texts(self, keys: pl.Series) -> pl.Series:
        """Thinking and answer, an empty line between, or the one there is; null where unknown."""
        wanted = _unique(keys)
        columns = ["key", "outcome", "asked", "thinking", "answer"]
        here = to_frame(self._in_journals(wanted).values()).select(columns)
        rows = fold(pl.concat([self.parts.read(wanted, columns), here]))
        thinking, answer = pl.col("thinking"), pl.col("answer")
        whole = pl.concat_str([thinking, answer], separator="\n\n", ignore_nulls=True)
        text = pl.when(thinking.is_null() & answer.is_null()).then(None).otherwise(whole)
        return (
            keys.cast(pl.String)
            .alias("key")
            .to_frame()
            .join(
                rows.select("key", text.alias("text")), on="key", how="left", maintain_order="left"
            )
            .get_column("text")
        )

    def narrow(self) -> pl.DataFrame:
        """What `known` says, of every reply."""
        with self._lock:
            here = [reply for group in self._groups() for reply in group.values()]
        frame = pl.concat([self.parts.index().frame.select(NARROW), to_frame(here).select(NARROW)])
        return fold(frame)

    def frames(self, *, raw: bool = False) -> Iterator[pl.DataFrame]:
        """All replies as rows, a bounded number at a time, each once."""
        columns = list(SCHEMA if raw else WITHOUT_RAW)
        with self._lock:
            here: dict[str, Reply] = {}
            for group in self._groups():
                for key, reply in group.items():
                    here[key] = better(here[key], reply) if key in here else reply
        if here:
            stored = self.get(list(here), raw=raw)
            yield to_frame(stored.values()).select(columns)
        for _, frame in self.parts.frames(columns, self.parts.verified()):
            yield frame.filter(~pl.col("key").is_in(list(here)))

    def _groups(self) -> Iterator[dict[str, Reply]]:
        own = self._writer.folder if self._writer else None
        yield from self._journals.replies(own)
        yield self._pending

    def _in_journals(self, wanted: pl.Series) -> dict[str, Reply]:
        found: dict[str, Reply] = {}
        with self._lock:
            groups = [group for group in self._groups() if group]
            if not groups:
                return found
            keys = set(wanted.to_list())
            for group in groups:
                for key in group.keys() & keys:
                    found[key] = better(found[key], group[key]) if key in found else group[key]
        return found

    # Writing

    def put(self, replies: Sequence[Reply]) -> None:
        """Durable when it returns: one write, one sync. StoreError, and none kept, otherwise."""
        if not replies:
            return
        kept = [self._checked(storable(reply)) for reply in replies]
        with self._lock:
            writer = self._begun()
            with self._named("the replies were not kept"):
                writer.write(b"".join(map(to_line, kept)))
            for reply in kept:
                old = self._pending.get(reply.key)
                self._pending[reply.key] = better(old, reply) if old else reply
            if writer.size >= self._roll_bytes:
                self._roll(writer)

    def _checked(self, reply: Reply) -> Reply:
        if not POLICIES[reply.outcome].settled:
            raise StoreError(
                f"{self.home}: reply {reply.key} ended as {reply.outcome}, which leaves its "
                "request open: only settled replies are stored"
            )
        if (reply.origin == "rehearsal") != self.rehearsal:
            kind = "rehearsed" if self.rehearsal else "live and imported"
            raise StoreError(
                f"{self.home}: holds {kind} replies only, got one of origin {reply.origin!r}; "
                "open the store that the run's kind belongs to"
            )
        return reply

    def _roll(self, writer: writers.Writer) -> bool:
        try:
            if self._pending:
                self.parts.add(to_frame(self._pending.values()), writer.draft)
        except OSError:
            # Nothing is lost: the journal has it all, and is rolled when there is room again.
            writer.size = 0
            return False
        writer.begin_anew()
        self._pending = {}
        return True

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are now this object's to ask; the others a live process asks."""
        with self._lock:
            writer = self._begun()
            with self._locked(), self._named("keys could not be claimed"):
                mine = set(keys) - self._claims.keys(writer.folder)
                writer.note_claims(sorted(mine), "+")
        return mine

    def release(self, keys: Sequence[str]) -> None:
        """Gives claims back; what it does not hold is ignored."""
        with self._lock:
            if self._writer is not None and keys and not self._closed:
                with self._named("claims could not be given back"):
                    self._writer.note_claims(keys, "-")

    def waiting(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that another live process has claimed now."""
        with self._lock:
            own = self._writer.folder if self._writer else None
            return set(keys) & self._claims.keys(own)

    # Keeping

    def compact(self) -> dict[str, int]:
        """Joins small parts and drops replies that do not count; returns parts and rows now.

        Waits for another compaction; readers and writers go on.
        """
        with self._lock:
            writer = self._begun()
            self._roll(writer)
            with self._locked():
                writers.adopt(self._writers, self.parts, self._aside)
        with self._named("compaction stopped; nothing is lost"):
            compacting.compact(self.home, self.parts)
        return {"parts": len(self.parts.names()), "replies": self.parts.index().frame.height}

    def check(self) -> dict[str, Any]:
        """Reads every byte; damaged parts are named and moved aside.

        Returns parts, replies, bytes, torn_journals (a last line cut by a kill: it was never
        acknowledged), unreadable_lines by journal, damaged (messages) and set_aside (all files).
        """
        self.parts.verified(anew=True)
        names = self.parts.names()
        replies = self.narrow().height
        logs = writers.journals(self._writers)
        aside = sorted(path.name for path in self._aside.glob("*"))
        return {
            "parts": len(names),
            "replies": replies,
            "bytes": sum((self.parts.folder / name).stat().st_size for name in names),
            "torn_journals": [f"{log.parent.name}/{log.name}" for log in logs if _torn(log)],
            "unreadable_lines": dict(self._journals.unreadable),
            "damaged": self.damaged,
            "set_aside": aside,
        }

    def close(self) -> None:
        """Rolls what is in the journal and takes this process's folder away; twice is fine."""
        with self._lock:
            if self._writer is not None and not self._closed:
                if self._writer.process == os.getpid():
                    with self._named("the store could not be closed; nothing is lost"):
                        self._writer.end(remove=self._roll(self._writer))
                self._writer = None
            self._closed = True

    def _begun(self) -> writers.Writer:
        if self._closed:
            raise StoreError(f"{self.home}: the store is closed; open it anew to write")
        if self._writer is not None and self._writer.process != os.getpid():
            # A fork has its parent's memory but must not write its journal.
            self._writer, self._pending = None, {}
        if self._writer is None:
            with self._named("cannot be written to"):
                if not self._writers.is_dir():
                    self._writers.mkdir(parents=True, exist_ok=True)
                    sync_folder(self.home)
                with self._locked():
                    self._leave_mark()
                    writers.adopt(self._writers, self.parts, self._aside)
                    self._writer = writers.Writer(self._writers)
        return self._writer

    def _locked(self) -> filelock.BaseFileLock:
        return filelock.FileLock(self.home / "store.lock", is_singleton=False)

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or str(error)
            raise StoreError(
                f"{self.home}: {what}: {why}; what was stored before is safe: mend the cause (is "
                "the disk full?) and run again"
            ) from error

    def _look_at_mark(self) -> None:
        path = self.home / "store.json"
        if not path.exists():
            return
        mark = orjson.loads(path.read_bytes())
        if mark.get("format") != FORMAT:
            raise StoreError(
                f"{path}: a reply store of format {FORMAT} was wanted, got "
                f"{mark.get('format')!r}; use the version of s1data that wrote it"
            )
        if mark.get("rehearsal") != self.rehearsal:
            raise StoreError(
                f"{self.home}: rehearsed and live replies are kept apart: wanted a store with "
                f"rehearsal {self.rehearsal}, got {mark.get('rehearsal')}; give another folder"
            )

    def _leave_mark(self) -> None:
        path = self.home / "store.json"
        self._look_at_mark()
        if not path.exists():
            data = orjson.dumps({"format": FORMAT, "rehearsal": self.rehearsal})
            put_in_place(data, self.home / "store.json.tmp", path)


def _unique(keys: Sequence[str] | pl.Series) -> pl.Series:
    series = keys if isinstance(keys, pl.Series) else pl.Series(list(keys), dtype=pl.String)
    return series.cast(pl.String).drop_nulls().unique(maintain_order=True).alias("key").rechunk()


def _without_raw(reply: Reply) -> Reply:
    if reply.raw is None:
        return reply
    return Reply(**{name: getattr(reply, name) for name in WITHOUT_RAW})


def _torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False

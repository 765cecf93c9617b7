"""The reply store: every settled reply of every run, by the key of its request.

    HOME/store.json            format, and whether it holds rehearsed replies
    HOME/store.lock            held for moments: a process begins, or claims keys
    HOME/parts/part-*.parquet  replies that were rolled out of journals
    HOME/writers/NAME/         one per process that writes: journal, claims, sign of life
    HOME/damaged/              what was not as it was written

Reading is in `s1data.store.reading`; it takes no lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import filelock
import polars as pl

from s1data.durable import sync_folder
from s1data.errors import StoreError
from s1data.models import POLICIES, Reply
from s1data.store import compacting, mark, writers
from s1data.store.checking import Report, report
from s1data.store.files import write_whole
from s1data.store.parts import encoded
from s1data.store.reading import ReplyReader
from s1data.store.rows import ANSWERS, batches, better, storable, to_frame, to_line

ROLL_BYTES: Final = 32_000_000
"""Bytes of a journal that become a part: what a process holds in memory of what it wrote."""


class ReplyStore(ReplyReader):
    """Settled replies by key; any number of processes and threads.

    Nothing is made on disk before the first `put` or `claim`. A store for rehearsed replies holds
    no others, and the shared one none of them: StoreError for a reply of the wrong origin.
    """

    def __init__(
        self, home: Path, *, rehearsal: bool = False, roll_bytes: int = ROLL_BYTES
    ) -> None:
        super().__init__(home)
        self.rehearsal = rehearsal
        self._roll_bytes = roll_bytes
        self._claims = writers.Claims(self._writers)
        self._closed = False
        mark.look(self.home, rehearsal=rehearsal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    def put_all(self, replies: Iterable[Reply]) -> tuple[int, int]:
        """Stores any number of replies, all or none; returns how many are new, and how many not.

        One that is there already is left as it is, unless it is none and the new one an answer.
        Whatever ``replies`` raises, or a full disk, leaves nothing; a kill while the finished
        files are put in place may leave some of them, and the same call completes it.
        """
        added = there = 0
        drafts: dict[str, Path] = {}
        writer = self._begun()
        try:
            for batch in batches(replies, self._roll_bytes):
                kept = [self._checked(storable(reply)) for reply in batch]
                new = self._not_there(kept)
                there += len(kept) - len(new)
                if new:
                    name, data = encoded(to_frame(new))
                    draft = writer.folder / f"bulk-{len(drafts):06d}.tmp"
                    with self._named("the replies were not kept, none of them"):
                        write_whole(data, draft)
                    drafts[name] = draft
                    added += len(new)
            with self._named("the replies were not all put in place"):
                self.parts.take(drafts)
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        return added, there

    def _not_there(self, replies: Sequence[Reply]) -> list[Reply]:
        known = self.known(pl.Series([reply.key for reply in replies], dtype=pl.String))
        answered = dict(known.select("key", pl.col("outcome").is_in(ANSWERS)).iter_rows())
        return [
            reply
            for reply in replies
            if not (answered.get(reply.key, False) or (reply.key in answered and not reply.answers))
        ]

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

    def check(self) -> Report:
        """Reads every byte; see `s1data.store.checking`. What dead processes left becomes parts."""
        if writers.folders(self._writers):
            what = "what dead processes left could not be taken in"
            with self._lock, self._named(what), self._locked():
                writers.adopt(self._writers, self.parts, self._aside)
        return report(self)

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
                    mark.leave(self.home, rehearsal=self.rehearsal)
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

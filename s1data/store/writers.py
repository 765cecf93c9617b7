"""What each process writes: a folder of its own with a journal, its claims and a sign of life.

``alive`` is locked for as long as its process lives, however it ends. Others read a journal and
claims without a lock, line by line as they grow. What a dead process left is adopted: its journals
become parts, then its folder goes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from s1data.durable import sync_folder
from s1data.models import Reply
from s1data.store.files import Tail, append, held, hold, open_to_append
from s1data.store.parts import Parts
from s1data.store.rows import best, from_line, to_frame

ALIVE: Final = "alive"
CLAIMS: Final = "claims"
DRAFT: Final = "draft.tmp"


class Writer:
    """This process's folder. Make it under the store's lock, so that nobody adopts it unborn."""

    def __init__(self, writers: Path) -> None:
        self.folder = writers / f"{time.time_ns():016x}-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True)
        sync_folder(writers)
        self.process = os.getpid()
        self._alive = hold(self.folder / ALIVE)
        self._claims = open_to_append(self.folder / CLAIMS)
        self._number = 0
        self._journal: int | None = None
        self.size = 0

    @property
    def draft(self) -> Path:
        """Where a part is written before it is put in place."""
        return self.folder / DRAFT

    def _path(self) -> Path:
        return self.folder / f"journal-{self._number:06d}.jsonl"

    def write(self, lines: bytes) -> None:
        """Durable when it returns; OSError, and nothing written, where it cannot be."""
        if self._journal is None:
            self._journal = open_to_append(self._path())
        append(self._journal, lines)
        self.size += len(lines)

    def begin_anew(self) -> None:
        """Drops the journal, whose replies stand in a part, and starts another."""
        if self._journal is not None:
            os.close(self._journal)
            self._path().unlink()
        self._journal, self.size = None, 0
        self._number += 1

    def note_claims(self, keys: Iterable[str], sign: str) -> None:
        """``+`` claims, ``-`` gives back."""
        text = "".join(f"{sign}{key}\n" for key in keys)
        append(self._claims, text.encode(), durable=False)

    def end(self, *, remove: bool) -> None:
        """Gives up the sign of life; what is left without ``remove`` is adopted by another."""
        if remove:
            shutil.rmtree(self.folder)
        for handle in (self._journal, self._claims, self._alive):
            if handle is not None:
                os.close(handle)


class Journals:
    """The journals of others as far as they are written; not thread-safe."""

    def __init__(self, writers: Path) -> None:
        self._writers = writers
        self._tails: dict[Path, tuple[Tail, dict[str, Reply]]] = {}
        self.unreadable: dict[str, int] = {}
        """Lines by journal that are not as they were written."""

    def replies(self, own: Path | None) -> Iterator[dict[str, Reply]]:
        """Replies by key, journal by journal."""
        seen: dict[Path, tuple[Tail, dict[str, Reply]]] = {}
        for path in journals(self._writers):
            if path.parent == own:
                continue
            tail, replies = self._tails.get(path) or (Tail(path), {})
            try:
                lines = tail.lines()
            except FileNotFoundError:  # rolled meanwhile: its part is there
                continue
            for line in lines:
                reply = from_line(line)
                if reply is None:
                    name = f"{path.parent.name}/{path.name}"
                    self.unreadable[name] = self.unreadable.get(name, 0) + 1
                else:
                    old = replies.get(reply.key)
                    replies[reply.key] = best([old, reply] if old else [reply])
            seen[path] = (tail, replies)
        self._tails = seen
        yield from (replies for _, replies in seen.values())


class Claims:
    """The claims of other live processes; not thread-safe."""

    def __init__(self, writers: Path) -> None:
        self._writers = writers
        self._tails: dict[Path, tuple[Tail, set[str]]] = {}

    def keys(self, own: Path | None) -> set[str]:
        """Keys that another live process has claimed now."""
        seen: dict[Path, tuple[Tail, set[str]]] = {}
        for folder in folders(self._writers):
            if folder == own or not held(folder / ALIVE):
                continue
            tail, keys = self._tails.get(folder) or (Tail(folder / CLAIMS), set())
            try:
                lines = tail.lines()
            except FileNotFoundError:
                continue
            for line in lines:
                key = line[1:].decode()
                if line.startswith(b"+"):
                    keys.add(key)
                else:
                    keys.discard(key)
            seen[folder] = (tail, keys)
        self._tails = seen
        return {key for _, keys in seen.values() for key in keys}


def folders(writers: Path) -> list[Path]:
    """Folders of processes, live or dead."""
    try:
        return sorted(path for path in writers.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def journals(writers: Path) -> list[Path]:
    """All journals, live or dead."""
    return [path for folder in folders(writers) for path in sorted(folder.glob("journal-*.jsonl"))]


def adopt(writers: Path, parts: Parts, aside: Path) -> None:
    """Turns what dead processes left into parts. Under the store's lock."""
    for folder in folders(writers):
        if held(folder / ALIVE):
            continue
        for path in sorted(folder.glob("journal-*.jsonl")):
            lines = Tail(path).lines()
            replies: dict[str, Reply] = {}
            bad = []
            for line in lines:
                reply = from_line(line)
                if reply is None:
                    bad.append(line)
                else:
                    old = replies.get(reply.key)
                    replies[reply.key] = best([old, reply] if old else [reply])
            if bad:
                aside.mkdir(parents=True, exist_ok=True)
                (aside / f"{folder.name}-{path.name}").write_bytes(b"\n".join([*bad, b""]))
                parts.damaged.append(
                    f"{folder.name}/{path.name}: {len(bad)} of {len(lines)} lines are not as they "
                    f"were written; kept in {aside}: only those replies are asked again"
                )
            if replies:
                parts.add(to_frame(replies.values()), folder / DRAFT)
            path.unlink()
        shutil.rmtree(folder)

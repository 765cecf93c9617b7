"""Bytes that survive a kill: checked lines at the end of a file, whole files put in place.

A line is ``CRC32 BODY``; one that ends without a newline is torn and counts as never written. A
file is written under another name, synced, moved into place, and its folder synced.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path

from s1data.durable import sync_folder


def sealed(body: bytes) -> bytes:
    """The line that holds a body (JSON: no newline in it)."""
    return b"%08x %b\n" % (zlib.crc32(body), body)


def unsealed(line: bytes) -> bytes | None:
    """The body of a line without its newline; None where it is not as it was written."""
    body = line[9:]
    return body if line[:9] == b"%08x " % zlib.crc32(body) else None


def open_to_append(path: Path) -> int:
    """A descriptor for `append`; the file's name is durable."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    sync_folder(path.parent)
    return handle


def append(handle: int, data: bytes, *, durable: bool = True) -> None:
    """Adds all of the bytes, or leaves the file as it was and raises OSError."""
    start = os.fstat(handle).st_size
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        if durable:
            os.fsync(handle)
    except OSError:
        os.ftruncate(handle, start)
        raise


def write_whole(data: bytes, path: Path) -> None:
    """Writes a file and syncs it; OSError, and no file, where it cannot be."""
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def put_in_place(data: bytes, draft: Path, path: Path) -> None:
    """Writes a file that is either whole or not there."""
    write_whole(data, draft)
    draft.replace(path)
    sync_folder(path.parent)


def hold(path: Path) -> int:
    """Makes a file and holds it while this process lives; BlockingIOError if another holds it."""
    handle = open_to_append(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


def held(path: Path) -> bool:
    """Whether a live process holds the file. Any number may look at once."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


class Tail:
    """Reads the lines that were added to a file since it was last looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0

    def lines(self) -> list[bytes]:
        """Whole new lines, without their newline. FileNotFoundError when the file is gone."""
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= self.offset:
                # Shorter: an addition that failed was taken back.
                self.offset = size
                return []
            file.seek(self.offset)
            data = file.read(size - self.offset)
        whole = data.rfind(b"\n") + 1
        self.offset += whole
        return data[:whole].split(b"\n")[:-1]

"""The file that says what a folder is: a reply store of a format, of live or rehearsed replies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson

from s1data.errors import StoreError
from s1data.store.files import put_in_place

FORMAT: Final = 1
NAME: Final = "store.json"


def rehearsed(home: Path) -> bool | None:
    """Whether the store at ``home`` holds rehearsed replies; None where there is no store yet.

    StoreError for a store of another format, and for a file.
    """
    path = home / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise StoreError(f"{home}: wanted the folder of a reply store, got a file") from None
    try:
        mark = orjson.loads(data)
        found, rehearsal = mark["format"], bool(mark["rehearsal"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise StoreError(
            f"{path}: is not as it was written; the replies beside it are untouched: put "
            f'{{"format":{FORMAT},"rehearsal":false}} into it, or true for rehearsed replies'
        ) from None
    if found != FORMAT:
        raise StoreError(
            f"{path}: a reply store of format {FORMAT} was wanted, got {found!r}; use the version "
            "of s1data that wrote it"
        )
    return rehearsal


def look(home: Path, *, rehearsal: bool) -> None:
    """StoreError unless ``home`` is, or can become, a store of this kind."""
    found = rehearsed(home)
    if found is not None and found != rehearsal:
        raise StoreError(
            f"{home}: rehearsed and live replies are kept apart: wanted a store with rehearsal "
            f"{rehearsal}, got {found}; give another folder"
        )


def leave(home: Path, *, rehearsal: bool) -> None:
    """Marks a new store; as `look` for one that is there."""
    look(home, rehearsal=rehearsal)
    if not (home / NAME).exists():
        data = orjson.dumps({"format": FORMAT, "rehearsal": rehearsal})
        put_in_place(data, home / f"{NAME}.tmp", home / NAME)

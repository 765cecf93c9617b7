"""CSV as RFC 4180 has it: a header, commas, quotes doubled inside quotes, line ends inside quotes.

A record that does not follow the rules, has another number of fields than the header, or is not
UTF-8 costs itself: reading goes on at the line after the one where it began. (The standard csv
module reads a stray quote on to the next one, rows away, without a word.) An empty field is null.
A column outside the canonical ones holds numbers if every value is plainly one, else text.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError
from s1data.sources.intake import Raw, Take, check_dtype
from s1data.sources.lines import Chunk, NotARowError, Place, without_bom

FIELD: Final = re.compile(rb'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",\r\n]*+))(,|\r?\n|\r?\Z)')
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?=[.eE])(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")

Record = tuple[Place, "list[str | None] | NotARowError", int]


def columns(path: Path) -> dict[str, pl.DataType]:
    """Columns of the header and the dtype that holds their values."""
    with _Content(path) as content:
        names, start = _header(content)
        kinds = [pl.Null() for _ in names]
        for _, fields, _ in _records(content, start, len(names)):
            if isinstance(fields, NotARowError):
                continue
            for i, text in enumerate(fields):
                if text is not None and kinds[i] != pl.String:
                    kinds[i] = _wider(kinds[i], text)
    return dict(zip(names, kinds, strict=True))


def _wider(kind: pl.DataType, text: str) -> Any:  # noqa: ANN401 - polars has no one type for dtypes
    if INTEGER.fullmatch(text):  # eighteen digits always fit; longer ones are names, not numbers
        return pl.Int64() if isinstance(kind, pl.Null) else kind
    return pl.Float64() if NUMBER.fullmatch(text) else pl.String()


def check(where: str, found: dict[str, pl.DataType], takes: Sequence[Take]) -> None:
    """PoolError for a column whose values cannot be taken as asked; every field is text first."""
    for take in takes:
        if take.origin in found and not take.is_question:
            check_dtype(where, found[take.origin], take)


def read(path: Path, takes: Sequence[Take], limit: int | None, file: int) -> Raw:
    """The taken columns of every record that follows the rules."""
    chunk = Chunk(takes)
    with _Content(path) as content:
        names, start = _header(content)
        wanted = [(names.index(take.origin), _converter(take.dtype)) for take in takes]
        position = -1
        for position, record in enumerate(_records(content, start, len(names))):
            place, fields, size = record
            if position == limit:
                break
            if isinstance(fields, NotARowError):
                chunk.refuse(position, place._replace(file=file), fields)
            else:
                values = [to(text) if (text := fields[i]) is not None else None for i, to in wanted]
                chunk.add(position, values, size)
        else:
            position += 1
    return chunk.finish(position)


def _converter(dtype: pl.DataType) -> Any:  # noqa: ANN401 - a type called on text
    if dtype.is_integer():
        return int
    return float if dtype.is_float() else str


class _Content:
    """The bytes of a file, mapped; an empty file cannot be, and is just empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> mmap.mmap | bytes:
        self._file = self._path.open("rb")
        try:
            self._map: mmap.mmap | None = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            self._map = None
        return b"" if self._map is None else self._map

    def __exit__(self, *_: object) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()


def _header(content: mmap.mmap | bytes) -> tuple[list[str], tuple[int, int]]:
    """Column names, and (offset, line number) of the first record after them."""
    start = content[:3]
    skipped = len(start) - len(without_bom(start))
    if len(content) == skipped:
        return [], (skipped, 1)
    place, fields, size = next(_records(content, (skipped, 1), None), (Place(1, 0), [], 0))
    if isinstance(fields, NotARowError):
        msg = f"the header is no CSV record: {fields}"
        raise PoolError(msg)
    names = [name or "" for name in fields]
    for i, name in enumerate(names):
        if name in names[:i]:
            msg = f"the header names {name!r} twice; every column needs a name of its own"
            raise PoolError(msg)
    end = place.offset + size
    return names, (end, place.line + content[place.offset : end].count(b"\n"))


def _records(
    content: mmap.mmap | bytes, start: tuple[int, int], width: int | None
) -> Iterator[Record]:
    at, line = start
    end = len(content)
    while at < end:
        fields, after, why = _record(content, at)
        if after is None:
            newline = content.find(b"\n", at)
            after = end if newline < 0 else newline + 1
        size = after - at
        if why is None and width not in {None, len(fields)}:
            why = f"wanted {width} fields, got {len(fields)}"
        place = Place(line, at)
        if content[at:after].strip(b" \t\r\n"):  # blank lines are no lines
            yield place, _decoded(fields) if why is None else NotARowError(why), size
        line += content[at:after].count(b"\n")
        at = after


def _record(content: mmap.mmap | bytes, at: int) -> tuple[list[bytes], int | None, str | None]:
    fields: list[bytes] = []
    start, end = at, len(content)
    while True:
        field = FIELD.match(content, at)
        if field is None:
            return fields, None, _why_not(content, start, at)
        quoted = field[1]
        fields.append(field[2] if quoted is None else quoted.replace(b'""', b'"'))
        at = field.end()
        if field[3] != b",":
            return fields, at, None
        if at == end:
            return [*fields, b""], at, None


def _why_not(content: mmap.mmap | bytes, start: int, at: int) -> str:
    where = f"at byte {at - start} of the record"
    if content[at : at + 1] != b'"':
        return f"the field {where} has a quote or a bare line end, but is not quoted"
    return f"the quote {where} is not closed before the next comma or line end"


def _decoded(fields: list[bytes]) -> list[str | None] | NotARowError:
    try:
        return [field.decode() or None for field in fields]
    except UnicodeDecodeError as bad:
        return NotARowError(f"byte 0x{bad.object[bad.start]:02x} in a field is not UTF-8")

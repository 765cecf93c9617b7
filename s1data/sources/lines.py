"""JSON Lines: one object a line, UTF-8; a line that is none costs itself and nothing else.

The first pass learns which keys there are and of which kinds; the second fills columns in chunks,
so memory holds one chunk of Python objects beside the columns. Blank lines are no lines. A number
that goes into a text column keeps the digits it was written with (``0.10``, a 30-digit integer).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import orjson
import polars as pl

from s1data import digest
from s1data.errors import PoolError
from s1data.sources.intake import REFUSED, Raw, Take, check_dtype, json_text

BOM: Final = b"\xef\xbb\xbf"
UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
CHUNK_LINES: Final = 16_384
CHUNK_BYTES: Final = 64 << 20
INT64: Final = range(-(2**63), 2**63)

Way: TypeAlias = Literal["question", "text", "float", "as it is"]
IN_WORDS: Final = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


class Place(NamedTuple):
    """Where a line stands: its number from 1, the offset of its first byte, its file's number."""

    line: int
    offset: int
    file: int = 1


class NotARowError(ValueError):
    """A line that is not an object; says what is wrong with it."""


class NoTextError(NotARowError):
    """A question that is not text; the message says what it is."""


class _Number(float):
    """A float that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


def columns(path: Path) -> dict[str, pl.DataType]:
    """Keys of the objects, in order of first appearance, and the dtype that holds their values."""
    kinds: dict[str, set[type]] = {}
    for _, line in _lines(path):
        try:
            item = _object(line)
        except NotARowError:
            continue
        for key, value in item.items():
            kind = type(value)
            seen = kinds.get(key)
            if seen is None:
                seen = kinds[key] = set()
            if kind is int and value not in INT64:
                kind = str
            seen.add(kind)
    return {key: _dtype(seen - {type(None)}) for key, seen in kinds.items()}


def _dtype(kinds: set[type]) -> pl.DataType:
    if not kinds:
        return pl.Null()
    if kinds == {bool}:
        return pl.Boolean()
    if kinds <= {int, float}:
        return pl.Float64() if float in kinds else pl.Int64()
    return pl.String()


def check(where: str, found: dict[str, pl.DataType], takes: Sequence[Take]) -> None:
    """PoolError for a key whose values cannot be taken as asked; a question is judged by line."""
    for take in takes:
        if take.origin in found and not take.is_question:
            check_dtype(where, found[take.origin], take)


def read(path: Path, takes: Sequence[Take], limit: int | None, file: int) -> Raw:
    """The taken keys of every line that is an object."""
    chunk = Chunk(takes)
    ways = _ways(takes)
    position = -1
    for position, (place, line) in enumerate(_lines(path)):
        if position == limit:
            break
        try:
            chunk.add(position, _values(line, ways), len(line))
        except NotARowError as error:
            chunk.refuse(position, place._replace(file=file), error)
    else:
        position += 1
    return chunk.finish(position)


class Chunk:
    """Rows being gathered: Python values of the last few, columns of those before."""

    def __init__(self, takes: Sequence[Take]) -> None:
        self._schema = {"position": pl.UInt32(), **{take.column: take.dtype for take in takes}}
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._frames: list[pl.DataFrame] = [pl.DataFrame(schema=self._schema)]
        self._refused: list[tuple[int, str, str]] = []

    def add(self, position: int, values: Sequence[Any], size: int) -> None:
        """Adds one row, ``size`` bytes long."""
        self._rows.append((position, *values))
        self._bytes += size
        if len(self._rows) >= CHUNK_LINES or self._bytes >= CHUNK_BYTES:
            self._flush()

    def refuse(self, position: int, place: Place, why: NotARowError) -> None:
        """Notes a line that is no row, or has no text for a question."""
        said = {"got": str(why)} if isinstance(why, NoTextError) else {"wrong": str(why)}
        reason = "wrong_type" if isinstance(why, NoTextError) else "unreadable_row"
        evidence = digest.canonical_json(place._asdict() | said)
        self._refused.append((position, reason, evidence))

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(self._schema)
        frame = pl.DataFrame(
            [
                pl.Series(name, values, dtype=dtype)
                for (name, dtype), values in zip(self._schema.items(), columns, strict=True)
            ]
        )
        self._frames.append(frame)
        self._rows, self._bytes = [], 0

    def finish(self, lines: int) -> Raw:
        """All that was gathered."""
        self._flush()
        refused = pl.DataFrame(self._refused, schema=REFUSED, orient="row")
        return Raw(pl.concat(self._frames), refused, lines)


def _lines(path: Path) -> Iterator[tuple[Place, bytes]]:
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            start, content = offset, line
            offset += len(line)
            if number == 1:
                content = without_bom(line)
                start += len(line) - len(content)
            if not content.isspace() and content:
                yield Place(number, start), content


def without_bom(start: bytes) -> bytes:
    """The start of a file without a UTF-8 byte order mark; PoolError for UTF-16."""
    if start.startswith(UTF16):
        msg = "the file is UTF-16; save it as UTF-8"
        raise PoolError(msg)
    return start.removeprefix(BOM)


def _object(line: bytes) -> dict[str, Any]:
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NotARowError(_wrong(line, error)) from error
    if not isinstance(item, dict):
        msg = f"wanted a JSON object, got {IN_WORDS[type(item)]}"
        raise NotARowError(msg)
    return item


def _wrong(line: bytes, error: json.JSONDecodeError) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as bad:
        return f"byte 0x{line[bad.start]:02x} at byte {bad.start} of the line is not UTF-8"
    at = len(text[: error.pos].encode())
    return f"bad JSON at byte {at} of the line: {error.msg}"


def _ways(takes: Sequence[Take]) -> list[tuple[str, Way]]:
    # Decided once: comparing dtypes for every value would cost more than parsing the line.
    ways: list[tuple[str, Way]] = []
    for take in takes:
        if take.is_question:
            ways.append((take.origin, "question"))
        elif take.dtype == pl.String:
            ways.append((take.origin, "text"))
        else:
            ways.append((take.origin, "float" if take.dtype.is_float() else "as it is"))
    return ways


def _values(line: bytes, ways: Sequence[tuple[str, Way]]) -> list[Any]:
    item = _object(line)
    values = []
    exact: dict[str, Any] | None = None
    for origin, way in ways:
        value = item.get(origin)
        if value is None or type(value) is str:
            pass
        elif way == "question":
            raise NoTextError(IN_WORDS[type(value)])
        elif way == "text":
            try:
                if _has_float(value):
                    exact = exact or json.loads(line, parse_float=_Number)
                    value = exact[origin]
                value = _text(value)
            except RecursionError as error:
                raise NotARowError(f"{origin} is nested too deeply") from error
        elif way == "float":
            value = float(value)
        values.append(value)
    return values


def _has_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def _text(value: object) -> str | None:
    if value is None or type(value) is str:
        return value
    if isinstance(value, _Number):
        return value.text
    return json_text(value)

"""From whatever a reader finds to pool rows: column choice, conversion, refusals, the cap.

A `Reader` knows one kind of place and nothing of the pool. `Opened` puts the two together:

    names of the reader ── plan ──> takes ── reader.read ──> Raw ── settle ──> Read (rows, dropped)

Text columns hold text: numbers and truth values become the text they are written as, lists and
objects canonical JSON. Only the question must be text from the start. Every line of a place ends
either in ``rows`` or, with its reason, in ``dropped``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import polars as pl

from s1data import digest, pool
from s1data.errors import PoolError, nearest
from s1data.sources.spec import Source

RULES: Final = 1
"""Moves when the same files are read into other rows; part of every digest."""

REASONS: Final[dict[str, str]] = {
    "unreadable_row": "line {line} of file {file} of the source (byte {offset}) is no row: {wrong}",
    "no_question": "the question is {got}",
    "wrong_type": "line {line} of file {file} of the source (byte {offset}): the question is "
    "{got}, not text",
    "over_cap": "the source is capped at {cap} rows and this is number {place} in its keyed order",
}
"""Why a line of a source does not enter the pool, with sentences over its evidence."""

REFUSED: Final = {"position": pl.UInt32, "reason": pl.String, "evidence": pl.String}
DROPPED: Final = {
    "position": pl.UInt32,
    "id": pl.String,
    "reason": pl.String,
    "evidence": pl.String,
}
TEXT_KINDS: Final = (pl.String, pl.Categorical, pl.Enum, pl.Null)


@dataclass(frozen=True, slots=True)
class Take:
    """One column to take: its name here, its name there, its dtype here."""

    column: str
    origin: str
    dtype: pl.DataType

    @property
    def is_question(self) -> bool:
        """Whether this is the one column that is never converted to text."""
        return self.column == "question"


@dataclass(frozen=True, slots=True)
class Raw:
    """What a reader returns: ``position`` and the taken columns, lines refused, lines in all.

    ``heights`` are the frame's rows per file where there are several.
    """

    frame: pl.DataFrame
    refused: pl.DataFrame
    lines: int
    heights: tuple[int, ...] = ()

    def file_index(self) -> pl.Series:
        """For each row of the frame the place of its file, from 0."""
        return (
            pl.Series(range(len(self.heights)), dtype=pl.UInt32)
            .repeat_by(pl.Series(self.heights, dtype=pl.UInt32))
            .explode()
        )


@dataclass(frozen=True, slots=True)
class Read:
    """A source as read: rows of the pool, and the lines that are none, with their reasons."""

    rows: pl.DataFrame
    dropped: pl.DataFrame


class Reader(Protocol):
    """One place that holds a table."""

    def names(self) -> tuple[str, ...]:
        """Columns that are there; empty if there is nothing at all."""

    def dtype(self, name: str) -> pl.DataType:
        """Dtype of a column there; PoolError where its parts disagree."""

    def check(self, takes: Sequence[Take]) -> None:
        """PoolError for a column that cannot be taken as asked."""

    def read(self, takes: Sequence[Take], limit: int | None) -> Raw:
        """At most the first ``limit`` lines."""

    def identity(self, taken: Callable[[], Sequence[Take]]) -> object:
        """What decides the content, JSON-able: hashes, revisions; never a path."""

    def provenance(self) -> dict[str, Any]:
        """Where the content is from, JSON-able, for people."""


def own_dtype(dtype: pl.DataType) -> pl.DataType:
    """The dtype under which a column of the user's own is kept."""
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Null):
        return pl.String()
    return pl.Float64() if isinstance(dtype, pl.Decimal) else dtype


def plan(
    who: str,
    reader: Reader,
    named: Mapping[str, str],
    fixed: Mapping[str, pl.DataType],
    canonical: Iterable[str],
) -> list[Take]:
    """The takes of every column in ``named``, then of each canonical name that is there.

    A column in ``fixed`` has the dtype given there, any other its own.
    """
    names = reader.names()
    takes = []
    for column, origin in named.items():
        if names and origin not in names:
            msg = (
                f"{who}: there is no column {origin!r} to take as {column}"
                f"{nearest(origin, names)}; the columns are {', '.join(names)}"
            )
            raise PoolError(msg)
        dtype = fixed.get(column)
        if dtype is None:
            dtype = own_dtype(reader.dtype(origin)) if names else pl.String()
        takes.append(Take(column, origin, dtype))
    takes += [
        Take(name, name, fixed[name]) for name in canonical if name in names and name not in named
    ]
    reader.check(takes)
    return takes


def check_dtype(where: str, dtype: pl.DataType, take: Take) -> None:
    """PoolError unless a column of this dtype can be taken so."""
    if take.is_question:
        fits, wanted = isinstance(dtype, TEXT_KINDS), "text"
    elif take.dtype == pl.String:
        fits, wanted = not isinstance(dtype, pl.Binary | pl.Object), "text"
    else:
        numbers = dtype.is_numeric() and take.dtype.is_numeric()
        fits = dtype == take.dtype or numbers or isinstance(dtype, pl.Null)
        fits, wanted = fits and not isinstance(dtype, pl.Binary | pl.Object), str(take.dtype)
    if not fits:
        msg = (
            f"{where}: column {take.origin!r}, taken as {take.column}: wanted {wanted}, "
            f"got {dtype}; convert it, or take another column in its place"
        )
        raise PoolError(msg)


def convert(series: pl.Series, take: Take) -> pl.Series:
    """A column as it enters the pool; its dtype must have passed `check_dtype`."""
    named = series.alias(take.column)
    if take.dtype == pl.String and series.dtype.is_nested():
        texts = [None if value is None else json_text(value) for value in series.to_list()]
        return pl.Series(take.column, texts, dtype=pl.String)
    try:
        return named.cast(take.dtype)
    except pl.exceptions.PolarsError as error:
        msg = f"column {take.origin!r} does not fit {take.dtype}: {first_line(error)}"
        raise PoolError(msg) from error


def json_text(value: object) -> str:
    """Canonical JSON; what JSON has no word for (a date, not-a-number) stands as its text."""
    try:
        return digest.canonical_json(value)
    except (TypeError, ValueError):
        return digest.canonical_json(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def sentence(reason: str, evidence: str) -> str:
    """A dropped line's evidence (canonical JSON) as a sentence for people."""
    return REASONS[reason].format_map(json.loads(evidence))


def first_line(error: Exception) -> str:
    """The first line of another library's message, without its trailing stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def from_frame(frame: pl.DataFrame, takes: Sequence[Take]) -> Raw:
    """A frame (columns under their own names) as a reader's result."""
    there = set(frame.columns)
    columns = [
        convert(frame.get_column(take.origin), take)
        if take.origin in there
        else pl.Series(take.column, [None], dtype=take.dtype).new_from_index(0, frame.height)
        for take in takes
    ]
    position = pl.int_range(frame.height, dtype=pl.UInt32, eager=True).alias("position")
    return Raw(pl.DataFrame([position, *columns]), pl.DataFrame(schema=REFUSED), frame.height)


def settle(raw: Raw, spec: Source) -> Read:
    """Pool rows out of what was read, and a reason for every line that is not among them."""
    frame, refused = raw.frame, [raw.refused]
    if "question" not in frame.columns:
        frame = frame.with_columns(question=pl.lit(None, pl.String))
    blank = ~pl.col("question").str.contains(r"[^\s\x1c-\x1f]").fill_null(False)
    refused.append(
        frame.filter(blank).select(
            "position",
            reason=pl.lit("no_question"),
            evidence=pl.when(pl.col("question").is_null())
            .then(pl.lit(digest.canonical_json({"got": "null"})))
            .when(pl.col("question") == "")
            .then(pl.lit(digest.canonical_json({"got": "empty"})))
            .otherwise(pl.lit(digest.canonical_json({"got": "white space only"}))),
        )
    )
    rows = frame.filter(~blank)
    rows = rows.with_columns(pool.question_ids(rows.get_column("question")))
    rows = rows.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in pool.SOURCE_COLUMNS.items()
        if name not in rows.columns
    )
    if spec.licence is not None:
        rows = rows.with_columns(pl.col("licence").fill_null(spec.licence))
    dropped = pl.concat(refused).with_columns(id=pl.lit(None, pl.String)).select(*DROPPED)
    if spec.cap is not None and rows.height > spec.cap:
        rows, over = _capped(rows, spec.cap, spec.cap_seed)
        dropped = pl.concat([dropped, over])
    first = ["position", "id", *pool.SOURCE_COLUMNS]
    return Read(rows.select(*first, pl.exclude(first)), dropped.sort("position"))


def _capped(rows: pl.DataFrame, cap: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    # By id, not by place: rows added or moved elsewhere change nothing for those below the cap.
    keys = [
        hashlib.sha256(f"{seed}|{name}".encode()).hexdigest()[:16]
        for name in rows.get_column("id").to_list()
    ]
    order = pl.DataFrame({"key": keys, "position": rows.get_column("position")}).with_row_index(
        "at"
    )
    places = (
        order.sort("key", "position")
        .with_row_index("place", offset=1)
        .sort("at")
        .get_column("place")
    )
    over = rows.select("position", "id").with_columns(places).filter(pl.col("place") > cap)
    evidence = [digest.canonical_json({"cap": cap, "place": p}) for p in over["place"].to_list()]
    dropped = over.select(
        "position",
        "id",
        reason=pl.lit("over_cap"),
        evidence=pl.Series(evidence, dtype=pl.String),
    )
    return rows.filter(places <= cap), dropped

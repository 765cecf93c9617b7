"""A reply as a line of a journal and as a row of a part, and which of two for one key counts.

Of several replies to one request an answer counts before what is none; of answers the one asked
for first, so that what was served once stays; of the others the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import reduce
from typing import Any, Final

import orjson
import polars as pl

from s1data.models import POLICIES, Outcome, Reply, TraceKind
from s1data.store.files import sealed, unsealed

_TYPES: Final[dict[str, type[pl.DataType]]] = {
    "prompt_tokens": pl.Int64,
    "thinking_tokens": pl.Int64,
    "answer_tokens": pl.Int64,
    "seconds": pl.Float64,
    "usd": pl.Float64,
    "sends": pl.Int64,
}
SCHEMA: Final = pl.Schema({one.name: _TYPES.get(one.name, pl.String) for one in fields(Reply)})
"""Columns of a part: the fields of a reply."""

BODIES: Final = ("raw", "request")
WITHOUT_BODIES: Final = tuple(name for name in SCHEMA if name not in BODIES)
_TEXTS: Final = tuple(
    name
    for name, kind in SCHEMA.items()
    if kind == pl.String and name not in {"outcome", "trace_kind"}
)
NARROW: Final = (
    "key",
    "provider",
    "model",
    "outcome",
    "trace_kind",
    "prompt_tokens",
    "thinking_tokens",
    "answer_tokens",
    "usd",
    "origin",
    "asked",
    "seconds",
)
"""Columns without texts, held in memory for every reply."""

ANSWERS: Final = tuple(str(outcome) for outcome in Outcome if POLICIES[outcome].answers)


def to_line(reply: Reply) -> bytes:
    """The journal's line for a reply."""
    return sealed(orjson.dumps(reply))


def from_line(line: bytes) -> Reply | None:
    """The reply in a line; None for a line that is not as it was written."""
    body = unsealed(line)
    return None if body is None else _reply(orjson.loads(body))


def storable(reply: Reply) -> Reply:
    """The same reply with what UTF-8 cannot hold (half a surrogate pair) replaced by U+FFFD."""
    texts = {name: getattr(reply, name) for name in _TEXTS}
    broken: dict[str, Any] = {
        name: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for name, text in texts.items()
        if text is not None and not _encodes(text)
    }
    return replace(reply, **broken) if broken else reply


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def batches(replies: Iterable[Reply], size: int) -> Iterator[list[Reply]]:
    """The same replies in groups of about ``size`` characters of texts."""
    batch: list[Reply] = []
    held = 0
    for reply in replies:
        batch.append(reply)
        held += sum(map(len, filter(None, (reply.thinking, reply.answer, reply.raw)))) + 500
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def to_frame(replies: Iterable[Reply]) -> pl.DataFrame:
    """One row per reply."""
    rows = list(replies)
    return pl.DataFrame(
        {name: [getattr(reply, name) for reply in rows] for name in SCHEMA}, schema=SCHEMA
    )


def to_replies(frame: pl.DataFrame) -> list[Reply]:
    """Replies of rows; columns that are not there keep their default."""
    return [_reply(row) for row in frame.iter_rows(named=True)]


def _reply(values: dict[str, Any]) -> Reply:
    return Reply(
        **values
        | {"outcome": Outcome(values["outcome"]), "trace_kind": TraceKind(values["trace_kind"])}
    )


def better(one: Reply, other: Reply) -> Reply:
    """The one that counts, of two replies to the same request."""
    if one.answers != other.answers:
        return one if one.answers else other
    first, second = sorted((one, other), key=lambda reply: reply.asked or "")
    return first if one.answers else second


def best(replies: Sequence[Reply]) -> Reply:
    """The one that counts, of at least one."""
    return reduce(better, replies)


def fold(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per key, as `better` chooses; needs key, outcome and asked."""
    again = frame.get_column("key").is_duplicated()
    if not again.any():
        return frame
    some = frame.filter(again)
    answers = pl.col("outcome").is_in(ANSWERS)
    chosen = pl.concat(
        [
            some.filter(answers).sort("asked", nulls_last=False, maintain_order=True),
            some.filter(~answers).sort(
                "asked", descending=True, nulls_last=True, maintain_order=True
            ),
        ]
    ).unique("key", keep="first", maintain_order=True)
    return pl.concat([frame.filter(~again), chosen])

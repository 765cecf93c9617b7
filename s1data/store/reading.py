"""Reading a reply store without a lock: journals first, then parts.

What is rolled in between is seen twice rather than not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from s1data.models import MARK, OPENS, Reply
from s1data.store import writers
from s1data.store.parts import Parts
from s1data.store.rows import (
    BODIES,
    NARROW,
    SCHEMA,
    WITHOUT_BODIES,
    better,
    fold,
    to_frame,
    to_replies,
)

EVERY: Final = pl.lit(value=True)


class ReplyReader:
    """Settled replies by key, as far as they are written; thread-safe."""

    def __init__(self, home: Path) -> None:
        self.home = Path(home)
        self._lock = threading.RLock()
        self._aside = self.home / "damaged"
        self._writers = self.home / "writers"
        self.parts = Parts(self.home / "parts", self._aside)
        self._journals = writers.Journals(self._writers)
        self._writer: writers.Writer | None = None
        self._pending: dict[str, Reply] = {}

    @property
    def damaged(self) -> list[str]:
        """One line for everything that this object found damaged and moved aside."""
        return list(self.parts.damaged)

    @property
    def unreadable(self) -> dict[str, int]:
        """Lines of live processes' journals that are not as they were written, by journal."""
        return dict(self._journals.unreadable)

    def get(self, keys: Sequence[str], *, raw: bool = False) -> dict[str, Reply]:
        """Settled replies by key; those that are not there are left out.

        What was sent and received (`Reply.request`, `Reply.raw`) is read with ``raw`` only.
        """
        wanted = _unique(keys)
        here = self._in_journals(wanted)
        found: dict[str, Reply] = {}
        if not self.parts.find(wanted)[1].is_empty():
            frame = self.parts.read(wanted, list(SCHEMA if raw else WITHOUT_BODIES))
            found = {reply.key: reply for reply in to_replies(frame)}
        for key, reply in here.items():
            found[key] = better(found[key], reply) if key in found else reply
        if not raw:
            found = {key: _without_bodies(reply) for key, reply in found.items()}
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

    def has(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that have a settled reply."""
        return set(self.known(pl.Series(keys, dtype=pl.String))["key"])

    def texts(self, keys: pl.Series) -> pl.Series:
        """Each reply as one text, as `s1data.models.joined` has it; null where unknown."""
        wanted = _unique(keys)
        columns = ["key", "outcome", "asked", "thinking", "answer"]
        here = to_frame(self._in_journals(wanted).values()).select(columns)
        rows = fold(pl.concat([self.parts.read(wanted, columns), here]))
        thinking, answer = pl.col("thinking"), pl.col("answer")
        thought = thinking.fill_null("").str.strip_chars() != ""
        whole = pl.concat_str([pl.lit(OPENS), thinking, pl.lit(MARK), answer.fill_null("")])
        text = pl.when(thought).then(whole).otherwise(answer)
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

    def frames(self, where: pl.Expr = EVERY, *, raw: bool = False) -> Iterator[pl.DataFrame]:
        """All replies as rows, each once, at most a part's at a time.

        ``where`` is over the columns of `known`: parts in which it holds for no row are not read.
        """
        columns = list(SCHEMA if raw else WITHOUT_BODIES)
        with self._lock:
            here: dict[str, Reply] = {}
            for group in self._groups():
                for key, reply in group.items():
                    here[key] = better(here[key], reply) if key in here else reply
        index = self.parts.verified()
        if here:
            stored = self.get(list(here), raw=raw)
            yield to_frame(stored.values()).filter(where).select(columns)
        for _, frame in self.parts.frames(columns, index, where):
            left = frame.filter(~pl.col("key").is_in(list(here))) if here else frame
            if left.height:
                yield left

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


def _unique(keys: Sequence[str] | pl.Series) -> pl.Series:
    if isinstance(keys, pl.Series):
        return keys.cast(pl.String).drop_nulls().unique(maintain_order=True).alias("key").rechunk()
    return pl.Series("key", list(dict.fromkeys(keys)), dtype=pl.String)


def _without_bodies(reply: Reply) -> Reply:
    if all(getattr(reply, name) is None for name in BODIES):
        return reply
    return Reply(**{name: getattr(reply, name) for name in WITHOUT_BODIES})

"""The local engine: batches are polars frames in this process.

It answers the `s1data.stage.Engine` protocol and nothing more, so that another engine can stand in
its place. Named inputs and vectors are handed to it by the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import polars as pl

from s1data.embedding import VectorCache
from s1data.stage import Table, Vectors

BATCH_ROWS: Final = 16_384
"""Rows per batch: large enough to amortise calls, small enough to bound exploded words."""


class Batches(tuple[pl.DataFrame, ...]):
    """The local engine's table."""

    __slots__ = ()


def batches(frame: pl.DataFrame, rows: int = BATCH_ROWS) -> Batches:
    """Cuts a frame into batches; an empty frame is one empty batch, so that schemas survive."""
    return Batches(frame.slice(i, rows) for i in range(0, max(frame.height, 1), rows))


class LocalEngine:
    """Runs global work here and now."""

    def __init__(
        self,
        *,
        read: Callable[[str], pl.DataFrame],
        vectors_home: Path,
        artefacts_home: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
        texts: Sequence[Path] = (),
        replies: Callable[[pl.Series], pl.Series] | None = None,
    ) -> None:
        """``replies`` gives the texts of replies that stand in none of the files ``texts``."""
        self._read = read
        self._vectors_home = vectors_home
        self._artefacts_home = artefacts_home
        self._progress = progress
        self._replies = replies
        self._texts = [pl.scan_parquet(path, glob=False) for path in texts]

    def read(self, name: str) -> pl.DataFrame:
        return self._read(name)

    def put(self, frame: pl.DataFrame) -> Table:
        return batches(frame)

    def map(self, table: Table, work: Callable[[pl.DataFrame], pl.DataFrame]) -> Table:
        return Batches(work(batch) for batch in cast("Sequence[pl.DataFrame]", table))

    def exchange(self, table: Table, by: str) -> Table:
        return Batches([self.collect(table).sort(by, maintain_order=True)])

    def collect(self, table: Table) -> pl.DataFrame:
        return pl.concat(cast("Sequence[pl.DataFrame]", table), rechunk=True)

    def write(self, name: str, frame: pl.DataFrame) -> None:
        if name == "texts":
            self._texts.append(frame.lazy())
        if self._artefacts_home is not None:
            frame.write_parquet(self._artefacts_home / f"{name}.parquet")

    def texts(self, keys: pl.Series) -> pl.Series:
        wanted = keys.cast(pl.String).to_frame("reply_key")
        schema = {"reply_key": pl.String, "text": pl.String}
        files = [pl.LazyFrame(schema=schema), *(t.select(list(schema)) for t in self._texts)]
        here = wanted.unique().lazy()
        held = pl.concat(files).join(here, on="reply_key", how="semi").unique("reply_key").collect()
        if self._replies is not None and held.height < here.select(pl.len()).collect().item():
            rest = wanted.drop_nulls().unique().join(held, on="reply_key", how="anti")["reply_key"]
            held = pl.concat([held, pl.DataFrame([rest, self._replies(rest).alias("text")])])
        return wanted.join(held, on="reply_key", how="left", maintain_order="left")["text"]

    def vectors(self, encoder: str) -> Vectors:
        return VectorCache(self._vectors_home, encoder)

    def progress(self, done: int, of: int) -> None:
        if self._progress is not None:
            self._progress(done, of)

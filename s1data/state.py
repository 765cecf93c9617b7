"""The pool in motion: which rows are alive, and in which file each column stands.

Text never moves: a stage is shown just the columns it reads, loaded from the file of the stage (or
the reading) that made them, cut to the rows still alive. Memory is what one stage reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from s1data import digest, pool


class State:
    """Rows alive before a stage, and the columns it may read."""

    def __init__(self, rows_file: Path) -> None:
        self._file_of = dict.fromkeys(pl.read_parquet_schema(rows_file), rows_file)
        self.alive: pl.Series = pl.read_parquet(rows_file, columns=["row"], glob=False)["row"]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column there is."""
        return tuple(self._file_of)

    def load(self, names: Iterable[str]) -> pl.DataFrame:
        """``row`` and the named columns of the rows alive, in row order.

        A canonical column that nothing made, which a stage uses where it is there, is null.
        """
        wanted = [n for n in dict.fromkeys(names) if n != "row"]
        none = [n for n in wanted if n not in self._file_of]
        out = pl.DataFrame([self.alive]).with_columns(
            pl.lit(None, pool.COLUMNS[n]).alias(n) for n in none
        )
        for file in dict.fromkeys(self._file_of[n] for n in wanted if n not in none):
            mine = [n for n in wanted if self._file_of.get(n) == file]
            part = pl.read_parquet(file, columns=["row", *mine], glob=False)
            if part.height != self.alive.len():
                places = np.searchsorted(part["row"].to_numpy(), self.alive.to_numpy())
                part = part[places]
            out = out.hstack(part.drop("row"))
        return out.select("row", *wanted)

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """Content digest of each named column over the rows alive."""
        frame = self.load(names)
        return digest.of_columns(frame, dict.fromkeys(names))

    def drop(self, dropped: pl.Series) -> None:
        """Takes rows out."""
        if len(dropped):
            gone = np.isin(self.alive.to_numpy(), dropped.to_numpy(), kind="sort")
            self.alive = self.alive.filter(pl.Series(~gone))

    def add(self, file: Path) -> None:
        """Makes the columns of a stage's file readable; a column made anew replaces the old."""
        for name in pl.read_parquet_schema(file):
            if name != "row":
                self._file_of[name] = file

"""A source or an input whose place is known: schema and digest first, rows when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import polars as pl

from s1data import digest, pool
from s1data.errors import PoolError, nearest
from s1data.sources.files import Files
from s1data.sources.intake import RULES, Read, Reader, Take, plan, sentence, settle
from s1data.sources.spec import Input, Source

FILE_COLUMN: Final = "file"
TYPES: Final[dict[str, Callable[[pl.DataType], bool]]] = {
    "number": lambda dtype: dtype.is_numeric(),
    "text": lambda dtype: dtype == pl.String,
    "bool": lambda dtype: dtype == pl.Boolean,
}
"""Whether a column of this dtype holds what a recipe says of it."""
KINDS: Final = {"number": "numbers", "text": "texts", "bool": "true and false"}


class _Placed:
    def __init__(self, who: str, reader: Reader, columns: dict[str, str]) -> None:
        self._who = who
        self._reader = reader
        self._columns = columns

    @cached_property
    def _takes(self) -> list[Take]:
        raise NotImplementedError

    @property
    def unread(self) -> tuple[str, ...]:
        """Columns that are there and are not taken."""
        taken = {take.origin for take in self._takes}
        return tuple(name for name in self._reader.names() if name not in taken)

    def provenance(self) -> dict[str, Any]:
        """Where the content is from, JSON-able; has ``rows`` only where that is known unread."""
        return self._reader.provenance()

    def _digest(self, **more: object) -> str:
        # The takes are asked for by frames only: for files, bytes say all and need no parsing.
        taken: Callable[[], Sequence[Take]] = lambda: self._takes  # noqa: E731
        content = self._reader.identity(taken)
        return digest.of_value(
            {"rules": RULES, "content": content, "columns": self._columns, **more}
        )


class Opened(_Placed):
    """A source whose place is known. Nothing of it is read before it is asked for."""

    def __init__(self, who: str, spec: Source, reader: Reader) -> None:
        super().__init__(who, reader, dict(spec.columns))
        self._spec = spec

    @cached_property
    def _takes(self) -> list[Take]:
        takes = plan(self._who, self._reader, self._columns, pool.COLUMNS, pool.SOURCE_COLUMNS)
        names = self._reader.names()
        if names and all(not take.is_question for take in takes):
            msg = (
                f"{self._who}: there is no column 'question'{nearest('question', names)}; say "
                f"which it is, columns: {{question: …}}, among {', '.join(names)}"
            )
            raise PoolError(msg)
        own = {take.column: take for take in takes}
        for column, kind in self._spec.types:
            dtype = self._reader.dtype(own[column].origin) if names else pl.Null()
            if not (dtype == pl.Null or TYPES[kind](dtype)):
                msg = (
                    f"{self._who}: column {own[column].origin!r}, taken as {column}: wanted "
                    f"{KINDS[kind]}, got {dtype}; convert it, or take another column in its place"
                )
                raise PoolError(msg)
        return takes

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Columns of `read`'s rows beside ``position``. Files without a schema are read for it."""
        own = {take.column: take.dtype for take in self._takes}
        return {"id": pool.COLUMNS["id"], **pool.SOURCE_COLUMNS, **own}

    @property
    def brings(self) -> tuple[str, ...]:
        """Those columns of the schema that this source has something for: the others are null."""
        has = {"id", "question", *(take.column for take in self._takes)}
        if self._spec.licence is not None:
            has.add("licence")
        return tuple(name for name in self.schema if name in has)

    def digest(self) -> str:
        """Hex digest of all that decides `read`: content, columns, licence, cap, reading rules.

        Names of files and of the source, and its priority, are not part of it. Files count in
        the order in which they are read, since that is the order of the rows.
        """
        cap = self._spec.cap
        return self._digest(
            licence=self._spec.licence, cap=None if cap is None else [cap, self._spec.cap_seed]
        )

    def read(self, limit: int | None = None) -> Read:
        """All lines, or the first ``limit``, as rows of the pool and dropped lines."""
        return settle(self._reader.read(self._takes, limit), self._spec)


class OpenedInput(_Placed):
    """A named input whose place is known."""

    def __init__(self, who: str, spec: Input, reader: Reader) -> None:
        super().__init__(who, reader, dict(spec.columns))
        self._stems: list[str] | None = None
        if isinstance(reader, Files) and reader.many:
            self._stems = [path.stem for path in reader.paths]

    @cached_property
    def _takes(self) -> list[Take]:
        columns = self._columns or {name: name for name in self._reader.names()}
        if self._stems is not None and FILE_COLUMN in columns:
            msg = (
                f"{self._who}: {FILE_COLUMN} is the name of each row's file where there are "
                f"several; say which columns to take, and yours under another name"
            )
            raise PoolError(msg)
        fixed = {"id": pool.COLUMNS["id"], **pool.SOURCE_COLUMNS}
        return plan(self._who, self._reader, columns, fixed, ())

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Columns of `read`'s frame; ``file`` is there if a folder or a glob was bound."""
        own = {take.column: take.dtype for take in self._takes}
        return own if self._stems is None else {**own, FILE_COLUMN: pl.String()}

    def digest(self) -> str:
        """Hex digest of all that decides `read`."""
        return self._digest(files=self._stems)

    def read(self) -> pl.DataFrame:
        """The whole table; a line that cannot be read is a PoolError here."""
        raw = self._reader.read(self._takes, None)
        if raw.refused.height:
            reason, evidence = raw.refused.select("reason", "evidence").row(0)
            said = sentence(reason, evidence)
            if isinstance(self._reader, Files):
                at = json.loads(evidence)
                wrong = at.get("wrong") or f"the question is {at['got']}, not text"
                said = f"line {at['line']} of {self._reader.paths[at['file'] - 1]}: {wrong}"
            msg = f"{self._who}: {said}; mend the line, or leave it out"
            raise PoolError(msg)
        frame = raw.frame.drop("position")
        if self._stems is None:
            return frame
        stems = pl.Series(FILE_COLUMN, self._stems, dtype=pl.String)
        return frame.with_columns(stems.gather(raw.file_index()))

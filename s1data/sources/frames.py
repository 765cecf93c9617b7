"""Frames handed over from Python: a polars frame, or a dataset of the ``datasets`` package.

Neither package is imported here: whoever hands over a dataset has imported ``datasets`` already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from s1data import digest
from s1data.errors import PoolError, nearest
from s1data.sources.intake import Raw, Take, check_dtype, from_frame


class Frame:
    """A reader over a frame in memory."""

    def __init__(self, who: str, frame: pl.DataFrame, kind: str = "frame") -> None:
        self.who = who
        self._frame = frame
        self._kind = kind

    def names(self) -> tuple[str, ...]:
        return tuple(self._frame.columns)

    def dtype(self, name: str) -> pl.DataType:
        return self._frame.schema[name]

    def check(self, takes: Sequence[Take]) -> None:
        for take in takes:
            if take.origin in self._frame.schema:
                check_dtype(self.who, self.dtype(take.origin), take)

    def read(self, takes: Sequence[Take], limit: int | None) -> Raw:
        frame = self._frame if limit is None else self._frame.head(limit)
        try:
            return from_frame(frame, takes)
        except PoolError as error:
            msg = f"{self.who}: {error}"
            raise PoolError(msg) from error

    def identity(self, taken: Callable[[], Sequence[Take]]) -> object:
        origins = [take.origin for take in taken() if take.origin in self._frame.schema]
        plain = [_hashable(self._frame.get_column(name)) for name in dict.fromkeys(origins)]
        return {"rows": self._frame.height, "columns": {s.name: digest.of_series(s) for s in plain}}

    def provenance(self) -> dict[str, Any]:
        return {"kind": self._kind, "rows": self._frame.height}


def _hashable(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, pl.Categorical | pl.Enum | pl.Decimal):
        return series.cast(pl.String)
    return series


def is_dataset(value: object) -> bool:
    """Whether this is a ``datasets.Dataset`` or a ``DatasetDict``."""
    module = sys.modules.get("datasets")
    return module is not None and isinstance(value, module.Dataset | module.DatasetDict)


def dataset_frame(who: str, dataset: Any, split: str) -> pl.DataFrame:  # noqa: ANN401 - no import
    """A dataset as a polars frame; of several splits the one that is asked for."""
    if isinstance(dataset, dict):
        if split not in dataset:
            msg = (
                f"{who}: the dataset has no split {split!r}{nearest(split, dataset)}; "
                f"its splits are {', '.join(dataset)}"
            )
            raise PoolError(msg)
        dataset = dataset[split]
    return arrow_frame(who, dataset)


def arrow_frame(who: str, dataset: Any) -> pl.DataFrame:  # noqa: ANN401 - a datasets.Dataset
    """The rows of one dataset in its own order (selections and shuffles applied)."""
    table = dataset.with_format("arrow")[:]
    try:
        frame = pl.from_arrow(table)
    except pl.exceptions.PolarsError as error:
        msg = f"{who}: the dataset has a column that polars cannot hold: {error}"
        raise PoolError(msg) from error
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame

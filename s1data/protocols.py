"""What a stage is handed while it works, in so many words: an engine, replies, limits of a quota.

Protocols only: whoever answers them is known to the run, never to a stage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from s1data.models import Reply, Request

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Table(Protocol):
    """Rows held by an engine, in batches; only the engine that made it can look inside."""


class Vectors(Protocol):
    """Vectors of one encoder by key, kept across runs."""

    def missing(self, keys: pl.Series) -> pl.Series:
        """Boolean, one per key: True where no vector is stored."""

    def get(self, keys: pl.Series) -> npt.NDArray[np.float32]:
        """Shape (len(keys), dimensions); every key must be stored."""

    def put(self, keys: pl.Series, vectors: npt.NDArray[np.float32]) -> None:
        """Stores vectors durably: once this returns they outlive a kill."""


class Engine(Protocol):
    """Where a Global's work happens. A stage may assume nothing of batch sizes or their order."""

    def read(self, name: str) -> pl.DataFrame:
        """A named input, whole."""

    def put(self, frame: pl.DataFrame) -> Table:
        """Hands a frame to the engine."""

    def map(self, table: Table, work: Callable[[pl.DataFrame], pl.DataFrame]) -> Table:
        """Applies pure ``work`` to every batch."""

    def exchange(self, table: Table, by: str) -> Table:
        """Rebatches so that rows with equal ``by`` stand in the same batch."""

    def collect(self, table: Table) -> pl.DataFrame:
        """All rows in one frame, in no particular order."""

    def write(self, name: str, frame: pl.DataFrame) -> None:
        """Leaves a small frame beside the stage's record for people to read."""

    def vectors(self, encoder: str) -> Vectors:
        """The stored vectors of the encoder with this identity."""

    def texts(self, keys: pl.Series) -> pl.Series:
        """The texts of replies (attempts, traces) by ``reply_key``; null where unknown."""

    def progress(self, done: int, of: int) -> None:
        """Tells how far a long piece of work is."""


class Known(Protocol):
    """What an Asker sees of the models: who they are, and which replies there are so far."""

    def request(self, model: str, prompt: str, **settings: Any) -> Request:  # noqa: ANN401 - any field
        """A request to a model of the recipe by its name there, with that model's settings.

        ``settings`` are fields of `Request` that differ: ``system``, ``sample``, ``rung``, a
        temperature of a higher rung.
        """

    def texts(self, keys: pl.Series) -> pl.Series:
        """The texts of traces and attempts by their ``reply_key``; null where unknown."""

    def reply(self, request: Request) -> Reply | None:
        """The reply to a request, whatever its outcome; None while there is none.

        One that is not ``settled`` names what the request was given up with in this run; the next
        run asks it again, so nothing further is to be asked on its account.
        """


class Limited(Protocol):
    """A quota on key rows: the group of each (-1: none), least and most rows of each group."""

    @property
    def codes(self) -> npt.NDArray[np.int64]: ...
    @property
    def least(self) -> npt.NDArray[np.int64]: ...
    @property
    def most(self) -> npt.NDArray[np.int64]: ...
    def said(self, group: int) -> str:
        """A group in words."""

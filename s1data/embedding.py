"""Vectors by content: what names a vector, and where vectors are kept across runs.

The ``embedding`` column holds keys ``<encoder>:<text>``: 16 hex digits for the encoder (its weights
and settings, see `s1data.encoders`) and 32 for the text. So a key alone says where its vector is.

`VectorCache` keeps one folder per encoder. Each `put` leaves one part, a ``.npy`` file of records
(key, vector) that is named by the digest of its bytes and put in place by a rename: any number of
processes write at once, and a kill loses at most the put under way. Opening checks every part
against its name; a damaged one is set aside, and its vectors count as missing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from s1data.errors import StageError

Positions = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]

log = logging.getLogger(__name__)

KEY: Final = re.compile(r"([0-9a-f]{16}):[0-9a-f]{32}")
_FOLDER: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TEXT_HEX: Final = r"^[0-9a-f]{32}$"


class Encoder(Protocol):
    """Turns texts into vectors; the same text gets the same bytes, whatever stands beside it."""

    @property
    def identity(self) -> str:
        """16 hex digits that move with anything that moves a vector."""

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Matrix]]:
        """Yields positions in ``texts`` and their vectors, piece by piece, each position once."""


def text_key(text: str) -> str:
    """The 32 hex digits that name a text, whatever encodes it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def keys_of(encoder: str, texts: pl.Series) -> pl.Series:
    """The ``embedding`` of each text under an encoder's identity; null where the text is null."""
    return pl.Series(
        "embedding",
        [None if text is None else f"{encoder}:{text_key(text)}" for text in texts.to_list()],
        dtype=pl.String,
    )


def encoder_of(keys: pl.Series) -> str | None:
    """The one encoder that made these keys, None if there is no key.

    Raises StageError where a value is no key, or where keys are of several encoders.
    """
    keys = keys.drop_nulls()
    if keys.is_empty():
        return None
    foreign = keys.filter(~keys.str.contains(f"^{KEY.pattern}$"))
    if len(foreign):
        raise StageError(
            f"embedding: wanted keys that add_embedding made, got {foreign[0][:60]!r}; "
            "run add_embedding, which replaces the column"
        )
    encoders = keys.str.head(16).unique().sort().to_list()
    if len(encoders) > 1:
        raise StageError(
            f"embedding: wanted the keys of one encoder, got those of {', '.join(encoders)}; "
            "run add_embedding over all rows"
        )
    return str(encoders[0])


class VectorCache:
    """The vectors of one encoder, in a folder under ``home``; answers `s1data.stage.Vectors`.

    Keys are values of the ``embedding`` column, or their last 32 digits alone.
    """

    def __init__(self, home: Path, encoder: str) -> None:
        if not _FOLDER.fullmatch(encoder):
            raise StageError(f"vectors: wanted an encoder's identity, got {encoder!r}")
        self._folder = home / encoder
        self._encoder = encoder
        self._parts: dict[str, npt.NDArray[np.void]] = {}
        self._keys: npt.NDArray[np.bytes_] = np.empty(0, "S16")  # sorted
        self._places: Positions = np.empty((0, 2), np.int64)  # part and line of each key

    def missing(self, keys: pl.Series) -> pl.Series:
        """Boolean, one per key: True where no vector is stored."""
        self._refresh()
        return pl.Series("missing", ~self._find(self._binary(keys))[1], dtype=pl.Boolean)

    def get(self, keys: pl.Series) -> Matrix:
        """Shape (len(keys), dimensions), float32; StageError if a key is not stored."""
        self._refresh()
        at, there = self._find(self._binary(keys))
        if not there.all():
            raise StageError(
                f"vectors: wanted {len(keys)} vectors of encoder {self._encoder}, "
                f"{int((~there).sum())} are not in {self._folder}; run add_embedding again"
            )
        parts = list(self._parts.values())
        places = self._places[at]
        dimensions = parts[0].dtype["vector"].shape[0] if parts else 0
        vectors = np.empty((len(keys), dimensions), np.float32)
        order = np.argsort(places[:, 0], kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(places[order, 0])) + 1):
            if len(group):
                vectors[group] = parts[places[group[0], 0]]["vector"][places[group, 1]]
        return vectors

    def put(self, keys: pl.Series, vectors: Matrix) -> None:
        """Stores vectors durably: once this returns they outlive a kill."""
        if vectors.shape[:1] != (len(keys),) or vectors.ndim != 2 or vectors.dtype != np.float32:
            raise StageError(
                f"vectors: wanted float32 of shape ({len(keys)}, dimensions), "
                f"got {vectors.dtype} of shape {vectors.shape}"
            )
        if keys.is_empty():
            return
        part = np.empty(len(keys), [("key", "S16"), ("vector", "<f4", (vectors.shape[1],))])
        part["key"] = self._binary(keys)
        part["vector"] = vectors
        file = BytesIO()
        np.save(file, part, allow_pickle=False)
        self._check_shape(part, "the vectors to store")
        self._write(file.getbuffer())

    def _write(self, content: memoryview) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Named by its bytes: two processes that store the same part may both do so.
        name = f"part-{hashlib.sha256(content).hexdigest()[:32]}.npy"
        partial = self._folder / f"{name}.{os.getpid()}-{secrets.token_hex(4)}.partial"
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _refresh(self) -> None:
        """Takes in the parts that appeared since the last look, other processes' too."""
        keys, places = [self._keys], [self._places]
        for path in sorted(self._folder.glob("part-*.npy")):
            if path.name in self._parts or (part := self._open(path)) is None:
                continue
            keys.append(part["key"])
            lines = np.arange(len(part))
            places.append(np.stack([np.full_like(lines, len(self._parts)), lines], axis=1))
            self._parts[path.name] = part
        if len(keys) > 1:
            order = np.argsort(every := np.concatenate(keys), kind="stable")
            self._keys, self._places = every[order], np.concatenate(places)[order]

    def _open(self, path: Path) -> npt.NDArray[np.void] | None:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            if path.stem == f"part-{content[:32]}":
                part: npt.NDArray[np.void] = np.load(path, mmap_mode="r", allow_pickle=False)
                self._check_shape(part, path.name)
                return part
            aside = path.with_suffix(".npy.damaged")
            path.replace(aside)
        except FileNotFoundError:
            return None  # another process set it aside in between
        log.warning(
            "vectors: %s is damaged and set aside as %s; only its vectors are made again",
            path,
            aside.name,
        )
        return None

    def _check_shape(self, part: npt.NDArray[np.void], what: str) -> None:
        for held in self._parts.values():
            if held.dtype != part.dtype:
                raise StageError(
                    f"vectors: wanted {held.dtype['vector'].shape[0]} dimensions as in "
                    f"{self._folder}, got {part.dtype['vector'].shape[0]} in {what}"
                )
            return

    def _find(self, keys: npt.NDArray[np.bytes_]) -> tuple[Positions, npt.NDArray[np.bool_]]:
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return at, self._keys[at] == keys

    def _binary(self, keys: pl.Series) -> npt.NDArray[np.bytes_]:
        texts = keys.cast(pl.String).str.strip_prefix(f"{self._encoder}:")
        bad = keys.filter(~texts.str.contains(_TEXT_HEX).fill_null(False))
        if len(bad):
            raise StageError(f"vectors: wanted keys of encoder {self._encoder}, got {bad[0]!r}")
        return np.frombuffer(bytes.fromhex("".join(texts.to_list())), "S16")

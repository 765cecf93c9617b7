"""A population held against a set in embedding space: how far each row is from the nearest chosen.

One encoder serves all sets. What is in the vector cache is taken from there, so that a run's own
encoder costs nothing for rows that the run embedded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np
import polars as pl

from s1data.acting import act, cache_home, with_places
from s1data.embedding import Matrix
from s1data.encoders import TFIDF
from s1data.engine import LocalEngine
from s1data.stage import Stage
from s1data.stages import get
from s1data.stages.vectors import AddEmbedding, stored_vectors

AT_A_TIME: Final = 1_024


@dataclass(frozen=True)
class Space:
    """Unit vectors of questions by id, made by one encoder."""

    encoder: str
    places: dict[str, int]
    vectors: Matrix

    def of(self, ids: pl.Series) -> Matrix:
        """Vectors of these ids, each once; an id without one is left out."""
        there = [self.places[i] for i in ids.unique().sort().to_list() if i in self.places]
        return self.vectors[there]


def encoder_fields(stages: Sequence[Stage], encoder: str | None) -> dict[str, Any]:
    """The fields of the stage that embeds.

    The encoder named, else that of the first stage that embeds questions, else TF-IDF over the
    questions compared.
    """
    if encoder is not None:
        return {"encoder": encoder}
    for stage in stages:
        if isinstance(stage, AddEmbedding) and stage.of == "question":
            return stage.model_dump(include={"encoder", "revision_pin", "max_tokens", "dimensions"})
    return {"encoder": TFIDF}


def embedded(
    questions: pl.DataFrame, fields: dict[str, Any], tell: Callable[[int, int], None]
) -> Space:
    """Vectors of all questions (``id``, ``question``) that have a text; StageError if none can."""
    known = questions.drop_nulls("question").unique("id").sort("id")
    engine = LocalEngine(read=_no_input, vectors_home=cache_home() / "vectors", progress=tell)
    stage = get("add_embedding").model_validate(fields)
    keys = act(stage, with_places(known.select("id", "question")), engine).kept["embedding"]
    vectors = stored_vectors(keys, engine)
    lengths = np.linalg.norm(vectors, axis=1)
    able = np.flatnonzero(lengths)
    units = vectors[able] / lengths[able, None]
    ids = known["id"].gather(able).to_list()
    return Space(str(fields["encoder"]), {id_: at for at, id_ in enumerate(ids)}, units)


def distances(population: Matrix, chosen: Matrix) -> tuple[float, float] | None:
    """Mean and greatest distance (1 minus the cosine) to the nearest chosen; None for no rows."""
    if not len(population) or not len(chosen):
        return None
    nearest = np.empty(len(population), np.float32)
    across = np.ascontiguousarray(chosen.T)
    for start in range(0, len(population), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        nearest[part] = (population[part] @ across).max(axis=1)
    away = 1.0 - np.clip(nearest.astype(np.float64), -1.0, 1.0)
    return float(away.mean()), float(away.max())


def _no_input(name: str) -> NoReturn:
    raise KeyError(name)

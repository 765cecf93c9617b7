"""The map: embeddings laid out in two dimensions, the same each time.

t-SNE by openTSNE from a start by principal components, on one thread, since sums in another order
would move points. Beyond `MOST` points a sample is shown: every selected row, and of the dropped
ones as many of each stage and reason as their share. Beyond `LANDMARKS` a sample of the sample is
laid out, and every other point is placed among the ten of these that it is most like, so that a
large pool costs seconds and not minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from s1data.acting import cache_home
from s1data.embedding import VectorCache, encoder_of
from s1data.report.facts import Facts

MOST: Final = 20_000
LANDMARKS: Final = 4_000
_NEIGHBOURS: Final = 10
_FEWEST: Final = 5
_COMPONENTS: Final = 50
_GRID: Final = 65_535


@dataclass(frozen=True)
class Layout:
    """Points of the map: ``row``, ``x`` and ``y`` (0 to 65,535), ``right`` (share of attempts)."""

    points: pl.DataFrame
    embedded: int
    """Rows that have a vector."""

    def as_columns(self) -> dict[str, list[Any]]:
        """Plain lists for the page."""
        return {name: self.points[name].to_list() for name in ("row", "x", "y", "right")}

    @property
    def words(self) -> str:
        """What a reader needs to know of the map."""
        shown, of = self.points.height, self.embedded
        sample = (
            f"{shown:,} of {of:,} embedded questions, a sample: every selected one, and of the "
            "dropped ones of each stage and reason their share. "
            if shown < of
            else f"The {shown:,} questions that were embedded. "
        )
        placed = (
            f"{LANDMARKS:,} of them are laid out, the others placed among those that they are most "
            "like. "
            if shown > LANDMARKS
            else ""
        )
        return (
            f"{sample}{placed}Questions that stand near each other are alike to the encoder; "
            "distances between far groups mean little (t-SNE). Large points with an outline were "
            "selected."
        )


def lay_out(facts: Facts) -> Layout | str:
    """The layout, or why there is none."""
    if "embedding" not in facts.rows.columns:
        return "No stage of this recipe embeds questions, so there is no map."
    rows = facts.rows.filter(pl.col("embedding").is_not_null())
    if rows.height < _FEWEST:
        return "Fewer than five questions were embedded, too few for a map."
    encoder = encoder_of(rows["embedding"])
    vectors = VectorCache(cache_home() / "vectors", encoder or "")
    missing = int(vectors.missing(rows["embedding"]).sum())
    if missing:
        return (
            f"The vectors of {missing:,} questions are not on this machine, so there is no map; "
            "running the recipe again makes them anew."
        )
    shown = sample(rows, MOST)
    first = shown["row"].is_in(sample(shown, LANDMARKS)["row"].implode())
    found = vectors.get(shown["embedding"])
    if found.shape[1] < 2 or not np.ptp(found, axis=0).any():
        return "All embedded questions have the same vector, so there is no map."
    places = project(found, first.to_numpy())
    points = shown.select("row", right=_share_right(shown)).with_columns(
        x=pl.Series(places[:, 0]), y=pl.Series(places[:, 1])
    )
    return Layout(points, rows.height)


def sample(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Every selected row, then dropped rows by stage and reason in proportion, up to ``most``.

    Within a group those with the lowest ids are taken, so that the sample is the same each time.
    """
    if rows.height <= most:
        return rows
    ordered = rows.sort("id", "row")
    chosen = ordered.filter(outcome="selected").head(most)
    others = ordered.filter(outcome="dropped")
    part = (most - chosen.height) / others.height
    place = pl.int_range(1, pl.len() + 1).over("stage", "reason")
    few = others.filter(place <= (pl.len().over("stage", "reason") * part).floor())
    return pl.concat([chosen, few]).sort("row")


def project(
    vectors: npt.NDArray[np.float32], first: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Shape (len(vectors), 2), each axis from 0 to 65,535; ``first`` says which are laid out."""
    import openTSNE
    from openTSNE import initialization
    from sklearn.decomposition import PCA

    most = min(_COMPONENTS, *vectors.shape)
    narrow = PCA(most, svd_solver="covariance_eigh").fit_transform(vectors.astype(np.float64))
    tsne = openTSNE.TSNE(
        perplexity=min(30, max(1, (first.sum() - 1) / 3)),
        initialization=initialization.pca(narrow[first], random_state=0),
        early_exaggeration_iter=150,
        n_iter=250,
        neighbors="exact",
        random_state=0,
        n_jobs=1,
    )
    laid = tsne.fit(narrow[first])
    flat = np.empty((len(narrow), 2))
    flat[first] = laid
    if not first.all():
        flat[~first] = laid.prepare_partial(
            narrow[~first], initialization="weighted", k=_NEIGHBOURS
        )
    low, high = flat.min(axis=0), flat.max(axis=0)
    scaled = (flat - low) / np.maximum(high - low, 1e-9)
    places: npt.NDArray[np.int64] = np.rint(scaled * _GRID).astype(np.int64)
    return places


def _share_right(rows: pl.DataFrame) -> pl.Series:
    if "attempts" not in rows.columns:
        return pl.repeat(None, rows.height, dtype=pl.Float64, eager=True)
    verdicts = pl.col("attempts").list.eval(pl.element().struct.field("verdict").cast(pl.Float64))
    return rows.select(verdicts.list.mean())["attempts"]

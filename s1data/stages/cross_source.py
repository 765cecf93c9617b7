"""What sources drop of each other when they join one after the other.

A source's row is dropped if it shares an n-gram with an accepted row of a source before it; what
stays of the source then joins the reference (s1's ``collect_data.py``). So whether a row stays
depends on every source before its own, and the work is in three steps, of which only the last
needs all sources at once: the hashes of n-grams that two sources have; where they stand in which
rows; and the sources in their order over just these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final

import polars as pl

from s1data.stage import Engine, Table
from s1data.stages import ngrams

DROPPED: Final = pl.Schema(
    {
        "row": pl.UInt32(),
        "at": pl.UInt32(),
        "earlier_source": pl.String(),
        "earlier_row": pl.UInt32(),
    }
)
"""One line per dropped row: the word at which the shared n-gram begins, and who was first."""
SHARED: Final = pl.Schema(
    {"place": pl.UInt32(), "row": pl.UInt32(), "at": pl.UInt32(), "gram": pl.Binary()}
)
"""Where an n-gram stands that two sources have: place of the source, row, word, and its digest."""


def dropped(
    keys: Table, engine: Engine, sources: Sequence[str], gone: pl.DataFrame, n: int
) -> pl.DataFrame:
    """`DROPPED` lines of ``keys`` (row, question, source) for ``sources`` in their order.

    Rows in ``gone`` are not there any more; rows of other sources have no part in it.
    """
    places = pl.DataFrame(
        {"source": sources, "place": range(len(sources))}, schema_overrides={"place": pl.UInt32()}
    )
    rows = engine.map(keys, partial(_joining, places=places, gone=gone))
    by_gram = engine.exchange(engine.map(rows, partial(_grams, n=n)), "gram")
    values = engine.collect(engine.map(by_gram, _of_two_sources)).get_column("gram").to_numpy()
    shared = engine.map(rows, partial(_places, sieve=ngrams.Sieve(values, n), n=n))
    lines = engine.collect(shared).sort("place", "row", "at").iter_rows()
    return pl.DataFrame(list(_in_turn(lines, sources)), schema=DROPPED, orient="row")


def _joining(rows: pl.DataFrame, places: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.join(places, on="source", maintain_order="left")
        .join(gone, on="row", how="anti", maintain_order="left")
        .select("place", "row", "question")
    )


def _grams(rows: pl.DataFrame, n: int) -> pl.DataFrame:
    text, values = ngrams.gram_hashes(rows.get_column("question").to_list(), n)
    place = rows.get_column("place").to_numpy()[text]
    return pl.DataFrame({"gram": values, "place": place})


def _of_two_sources(grams: pl.DataFrame) -> pl.DataFrame:
    place = pl.col("place")
    sources = grams.group_by("gram", maintain_order=True).agg(two=place.min() < place.max())
    return sources.filter("two").select("gram")


def _places(rows: pl.DataFrame, sieve: ngrams.Sieve, n: int) -> pl.DataFrame:
    questions, row, place = (rows.get_column(c).to_list() for c in ("question", "row", "place"))
    lines: list[tuple[int, int, int, bytes]] = []
    for hits in sieve.hits(questions):
        for index, of_text in groupby(
            zip(hits.text.tolist(), hits.at.tolist(), strict=True), itemgetter(0)
        ):
            words = ngrams.words(questions[index])
            for _, at in of_text:
                # 128 bits of it stand for the n-gram: no two will ever meet, and it is shorter.
                text = ngrams.gram(words, at, n).encode()
                digest = hashlib.blake2b(text, digest_size=16).digest()
                lines.append((place[index], row[index], at, digest))
    return pl.DataFrame(lines, schema=SHARED, orient="row")


def _in_turn(
    lines: Iterator[tuple[int, int, int, bytes]], sources: Sequence[str]
) -> Iterator[tuple[int, int, str, int]]:
    """Takes the sources in, one after the other, from `SHARED` lines in their order."""
    accepted: dict[bytes, tuple[int, int]] = {}  # n-gram: lowest row with it, place of its source
    for place, of_source in groupby(lines, key=itemgetter(0)):
        joining: list[tuple[bytes, tuple[int, int]]] = []
        for row, of_row in groupby(of_source, key=itemgetter(1)):
            grams = [(at, gram) for _, _, at, gram in of_row]
            matches = ((*accepted[gram], at) for at, gram in grams if gram in accepted)
            match = min(matches, default=None)
            if match is None:
                joining.extend((gram, (row, place)) for _, gram in grams)
            else:
                earlier, earlier_place, at = match
                yield row, at, sources[earlier_place], earlier
        for gram, by in joining:
            accepted[gram] = min(accepted.get(gram, by), by)

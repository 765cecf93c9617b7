"""What the stages that drop duplicates find of questions that someone has worked on.

    python -m bench.duplicates_planted [QUESTIONS]

Questions of the real pool, drawn with a seed; every second one is in a pool together with one copy
of each of all of them, for each transformation by itself. Recall: the share of copies that are
linked with their own original. False positives: the share of copies whose original is not there
that are linked with anything. `drop_duplicates` is asked for the survivor (originals are of lower
priority number), the others for their verified pairs. Needs the real questions in ../shared/data or
$S1DATA_REAL, and the encoder of the extra ``quickstart``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import polars as pl

from bench.ngram8 import REAL
from bench.parts.transformations import TRANSFORMATIONS, planted
from s1data import apply
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.normalising import Normalisation
from s1data.stages.duplicates import DropDuplicates
from s1data.stages.near_duplicates import DropNearDuplicates
from s1data.stages.semantic_duplicates import DropSemanticDuplicates
from s1data.stages.vectors import AddEmbedding

QUESTIONS = 300
LINKS = {"row": pl.UInt32, "other": pl.UInt32, "score": pl.Float64}
Links: TypeAlias = Callable[[pl.DataFrame, Path], pl.DataFrame]


def survivors(stage: DropDuplicates) -> Links:
    """Rows that `drop_duplicates` drops, and what for."""

    def links(pool: pl.DataFrame, home: Path) -> pl.DataFrame:
        found = act(stage, pool, engine(home)).artefact
        if found is None:
            return pl.DataFrame(schema=LINKS)
        return found.select("row", other="survivor_row", score=pl.lit(1.0))

    return links


def pairs(stage: DropNearDuplicates | DropSemanticDuplicates) -> Links:
    """The verified pairs of a stage, both ways round."""

    def links(pool: pl.DataFrame, home: Path) -> pl.DataFrame:
        act(stage, pool, engine(home))
        found = pl.read_parquet(home / "pairs.parquet")
        one = found.select("row", other="other_row", score="score")
        return pl.concat([one, one.select(row="other", other="row", score="score")])

    return links


def engine(home: Path) -> LocalEngine:
    return LocalEngine(read={}.__getitem__, vectors_home=home, artefacts_home=home)


NEAR = (0.5, 0.6, 0.7, 0.8, 0.9)
SEMANTIC = (0.8, 0.85, 0.9, 0.95)
METHODS: dict[str, tuple[Links, tuple[float, ...]]] = {
    "exact": (survivors(DropDuplicates(methods=("exact",))), (1.0,)),
    "normalised": (survivors(DropDuplicates()), (1.0,)),
    "normalised, LaTeX": (survivors(DropDuplicates(normalisation=Normalisation())), (1.0,)),
    "near": (pairs(DropNearDuplicates(threshold=min(NEAR))), NEAR),
    "near, any words": (pairs(DropNearDuplicates(threshold=min(NEAR), words_apart=None)), NEAR),
    "semantic": (pairs(DropSemanticDuplicates(threshold=min(SEMANTIC))), SEMANTIC),
}


def shares(pool: pl.DataFrame, found: pl.DataFrame, least: float) -> str:
    """Recall / false positives in per cent among the copies of ``pool``."""
    copies = pool.filter(pl.col("priority") == 1).select("row", "own")
    hits = found.filter(pl.col("score") >= least).join(copies, on="row")
    right = hits.filter(pl.col("own") == pl.col("other"))["row"].n_unique()
    wrong = hits.filter(pl.col("own").is_null())["row"].n_unique()
    inside, outside = copies["own"].count(), copies["own"].null_count()
    return f"{100 * right / max(inside, 1):.0f} / {100 * wrong / max(outside, 1):.1f}"


def main() -> None:
    if not (REAL / "pool.parquet").exists():
        print(f"no real questions in {REAL}: put them there or set S1DATA_REAL")
        return
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS
    real = pl.read_parquet(REAL / "pool.parquet", columns=["question"])
    real = apply(DropDuplicates(normalisation=Normalisation()), real).kept
    drawn = real["question"].sort().sample(wanted, seed=0, shuffle=True).to_list()
    originals = pl.DataFrame({"question": drawn[::2]}).with_columns(priority=pl.lit(0, pl.Int32))
    numbered = [(str(at), text) for at, text in enumerate(drawn)]
    changed = [(by, int(at), text) for by, at, text in planted(numbered)]
    heads = _heads()
    print("| transformation (copies) |", " | ".join(heads), "|")
    print("|---" * (len(heads) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name in TRANSFORMATIONS:
            own = [(text, None if at % 2 else at // 2) for by, at, text in changed if by == name]
            schema = {"question": pl.String, "own": pl.UInt32}
            copies = pl.DataFrame(own, schema=schema, orient="row")
            copies = copies.with_columns(priority=pl.lit(1, pl.Int32))
            pool = with_places(pl.concat([originals, copies], how="diagonal"))
            pool = act(AddEmbedding(), pool, engine(Path(folder))).kept
            cells = []
            for links, thresholds in METHODS.values():
                found = links(pool, Path(folder))
                cells += [shares(pool, found, least) for least in thresholds]
            print(f"| {name} ({len(own):,}) |", " | ".join(cells), "|", flush=True)


def _heads() -> list[str]:
    return [
        f"{name} {least}" if len(of) > 1 else name
        for name, (_, of) in METHODS.items()
        for least in of
    ]


if __name__ == "__main__":
    main()

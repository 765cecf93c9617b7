"""What each method finds of benchmark items that someone has worked on.

    python -m bench.contamination_planted

Of MATH-500 and GSM8K's test items every second one is the reference. Recall: the share of planted
copies of those that are matched with their own item. False positives: the share of planted copies
of the other half, which are not in the reference, that are matched with anything. Each
transformation is a pool of its own. Near vectors are asked for on every sixth item only, since
they take the most time. Then, for each benchmark, the recall of items whose text is in the real
pool after normalisation. Needs the real questions in ../shared/data or $S1DATA_REAL, and the
encoder of the extra ``quickstart``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from bench.ngram8 import REAL
from bench.parts.transformations import TRANSFORMATIONS, planted
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.annotating import AddContamination
from s1data.stages.matching import METHODS
from s1data.stages.vectors import AddEmbedding

BENCHMARKS = ("math500", "gsm8k_test")
FORMS = (*METHODS[:-1], "template", "fuzzy")
THRESHOLDS = {"fuzzy": (0.7, 0.8, 0.85, 0.9, 0.95), "embedding": (0.7, 0.8, 0.9, 0.95)}
SIXTH = 6


def matched(pool: pl.DataFrame, inputs: dict[str, pl.DataFrame], fuzzy: float) -> pl.DataFrame:
    """row, item, method and score of all matches by all methods but embedding."""
    engine = LocalEngine(read=inputs.__getitem__, vectors_home=REAL)
    stage = AddContamination(against=tuple(inputs), methods=FORMS, fuzzy_score=fuzzy)
    return act(stage, with_places(pool), engine).artefact


def near(pool: pl.DataFrame, inputs: dict[str, pl.DataFrame], home: Path) -> pl.DataFrame:
    """row, item, method and score of all near vectors."""
    engine = LocalEngine(read=inputs.__getitem__, vectors_home=home)
    rows = act(AddEmbedding(also=tuple(inputs)), with_places(pool), engine).kept
    least = min(THRESHOLDS["embedding"])
    stage = AddContamination(against=tuple(inputs), methods=("embedding",), embedding_score=least)
    return act(stage, rows, engine).artefact


def shares(found: pl.DataFrame, copies: pl.DataFrame, methods: tuple[str, ...]) -> list[str]:
    """Recall / false positives in per cent, for each method and threshold."""
    copies = copies.with_row_index("row").with_columns(pl.col("row").cast(pl.UInt32))
    hits = found.join(copies.select("row", "own"), on="row")
    inside, outside = copies["own"].count(), copies["own"].null_count()
    cells = []
    for method in methods:
        for least in THRESHOLDS.get(method, (None,)):
            of = hits.filter(pl.col("method") == method, whole(method, least))
            right = of.filter(pl.col("own") == pl.col("item"))["row"].n_unique()
            wrong = of.filter(pl.col("own").is_null())["row"].n_unique()
            cells.append(
                f"{100 * right / max(inside, 1):.0f} / {100 * wrong / max(outside, 1):.1f}"
            )
    return cells


def tried() -> list[tuple[str, float | None]]:
    """Every method with each of its thresholds."""
    methods = (*FORMS, "embedding")
    return [(method, least) for method in methods for least in THRESHOLDS.get(method, (None,))]


def heads() -> list[str]:
    return [f"{method} {least}" if least else method for method, least in tried()]


def whole(method: str, least: float | None) -> pl.Expr:
    """Matches that the method has at this threshold."""
    return pl.col("score") >= least if method in THRESHOLDS else pl.lit(value=True)


def changes() -> None:
    frames = [
        pl.read_parquet(REAL / f"benchmarks/{b}.parquet", columns=["question"]) for b in BENCHMARKS
    ]
    questions = pl.concat(frames)["question"].to_list()
    inputs = {"half": pl.DataFrame({"question": questions[::2]})}
    names = [(str(i), q) for i, q in enumerate(questions)]
    rows = [(t, int(i), int(i) // 2 if int(i) % 2 == 0 else None, q) for t, i, q in planted(names)]
    schema = {"by": pl.String, "at": pl.UInt32, "own": pl.UInt32, "question": pl.String}
    copies = pl.DataFrame(rows, schema=schema, orient="row")
    print("| transformation (copies) |", " | ".join(heads()), "|")
    print("|---" * (len(heads()) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name in TRANSFORMATIONS:
            own = copies.filter(pl.col("by") == name)
            found = matched(own.select("question"), inputs, min(THRESHOLDS["fuzzy"]))
            some = own.filter(pl.col("at") // 2 % SIXTH == 0)
            vague = near(some.select("question"), inputs, Path(folder))
            cells = shares(found, own, FORMS) + shares(vague, some, ("embedding",))
            print(f"| {name} ({own.height:,}) |", " | ".join(cells), "|", flush=True)


def known() -> None:
    """Recall of items whose text is in the pool; only those rows are embedded."""
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question"])
        for path in sorted((REAL / "benchmarks").glob("*.parquet"))
    }
    pool = pl.read_parquet(REAL / "pool.parquet", columns=["question"])
    found = matched(pool, inputs, min(THRESHOLDS["fuzzy"]))
    same = found.filter(pl.col("method") == "normalised").select("row", "benchmark", "item")
    with tempfile.TemporaryDirectory() as folder:
        rows = same["row"].unique().sort()
        vague = near(pool[rows.to_list()], inputs, Path(folder))
    places = pl.DataFrame({"row": pl.int_range(len(rows), dtype=pl.UInt32, eager=True), "at": rows})
    vague = vague.join(places, on="row").drop("row").rename({"at": "row"})
    columns = ["row", "benchmark", "item", "method", "score"]
    found = pl.concat([found.select(columns), vague.select(columns)])
    print("| benchmark (items in the pool) |", " | ".join(heads()), "|")
    print("|---" * (len(heads()) + 1) + "|")
    for name in inputs:
        there = same.filter(pl.col("benchmark") == name)
        of = found.join(there, on=["row", "benchmark", "item"], how="semi")
        cells = [
            str(of.filter(pl.col("method") == m, whole(m, least))["item"].n_unique())
            for m, least in tried()
        ]
        print(f"| {name} ({there['item'].n_unique()}) |", " | ".join(cells), "|")


def main() -> None:
    if not (REAL / "pool.parquet").exists():
        print(f"no real questions in {REAL}: put them there or set S1DATA_REAL")
        return
    changes()
    print()
    known()


if __name__ == "__main__":
    main()

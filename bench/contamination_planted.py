"""What `drop_contaminated` finds of benchmark items that someone has worked on.

    python -m bench.contamination_planted

Of MATH-500 and GSM8K's test items every second one is the reference. Recall: the share of planted
copies of those that are matched with their own item. False positives: the share of planted copies
of the other half, which are not in the reference, that are matched with anything. Each
transformation is a pool of its own. Then, for each benchmark, the recall of items whose text is in
the real pool after normalisation. Needs the real questions in ../shared/data or $S1DATA_REAL.
"""

from __future__ import annotations

import polars as pl

from bench.ngram8 import REAL
from bench.parts.transformations import TRANSFORMATIONS, planted
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.contamination import DropContaminated
from s1data.stages.matching import MATCHES, METHODS

BENCHMARKS = ("math500", "gsm8k_test")
THRESHOLDS = (0.7, 0.8, 0.85, 0.9, 0.95)


def matched(pool: pl.DataFrame, inputs: dict[str, pl.DataFrame], fuzzy: float) -> pl.DataFrame:
    """row, item, method and score of all matches."""
    engine = LocalEngine(read=inputs.__getitem__, vectors_home=REAL)
    stage = DropContaminated(against=tuple(inputs), methods=METHODS, fuzzy_score=fuzzy)
    found = act(stage, with_places(pool), engine).artefact
    return pl.DataFrame(schema=MATCHES) if found is None else found


def shares(copies: pl.DataFrame, reference: pl.DataFrame) -> list[str]:
    """Recall / false positives in per cent, for each method and threshold."""
    found = matched(copies.select("question"), {"half": reference}, min(THRESHOLDS))
    copies = copies.with_row_index("row").with_columns(pl.col("row").cast(pl.UInt32))
    hits = found.join(copies.select("row", "own"), on="row")
    inside, outside = copies["own"].count(), copies["own"].null_count()
    cells = []
    forms = [(m, None) for m in METHODS if m != "fuzzy"] + [("fuzzy", t) for t in THRESHOLDS]
    for method, least in forms:
        of = hits.filter(
            (pl.col("method") == method) & (pl.col("score") >= least if least else True)
        )
        right = of.filter(pl.col("own") == pl.col("item"))["row"].n_unique()
        wrong = of.filter(pl.col("own").is_null())["row"].n_unique()
        cells.append(f"{100 * right / max(inside, 1):.0f} / {100 * wrong / max(outside, 1):.1f}")
    return cells


def changes() -> None:
    frames = [
        pl.read_parquet(REAL / f"benchmarks/{b}.parquet", columns=["question"]) for b in BENCHMARKS
    ]
    questions = pl.concat(frames)["question"].to_list()
    reference = pl.DataFrame({"question": questions[::2]})
    names = [(str(i), q) for i, q in enumerate(questions)]
    rows = [(t, int(i) // 2 if int(i) % 2 == 0 else None, q) for t, i, q in planted(names)]
    schema = {"by": pl.String, "own": pl.UInt32, "question": pl.String}
    copies = pl.DataFrame(rows, schema=schema, orient="row")
    head = [m for m in METHODS if m != "fuzzy"] + [f"fuzzy {t}" for t in THRESHOLDS]
    print("| transformation (copies) |", " | ".join(head), "|")
    print("|---" * (len(head) + 1) + "|")
    for name in TRANSFORMATIONS:
        own = copies.filter(pl.col("by") == name)
        print(f"| {name} ({own.height:,}) |", " | ".join(shares(own, reference)), "|")


def known() -> None:
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question"])
        for path in sorted((REAL / "benchmarks").glob("*.parquet"))
    }
    found = matched(pl.read_parquet(REAL / "pool.parquet", columns=["question"]), inputs, 0.85)
    same = found.filter(pl.col("method") == "normalised").select("row", "benchmark", "item")
    print("| benchmark (items in the pool) |", " | ".join(METHODS), "|")
    print("|---" * (len(METHODS) + 1) + "|")
    for name in inputs:
        there = same.filter(pl.col("benchmark") == name)
        of = found.join(there, on=["row", "benchmark", "item"], how="semi")
        cells = [str(of.filter(pl.col("method") == m)["item"].n_unique()) for m in METHODS]
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

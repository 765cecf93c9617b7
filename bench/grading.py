"""Grading on the real answers: agreement by method, gradings a second, the share of math-verify.

Run as ``S1DATA_REAL=… python -m bench.grading``. Prints the tables that docs/grading.md quotes.
Seconds are CPU seconds of this process and its workers, so that a busy machine changes little.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from s1data import apply
from s1data.graders import cascade, workers
from s1data.graders.protocol import Grade, answer_of
from s1data.stages.attempts import AddRecordedAttempts
from s1data.stages.grading import AddGrades

QWEN = ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct")


def cpu() -> float:
    """CPU seconds of this process and of its ended children."""
    mine, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """A result, its CPU seconds and its wall seconds."""
    before, started = cpu(), time.perf_counter()
    out = work()
    return out, cpu() - before, time.perf_counter() - started


def pairs_of(rows: pl.DataFrame) -> list[Grade]:
    """Grades of (reference, candidate), references given as whole solutions included."""
    # Unit tests hold whole replies; the other lines are final answers already.
    columns = ("reference", "candidate", "label_kind")
    pairs = [
        cascade.Pair(answer_of(reference) or reference, answer_of(candidate) or candidate)
        if label == "unit_test"
        else cascade.Pair(reference, candidate)
        for reference, candidate, label in rows.select(columns).iter_rows()
    ]
    with workers.Workers() as processes:
        return cascade.grade_pairs(pairs, processes)


def equivalence(home: Path) -> None:
    """Accuracy and rates of error by method on pairs with a known label."""
    rows = pl.read_parquet(home / "answer_equivalence.parquet")
    grades, seconds, _ = timed(lambda: pairs_of(rows))
    table = rows.with_columns(
        method=pl.Series([g.method for g in grades]),
        # The convention of the labels: an empty answer is wrong, not open.
        right=pl.Series(
            [
                False if not c.strip() else g.right
                for g, c in zip(grades, rows["candidate"], strict=True)
            ],
            dtype=pl.Boolean,
        ),
    ).with_columns(method=pl.col("method").str.split(":").list.first())
    right, equal = pl.col("right"), pl.col("equal")
    for keys in (["label_kind"], ["label_kind", "method"]):
        print(
            table.group_by(keys)
            .agg(
                pairs=pl.len(),
                correct=(right == equal).fill_null(False).sum(),
                accuracy=(right == equal).fill_null(False).mean().round(4),
                false_positive_rate=((right & ~equal).sum() / (~equal).sum()).round(4),
                false_negative_rate=((~right & equal).sum() / equal.sum()).round(4),
                undecided=right.is_null().sum(),
            )
            .sort(keys)
        )
    print(f"{rows.height:,} pairs in {seconds:.0f} CPU s")


def by_math_verify(reference: str, answer: str) -> bool:
    """math-verify alone, through the call that its README gives."""
    from math_verify import parse, verify

    return bool(verify(parse(reference), parse(answer)))


def unit_tests(home: Path) -> None:
    """How many of the authoritative pairs math-verify alone gets right."""
    rows = pl.read_parquet(home / "answer_equivalence.parquet")
    rows = rows.filter(pl.col("label_kind") == "unit_test")
    lines = rows.select("reference", "candidate", "equal").iter_rows()
    right = sum(by_math_verify(one, other) == equal for one, other, equal in lines)
    print(f"math-verify alone, by its documented call: {right} of {rows.height} unit tests")


def attempts(home: Path) -> None:
    """All recorded attempts by the stage: agreement with upstream, and s1's two solvers."""
    lines = pl.read_parquet(home / "attempts_math.parquet")
    for name in lines["dataset"].unique().sort():
        _one_set(lines.filter(pl.col("dataset") == name), name)


def _one_set(lines: pl.DataFrame, name: str) -> None:
    questions = lines.unique("question", maintain_order=True)
    frame = questions.select("question", answer="reference_answer")
    given = lines.select("question", "model", "final_answer")
    added = apply(
        AddRecordedAttempts.model_validate({"from": "attempts", "verdict": ""}),
        frame,
        {"attempts": given},
    ).kept
    stage = AddGrades()
    outcome, seconds, wall = timed(lambda: apply(stage, added))
    figures = stage.figures(outcome.artefact)
    print(f"== {name}: {figures['graded']:,} attempts, {seconds:.0f} CPU s, {wall:.0f} s wall")
    print(figures)
    exploded = outcome.kept.select("question", "attempts").explode("attempts").unnest("attempts")
    _against(exploded, lines)
    if name == "math_level5_721":
        _two_solvers(exploded)


def _against(graded: pl.DataFrame, lines: pl.DataFrame) -> None:
    keys = {"solver": "model", "extracted": "final_answer"}
    upstream = (
        lines.select("question", "is_correct", **{k: pl.col(v) for k, v in keys.items()})
        .drop_nulls(["is_correct", "extracted"])
        .unique(["question", "solver", "extracted"], keep="first", maintain_order=True)
    )
    both = graded.drop_nulls("extracted").join(
        upstream, on=["question", "solver", "extracted"], how="inner"
    )
    if both.is_empty():
        return
    decided = both.drop_nulls("verdict")
    same = (decided["verdict"] == decided["is_correct"]).sum()
    print(
        f"upstream gave {both.height:,} verdicts; {decided.height:,} decided here, "
        f"{same:,} the same ({same / decided.height:.2%})"
    )


def _two_solvers(graded: pl.DataFrame) -> None:
    counts = (
        graded.filter(pl.col("solver").is_in(QWEN))
        .group_by("question", "solver")
        .agg(right=pl.col("verdict").fill_null(False).any())
        .group_by("question")
        .agg(right=pl.col("right").sum())
        .group_by("right")
        .len()
    )
    print("questions by how many of the two were right:", dict(counts.sort("right").iter_rows()))


def two_alone(home: Path) -> None:
    """The same table by equality alone and by math-verify alone, each answer in dollars."""
    lines = pl.read_parquet(home / "attempts_math.parquet").filter(
        pl.col("dataset") == "math_level5_721", pl.col("model").is_in(QWEN)
    )
    columns = ("question", "reference_answer", "final_answer")
    for name in ("equality", "math-verify"):
        right: dict[str, int] = {}
        for question, reference, answer in lines.select(columns).iter_rows():
            said = (answer or "").strip()
            same = said == reference.strip()
            if name == "math-verify" and said and not same:
                same = by_math_verify(f"${reference}$", f"${said}$")
            right[question] = right.get(question, 0) + same
        counts = {n: sum(v == n for v in right.values()) for n in range(3)}
        print(f"by {name} alone:", counts)


def one_bad_pair() -> None:
    """A pair that hangs among others that do not."""
    easy = [cascade.Pair("x^2-1", f"(x-1)(x+{n})") for n in range(1, 201)]
    bad = cascade.Pair("9^{9^{9^{9}}}", "8^{9^{9^{9}}}+x")
    for pairs in (easy, [*easy[:100], bad, *easy[100:]]):
        with workers.Workers() as processes:
            cascade.grade_pairs(pairs[:2], processes)
            grades, _, wall = timed(lambda p=pairs, w=processes: cascade.grade_pairs(p, w))
            decided = sum(g.right is not None for g in grades)
            print(f"{len(pairs)} pairs, {decided} decided, {processes.killed} killed, {wall:.1f} s")


def main() -> None:
    home = Path(os.environ["S1DATA_REAL"])
    pl.Config.set_tbl_rows(40)
    equivalence(home)
    unit_tests(home)
    attempts(home)
    two_alone(home)
    one_bad_pair()
    here, child = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"peak memory: {here:.0f} MB here, {child:.0f} MB in the largest worker")


if __name__ == "__main__":
    main()

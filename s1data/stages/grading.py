"""Verdicts on attempts or traces by graders, the cheap ones first.

Every distinct pair of reference and final answer is graded once. A verdict that is there already
stands. What no grader decides keeps a null verdict and a method that says why.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.graders import cascade, choice, workers
from s1data.graders.extraction import final_answer
from s1data.graders.protocol import UNDECIDED
from s1data.models import is_cut
from s1data.stage import LABEL, Engine, GlobalEnricher, Table

WEAK: Final = ("choice", "last_maths", "whole", "last_number")
"""Rules that find the last thing said: in a cut reply that is no answer."""
ARTEFACT: Final[dict[str, pl.DataType]] = {
    "row": pl.UInt32(),
    "place": pl.UInt32(),
    "extracted": pl.String(),
    "verdict": pl.Boolean(),
    "method": pl.String(),
    "pair": pl.UInt32(),
    "audited": pl.Boolean(),
    "stood": pl.Boolean(),
}
"""One line per graded attempt: its place in the row's list, and the pair it is one of.

What people audited is there too where its verdict ``stood`` already: agreement is said of it."""


class AddGrades(GlobalEnricher):
    """Grades attempts or traces that have no verdict: exact, choice, numbers, maths, gym."""

    of: Literal["attempts", "traces"] = Field(
        default="attempts", description="The column whose entries are graded."
    )
    reference: str = Field(default="answer", description="The column with the reference answer.")
    no_answer: Literal["wrong", "undecided"] = Field(
        default="wrong",
        description="Verdict on a finished reply without a final answer. A cut one is undecided.",
    )
    audited: str | None = Field(
        default=None,
        pattern=f"^{LABEL.pattern}$",
        description="A named input of verdicts by people (id, solver, sample, verdict): agreement "
        "with them, by method, stands in the manifest. Verdicts that are there already count: "
        "after a judge this stage says how often it agrees.",
    )

    revision: ClassVar[int] = 6
    example: ClassVar = {"of": "attempts"}
    uses: ClassVar = ("metadata",)

    def adds(self) -> dict[str, pl.DataType]:
        return {self.of: pool.COLUMNS[self.of]}

    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("question", self.reference, self.of, *self.uses)))

    def inputs(self) -> tuple[str, ...]:
        return (self.audited,) if self.audited else ()

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(
            "id",
            "row",
            "question",
            "metadata",
            pl.col(self.reference).cast(pl.String).alias("reference"),
            pl.col(self.of).alias("entries"),
        )

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        every = _entries(engine.collect(keys), self.of)
        every = every.hstack([self._audited(every, engine)])
        lines = every.filter(pl.col("verdict").is_null())
        graded = _graded(lines.hstack(self._answers(lines, engine)), engine).hstack(
            [lines.get_column("audited")]
        )
        stood = every.filter(pl.col("verdict").is_not_null(), pl.col("audited").is_not_null())
        both = (graded.with_columns(stood=False), stood.with_columns(stood=True, pair=None))
        return pl.concat(
            part.select(pl.col(name).cast(dtype) for name, dtype in ARTEFACT.items())
            for part in both
        )

    def _answers(self, lines: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        """``answer`` and, where there is none, ``fate``: the verdict's method."""
        texts: list[str | None] = [None] * lines.height
        numbered = lines.with_columns(line=pl.int_range(pl.len(), dtype=pl.UInt32))
        wanted = numbered.filter(pl.col("extracted").is_null(), pl.col("reply_key").is_not_null())
        if not wanted.is_empty():
            found = engine.texts(wanted.get_column("reply_key"))
            for place, text in zip(wanted["line"].to_list(), found.to_list(), strict=True):
                texts[place] = text
        rows = [
            _answer(extracted, text, key, finish)
            for extracted, text, key, finish in zip(
                lines["extracted"].to_list(),
                texts,
                lines["reply_key"].to_list(),
                lines["finish"].to_list(),
                strict=True,
            )
        ]
        silent = "no_answer" if self.no_answer == "wrong" else UNDECIDED + "no_answer"
        rows = [(answer, silent if fate == "no_answer" else fate) for answer, fate in rows]
        return pl.DataFrame(rows, schema={"answer": pl.String, "fate": pl.String}, orient="row")

    def _audited(self, lines: pl.DataFrame, engine: Engine) -> pl.Series:
        if not self.audited:
            return pl.Series("audited", [None] * lines.height, dtype=pl.Boolean)
        given = engine.read(self.audited).select(
            "id",
            "solver",
            pl.col("sample").cast(pl.UInt32),
            pl.col("verdict").cast(pl.Boolean).alias("audited"),
        )
        once = given.unique(["id", "solver", "sample"], keep="none", maintain_order=True)
        return lines.join(
            once, on=["id", "solver", "sample"], how="left", maintain_order="left"
        ).get_column("audited")

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        dtype = pool.COLUMNS[self.of]
        names = [field.name for field in dtype.inner.fields]  # type: ignore[attr-defined]
        placed = rows.select("row", pl.col(self.of).alias("entries"))
        exploded = (
            placed.filter(pl.col("entries").list.len() > 0)
            .with_columns(place=pl.int_ranges(pl.col("entries").list.len(), dtype=pl.UInt32))
            .explode("entries", "place")
            .unnest("entries")
        )
        new = artefact.drop("pair", "audited", "stood")
        joined = exploded.join(
            new, on=["row", "place"], how="left", maintain_order="left", suffix="_new"
        )
        changed = [name for name in ("verdict", "method", "extracted") if name in names]
        filled = joined.with_columns(
            pl.coalesce(name, f"{name}_new").alias(name) for name in changed
        )
        lists = (
            filled.select("row", pl.struct(names).alias("entries"))
            .group_by("row", maintain_order=True)
            .agg(pl.col("entries").alias("graded"))
        )
        return placed.join(lists, on="row", how="left", maintain_order="left").select(
            pl.coalesce("graded", "entries").cast(dtype).alias(self.of)
        )

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        """Attempts by method, pairs a judge need not see, and agreement with audited verdicts."""
        graded = artefact.filter(~pl.col("stood"))
        said = pl.col("verdict")
        by_method = (
            graded.group_by("method")
            .agg(right=said.sum(), wrong=(~said).sum(), undecided=said.is_null().sum())
            .sort("method")
        )
        pairs = graded.drop_nulls("pair").unique("pair")
        open_ = pairs.get_column("verdict").null_count()
        out: dict[str, Any] = {
            "graded": graded.height,
            "by_method": {
                str(line.pop("method")): {way: n for way, n in line.items() if n}
                for line in by_method.to_dicts()
            },
            "pairs": pairs.height,
            "pairs_undecided": open_,
            "judge_calls_saved": pairs.height - open_,
        }
        audited = artefact.drop_nulls(["audited", "verdict"])
        if not audited.is_empty():
            agreement = {}
            for (method,), lines in audited.sort("method").group_by("method", maintain_order=True):
                same = int((lines["verdict"] == lines["audited"]).sum())
                agreement[str(method)] = {
                    "agree": same,
                    "of": lines.height,
                    "wilson95": list(wilson(same, lines.height)),
                }
            out["agreement"] = agreement
        return out


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share, rounded to 4 digits; 95% unless told."""
    share = successes / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return round(max(0.0, (middle - half) / scale), 4), round(min(1.0, (middle + half) / scale), 4)


def _entries(keys: pl.DataFrame, of: str) -> pl.DataFrame:
    """One line per entry, in the order of (id, row, place)."""
    lines = (
        keys.filter(pl.col("entries").list.len() > 0)
        .sort("id", "row")
        .with_columns(place=pl.int_ranges(pl.col("entries").list.len(), dtype=pl.UInt32))
        .explode("entries", "place")
        .unnest("entries")
    )
    if of == "traces":
        lines = lines.rename({"teacher": "solver"}).with_columns(
            extracted=pl.lit(None, dtype=pl.String)
        )
    return lines


def _answer(
    extracted: str | None, text: str | None, key: str | None, finish: str | None
) -> tuple[str | None, str | None]:
    """The answer of an entry, or None and what that means."""
    if extracted is not None:
        answer = extracted.strip()
        return (answer, None) if answer else (None, _silent(finish))
    if text is None:
        return None, UNDECIDED + "no_text" if key else _silent(finish)
    found = final_answer(text)
    if found.answer is None or (is_cut(finish) and found.rule in WEAK):
        return None, _silent(finish)
    return found.answer, None


def _silent(finish: str | None) -> str:
    return UNDECIDED + "cut" if is_cut(finish) else "no_answer"


def _graded(lines: pl.DataFrame, engine: Engine) -> pl.DataFrame:
    places: dict[cascade.Pair, int] = {}
    of_line: list[int | None] = []
    columns = ("reference", "answer", "question", "metadata")
    for reference, answer, question, metadata in lines.select(columns).iter_rows():
        if answer is None or reference is None:
            of_line.append(None)
            continue
        pair = _pair(reference, answer, question or "", metadata)
        of_line.append(places.setdefault(pair, len(places)))
    with workers.Workers() as pool_:
        grades = cascade.grade_pairs(list(places), pool_, engine.progress)
    rows: list[tuple[str | None, bool | None, str | None, int | None]] = []
    for reference, answer, fate, place in zip(
        lines["reference"].to_list(),
        lines["answer"].to_list(),
        lines["fate"].to_list(),
        of_line,
        strict=True,
    ):
        if place is not None:
            rows.append((answer, grades[place].right, grades[place].method, place))
        elif not (reference or "").strip():
            rows.append((answer, None, UNDECIDED + "no_reference", None))
        else:
            rows.append((None, False if fate == "no_answer" else None, fate, None))
    names = ("extracted", "verdict", "method", "pair")
    schema = {name: ARTEFACT[name] for name in names}
    return lines.select("row", "place").hstack(pl.DataFrame(rows, schema=schema, orient="row"))


def _pair(reference: str, answer: str, question: str, metadata: str | None) -> cascade.Pair:
    """Without the question where no grader would look at it, so that equal pairs fold."""
    if cascade.kind(reference, metadata) == "gym":
        return cascade.Pair(reference, answer, question, metadata)
    listed = choice.options(question)
    return cascade.Pair(reference, answer, question if listed else "")

"""Contamination by s1's rule: a question that shares any word 8-gram with a benchmark is dropped.

The rule has two halves (s1's ``collect_data.py``). Every question is held against the benchmarks;
and as s1 took in one source after the other, what it accepted of a source joined the reference
for the sources after it, so the rule is a deduplication across sources as well, whose result
depends on their order. `DropContaminated` does the first for ``against`` and the second for
``cross_source``. Questions of fewer than n words never match.

Both halves look by 64-bit hashes and decide on the words themselves: `s1data.stages.overlap` does
the first, `s1data.stages.cross_source` the second. Text stays in its batch; what is gathered is
narrow, the dropped rows and digests of the n-grams that two sources share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import polars as pl
from pydantic import Field, model_validator

from s1data.stage import Engine, Evidence, GlobalFilter, Problem, Table
from s1data.stages import cross_source as joining
from s1data.stages import ngrams, overlap

MAX_N: Final = 1000
EVIDENCE: Final[dict[str, pl.DataType]] = {
    "benchmark": pl.String(),
    "item": pl.UInt32(),
    "ngram": pl.String(),
    "run": pl.UInt32(),
    "source": pl.String(),
    "earlier_source": pl.String(),
    "earlier_row": pl.UInt32(),
}
ARTEFACT: Final = pl.Schema(
    {"row": pl.UInt32(), "reason": pl.String(), "at": pl.UInt32()}
    | {name: dtype for name, dtype in EVIDENCE.items() if name not in ("ngram", "source")}
)
"""One line per dropped row; the n-gram is read again from the question, from word ``at`` on."""


class DropContaminated(GlobalFilter):
    """Drops questions that share a run of n words with a benchmark or an earlier source.

    A word is a piece of ``question.lower().split()``. Evidence is the first matching item, in the
    order of ``against`` and of the items in each, and the first n-gram of the question that is in
    it. ``item`` counts from 0 within its benchmark, in the order of the input. A benchmark is named
    by the input's column ``benchmark``, else ``file``, else by the input. ``run`` is the longest
    run of words shared with any item. Benchmark items without a question are passed over.

    With ``cross_source`` a question is also held against the accepted questions of the sources
    named before its own; evidence is the lowest accepted row that matches. Rows of sources not
    named there are held against ``against`` only, and join nothing.
    """

    needs: ClassVar[tuple[str, ...]] = ("question",)
    reasons: ClassVar[Mapping[str, str]] = {
        "in_benchmark": (
            'shares the words "{ngram}" with item {item} of {benchmark}; '
            "the longest run of words that it shares with a benchmark is {run}"
        ),
        "in_earlier_source": (
            'shares the words "{ngram}" with row {earlier_row} of {earlier_source}, '
            "which was accepted before {source}"
        ),
    }
    evidence: ClassVar[Mapping[str, Any]] = EVIDENCE
    example: ClassVar[Mapping[str, Any]] = {
        "against": ["held_out"],
        "cross_source": ["first", "second"],
        "n": 4,
    }
    example_inputs: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {
        "held_out": [
            {"question": "How many legs have three spiders and one blackbird together?"},
            {"question": "Is the square root of two a rational number?"},
        ]
    }

    against: tuple[str, ...] = Field(
        default=(), description="Named inputs that hold benchmark questions, first match first."
    )
    cross_source: tuple[str, ...] = Field(
        default=(),
        description="Sources in the order in which they join: accepted rows of one are held "
        "against those after it.",
    )
    n: int = Field(default=8, gt=0, le=MAX_N, description="Words in an n-gram.")

    @model_validator(mode="after")
    def _held_against_something(self) -> DropContaminated:
        if not self.against and not self.cross_source:
            msg = "against: wanted at least one named input, got none and no cross_source either"
            raise ValueError(msg)
        for field in ("against", "cross_source"):
            names: tuple[str, ...] = getattr(self, field)
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                msg = f"{field}: wanted each name once, got {', '.join(twice)} more than once"
                raise ValueError(msg)
        return self

    def reads(self) -> tuple[str, ...]:
        return ("question", "source") if self.cross_source else ("question",)

    def sources(self) -> tuple[str, ...]:
        return self.cross_source

    def inputs(self) -> tuple[str, ...]:
        return self.against

    def check(
        self,
        columns: Mapping[str, pl.DataType],  # noqa: ARG002 - the contract's own columns only
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        for name in self.against:
            has = inputs.get(name, {"question": pl.String()})  # unbound inputs are the run's matter
            for column in ("question", "benchmark", "file"):
                got = has.get(column)
                if isinstance(got, pl.String) or (got is None and column != "question"):
                    continue
                yield Problem(
                    "against",
                    f"a String column {column} in input {name}",
                    f"{column}: {got}" if got is not None else f"columns {', '.join(has)}",
                    f"name the column of its questions in the input's columns, as {column}",
                )

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("row", *self.reads())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        benchmarks = Benchmarks(((name, engine.read(name)) for name in self.against), self.n)
        found = engine.collect(engine.map(keys, benchmarks.dropped)).unique("row")
        if self.cross_source:
            gone, order = found.select("row"), self.cross_source
            later = joining.dropped(keys, engine, order, gone=gone, n=self.n)
            later = later.with_columns(reason=pl.lit("in_earlier_source"))
            found = pl.concat([found, later], how="diagonal")
        return found.sort("row")

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        own = "source" if self.cross_source else pl.lit(None, pl.String).alias("source")
        lines = rows.select("row", "question", own).join(artefact, on="row")
        grams = [
            ngrams.gram(ngrams.words(question), at, self.n)
            for question, at in lines.select("question", "at").iter_rows()
        ]
        lines = lines.with_columns(pl.Series("ngram", grams, pl.String)).select(
            "row", "reason", evidence=pl.struct(*EVIDENCE)
        )
        return (
            rows.select("row")
            .join(lines, on="row", how="left", maintain_order="left")
            .select("reason", "evidence")
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        # Another n changes what earlier sources accept, so a row of a later source is only sure to
        # stay once its source is no longer held against them.
        source = evidence.values.get("source")
        others = tuple(name for name in self.cross_source if name != source)
        if evidence.reason == "in_earlier_source":
            return {"cross_source": others}
        if evidence["run"] >= MAX_N:
            return None
        longer: dict[str, Any] = {"n": evidence["run"] + 1}
        return longer | ({"cross_source": others} if source in self.cross_source[1:] else {})


class Benchmarks:
    """The benchmark items of all inputs in order."""

    def __init__(self, inputs: Iterable[tuple[str, pl.DataFrame]], n: int) -> None:
        items = [item for name, frame in inputs for item in _items(name, frame).iter_rows()]
        self._names = [(benchmark, item) for benchmark, item, _ in items]
        self._reference = overlap.Reference([question for _, _, question in items], n)

    def dropped(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The `ARTEFACT` lines of the rows that share an n-gram with an item."""
        row = rows.get_column("row").to_list()
        lines = [
            (
                row[match.text],
                "in_benchmark",
                match.at,
                *self._names[match.item],
                match.run,
                None,
                None,
            )
            for match in self._reference.matches(rows.get_column("question").to_list())
        ]
        return pl.DataFrame(lines, schema=ARTEFACT, orient="row")


def _items(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Benchmark, item and question of an input's rows that have a question."""
    named = next((column for column in ("benchmark", "file") if column in frame.columns), None)
    benchmark = pl.lit(name) if named is None else pl.col(named).fill_null(name)
    return (
        frame.select(benchmark.alias("benchmark"), "question")
        .select("benchmark", pl.int_range(pl.len()).over("benchmark").alias("item"), "question")
        .drop_nulls("question")
    )

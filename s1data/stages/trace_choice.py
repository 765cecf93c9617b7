"""One trace of several for each question, by a stated order of what is wanted of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field, model_validator

from s1data import pool
from s1data.stage import Evidence, Filter, Problem

Wanted = Literal[
    "right", "agrees", "complete", "shortest", "longest", "highest", "lowest", "teacher"
]
Place = tuple[str, int]
CHECKED: Final = ("agrees", "complete")
SCORED: Final = ("highest", "lowest")
LONG: Final = ("shortest", "longest")
INCOMPLETE: Final = frozenset({"cut", "empty", "refusal"})
IN_WORDS: Final[dict[str | None, str]] = {
    "right": "its answer is judged better",
    "agrees": "its thinking and its reply give one answer",
    "complete": "it is complete",
    "shortest": "it is the shortest",
    "longest": "it is the longest",
    "highest": "its score is the highest",
    "lowest": "its score is the lowest",
    "teacher": "its teacher comes first",
    None: "nothing tells it from the next one, it stands first",
}


class ChooseTrace(Filter):
    """Leaves one trace in each row: the best by `order`, the first wish counting most.

    Equal traces go by their order in the row (teacher, then sample). What was never measured ranks
    behind all that was: a trace without a score or without counted tokens, and between sound and
    flawed one that was not checked; evidence says how many had no value. Lines of `trace_flaws` and
    `scores` leave with their trace. A row without a trace is dropped. `keep: all` leaves every
    trace and drops just these rows.
    """

    revision: ClassVar = 2

    order: tuple[Wanted, ...] = Field(
        default=("right", "complete", "shortest"),
        min_length=1,
        description="What is wanted, the most important first. `right`: verdict right before "
        "undecided before wrong. `agrees`: the thinking ends in the reply's answer; `complete`: "
        "not cut, empty or refused; both by `trace_flaws`. `shortest`, `longest`: thinking tokens "
        "as counted. `highest`, `lowest`: of `score`. `teacher`: the order of `teachers`.",
    )
    teachers: tuple[str, ...] = Field(
        default=(), description="Teachers, the preferred one first; others come after them."
    )
    score: str | None = Field(
        default=None,
        min_length=1,
        description="`column.field`: a number in a list of structs that have teacher and sample.",
    )
    keep: Literal["one", "all"] = Field(default="one", description="One trace, or all of them.")

    needs: ClassVar = ("traces",)
    uses: ClassVar = pool.OF_TRACES
    thins: ClassVar = "traces"
    reasons: ClassVar = {"no_trace": "It has no trace to choose from."}
    evidence: ClassVar = {
        "traces": pl.UInt32,
        "teacher": pl.String,
        "sample": pl.UInt32,
        "since": pl.String,
        "unmeasured": pl.UInt32,
    }
    example: ClassVar = {"order": ["right", "complete", "longest"]}

    @model_validator(mode="after")
    def _wishes_agree(self) -> ChooseTrace:
        twice = [wish for wish in dict.fromkeys(self.order) if self.order.count(wish) > 1]
        both = [pair for pair in (LONG, SCORED) if set(pair) <= set(self.order)]
        if twice or both:
            got = " and ".join(both[0]) if both else f"{twice[0]} twice"
            msg = f"order: wishes that agree are wanted, each once, got {got}"
            raise ValueError(msg)
        return self

    def reads(self) -> tuple[str, ...]:
        scored = (self.score.partition(".")[0],) if self.score else ()
        return tuple(dict.fromkeys((*self.needs, *self.uses, *scored)))

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - reads none
    ) -> Iterator[Problem]:
        if (checked := set(self.order) & set(CHECKED)) and "trace_flaws" not in columns:
            wanted = f"the column trace_flaws beside {' and '.join(sorted(checked))}"
            yield Problem("order", wanted, "none", "put add_trace_checks before it")
        if set(self.order) & set(SCORED) and self.score is None:
            yield Problem("score", "column.field beside highest or lowest", "none")
        if self.teachers and "teacher" not in self.order:
            yield Problem("teachers", "teacher in order beside teachers", "an order without")
        if self.score is not None and not set(self.order) & set(SCORED):
            yield Problem("score", "highest or lowest in order beside score", "an order without")
        if "teacher" in self.order and not self.teachers:
            yield Problem("teachers", "teachers in order of preference", "none")
        name, _, field = (self.score or "").partition(".")
        dtype = columns.get(name)
        if name in self.uses and dtype is None:
            yield Problem("score", f"a column {name}", "none", "put the stage that adds it before")
        if dtype is None:
            return
        inner = dtype.inner if isinstance(dtype, pl.List) else None
        fields = {f.name: f.dtype for f in inner.fields} if isinstance(inner, pl.Struct) else {}
        number = fields.get(field)
        if not {"teacher", "sample"} <= fields.keys() or number is None or not number.is_numeric():
            wanted = f"a list of structs with teacher, sample and a number {field}"
            yield Problem("score", wanted, f"{name}: {dtype}")

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        out: dict[str, list[Any]] = {"reason": [], "evidence": [], "traces": []}
        for row in rows.select(self.reads()).iter_rows(named=True):
            traces = row["traces"] or []
            left, said = traces, None
            if self.keep == "one" and len(traces) > 1:
                left, said = self._chosen(traces, row)
            out["traces"].append(left)
            out["reason"].append(None if traces else "no_trace")
            out["evidence"].append(said if traces else {"traces": 0})
        schema = {
            "reason": pl.String(),
            "evidence": self.evidence_dtype(),
            "traces": rows.schema["traces"],
        }
        return pl.DataFrame(out, schema=schema)

    def in_words(self, evidence: Evidence) -> str:
        if evidence.values.get("teacher") is None:
            return super().in_words(evidence)
        sample, teacher = evidence["sample"], evidence["teacher"]
        since = IN_WORDS[evidence.values.get("since")]
        said = f"Of its {evidence['traces']} traces sample {sample} of {teacher} stays: {since}"
        lacking = evidence.values.get("unmeasured")
        return (
            f"{said}; {lacking} of them have no value for what is wanted."
            if lacking
            else f"{said}."
        )

    def _chosen(
        self, traces: list[dict[str, Any]], row: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        flaws: dict[Place, set[str]] | None = None if row["trace_flaws"] is None else {}
        for line in row["trace_flaws"] or ():
            if flaws is not None:
                flaws.setdefault((line["teacher"], line["sample"]), set()).add(line["flaw"])
        name, _, field = (self.score or "").partition(".")
        scores = {(s["teacher"], s["sample"]): s[field] for s in row.get(name) or () if s}
        worth = [
            [self._worth(wish, trace, flaws, scores) for wish in self.order] for trace in traces
        ]
        ranked = sorted(range(len(traces)), key=lambda i: (worth[i], i))
        best, next_ = ranked[:2]
        told = (w for w, a, b in zip(self.order, worth[best], worth[next_], strict=True) if a != b)
        chosen = traces[best]
        said: dict[str, Any] = {"teacher": chosen["teacher"], "sample": chosen["sample"]}
        lacking = sum(math.inf in wishes for wishes in worth)
        said |= {"since": next(told, None), "unmeasured": lacking}
        return [chosen], {"traces": len(traces), **said}

    def _worth(
        self,
        wish: Wanted,
        trace: Mapping[str, Any],
        flaws: Mapping[Place, set[str]] | None,
        scores: Mapping[Place, float | None],
    ) -> float:
        """Lower is better."""
        place = (trace["teacher"], trace["sample"])
        if wish == "right":
            verdicts: dict[bool | None, float] = {True: 0.0, None: 1.0, False: 2.0}
            return verdicts[trace["verdict"]]
        if wish in CHECKED:
            if flaws is None:
                return 0.5  # never checked: behind what is known to be sound
            bad = {"answers_differ"} if wish == "agrees" else INCOMPLETE
            return float(bool(bad & flaws.get(place, set())))
        if wish == "teacher":
            known = self.teachers.index(place[0]) if place[0] in self.teachers else None
            return float(len(self.teachers) if known is None else known)
        small = wish in ("shortest", "lowest")
        value = scores.get(place) if wish in SCORED else trace["thinking_tokens"]
        if value is None or not math.isfinite(value):
            return math.inf
        return float(value if small else -value)

"""Exactly N rows with a trace: a reserve is taught in selection order, as far as holes need it.

`fill` asks in waves. The first is all chosen rows; each further one is as many rows of the reserve
as there are holes. So nothing is paid that no hole called for, and the same replies give the same
set whatever order they come in. `drop_unfilled` then says of every other row why it is not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.graders import workers
from s1data.models import Reply, joined
from s1data.stage import Engine, GlobalFilter, Known, Problem, Table
from s1data.stages.asked_traces import AddTraces
from s1data.stages.standing import standing
from s1data.stages.trace_flaws import flaws_of
from s1data.stages.traces import Flaw, as_trace

_CHOICE = "selection"
_NO_SELECTION = "It was not among the rows that the selector handed on."


def _selected(columns: Mapping[str, pl.DataType]) -> Iterator[Problem]:
    if _CHOICE not in columns:
        wanted = "a selector with a reserve before it"
        yield Problem(None, wanted, "none", "give that selector a `reserve`")


class Fill(AddTraces):
    """Adds `traces`, teaching a selector's reserve in its order until N rows have one accepted.

    N is the selector's `n`. A trace is accepted if its reply answers, its thinking is of an
    accepted kind, and it has none of `flaws`. An accepted row keeps its accepted traces only. A
    row that fails is replaced by the first of the reserve that the selector's quotas allow. At the
    end of the budget the run goes on with the rows accepted so far, and the next one fills on.
    """

    revision: ClassVar[int] = 2
    uses: ClassVar = ("selection",)
    added: ClassVar[tuple[str, ...]] = ("traces", "filling")
    example: ClassVar = {"teachers": ["teacher"], "flaws": ["cut", "empty"]}
    bound: ClassVar = "all of the reserve is counted, though it is asked only where rows fail"
    ends_with_budget: ClassVar = True

    flaws: tuple[Flaw, ...] = Field(
        default=("cut", "empty", "repeated", "refusal", "leaked_prompt"),
        description="Flaws, as of `add_trace_checks`, with which a trace is not accepted.",
    )
    max_tokens: int = Field(
        default=32_768, gt=0, description="Most tokens, for the flaw `too_long`."
    )

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - reads none
    ) -> Iterator[Problem]:
        yield from _selected(columns)

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        made = super().columns(rows, known)
        judged = [
            self._judged(question, traces, known)
            for question, traces in zip(
                rows.get_column("question").to_list(),
                made.get_column("traces").to_list(),
                strict=True,
            )
        ]
        filling = [{"accepted": accepted, "why_not": why_not} for _, accepted, why_not in judged]
        return pl.DataFrame(
            [
                pl.Series("traces", [left for left, _, _ in judged], dtype=pool.COLUMNS["traces"]),
                pl.Series("filling", filling, dtype=pool.FILLING),
            ]
        )

    def wave(self, rows: pl.DataFrame, columns: pl.DataFrame) -> pl.Series:
        accepted = _accepted(columns)
        inside = standing(rows.get_column(_CHOICE).to_list(), accepted).inside
        return pl.Series([row for row in inside if accepted[row] is None], dtype=pl.Int64)

    def remark(self, rows: pl.DataFrame, columns: pl.DataFrame) -> str:
        said = _figures(_states(rows.select(_CHOICE).hstack(columns.select("filling"))))
        taught = f"{said['taught']:,} rows were taught"
        if not said["missing"]:
            return f"{said['accepted']:,} of {said['wanted']:,} rows are filled; {taught}"
        return (
            f"{said['missing']:,} of {said['wanted']:,} rows are missing: {said['why_missing']}; "
            f"{taught}, not accepted for {_listed(said['not_accepted'])}"
        )

    def _judged(
        self, question: str | None, traces: list[dict[str, Any]], known: Known
    ) -> tuple[list[dict[str, Any]], bool | None, list[str]]:
        """The traces that stay, whether one was accepted, and what the others lack."""
        if question is None or not question.strip():
            return traces, False, ["no_question"]
        replies = {
            (teacher, sample): reply for teacher, sample, _, reply in self._asked(question, known)
        }
        lacks = {
            place: None if reply is None else self._lacks(question, reply)
            for place, reply in replies.items()
        }
        good = [t for t in traces if lacks[t["teacher"], t["sample"]] == set()]
        if good:
            return good, True, []
        open_ = any(found is None for found in lacks.values())
        why = sorted(set().union(*(found or () for found in lacks.values())))
        return traces, None if open_ else False, why

    def _lacks(self, question: str, reply: Reply) -> set[str]:
        if not reply.answers:
            return {reply.outcome.value}
        if reply.trace_kind not in self.accepts():
            return {f"thinking_{reply.trace_kind.value}"}
        trace = as_trace(
            {
                "question": question,
                "text": joined(reply.thinking, reply.answer),
                "trace_kind": reply.trace_kind.value,
                "finish": reply.outcome.value,
                "thinking_tokens": reply.thinking_tokens,
                "answer_tokens": reply.answer_tokens,
            }
        )
        with workers.Workers(1) as compares:
            found = {flaw for flaw, _ in flaws_of(trace, self.max_tokens, compares)}
        return found.intersection(self.flaws)


class DropUnfilled(GlobalFilter):
    """Drops the rows of a reserve that no hole called for, and those without an accepted trace.

    What stays is the set that `fill` made: N rows, or fewer where reserve or budget ended first.
    """

    needs: ClassVar = ("selection", "filling")
    reasons: ClassVar[Mapping[str, str]] = {
        "no_accepted_trace": "No trace of it was accepted ({why_not}); in its place: {other}.",
        "not_needed": "Reserve, not needed: place {place}; {accepted} of {wanted} rows were "
        "accepted without it.",
        "not_taught": "It is at place {place} and was not asked about before the budget ended; "
        "{accepted} of {wanted} rows were accepted.",
        "not_selected": _NO_SELECTION,
    }
    evidence: ClassVar = {
        "place": pl.UInt32,
        "why_not": pl.List(pl.String),
        "other": pl.String,
        "wanted": pl.UInt32,
        "accepted": pl.UInt32,
    }

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - reads none
    ) -> Iterator[Problem]:
        yield from _selected(columns)

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        rows = engine.collect(keys).sort("id", "row")
        states = _states(rows)
        said = _figures(states)
        accepted = pl.lit(said["accepted"], pl.UInt32).alias("accepted")
        other = rows.get_column("id").gather(states.get_column("stand_in"))
        return (
            rows.select("row")
            .hstack(states.drop("stand_in"))
            .with_columns(other.alias("other"), accepted)
            .sort("row")
        )

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        found = rows.select("row").join(artefact, on="row", how="left", maintain_order="left")
        evidence = pl.struct(pl.col(name) for name in self.evidence)
        return found.select(
            "reason", evidence=pl.when(pl.col("reason").is_not_null()).then(evidence)
        )

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        return _figures(artefact)


def _accepted(rows: pl.DataFrame) -> list[bool | None]:
    return rows.get_column("filling").struct.field("accepted").to_list()


def _states(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each row ``reason`` (null: it is in the set), ``stand_in`` (a row), and what they rest on.

    ``rows`` have ``selection`` and ``filling``.
    """
    accepted = _accepted(rows)
    set_ = standing(rows.get_column(_CHOICE).to_list(), accepted)
    place = pl.col(_CHOICE).struct.field("place")
    without = rows.select(place.is_null()).to_series().to_list()
    reason: list[str | None] = ["not_selected" if lacks else "not_needed" for lacks in without]
    for row in set_.inside:
        reason[row] = None if accepted[row] else "not_taught"
    for row in set_.stand_ins:
        reason[row] = "no_accepted_trace"
    stand_in = [set_.stand_ins.get(row) for row in range(rows.height)]
    return rows.select(
        pl.Series("reason", reason, dtype=pl.String),
        pl.Series("stand_in", stand_in, dtype=pl.UInt32),
        place,
        pl.col(_CHOICE).struct.field("reserve"),
        pl.col("filling").struct.field("why_not"),
        pl.col("filling").struct.field("accepted").alias("taught"),
        pl.lit(set_.wanted, pl.UInt32).alias("wanted"),
    )


def _figures(states: pl.DataFrame) -> dict[str, Any]:
    """Rows wanted, accepted and missing, with the reason; those taught, and what they lacked."""
    reason, reserve = states.get_column("reason"), states.get_column("reserve")
    wanted = int(states["wanted"][0]) if states.height else 0
    accepted = int(reason.is_null().sum())
    left = int((reserve & (reason == "not_needed")).sum() or 0)
    why = ""
    if wanted > accepted and (reason == "not_taught").any():
        why = "the budget ended"
    elif wanted > accepted:
        spent = "the reserve is used up: make it larger"
        why = f"none of {left:,} rows left of the reserve fits the quotas" if left else spent
    failed = states.filter(reason == "no_accepted_trace").get_column("why_not")
    lacked = Counter("+".join(why_not or ()) for why_not in failed.to_list())
    return {
        "wanted": wanted,
        "accepted": accepted,
        "missing": wanted - accepted,
        "why_missing": why,
        "taught": int(states.get_column("taught").is_not_null().sum()),
        "reserve": int(reserve.sum() or 0),
        "reserve_left": left,
        "not_accepted": dict(sorted(lacked.items())),
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "nothing"

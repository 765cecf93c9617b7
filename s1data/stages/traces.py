"""Reasoning traces that somebody recorded, what is wrong with each, and leaving out the bad ones.

A line of the input is one trace of one teacher at one question. In the row stand its key and its
lengths; its text is left beside the stage's record, addressed by the hash of the content, and is
read back by key. So the same trace in two files is one text, and a shuffled file gives the same
pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal, TypeAlias

import polars as pl
from pydantic import Field

from s1data import digest, pool
from s1data.graders import workers
from s1data.models import joined, split
from s1data.stage import LABEL, Engine, Evidence, Filter, GlobalEnricher, Problem, Table
from s1data.stages import recorded
from s1data.stages.columns import By, Columns, missing_columns, pool_ids, question_key, sound
from s1data.stages.trace_flaws import Trace, flaws_of

CHARS_PER_TOKEN: Final = 4
"""What a token is taken for where none are recorded; right to a third for English reasoning."""
Flaw: TypeAlias = Literal[
    "cut", "empty", "repeated", "mixed_language", "other_language", "refusal", "leaked_prompt",
    "summary", "answers_differ", "boilerplate", "too_long",
]  # fmt: skip
_OPTIONAL: Final = ("finish", "thinking_tokens", "answer_tokens", "trace_kind", "verdict")


class AddRecordedTraces(GlobalEnricher):
    """Adds `traces` from a named input; a row without traces gets an empty list.

    The samples of a teacher are numbered by content. `trace_kind` is what the input says, else
    none where there is no thinking, summary for the teachers so named, and `kind`; null where
    nobody said.
    """

    revision: ClassVar = 2

    from_: str = Field(
        alias="from", pattern=f"^{LABEL.pattern}$", description="The named input to read."
    )
    by: By = Field(
        default="question", description="How a line names its question: by its id or by its text."
    )
    key: str | None = Field(
        default=None, min_length=1, description="The input's column with that; named as `by` is."
    )
    teacher: str = Field(default="model", description="The input's column that names the teacher.")
    thinking: str = Field(default="thinking", description="The input's column with the thinking.")
    answer: str = Field(default="answer", description="The input's column with the reply's answer.")
    summary_teachers: tuple[str, ...] = Field(
        default=(), description="Teachers whose provider gives summaries of the thinking."
    )
    kind: Literal["raw", "summary"] | None = Field(
        default=None, description="What the thinking is where nothing else says so: raw, summary."
    )
    finish: str | None = Field(
        default=None, description="The input's column with why the trace ended (stop, length)."
    )
    thinking_tokens: str | None = Field(
        default=None, description="The input's column with the tokens of the thinking."
    )
    answer_tokens: str | None = Field(
        default=None, description="The input's column with the tokens of the answer."
    )
    trace_kind: str | None = Field(
        default=None, description="The input's column that says raw, summary or none."
    )
    verdict: str | None = Field(
        default=None, description="The input's column with recorded verdicts, true or false."
    )

    added: ClassVar = ("traces",)
    example: ClassVar = {"from": "traces"}
    example_inputs: ClassVar = {
        "traces": [
            {"question": question, "model": model, "thinking": thinking, "answer": answer}
            for question, model, thinking, answer in (
                ("What is 2 + 2?", "small", "Two and two are four.", "The answer is 4."),
                ("What is 2 + 2?", "small", "Count: 1, 2, 3, 4. So the", None),
                ("What is 2 + 2?", "large", None, "I'm sorry, but I can't help with that."),
                ("Name a prime above 100.", "small", "101 has no divisor.", "101."),
                (
                    "Name a prime above 100.",
                    "large",
                    "101 or 103? The answer is 103.",
                    "Answer: 101",
                ),
            )
        ]
    }

    def inputs(self) -> tuple[str, ...]:
        return (self.from_,)

    def check(self, columns: Columns, inputs: Mapping[str, Columns]) -> Iterator[Problem]:
        given = inputs.get(self.from_, {})
        texts = {"teacher": self.teacher, "thinking": self.thinking, "answer": self.answer}
        yield from missing_columns(given, {"key": self.key or self.by} | texts | self._taken())
        yield from recorded.wrong_types(given, texts | self._taken(), pool.TRACE)
        yield from recorded.there_already("traces", columns)

    def _taken(self) -> dict[str, str]:
        named = {name: getattr(self, name) for name in _OPTIONAL}
        return {name: column for name, column in named.items() if column}

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("id")

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        lines = self._lines(sound(self, engine.read(self.from_), self.from_))
        used = lines.join(pool_ids(keys, engine), on="id", how="semi")
        engine.write("traces_by_teacher", recorded.counts(lines, used, "teacher"))
        texts = used.select("reply_key", "text", "thinking", "answer").sort(pl.all())
        engine.write("texts", texts.unique("reply_key", keep="first", maintain_order=True))
        return recorded.as_lists(used, "traces", "teacher", ("reply_key", *_OPTIONAL))

    def _lines(self, given: pl.DataFrame) -> pl.DataFrame:
        lines = given.select(
            question_key(given, self.by, self.key),
            pl.col(self.teacher).cast(pl.String).alias("teacher"),
            pl.col(self.thinking).cast(pl.String).alias("thinking"),
            pl.col(self.answer).cast(pl.String).alias("answer"),
            *recorded.given_or_null(self._taken(), _OPTIONAL, pool.TRACE),
        ).drop_nulls(["id", "teacher"])
        texts = [joined(*pair) for pair in lines.select("thinking", "answer").iter_rows()]
        thinks = pl.col("thinking").str.strip_chars().fill_null("") != ""
        return lines.with_columns(
            pl.Series("text", texts, dtype=pl.String),
            pl.Series("reply_key", [digest.of_value(t) for t in texts], dtype=pl.String),
            trace_kind=pl.coalesce(
                "trace_kind",
                pl.when(~thinks)
                .then(pl.lit("none"))
                .when(pl.col("teacher").is_in(list(self.summary_teachers)))
                .then(pl.lit("summary"))
                .otherwise(pl.lit(self.kind, pl.String)),
            ),
        )

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return recorded.by_id(rows, artefact, "traces")


class AddTraceChecks(GlobalEnricher):
    """Adds `trace_flaws`: one line for each flaw of each trace, with what was found.

    Nothing is dropped here. A trace whose text is not known is not judged.
    """

    max_tokens: int = Field(
        default=32_768,
        gt=0,
        description="Most tokens, thinking and answer; 4 characters are "
        "taken for one where no tokens are recorded.",
    )

    revision: ClassVar = 4
    needs: ClassVar = ("question", "traces")
    added: ClassVar = ("trace_flaws",)
    example: ClassVar = {"max_tokens": 8}
    example_inputs: ClassVar = AddRecordedTraces.example_inputs
    example_after: ClassVar = (("add_recorded_traces", {"from": "traces"}),)

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        some = pl.col("traces").list.len() > 0
        return rows.filter(some).select("row", "question", "traces")

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        found = engine.collect(engine.map(keys, lambda rows: self._judged(rows, engine)))
        engine.write(
            "flaws_by_teacher",
            found.explode("trace_flaws")
            .unnest("trace_flaws")
            .group_by("teacher", "flaw")
            .len("traces")
            .sort("teacher", "flaw"),
        )
        return found.sort("row")

    def _judged(self, rows: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        each = rows.explode("traces").unnest("traces")
        each = each.with_columns(engine.texts(each["reply_key"]).alias("text"))
        out: dict[int, list[dict[str, Any]]] = {}
        with workers.Workers(1) as pool_:
            for line in each.filter(pl.col("text").is_not_null()).iter_rows(named=True):
                flaws = out.setdefault(line["row"], [])
                place = {"teacher": line["teacher"], "sample": line["sample"]}
                for flaw, found in flaws_of(as_trace(line), self.max_tokens, pool_):
                    flaws.append({**place, "flaw": flaw, "found": found})
        schema = {"row": pl.UInt32(), "trace_flaws": pool.COLUMNS["trace_flaws"]}
        return pl.DataFrame({"row": list(out), "trace_flaws": list(out.values())}, schema=schema)

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        none = pl.lit([], dtype=pool.COLUMNS["trace_flaws"])
        return (
            rows.select("row")
            .join(artefact, on="row", how="left", maintain_order="left")
            .select(pl.col("trace_flaws").fill_null(none))
        )


class DropBadTraces(Filter):
    """Leaves out traces with given flaws, and drops the row when no trace is left.

    Their lines in `trace_flaws` and `scores` leave with them.
    Wrong answers stay unless they are named: see docs/traces.md for why.
    """

    flaws: tuple[Flaw | Literal["wrong"], ...] = Field(
        default=("cut", "empty", "repeated", "refusal", "leaked_prompt"),
        description="Flaws of `trace_flaws` for which a trace is left out; `wrong` is one whose "
        "verdict is false.",
    )

    revision: ClassVar = 2
    needs: ClassVar = ("traces", "trace_flaws")
    uses: ClassVar = ("scores",)
    thins: ClassVar = "traces"
    reasons: ClassVar = {
        "no_good_trace": "{left_out} of its {traces} traces are left out, for {for_flaws}.",
        "no_trace": "It has no trace.",
    }
    evidence: ClassVar = {
        "traces": pl.UInt32,
        "left_out": pl.UInt32,
        "for_flaws": pl.List(pl.String),
        "best_has": pl.List(pl.String),
    }
    example: ClassVar = {"flaws": ["cut", "empty", "wrong"]}

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        out: dict[str, list[Any]] = {"reason": [], "evidence": [], "traces": []}
        for traces, flaws in rows.select("traces", "trace_flaws").iter_rows():
            has: dict[tuple[str, int], set[str]] = {}
            for line in flaws or ():
                has.setdefault((line["teacher"], line["sample"]), set()).add(line["flaw"])
            bad = [self._counted(trace, has) for trace in traces or ()]
            left = [trace for trace, why in zip(traces or (), bad, strict=True) if not why]
            out["traces"].append(left)
            out["reason"].append(None if left else "no_good_trace" if bad else "no_trace")
            named = sorted(set().union(*bad))
            fewest = min(map(sorted, bad), key=lambda why: (len(why), why), default=[])
            best = [] if left else fewest
            values: dict[str, Any] = {"traces": len(bad), "left_out": len(bad) - len(left)}
            values |= {"for_flaws": named, "best_has": best}
            out["evidence"].append(values if named or not bad else None)
        schema = {
            "reason": pl.String(),
            "evidence": self.evidence_dtype(),
            "traces": rows.schema["traces"],
        }
        return pl.DataFrame(out, schema=schema)

    def _counted(self, trace: dict[str, Any], has: Mapping[tuple[str, int], set[str]]) -> set[str]:
        found = set(has.get((trace["teacher"], trace["sample"]), ()))
        if trace["verdict"] is False:
            found.add("wrong")
        return found.intersection(self.flaws)

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        if evidence.reason == "no_trace":
            return None
        return {"flaws": [f for f in self.flaws if f not in evidence["best_has"]]}


def as_trace(line: Mapping[str, Any]) -> Trace:
    """A trace from its text, its question and what its record says."""
    thinking, answer = split(line["text"])
    counted = [line["thinking_tokens"], line["answer_tokens"]]
    known = None not in counted
    tokens = sum(counted) if known else (len(thinking) + len(answer)) // CHARS_PER_TOKEN
    kind, finish = line["trace_kind"], line["finish"]
    return Trace(line["question"], thinking, answer, kind, finish, tokens, not known)

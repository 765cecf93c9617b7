"""From rows with traces to samples for training: a question, its thinking, its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import polars as pl

from s1data.errors import PoolError
from s1data.export.control import Control
from s1data.models import is_cut
from s1data.texts import PARTS

Choice: TypeAlias = Literal["best", "all"]
Special: TypeAlias = Literal["drop", "keep"]


@dataclass(frozen=True)
class Sample:
    """One thing to learn from."""

    id: str
    question: str
    thinking: str
    answer: str
    tokens: int | None = None
    """Of thinking and answer, as the teacher's service counted them."""


def check(schema: Mapping[str, pl.DataType], where: str) -> None:
    """PoolError unless rows of this schema have questions and traces with their texts."""
    dtype = schema.get("traces")
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    fields = {f.name for f in inner.fields} if isinstance(inner, pl.Struct) else set()
    if "question" not in schema or not set(PARTS) <= fields:
        got = "no column traces" if dtype is None else "traces without their texts"
        raise PoolError(
            f"{where}: wanted questions and traces with thinking and answer, got {got}; add traces "
            "in the recipe (add_traces, add_recorded_traces), or take the set with its texts"
        )


def samples(
    rows: pl.DataFrame,
    choice: Choice,
    control: Control | None = None,
    special: Special = "drop",
) -> tuple[list[Sample], dict[str, int]]:
    """Samples in the rows' order, and how many rows or traces gave none, by reason.

    ``best`` takes one trace of each row: one judged right before one not judged before one judged
    wrong, one that ended by itself before one that was cut, then the lowest sample of the first
    teacher by name. ``all`` takes every trace. Texts in which ``control`` finds something are left
    out unless ``special`` keeps them.
    """
    out: list[Sample] = []
    lost: dict[str, int] = {}
    for line in rows.select("id", "question", "traces").iter_rows(named=True):
        asks = control is not None and control.in_question(line["question"])
        if asks and special == "drop":
            _count(lost, "rows with a control token in the question")
            continue
        usable = [
            trace
            for trace in _usable(line["traces"] or (), lost)
            if _plain(trace, control, lost if special == "drop" else {}) or special == "keep"
        ]
        if not usable:
            _count(lost, "rows without a usable trace")
        chosen = sorted(usable, key=_worth)[:1] if choice == "best" else usable
        out += [
            Sample(
                line["id"], line["question"], t["thinking"].strip(), t["answer"].strip(), _tokens(t)
            )
            for t in chosen
        ]
    return out, lost


def _usable(traces: Any, lost: dict[str, int]) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a list of structs
    for trace in traces:
        thinking, answer = trace["thinking"] or "", trace["answer"] or ""
        if thinking.strip() and answer.strip():
            yield trace
        else:
            part = "answer" if thinking.strip() else "thinking"
            _count(lost, f"traces without {part}")


def _plain(trace: Mapping[str, Any], control: Control | None, lost: dict[str, int]) -> bool:
    found = control is not None and control.in_trace(trace["thinking"], trace["answer"])
    if found:
        _count(lost, "traces with control tokens or think tags inside")
    return not found


def _count(lost: dict[str, int], reason: str) -> None:
    lost[reason] = lost.get(reason, 0) + 1


def _worth(trace: Mapping[str, Any]) -> tuple[int, int, str, int]:
    right = {True: 0, None: 1, False: 2}[trace["verdict"]]
    cut = int(is_cut(trace["finish"]))
    return right, cut, trace["teacher"] or "", trace["sample"] or 0


def _tokens(trace: Mapping[str, Any]) -> int | None:
    parts = trace.get("thinking_tokens"), trace.get("answer_tokens")
    return None if None in parts else sum(part for part in parts if part is not None)

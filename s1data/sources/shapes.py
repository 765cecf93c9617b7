"""Reasoning sets of others in their own columns, read as a pool and as traces.

A source with a ``shape`` gives pool columns, an input with the same one gives a line for each
trace, as `add_recorded_traces` reads it:

    source  question, solution, answer, source_type, cot_type, metadata
    input   question, model, thinking, answer, trace_kind, verdict
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError
from s1data.sources.intake import Raw, Reader, Take, check_dtype, convert, own_dtype

REVISION: Final = 2
"""Moves when the same file gives other lines."""
POOL: Final = dict.fromkeys(
    ("question", "solution", "answer", "source_type", "cot_type", "metadata"), pl.String()
)
TRACES: Final[dict[str, pl.DataType]] = {
    **dict.fromkeys(("question", "model", "thinking", "answer", "trace_kind"), pl.String()),
    "verdict": pl.Boolean(),
}
Line = Mapping[str, Any]

_MARKS: Final = (
    re.compile(
        r"<\|begin_of_thought\|>(?P<thinking>.*?)<\|end_of_thought\|>\s*"
        r"<\|begin_of_solution\|>(?P<answer>.*?)(?:<\|end_of_solution\|>|\Z)",
        re.DOTALL,
    ),
    re.compile(r"<think>(?P<thinking>.*?)</think>(?P<answer>.*)", re.DOTALL),
)


@dataclass(frozen=True)
class Shape:
    """How one published set is laid out."""

    needs: tuple[tuple[str, ...], ...]
    """Columns of the set; of each group at least one is there."""
    uses: tuple[str, ...]
    pool: Callable[[Line], Line]
    traces: Callable[[Line], Iterator[Line]]
    lists: tuple[str, ...] = ()
    """Columns that hold lists, also as their JSON text."""

    def columns(self, names: Sequence[str], who: str) -> list[str]:
        """Those of its columns that are there; PoolError where it is another set."""
        for group in self.needs:
            if not set(group) & set(names):
                raise PoolError(
                    f"{who}: wanted a column {' or '.join(group)} for this shape, "
                    f"got {', '.join(names)}; take another shape, or name the columns"
                )
        wanted = [*(c for group in self.needs for c in group), *self.uses]
        return [c for c in wanted if c in names]


def _listed(value: object) -> list[Any]:
    """A list, also where a reader of lines keeps it as its JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return value if isinstance(value, list) else []


def _is_list(value: object) -> bool:
    if not isinstance(value, str):
        return isinstance(value, list | pl.Series)
    try:
        return isinstance(json.loads(value), list)
    except ValueError:
        return False


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _s1(line: Line) -> Line:
    return {name: line.get(name) for name in POOL if name != "answer"}


def _s1k_traces(line: Line) -> Iterator[Line]:
    # One attempt is recorded, however many trajectories there are: each is a trace that ends in it.
    for thinking in _listed(line.get("thinking_trajectories")) or [None]:
        yield _trace(
            line["question"], "gemini-2.0-flash-thinking-exp", _text(thinking), line.get("attempt")
        )


def _s1k11_traces(line: Line) -> Iterator[Line]:
    for prefix, model in (
        ("gemini", "gemini-2.0-flash-thinking-exp"),
        ("deepseek", "deepseek-r1"),
    ):
        thinking = _text(line.get(f"{prefix}_thinking_trajectory"))
        if thinking:
            grade = str(line.get(f"{prefix}_grade") or "").strip().lower()
            trace = _trace(line["question"], model, thinking, _text(line.get(f"{prefix}_attempt")))
            yield trace | {"verdict": {"yes": True, "no": False}.get(grade)}


def _turns(line: Line) -> tuple[str | None, str | None]:
    """The first question and its reply, in either of the two usual layouts of a conversation."""
    said: dict[str, str | None] = {}
    for turn in _listed(line.get("conversations") or line.get("messages")):
        if not isinstance(turn, dict):
            continue
        who = turn.get("from") or turn.get("role")
        part = "question" if who in ("human", "user") else "reply"
        if who not in ("system", None):
            said.setdefault(part, turn.get("value") or turn.get("content"))
    return said.get("question"), said.get("reply")


def _conversation_pool(line: Line) -> Line:
    question = _turns(line)[0] or line.get("problem")
    return {
        "question": question,
        "solution": line.get("ground_truth_solution"),
        "source_type": line.get("source") or line.get("domain"),
    }


def _conversation_traces(line: Line) -> Iterator[Line]:
    question, reply = _turns(line)
    if reply is None:
        thinking, answer = line.get("deepseek_reasoning"), line.get("deepseek_solution")
        yield _trace(line.get("problem"), "deepseek-r1", thinking, answer)
        return
    found = next((m for m in (mark.search(reply) for mark in _MARKS) if m), None)
    thinking = found["thinking"].strip() if found else None
    yield _trace(question, "deepseek-r1", thinking, found["answer"].strip() if found else reply)


def _limo_pool(line: Line) -> Line:
    return {name: line.get(name) for name in ("question", "solution", "answer")}


def _limo_traces(line: Line) -> Iterator[Line]:
    whole = line.get("solution") or ""
    before, mark, after = whole.rpartition("**Final Answer**")
    if mark:
        yield _trace(line["question"], "limo", before.strip(), f"{mark}{after}".strip())
    else:
        yield _trace(line["question"], "limo", whole.strip(), line.get("answer"))


def _trace(question: object, model: str, thinking: str | None, answer: object) -> dict[str, Any]:
    kind = "raw" if thinking and thinking.strip() else "none"
    return {
        "question": question,
        "model": model,
        "thinking": thinking,
        "answer": answer,
        "trace_kind": kind,
        "verdict": None,
    }


_S1_USES: Final = ("solution", "source_type", "cot_type", "metadata")
SHAPES: Final[Mapping[str, Shape]] = {
    "s1k": Shape(
        (("question",), ("thinking_trajectories",), ("attempt",)), _S1_USES, _s1, _s1k_traces,
        ("thinking_trajectories",),
    ),
    "s1k-1.1": Shape(
        (("question",), ("deepseek_thinking_trajectory",), ("deepseek_attempt",)),
        (
            *_S1_USES, "gemini_thinking_trajectory", "gemini_attempt", "gemini_grade",
            "deepseek_grade",
        ),
        _s1,
        _s1k11_traces,
    ),
    "openthoughts": Shape(
        (("conversations", "problem"),),
        ("deepseek_reasoning", "deepseek_solution", "ground_truth_solution", "domain", "source"),
        _conversation_pool,
        _conversation_traces,
    ),
    "limo": Shape((("question",), ("solution",)), ("answer",), _limo_pool, _limo_traces),
    "mixture-of-thoughts": Shape(
        (("messages",),), ("source",), _conversation_pool, _conversation_traces
    ),
}  # fmt: skip


class Shaped:
    """A reader over another one, whose lines become a pool or traces."""

    def __init__(self, who: str, reader: Reader, shape: str, *, traces: bool) -> None:
        self.who = who
        self._reader = reader
        self._name = shape
        self._shape = SHAPES[shape]
        self._traces = traces
        self._schema = TRACES if traces else POOL

    def names(self) -> tuple[str, ...]:
        return tuple(self._schema) if self._reader.names() else ()

    def dtype(self, name: str) -> pl.DataType:
        return self._schema[name]

    def check(self, takes: Sequence[Take]) -> None:
        self._reader.check(self._wanted())
        for take in takes:
            if take.origin in self._schema:
                check_dtype(self.who, self.dtype(take.origin), take)

    def _wanted(self) -> list[Take]:
        names = self._shape.columns(self._reader.names(), self.who)
        return [Take(f"of_{n}", n, own_dtype(self._reader.dtype(n))) for n in names]

    def read(self, takes: Sequence[Take], limit: int | None) -> Raw:
        raw = self._reader.read(self._wanted(), limit)
        self._check_lists(raw.frame)
        lines: list[Line] = []
        for line in raw.frame.iter_rows(named=True):
            own = {name.removeprefix("of_"): value for name, value in line.items()}
            made = self._shape.traces(own) if self._traces else (self._shape.pool(own),)
            lines += [{**one, "position": line["position"]} for one in made]
        schema = {"position": pl.UInt32(), **self._schema}
        frame = pl.DataFrame(
            {name: [line.get(name) for line in lines] for name in schema}, schema=schema
        )
        taken = [convert(frame.get_column(take.origin), take) for take in takes]
        return Raw(pl.DataFrame([frame["position"], *taken]), raw.refused, raw.lines)

    def _check_lists(self, frame: pl.DataFrame) -> None:
        """PoolError where a column that holds lists has values and none of them is one."""
        for column in self._shape.lists:
            values = frame.get_column(f"of_{column}").drop_nulls()
            if len(values) and not any(_is_list(value) for value in values):
                got = "texts" if values.dtype == pl.String else str(values.dtype)
                raise PoolError(
                    f"{self.who}: column {column!r}: wanted lists of texts, got {got}; "
                    "write each as a list of one text"
                )

    def identity(self, taken: Callable[[], Sequence[Take]]) -> object:  # noqa: ARG002 - its own do
        return {
            "shape": self._name,
            "revision": REVISION,
            "of": self._reader.identity(self._wanted),
        }

    def provenance(self) -> dict[str, Any]:
        return {**self._reader.provenance(), "shape": self._name}

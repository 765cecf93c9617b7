"""One model asked about every row of a file, without a recipe: the traces as one Parquet file.

The same store, budget, limits and outcomes as a run's. Every reply is kept as it comes, and the
file is written whole at the end, so the same call goes on where an earlier one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from s1data.asking import Asked, Stop
from s1data.asking.known import Replies
from s1data.emulator import Emulator, Script
from s1data.errors import PoolError, nearest
from s1data.models import ModelSpec, Reply
from s1data.serving import Means, Serving
from s1data.sources import Input, open_input
from s1data.stages.asked_traces import AddTraces
from s1data.store.exporting import FORMATS, write

COLUMNS: Final = pl.Schema(
    {
        "trace_sample": pl.Int64(),
        "trace_outcome": pl.String(),
        "trace_kind": pl.String(),
        "trace_thinking": pl.String(),
        "trace_answer": pl.String(),
        "trace_prompt_tokens": pl.Int64(),
        "trace_thinking_tokens": pl.Int64(),
        "trace_answer_tokens": pl.Int64(),
        "trace_origin": pl.String(),
        "trace_reply_key": pl.String(),
    }
)
"""What stands behind the file's own columns, one row for each question and sample.

A request that is still open has the reason as its outcome and nothing else; a row without a
question has nothing at all.
"""

SLICE: Final = 256
"""Rows whose texts are held at once as the file is written."""

LIKELY: Final = ("question", "problem", "prompt", "query", "instruction", "input", "text")
"""Columns that hold the questions where nothing says which, most telling first."""

Kind = Literal["raw", "summary", "leaked", "none"]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What is asked of whom."""

    spec: ModelSpec
    endpoints: Sequence[str] = ()
    """Base URLs; none is the service's own."""
    prompt: str = "{question}"
    samples: int = 1
    accept: tuple[Kind, ...] = ("raw",)
    """Kinds of thinking that are of use, as of `AddTraces`."""
    question: str | None = None
    """The column that holds the questions; found among `LIKELY` unless given."""
    limit: int | None = None
    """Only the first rows of the file."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of it."""

    rows: int
    """Rows of the file."""
    blank: int
    """Rows without a question, which are not asked."""
    figures: Mapping[str, Any]
    """Of the replies used: requests, cached, outcomes, trace_kinds, tokens, usd."""
    open: Mapping[str, int]
    """Requests without a reply by why: an outcome, or ``not_sent``."""
    stopped: Stop | None
    """Why asking ended early; then nothing was written."""
    out: Path | None
    """The file, if it was written."""
    store: Path
    spent: Mapping[str, Any]
    """Dollars of this file over all calls: usd, usd_at_most, cap."""


def ask(
    path: Path,
    out: Path,
    asking: Asking,
    means: Means,
    *,
    rehearse: bool = False,
    begin: Callable[[int], None] = lambda _: None,
    tick: Callable[[int, int], None] = lambda _done, _of: None,
) -> Done:
    """Asks about the rows of a Parquet, JSONL or CSV file and writes ``out``.

    What it spends is journalled in the folder ``OUT.ask`` beside it. In a rehearsal the model is
    emulated; its replies stay in that folder, and the file is ``OUT`` with ``.rehearsal`` in its
    name. Raises PoolError for a file that cannot be asked about, BudgetError, ModelError and
    KeyboardInterrupt as a run does.
    """
    home = out.with_name(f"{out.name}.ask")
    if rehearse:
        out = out.with_name(f"{out.stem}.rehearsal{out.suffix}")
    hold_out(out, path)
    frame = read(path, asking.limit)
    column = question_column(path, frame, asking.question)
    name = asking.spec.model
    rows = _asked_about(frame, column)
    if not rows.get_column("question").fill_null("").str.strip_chars().ne("").any():
        raise PoolError(f"{path}: wanted a question in at least one row, got none in {column}")
    stage = AddTraces(
        teachers=(name,), samples=asking.samples, prompt=asking.prompt, accept=asking.accept
    )
    with ExitStack() as stack:
        endpoints = tuple(asking.endpoints)
        if rehearse:
            server = stack.enter_context(_stand_in(name, rows))
            gemini = asking.spec.provider == "gemini"
            endpoints = (server.url if gemini else server.openai_url,)
        means = replace(means, endpoints={name: endpoints}, rehearsal=rehearse)
        serving = stack.enter_context(Serving({name: asking.spec}, means, home))
        serving.hold_jobs()
        begin(rows.height)
        asked = serving.ask(stage, rows, tick)
        if asked.stopped is None:
            table = _Table(frame, rows, asked, stage, serving)
            write(iter(table), table.schema, out)
        blank = rows.get_column("question").fill_null("").str.strip_chars().eq("").sum()
        return Done(
            rows=rows.height,
            blank=int(blank),
            figures=asked.figures[name],
            open=_counts(asked.open),
            stopped=asked.stopped,
            out=out if asked.stopped is None else None,
            store=serving.store.home,
            spent=serving.spent(),
        )


def hold_out(out: Path, path: Path) -> None:
    """PoolError unless ``out`` can be written without a loss of anything but its own."""
    if out.suffix.lower() not in FORMATS:
        raise PoolError(f"{out}: wanted a name that ends in {', '.join(FORMATS)}")
    if not out.absolute().parent.is_dir():
        raise PoolError(f"{out}: there is no folder {out.parent}; make it first")
    if not out.exists():
        return
    try:
        reader = pl.read_parquet_schema if out.suffix == ".parquet" else _line_schema
        ours = set(COLUMNS) <= set(reader(out))
    except (pl.exceptions.PolarsError, OSError):
        ours = False
    if not ours or out.samefile(path):
        raise PoolError(f"{out}: there is a file already that this did not write; name another")


def read(path: Path, limit: int | None = None) -> pl.DataFrame:
    """The file's columns as they are; PoolError where it cannot be read, or is empty."""
    names = list(open_input(Input(), "FILE", path).schema)
    clash = [name for name in names if name in COLUMNS]
    if clash:
        raise PoolError(
            f"{path}: has columns {', '.join(clash)} already; leave them out: those are what asking"
            " adds"
        )
    # Under names of our own, so that none is taken for a column of the pool with a type of its own.
    own = {f"own_{number}": name for number, name in enumerate(names)}
    frame = open_input(Input(columns=tuple(own.items())), "FILE", path).read().rename(own)
    if frame.is_empty():
        raise PoolError(f"{path}: wanted questions, got no row")
    return frame if limit is None else frame.head(limit)


def question_column(path: Path, frame: pl.DataFrame, given: str | None) -> str:
    """The column of texts that holds the questions."""
    names = frame.columns
    lower = {name.lower(): name for name in reversed(names)}
    found = given or next((lower[name] for name in LIKELY if name in lower), None)
    if found is None or found not in names:
        wanted = f"a column {given!r}" if given else "a column that holds questions"
        raise PoolError(
            f"{path}: wanted {wanted}, got {', '.join(names)}{nearest(given or 'question', names)};"
            " say which with --question COLUMN"
        )
    if frame.schema[found] != pl.String:
        raise PoolError(
            f"{path}: the column {found} holds {frame.schema[found]}, no text; say which holds the "
            "questions with --question COLUMN"
        )
    return found


class _Table:
    """The rows that go out, a slice at a time: only that slice's texts are in memory."""

    def __init__(
        self,
        frame: pl.DataFrame,
        rows: pl.DataFrame,
        asked: Asked,
        stage: AddTraces,
        serving: Serving,
    ) -> None:
        self.schema = pl.Schema({**frame.schema, **COLUMNS})
        self._frame = frame
        self._questions = rows.get_column("question")
        self._asked = asked
        self._stage = stage
        self._serving = serving
        self._known = Replies(serving.specs)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        traces = self._asked.columns.get_column("traces")
        for start in range(0, self._frame.height, SLICE):
            yield self._slice(start, traces.slice(start, SLICE))

    def _slice(self, start: int, traces: pl.Series) -> pl.DataFrame:
        listed: list[dict[int, str]] = [
            {trace["sample"]: trace["reply_key"] for trace in row or ()} for row in traces.to_list()
        ]
        keys = sorted({key for row in listed for key in row.values()})
        replies = self._serving.store.get(keys)
        places: list[int] = []
        lines: list[tuple[object, ...]] = []
        for place, row in enumerate(listed):
            for line in self._lines(self._questions[start + place], row, replies):
                places.append(place)
                lines.append(line)
        own = self._frame.slice(start, SLICE)[places]
        return own.hstack(pl.DataFrame(lines, schema=COLUMNS, orient="row"))

    def _lines(
        self, question: str | None, row: Mapping[int, str], replies: Mapping[str, Reply]
    ) -> Iterator[tuple[object, ...]]:
        if not (question or "").strip():
            yield (None,) * len(COLUMNS)
            return
        for sample in range(self._stage.samples):
            reply = replies.get(row.get(sample, ""))
            if reply is None:
                why = self._why(str(question), sample)
                yield (sample, why, *(None,) * (len(COLUMNS) - 2))
                continue
            yield (
                sample,
                reply.outcome.value,
                reply.trace_kind.value,
                reply.thinking,
                reply.answer,
                reply.prompt_tokens,
                reply.thinking_tokens,
                reply.answer_tokens,
                reply.origin,
                reply.key,
            )

    def _why(self, question: str, sample: int) -> str:
        """Why the request is open, on whichever rung of the ladder."""
        prompt = self._stage.prompt.replace("{question}", question)
        rungs: list[dict[str, Any]] = [{}]
        rungs += [{"rung": n, "temperature": t} for n, t in enumerate(self._stage.ladder, 1)]
        (teacher,) = self._stage.teachers
        for settings in rungs:
            request = self._known.request(teacher, prompt, sample=sample, **settings)
            if why := self._asked.open.get(request.key):
                return why
        return "not_sent"


def _asked_about(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    answer = pl.col("answer").cast(pl.String) if "answer" in frame.columns else pl.lit(None)
    return frame.select(pl.col(column).alias("question"), answer.cast(pl.String).alias("answer"))


def _stand_in(name: str, rows: pl.DataFrame) -> Emulator:
    script = Script.of({"models": {name: {"role": "teacher"}}})
    return Emulator(script, answers=rows)


def _counts(open_: Mapping[str, str]) -> dict[str, int]:
    whys = sorted(open_.values())
    return {why: whys.count(why) for why in dict.fromkeys(whys)}


def _line_schema(path: Path) -> list[str]:
    with path.open("rb") as file:
        first = file.readline()
    return pl.read_ndjson(first).columns if first.strip() else []

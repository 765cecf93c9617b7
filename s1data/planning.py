"""What a run would do: which stages stand from before, which would run, why, and at what cost.

Nothing runs, and nothing is spent without a pilot: sources are opened, and what earlier runs left
is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from s1data import digest, licences, pool, reading
from s1data.acting import cache_home, shown_columns
from s1data.asking.again import ended_so
from s1data.checkpoint import Checkpoint, Shelf, difference
from s1data.consulting import left_open
from s1data.engine import LocalEngine
from s1data.estimating import Estimate
from s1data.preparing import Prepared, prepare
from s1data.recipe import Pipeline, asked_models
from s1data.recording import kind
from s1data.run import Run
from s1data.serving import Means, Serving
from s1data.stage import Asker, GlobalEnricher, GlobalFilter, Selector, Stage
from s1data.state import State


@dataclass(frozen=True)
class Planned:
    """One line of a plan."""

    label: str
    kind: str
    status: str
    """cached, runs, or unknown (an earlier stage runs first: its outcome decides)."""
    rows_in: int | None = None
    rows_out: int | None = None
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Asking:
    """What one Asker would ask."""

    label: str
    rows: int
    exact: bool
    """Whether these rows reach it; else they are the most that can, since stages run before it."""
    estimates: tuple[Estimate, ...]
    said: str = ""
    """Why there is no estimate, what it leaves out, or what the pilot ran into."""
    failed: str = ""
    """What ended the pilot of this stage before its replies were there."""
    piloted: bool = False
    """Whether a pilot of it was asked, of at least one of its models."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return vars(self) | {"estimates": [one.as_dict() for one in self.estimates]}


@dataclass(frozen=True)
class Plan:
    """A recipe held against its data and a run directory."""

    title: str
    home: Path
    unread: Mapping[str, tuple[str, ...]]
    """Columns of each source that the recipe does not take."""
    lines: tuple[Planned, ...]
    asking: tuple[Asking, ...] = ()
    spent: float = 0.0
    """Dollars that the pilot cost, and what was spent on this run before."""
    failed: str = ""
    """Why a pilot that was wanted did not come about; empty where it did, or none was wanted."""
    licences: tuple[str, ...] = ()
    """What publishing would need a decision about, and the terms of the models' providers."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        unread = {name: list(columns) for name, columns in self.unread.items() if columns}
        lines = [vars(line) for line in self.lines]
        asking = [one.as_dict() for one in self.asking]
        return {
            "title": self.title,
            "run": str(self.home),
            "unread": unread,
            "stages": lines,
            "asking": asking,
            "spent": self.spent,
            "failed": self.failed,
            "licences": list(self.licences),
        }


def plan(
    pipeline: Pipeline,
    out: str | Path | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    limit: int | None = None,
    borrow_from: str | Path | None = None,
    means: Means | None = None,
    pilot: int = 0,
) -> Plan:
    """Plans a run; arguments and errors as of `s1data.running.run`.

    ``pilot`` rows are asked of each stage that asks models, with ``means`` and within their
    budget: their replies stay in the store, where the run finds them. Without it nothing is sent.
    """
    home = Path(out) if out is not None else Path("runs") / pipeline.name
    lender = Run.open(borrow_from).path if borrow_from is not None else None
    prepared = prepare(pipeline, inputs, limit)
    shelf = Shelf(home / "stages", lender, make=False)
    lines: list[Planned] = []
    means = means or Means()
    state = _reading(prepared, shelf, lines)
    known = state
    waiting: list[_Waiting] = []
    most: int | None = None
    for number, stage in enumerate(pipeline.stages, 1):
        exact = state is not None
        if state is None:
            lines.append(Planned(stage.label, kind(stage), "unknown", why="an earlier stage runs"))
        elif not _stage(prepared, shelf, number, stage, state, lines, means):
            state = None
        if isinstance(stage, Asker) and state is None:
            waiting.append(_Waiting(stage, exact, most))
        elif isinstance(stage, Selector) and state is None:
            most = min(stage.n + stage.reserve, most or stage.n + stage.reserve)
    asking, spent = _asking(prepared, waiting, known, home, means, pilot)
    unread = {name: opened.unread for name, opened in prepared.sources.items()}
    said = tuple(_licences(prepared, shelf))
    failed = _failed(asking) if pilot else ""
    return Plan(pipeline.title, home, unread, tuple(lines), asking, spent, failed, said)


def _failed(asking: tuple[Asking, ...]) -> str:
    """One line: what ended the pilot, or why no stage could be asked at all."""
    for one in asking:
        if one.failed:
            return f"the pilot of {one.label} failed: {one.failed}"
    if asking and not any(one.piloted for one in asking):
        return f"no pilot was asked of {asking[0].label}: {asking[0].said}"
    return ""


class _Waiting(NamedTuple):
    """An Asker that is not through."""

    stage: Asker
    exact: bool
    most: int | None
    """Rows that a selector before it hands on, of those that run first."""


def _licences(prepared: Prepared, shelf: Shelf) -> Iterator[str]:
    """By row where the pool was read before, else what the recipe says of each source."""
    found = shelf.find(digest.of_value(prepared.reading()))
    if found is not None:
        rows = found.read("rows", ["id", "source", "licence"])
        for one in licences.concerns(rows):
            yield f"licence {one.name}, {one.rows:,} rows of {', '.join(one.sources)}: {one.why}"
    else:
        for spec in prepared.pipeline.sources:
            stated = licences.read(spec.licence)
            by_row = "licence" in prepared.sources[spec.name].brings and spec.licence is None
            if by_row:
                yield f"licence of source {spec.name}: by row; counted once it is read"
            elif stated.kind != licences.OPEN:
                why = licences.CLASSES[stated.kind]
                yield f"licence of source {spec.name}: {stated.stated}: {why}"
    for model in sorted({spec.model for spec in prepared.pipeline.models.values()}):
        yield f"terms of {model}: {licences.terms(model)}"


def _asking(
    prepared: Prepared,
    waiting: list[_Waiting],
    known: State | None,
    home: Path,
    means: Means,
    pilot: int,
) -> tuple[tuple[Asking, ...], float]:
    """Estimates for the Askers that are not through, over the rows that may reach them."""
    if not waiting:
        return (), 0.0
    specs = {name: prepared.pipeline.models[name] for name in asked_models(prepared.pipeline)}
    if known is None:
        rows, _ = reading.read(prepared)
    else:
        rows = known.load(known.columns)
    found = []
    # A pilot is small and waited for: it is asked online.
    with Serving(specs, replace(means, batch=False), home) as serving:
        for stage, exact, most in waiting:
            lacking = [name for name in stage.needs if name not in rows.columns]
            if lacking:
                said = f"what it reads is not there yet: {', '.join(lacking)}"
                found.append(Asking(stage.label, rows.height, exact, (), said))
                continue
            shown = rows.with_columns(
                **{n: pl.lit(None, pool.COLUMNS[n]) for n in stage.uses if n not in rows.columns}
            ).sort("id")
            shown = shown if most is None else shown.head(most)
            piloted = bool(pilot) and any(n not in serving.unserved for n in stage.models())
            said, failed = _pilot(stage, shown.head(pilot), serving) if pilot else ("", "")
            estimates = serving.estimate(
                stage, shown.select(shown_columns(stage)), batch=means.batch
            )
            said = "; ".join(filter(None, (said, stage.bound)))
            line = Asking(stage.label, shown.height, exact, tuple(estimates), said, failed, piloted)
            found.append(line)
        spent = serving.spent()["usd_at_most"]
    return tuple(found), spent


def _pilot(stage: Asker, rows: pl.DataFrame, serving: Serving) -> tuple[str, str]:
    """Asks about a few rows, whose ids are as good as drawn at random.

    What is to be said of it, and, where nothing came of it, why.
    """
    names = stage.models()
    missing = [serving.unserved[name] for name in names if name in serving.unserved]
    todo = f"not asked in the pilot: {'; '.join(missing)}" if missing else ""
    if len(missing) == len(names):
        return todo, ""
    asked = serving.ask(stage, rows.select(shown_columns(stage)))
    if asked.stopped is not None:
        return asked.stopped.message, asked.stopped.message
    # What nothing serves is left open too, and has been said.
    open_ = Counter(why for why in asked.open.values() if why != "not_sent")
    none = f"{left_open(open_)} got no reply in the pilot" if open_ else ""
    said = "; ".join(filter(None, (todo, none)))
    return said, none if len(asked.open) == len(asked.keys) else ""


def _reading(prepared: Prepared, shelf: Shelf, lines: list[Planned]) -> State | None:
    payload = prepared.reading()
    found = shelf.find(digest.of_value(payload))
    if found is None:
        before = shelf.at(0, "read")
        lines.append(Planned("read", "Read", "runs", why=_differs(before, payload)))
        return None
    lines.append(_cached(found))
    return State(found.path("rows"))


def _stage(
    prepared: Prepared,
    shelf: Shelf,
    number: int,
    stage: Stage,
    state: State,
    lines: list[Planned],
    means: Means,
) -> bool:
    digests = state.digests(shown_columns(stage))
    payload = prepared.payload(stage, digests, rehearsal=means.rehearsal)
    found = shelf.find(digest.of_value(payload))
    if found is not None and isinstance(stage, GlobalFilter | GlobalEnricher):
        engine = LocalEngine(read=_no_input, vectors_home=cache_home() / "vectors")
        found = found if stage.usable(found.read("artefact"), engine) else None
    left: dict[str, int] = {}
    if found is not None:
        left = found.record.get("open", {}) | ended_so(found.record, means.ask_again)
    if found is None or left:
        why = (
            f"asks again {left_open(left)}"
            if left
            else _differs(shelf.at(number, stage.label), payload)
        )
        rows = state.alive.len()
        lines.append(Planned(stage.label, kind(stage), "runs", rows_in=rows, why=why))
        return False
    lines.append(_cached(found, stage.label))
    if found.has("dropped"):
        state.drop(found.read("dropped")["row"])
    if found.has("columns"):
        state.add(found.path("columns"))
    return True


def _no_input(name: str) -> Any:  # noqa: ANN401
    raise KeyError(name)


def _cached(found: Checkpoint, label: str | None = None) -> Planned:
    r = found.record
    return Planned(
        label or r["label"], r["kind"], "cached", r["rows_in"], r["rows_out"], r["seconds"]
    )


def _differs(before: Checkpoint | None, payload: Mapping[str, Any]) -> str:
    if before is None:
        return "not run yet"
    return difference(before.record["payload"], payload) or "what it left is damaged or gone"

"""What a run would do: which stages stand from before, which would run, and why.

Nothing runs and nothing is spent: sources are opened, and what earlier runs left is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s1data import digest
from s1data.acting import cache_home, shown_columns
from s1data.checkpoint import Checkpoint, Shelf, difference
from s1data.engine import LocalEngine
from s1data.preparing import Prepared, prepare
from s1data.recipe import Pipeline
from s1data.run import Run
from s1data.stage import GlobalEnricher, GlobalFilter, Stage
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
class Plan:
    """A recipe held against its data and a run directory."""

    title: str
    home: Path
    unread: Mapping[str, tuple[str, ...]]
    """Columns of each source that the recipe does not take."""
    lines: tuple[Planned, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        unread = {name: list(columns) for name, columns in self.unread.items() if columns}
        lines = [vars(line) for line in self.lines]
        return {"title": self.title, "run": str(self.home), "unread": unread, "stages": lines}


def plan(
    pipeline: Pipeline,
    out: str | Path | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    limit: int | None = None,
    borrow_from: str | Path | None = None,
    rehearsal: bool = False,
) -> Plan:
    """Plans a run; arguments and errors as of `s1data.running.run`."""
    home = Path(out) if out is not None else Path("runs") / pipeline.name
    lender = Run.open(borrow_from).path if borrow_from is not None else None
    prepared = prepare(pipeline, inputs, limit)
    shelf = Shelf(home / "stages", lender, make=False)
    lines: list[Planned] = []
    state = _reading(prepared, shelf, lines)
    for number, stage in enumerate(pipeline.stages, 1):
        if state is None:
            lines.append(Planned(stage.label, _kind(stage), "unknown", why="an earlier stage runs"))
        elif not _stage(prepared, shelf, number, stage, state, lines, rehearsal=rehearsal):
            state = None
    unread = {name: opened.unread for name, opened in prepared.sources.items()}
    return Plan(pipeline.title, home, unread, tuple(lines))


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
    *,
    rehearsal: bool,
) -> bool:
    payload = prepared.payload(stage, state.digests(shown_columns(stage)), rehearsal=rehearsal)
    found = shelf.find(digest.of_value(payload))
    if found is not None and isinstance(stage, GlobalFilter | GlobalEnricher):
        engine = LocalEngine(read=_no_input, vectors_home=cache_home() / "vectors")
        found = found if stage.usable(found.read("artefact"), engine) else None
    if found is None:
        why = _differs(shelf.at(number, stage.label), payload)
        rows = state.alive.len()
        lines.append(Planned(stage.label, _kind(stage), "runs", rows_in=rows, why=why))
        return False
    lines.append(_cached(found, stage.label))
    if found.has("dropped"):
        state.drop(found.read("dropped")["row"])
    if found.has("columns"):
        state.add(found.path("columns"))
    return True


def _no_input(name: str) -> Any:  # noqa: ANN401
    raise KeyError(name)


def _kind(stage: Stage) -> str:
    from s1data.stages import kind_of

    return kind_of(type(stage)).__name__


def _cached(found: Checkpoint, label: str | None = None) -> Planned:
    r = found.record
    return Planned(
        label or r["label"], r["kind"], "cached", r["rows_in"], r["rows_out"], r["seconds"]
    )


def _differs(before: Checkpoint | None, payload: Mapping[str, Any]) -> str:
    if before is None:
        return "not run yet"
    return difference(before.record["payload"], payload) or "what it left is damaged or gone"

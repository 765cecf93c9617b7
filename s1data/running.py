"""Running a recipe: stage by stage, each complete on disk before the next, resumable at any line.

A stage runs only if no complete checkpoint has its content key: the digest of the columns it reads
over the rows alive, its fields and revision, and the digests of its inputs. So a kill costs the
stage under way, and a changed threshold the stages after it that see something else. The ledger
and the selected set are made from the checkpoints; the manifest is written last.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data import digest, ledger, manifest, memory, reading, recording
from s1data.acting import Outcome, act, cache_home, shown_columns
from s1data.asking import NotSent
from s1data.checkpoint import (
    Checkpoint,
    Shelf,
    difference,
    write_json,
    write_parquet,
)
from s1data.consulting import consult, left_open
from s1data.durable import sync_folder
from s1data.engine import LocalEngine
from s1data.errors import RecipeError, RunError, StageError, nearest
from s1data.place import only_one, refuse_live
from s1data.preparing import Prepared, prepare
from s1data.progress import Remarks, Silent, Teller
from s1data.recipe import Pipeline, asked_models
from s1data.run import Run
from s1data.serving import Means, Serving
from s1data.stage import Asker, GlobalEnricher, GlobalFilter, Stage
from s1data.state import State
from s1data.texts import with_texts

HIDDEN_COLUMNS: Final = ("row", "priority", "embedding")
"""Columns of the pool that mean nothing outside the run."""


def run(  # noqa: PLR0913 - one for each thing that may be said of a run
    pipeline: Pipeline,
    out: str | Path | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    limit: int | None = None,
    until: str | None = None,
    borrow_from: str | Path | None = None,
    means: Means | None = None,
    tell: Teller | None = None,
) -> Run:
    """Runs a recipe into the directory ``out`` (default ``runs/NAME``), or resumes it there.

    ``inputs`` maps names of sources and inputs to paths, polars frames or ``datasets.Dataset``;
    the empty name means the only source. ``limit`` reads only the first rows of each source.
    ``until`` stops after the stage with that label. ``borrow_from`` is another run whose stages
    are taken over where their keys match. ``means`` is what models are asked with; what is in the
    reply store needs none. ``tell`` hears of progress.

    Raises RecipeError, PoolError, BudgetError, ModelError, StageError or RunError; what is finished
    by then stays. RunStopped: requests are left that nothing serves, or that were not sent since
    the budget ended or the day's quota; the same call goes on from there.
    """
    teller = tell or Silent()
    home = Path(out) if out is not None else Path("runs") / pipeline.name
    labels = [stage.label for stage in pipeline.stages]
    if until is not None and until not in labels:
        raise RecipeError(
            f"until {until}: wanted the label of a stage ({', '.join(labels)}), "
            f"got {until!r}{nearest(until, labels)}"
        )
    if limit is not None and limit < 1:
        raise RecipeError(f"limit: wanted a number of rows over 0, got {limit}")
    lender = Run.open(borrow_from).path if borrow_from is not None else None
    means = means or Means()
    prepared = prepare(pipeline, inputs, limit)
    asked = {name: pipeline.models[name] for name in asked_models(pipeline)}
    with (
        only_one(home, pipeline),
        Remarks(teller),
        Serving(asked, means, home, teller.say) as serving,
    ):
        if means.rehearsal and asked:
            refuse_live(home)
        done = _finished(home, prepared, rehearsal=means.rehearsal and bool(asked))
        if done is not None and not any(serving.asks_again(c.record) for c in done.checkpoints()):
            for line in done.funnel().iter_rows(named=True):
                teller.end(line["stage"], line["rows_in"], line["rows_out"], 0, cached=True)
            return done
        return _Runner(prepared, home, lender, teller, serving).run(until)


def _finished(home: Path, prepared: Prepared, *, rehearsal: bool) -> Run | None:
    """The finished run in ``home`` if it is of just this recipe and data, and intact.

    One with requests that are still open is not finished: they are taken up.
    """
    found = Run(home, cached=frozenset(s.label for s in prepared.pipeline.stages) | {"read"})
    if not found.finished:
        return None
    try:
        whole = found.manifest
        same = (
            whole["fingerprint"] == prepared.fingerprint()
            and found.pipeline == prepared.pipeline
            and whole["rehearsal"] == rehearsal
            and not whole["open"]
            and all(digest.of_file(home / f) == sha for f, sha in whole["files"].items())
        )
    except (OSError, ValueError, KeyError, RunError):
        return None
    left = found.checkpoints()
    whole_and_sound = len(left) == len(found.cached) and not any(c.damaged() for c in left)
    return found if same and whole_and_sound else None


class _Runner:
    def __init__(
        self,
        prepared: Prepared,
        home: Path,
        lender: Path | None,
        tell: Teller,
        serving: Serving,
    ) -> None:
        self.serving = serving
        self.prepared = prepared
        self.pipeline = prepared.pipeline
        self.home = home
        self.tell = tell
        self.shelf = Shelf(home / "stages", lender)
        self.cached: set[str] = set()
        self.done: list[Checkpoint] = []
        self._read_inputs: dict[str, pl.DataFrame] = {}

    def run(self, until: str | None) -> Run:
        started = time.time()
        (self.home / "manifest.json").unlink(missing_ok=True)
        sync_folder(self.home)
        recipe = self.home / "pipeline.yaml"
        part = recipe.with_suffix(".part")
        part.write_text(self.pipeline.to_yaml(), encoding="utf-8")
        part.replace(recipe)
        if self.serving.means.rehearsal and self.serving.specs:
            self.tell.say(
                "rehearsal: emulated models answer on this machine; nothing is paid, and no answer "
                "is a real model's"
            )
        self._check_models()
        state = self._read()
        for number, stage in enumerate(self.pipeline.stages, 1):
            self._stage(number, stage, state)
            if stage.label == until:
                self.tell.say(f"stopped after {until} as asked; run again without --until to go on")
                return Run(self.home, frozenset(self.cached))
        self._finish(state, started)
        return Run(self.home, frozenset(self.cached))

    def _read(self) -> State:
        payload = self.prepared.reading()
        key = digest.of_value(payload)
        self.tell.begin("read", None)
        found = self.shelf.find(key)
        if found is None:
            memory.reset_peak()
            start = time.perf_counter()
            rows, dropped = reading.read(self.prepared)
            read = {
                name: {**opened.provenance(), "rows": rows.filter(source=name).height}
                for name, opened in self.prepared.sources.items()
            }
            with self.shelf.writing(0, "read") as files:
                files.put("rows", rows)
                files.put("dropped", dropped)
                record = {
                    "label": "read",
                    "kind": "Read",
                    "key": key,
                    "payload": payload,
                    "sources": read,
                    **recording.counts(rows.height + dropped.height, dropped),
                    **recording.cost(start),
                }
                found = files.finish(record)
        else:
            self.cached.add("read")
        self._is_done(self.shelf.put(0, found))
        return State(self.done[0].path("rows"))

    def _stage(self, number: int, stage: Stage, state: State) -> None:
        label, start = stage.label, time.perf_counter()
        self.tell.begin(label, state.alive.len())
        payload = self._payload(stage, state)
        key = digest.of_value(payload)
        found = self.shelf.find(key)
        if found is not None and found.label != label:
            found = Checkpoint(found.folder, {**found.record, "label": label})
        if found is None or not self._usable(stage, found):
            self._say_why_again(number, stage, payload, found)
            memory.reset_peak()
            asked = None
            if isinstance(stage, Asker):
                rows = state.load(("row", *shown_columns(stage)))
                asked = consult(stage, rows, self.serving, self.tell, self._engine().texts)
            with self.shelf.writing(number, label) as files:
                outcome = asked.outcome if asked else self._act(stage, state, files.folder)
                for name, frame in recording.frames(outcome).items():
                    files.put(name, frame)
                if asked:
                    files.put("replies", asked.replies)
                record = {
                    **recording.record(stage, outcome, asked, state.alive.len()),
                    "key": key,
                    "payload": payload,
                    **recording.cost(start),
                }
                found = files.finish(record)
        else:
            self.cached.add(label)
            found = self.shelf.put(number, found)
        self._is_done(found)
        if found.has("dropped"):
            state.drop(found.read("dropped", ["row"])["row"])
        if found.has("columns"):
            state.add(found.path("columns"))

    def _payload(self, stage: Stage, state: State) -> dict[str, Any]:
        columns = state.digests(shown_columns(stage))
        return self.prepared.payload(stage, columns, rehearsal=self.serving.means.rehearsal)

    def _usable(self, stage: Stage, found: Checkpoint) -> bool:
        if self._asks(found.record):
            return False
        if not isinstance(stage, GlobalFilter | GlobalEnricher):
            return True
        return stage.usable(found.read("artefact"), self._engine())

    def _say_why_again(
        self, number: int, stage: Stage, payload: Mapping[str, Any], found: Checkpoint | None
    ) -> None:
        if found is not None and (left := found.record.get("open")):
            self.tell.say(f"{stage.label}: asking again what had no reply: {left_open(left)}")
            return
        if found is not None and (ended := self.serving.asks_again(found.record)):
            self.tell.say(f"{stage.label}: asking again as told: {left_open(ended)}")
            return
        before = self.shelf.at(number, stage.label)
        if before is None:
            return
        if (damaged := before.damaged()) is not None:
            self.tell.say(f"{stage.label}: {damaged} is damaged or gone; computing it again")
        elif changes := difference(before.record["payload"], payload):
            self.tell.say(f"{stage.label}: runs again: {changes}")

    def _engine(self, folder: Path | None = None) -> LocalEngine:
        return LocalEngine(
            read=self._input,
            vectors_home=cache_home() / "vectors",
            artefacts_home=folder,
            texts=self._texts(),
            replies=self.serving.store.texts if self.serving.specs else None,
            progress=self.tell.tick,
        )

    def _texts(self) -> list[Path]:
        return [c.path("texts") for c in self.done if c.has("texts")]

    def _input(self, name: str) -> pl.DataFrame:
        if name not in self._read_inputs:
            self._read_inputs[name] = self.prepared.inputs[name].read()
        return self._read_inputs[name]

    def _act(self, stage: Stage, state: State, folder: Path) -> Outcome:
        rows = state.load(("row", "id", *shown_columns(stage)))
        try:
            edits = self.pipeline.edits_of(stage)
            return act(stage, rows, self._engine(folder), self.tell.tick, edits=edits)
        except StageError:
            raise
        except pl.exceptions.PolarsError as error:
            first = str(error).splitlines()[0]
            raise StageError(
                f"stage {stage.label}: failed on {rows.height:,} rows: {first}; what is finished "
                "is kept: mend the cause and run again (--debug shows where)"
            ) from error

    def _check_models(self) -> None:
        """Before anything else: whoever is going to be asked shows that it can answer."""
        names: list[str] = []
        for number, stage in enumerate(self.pipeline.stages, 1):
            before = self.shelf.at(number, stage.label)
            if isinstance(stage, Asker) and (before is None or self._asks(before.record)):
                names += stage.models()
        for name in dict.fromkeys(names):
            if (todo := self.serving.unserved.get(name)) is not None:
                self.tell.say(f"cannot be asked yet: {todo}")
        if names:
            self.serving.hold_jobs()
        try:
            self.serving.check(names)
        except NotSent as stop:
            # No room in the budget: what is in the store may still be all that is wanted.
            self.tell.say(f"nothing will be sent: {stop}")

    def _asks(self, record: Mapping[str, Any]) -> bool:
        return bool(record.get("open") or self.serving.asks_again(record))

    def _is_done(self, checkpoint: Checkpoint) -> None:
        record = checkpoint.record
        self.done.append(checkpoint)
        cached = checkpoint.label in self.cached
        rows_in, rows_out = record["rows_in"], record["rows_out"]
        self.tell.end(checkpoint.label, rows_in, rows_out, record["seconds"], cached=cached)

    def _finish(self, state: State, started: float) -> None:
        lines = ledger.build(self.done[0], self.done[1:])
        selected = with_texts(selected_frame(state), self._texts(), self.serving.texts_of)
        self.serving.hold_texts(selected)
        write_parquet(selected, self.home / "selected.parquet")
        write_parquet(lines, self.home / "ledger.parquet")
        self.shelf.tidy({c.folder.name for c in self.done})
        files = {f: digest.of_file(self.home / f) for f in ("selected.parquet", "ledger.parquet")}
        whole = manifest.build(
            self.prepared,
            [c.record for c in self.done],
            self.cached,
            selected,
            files,
            started,
            self.serving.account(),
        )
        write_json(whole, self.home / "manifest.json")


def selected_frame(state: State) -> pl.DataFrame:
    """The rows still alive, in an order that does not depend on the input's."""
    order = [c for c in ("id", "source", "solution", "answer", "row") if c in state.columns]
    shown = [c for c in state.columns if c not in HIDDEN_COLUMNS]
    first = [c for c in ("id", "source", "question", "solution", "answer") if c in shown]
    rows = state.load(state.columns)
    return rows.sort(order, nulls_last=True).select(list(dict.fromkeys((*first, *shown))))

"""Before anything runs: sources and inputs opened, and the recipe held against what is in them.

Opening is cheap for Parquet (schemas and digests, no full read); JSONL and CSV are parsed once for
their schema. All problems are said at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from s1data import digest, pool
from s1data.errors import PoolError, RecipeError, nearest
from s1data.sources import Opened, OpenedInput, open_input, open_source
from s1data.stage import Asker, Enricher, GlobalEnricher, Problem, Selector, Stage
from s1data.yamltext import Path

if TYPE_CHECKING:
    from s1data.recipe import Pipeline


@dataclass(frozen=True)
class Prepared:
    """A recipe whose sources and inputs are open and fit it."""

    pipeline: Pipeline
    sources: Mapping[str, Opened]
    inputs: Mapping[str, OpenedInput]
    limit: int | None

    def reading(self) -> dict[str, Any]:
        """The payload of the reading's key: what decides the pool."""
        return {
            "sources": {
                spec.name: {
                    "place": i,
                    "priority": i if spec.priority is None else spec.priority,
                    "digest": self.sources[spec.name].digest(),
                }
                for i, spec in enumerate(self.pipeline.sources)
            },
            "limit": {"rows": self.limit},
        }

    def payload(
        self, stage: Stage, columns: Mapping[str, str], *, rehearsal: bool
    ) -> dict[str, Any]:
        """What decides the result of a stage; its digest is the stage's key.

        ``columns`` are the digests of those it reads, over the rows alive. A rehearsed Asker is
        another than a live one, so that no reply of the one stands in the result of the other.
        """
        whole = {
            **stage.identity(),
            "columns": dict(columns),
            "inputs": {name: self.inputs[name].digest() for name in stage.inputs()},
        }
        if isinstance(stage, Asker):
            whole["models"] = self.pipeline.asked(stage.models())
            if rehearsal:
                whole["origin"] = "rehearsal"
        if edits := self.pipeline.edits_of(stage):
            whole["edits"] = [edit.written() for edit in edits]
        return whole

    def fingerprint(self) -> str:
        """Digest of everything that decides the result: recipe and data."""
        inputs = {name: opened.digest() for name, opened in self.inputs.items()}
        whole = {
            "recipe": self.pipeline.identity(),
            "reading": self.reading(),
            "inputs": inputs,
        }
        return digest.of_value(whole)


def prepare(
    pipeline: Pipeline, given: Mapping[str, Any] | None = None, limit: int | None = None
) -> Prepared:
    """Opens what the recipe names, with ``given`` in place of what it says.

    ``given`` maps the name of a source or input to a path, a polars frame or a
    ``datasets.Dataset``; the empty name means the only source. Raises RecipeError or PoolError.
    """
    bound = _bound(pipeline, given or {})
    read = {name for stage in pipeline.stages for name in stage.inputs()}
    sources: dict[str, Opened] = {}
    inputs: dict[str, OpenedInput] = {}
    closed: list[str] = []
    for i, spec in enumerate(pipeline.sources):
        with _noting(closed, "" if spec.name in bound else pipeline.at(("sources", i)), spec.name):
            sources[spec.name] = open_source(spec, bound.get(spec.name))
            _ = sources[spec.name].schema
    for name, place in pipeline.inputs.items():
        if name in read or name in bound:
            with _noting(closed, "" if name in bound else pipeline.at(("inputs", name)), name):
                inputs[name] = open_input(place, name, bound.get(name))
                _ = inputs[name].schema
    if closed:
        raise PoolError("\n".join(closed))
    problems = list(_problems(pipeline, sources, inputs))
    if problems:
        raise RecipeError("\n".join(problems))
    return Prepared(pipeline, sources, inputs, limit)


@contextmanager
def _noting(problems: list[str], place: str, name: str) -> Iterator[None]:
    """Notes what cannot be opened, so that all of it is said at once."""
    try:
        yield
    except PoolError as error:
        said = f"{place}: {error}" if place else str(error)
        # A recipe of others names their files: where they are here is for the run to say.
        gone = place and any(text in said for text in (" does not exist", ": no file matches "))
        problems.append(f"{said}; if it lies elsewhere: --input {name}=PATH" if gone else said)


def _bound(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    sources = [s.name for s in pipeline.sources]
    known = [*sources, *pipeline.inputs]
    bound: dict[str, Any] = {}
    for name, value in given.items():
        if not name and len(sources) > 1:
            raise RecipeError(
                f"input {value}: this recipe has {len(sources)} sources; "
                f"name the one meant, as in --input {sources[0]}=PATH (of {', '.join(sources)})"
            )
        if name and name not in known:
            raise RecipeError(
                f"input {name}=…: wanted the name of a source or input "
                f"({', '.join(known)}), got {name!r}{nearest(name, known)}"
            )
        bound[name or sources[0]] = value
    return bound


def _problems(
    pipeline: Pipeline, sources: Mapping[str, Opened], inputs: Mapping[str, OpenedInput]
) -> Iterator[str]:
    columns = _pool_columns(sources)
    for i, text in _clashes(sources):
        yield f"{pipeline.at(('sources', i))}: {text}"
    input_columns = {name: opened.schema for name, opened in inputs.items()}
    for i, stage in enumerate(pipeline.stages):
        path: Path = ("stages", i, stage.stage_name())
        who = f"{pipeline.at(path)}: stage {stage.label}"
        for name in stage.reads():
            if name not in columns and name not in stage.uses:
                made = [s.label for s in pipeline.stages if _adds(s, name)]
                hint = f"; {made[0]} adds it, but stands later" if made else nearest(name, columns)
                yield f"{who}: reads the column {name!r}, which no source has or stage adds{hint}"
        # A stage may judge only what it can see: columns that are missing were named above.
        if all(n in columns or n in stage.uses for n in stage.reads()):
            for problem in stage.check(columns, input_columns):
                at = pipeline.at((*path, problem.field)) if problem.field else pipeline.at(path)
                yield f"{at}: stage {stage.label}: {_in_words(problem)}"
        if isinstance(stage, Enricher | GlobalEnricher | Asker | Selector):
            columns |= stage.adds()


def _adds(stage: object, name: str) -> bool:
    return isinstance(stage, Enricher | GlobalEnricher | Asker | Selector) and name in stage.adds()


def _pool_columns(sources: Mapping[str, Opened]) -> dict[str, pl.DataType]:
    columns: dict[str, pl.DataType] = dict(pool.PLACE_COLUMNS)
    for opened in sources.values():
        for name in opened.brings:
            columns.setdefault(name, opened.schema[name])
    return columns


def _clashes(sources: Mapping[str, Opened]) -> Iterator[tuple[int, str]]:
    owner: dict[str, str] = {}
    for i, (source, opened) in enumerate(sources.items()):
        for name in opened.brings:
            first = owner.setdefault(name, source)
            mine, other = opened.schema[name], sources[first].schema[name]
            if mine != other:
                text = f"column {name} is {mine}, but {other} in source {first}"
                yield i, f"source {source}: {text}; wanted one dtype: rename one in `columns`"


def _in_words(problem: Problem) -> str:
    field = f"field {problem.field}: " if problem.field else ""
    todo = f"; {problem.todo}" if problem.todo else ""
    return f"{field}wanted {problem.wanted}, got {problem.got}{todo}"

"""A whole run for nothing: its models stand in as emulated ones on this machine.

The emulated solvers and teachers know the pool's reference answers and are right as often as they
are told to be. What they say is stored in the run's own folder, never among paid replies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data import planning, reading, running
from s1data.emulator import Emulator, Script
from s1data.emulator.script import Role
from s1data.errors import RecipeError
from s1data.planning import Plan
from s1data.preparing import prepare
from s1data.recipe import Pipeline
from s1data.run import Run
from s1data.serving import Means
from s1data.stage import Asker
from s1data.stages.asked_attempts import AddAttempts
from s1data.stages.asked_domains import AddModelDomain
from s1data.stages.asked_grades import AddJudgeGrades
from s1data.stages.asked_traces import AddTraces

ROLES: Final[tuple[tuple[type[Asker], Role], ...]] = (
    (AddAttempts, "solver"),
    (AddTraces, "teacher"),
    (AddModelDomain, "classifier"),
    (AddJudgeGrades, "judge"),
)


def run(
    pipeline: Pipeline,
    out: str | Path | None = None,
    *,
    rehearse: bool | None = None,
    script: Script | None = None,
    log: Path | None = None,
    **options: Any,  # noqa: ANN401 - handed on as they are
) -> Run:
    """Runs a recipe, as a rehearsal where that is wanted; ``options`` are `s1data.running.run`'s.

    ``rehearse`` None leaves it to the recipe, unless ``means`` has endpoints. A rehearsal goes to
    ``runs/NAME-rehearsal`` unless said otherwise; the recipe's own one to ``runs/NAME``.
    """
    means = options.pop("means", None) or Means()
    if not _rehearsed(pipeline, means, rehearse):
        return running.run(pipeline, out, means=means, **options)
    given = options.get("inputs"), options.get("limit")
    with rehearsing(pipeline, means, *given, script=script, log=log) as emulated:
        return running.run(pipeline, _place(pipeline, out), means=emulated, **options)


def plan(
    pipeline: Pipeline,
    out: str | Path | None = None,
    *,
    rehearse: bool | None = None,
    **options: Any,  # noqa: ANN401 - handed on as they are
) -> Plan:
    """Plans a run, or a rehearsal as `run` would make it; ``options`` are `planning.plan`'s."""
    means = options.pop("means", None) or Means()
    if not _rehearsed(pipeline, means, rehearse):
        return planning.plan(pipeline, out, means=means, **options)
    if not options.get("pilot"):
        means = replace(means, rehearsal=True)
        return planning.plan(pipeline, _place(pipeline, out), means=means, **options)
    given = options.get("inputs"), options.get("limit")
    with rehearsing(pipeline, means, *given) as emulated:
        return planning.plan(pipeline, _place(pipeline, out), means=emulated, **options)


def _rehearsed(pipeline: Pipeline, means: Means, rehearse: bool | None) -> bool:
    if rehearse is None:
        return pipeline.rehearsal and not means.endpoints
    if rehearse and means.endpoints:
        raise RecipeError("a rehearsal serves every model itself: give no address of one")
    return rehearse


def _place(pipeline: Pipeline, out: str | Path | None) -> str | Path | None:
    if out is None and not pipeline.rehearsal:
        return Path("runs") / f"{pipeline.name}-rehearsal"
    return out


@contextmanager
def rehearsing(
    pipeline: Pipeline,
    means: Means,
    inputs: Mapping[str, Any] | None = None,
    limit: int | None = None,
    *,
    script: Script | None = None,
    log: Path | None = None,
) -> Iterator[Means]:
    """Serves the recipe's models on the loopback; yields the means that ask them there.

    ``inputs`` and ``limit`` are those of the run, whose pool the emulated models know. ``script``
    says more of them: skills, faults. ``log`` gets one JSON line per request.
    """
    rows, _ = reading.read(prepare(pipeline, inputs, limit))
    names = [name for name in ("question", "answer") if name in rows.columns]
    answers = rows.select(names).with_columns(
        **{name: pl.lit(None, pl.String) for name in ("answer",) if name not in names}
    )
    with Emulator(_cast(pipeline, script or Script()), answers=answers, log=log) as server:
        stand_ins = {
            name: (server.url if spec.provider == "gemini" else server.openai_url,)
            for name, spec in pipeline.models.items()
        }
        asked = {
            name for stage in pipeline.stages if isinstance(stage, Asker) for name in stage.models()
        }
        endpoints = {name: urls_ for name, urls_ in stand_ins.items() if name in asked}
        yield replace(means, endpoints=endpoints, rehearsal=True)


def _cast(pipeline: Pipeline, script: Script) -> Script:
    """The script with a role for each model that it does not name, by the stage that asks it."""
    named = dict(script.models)
    roles: dict[str, set[Role]] = {}
    for stage in pipeline.stages:
        for kind, role in ROLES:
            if isinstance(stage, kind):
                for name in stage.models():
                    roles.setdefault(pipeline.models[name].model, set()).add(role)
    # One that plays two parts is told by its prompts which of them is wanted.
    parts = {name: next(iter(played)) for name, played in roles.items() if len(played) == 1}
    new = {
        name: script.persona(name).model_copy(update={"role": role})
        for name, role in parts.items()
        if name not in named
    }
    return script.model_copy(update={"models": (*script.models, *sorted(new.items()))})

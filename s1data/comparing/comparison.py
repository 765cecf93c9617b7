"""Runs and baselines side by side: frames for a program, plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.comparing import measures, nearness, populations, seeds
from s1data.comparing.baselines import Drawn, baselines
from s1data.comparing.held import Held, held, length_by
from s1data.errors import RunError
from s1data.progress import Silent, Teller
from s1data.run import Run

FORMAT: Final = 1
SEEDS: Final = 20
NOTE: Final = (
    "No figure here predicts the accuracy of a trained model, and no set is called better. "
    "GPU hours are the paper's 6.93 H100 hours per 1,000 rows of s1K, by rows alone."
)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    population: str
    """The population whose coverage is told, over all runs."""
    encoder: str
    """What made the vectors."""
    population_rows: int
    """Rows of the population that have a vector, each question once."""
    length_of: str
    """What is compared as length: what the first selector that goes by one goes by."""
    sets: pl.DataFrame
    """One line for each set: ``set``, ``kind`` (run, or one of `baselines.KINDS`), ``population``
    that a baseline is drawn from, then the figures of `measures.figures`, ``coverage_mean`` and
    ``coverage_max`` (distance of the population to the nearest chosen row)."""
    overlap: pl.DataFrame
    """One line for each pair of sets: ``set``, ``other``, ``ids`` and ``questions`` that both have
    (by id, and by normalised text), and ``share`` of the smaller one by id."""
    distributions: pl.DataFrame
    """``set`` and the lines of `measures.distributions`."""
    stability: pl.DataFrame
    """One line for each run: `seeds.Stability`."""
    times: pl.DataFrame
    """``set``, ``id`` and how many seeds chose the row."""

    def frames(self) -> dict[str, pl.DataFrame]:
        """Every table by its name."""
        names = ("sets", "overlap", "distributions", "stability", "times")
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``times`` is left to the frames, a line for each row."""
        tables = {n: f.to_dicts() for n, f in self.frames().items() if n != "times"}
        return {
            "format": FORMAT,
            "note": NOTE,
            "population": self.population,
            "population_rows": self.population_rows,
            "encoder": self.encoder,
            "length_of": self.length_of,
            **tables,
        }

    def _repr_html_(self) -> str:
        return f"{self.sets._repr_html_()}<p>{NOTE}</p>"


def compare(
    runs: Sequence[Run | str | Path],
    *,
    population: str = "difficulty",
    encoder: str | None = None,
    seed_count: int = SEEDS,
    tell: Teller | None = None,
) -> Comparison:
    """Compares finished runs, or folders of pushed sets, with each other and with baselines.

    Baselines are as large as the first run's set and drawn from its populations. ``population``
    (pool, quality, difficulty, or a stage's label) is what coverage is told of, over the rows of
    all runs that have it. ``encoder`` is as in ``add_embedding``; unless given, that of the first
    recipe that has one, else TF-IDF. Raises RunError for a run that is not finished, StageError
    where an encoder cannot be had.
    """
    teller = tell or Silent()
    if not runs:
        raise RunError("compare: wanted one run or more, got none")
    opened = [_open(run) for run in runs]
    length_of = length_by(opened)
    every = [held(run, name, length_of) for run, name in zip(opened, _names(opened), strict=True)]
    first = every[0]
    sets = [Drawn(one.name, "run", None, one.chosen) for one in every]
    sets += baselines(first, populations.drawn_from([first.run.pipeline]))
    named = [one.population(population) for one in every]
    space = _space(every, named, sets, encoder, teller)
    stable, times = _stability(every, seed_count, teller)
    there = space.of(pl.concat([rows["id"] for rows in named]))
    return Comparison(
        population=populations.shown(population, [one.run.pipeline for one in every]),
        encoder=space.encoder,
        population_rows=len(there),
        length_of=length_of,
        sets=pl.DataFrame(
            [_line(drawn, nearness.distances(there, space.of(drawn.rows["id"]))) for drawn in sets],
            infer_schema_length=None,
        ),
        overlap=pl.DataFrame([_overlap(a, b) for a, b in combinations(sets, 2)]),
        distributions=pl.DataFrame(
            [{"set": s.name, **line} for s in sets for line in measures.distributions(s.rows)],
            infer_schema_length=None,
        ),
        stability=stable,
        times=times,
    )


def _open(run: Run | str | Path) -> Run:
    from s1data.hub.fetching import open_set

    found = run if isinstance(run, Run) else open_set(run)
    _ = found.manifest
    return found


def _names(runs: Sequence[Run]) -> list[str]:
    short = [run.path.resolve().name for run in runs]
    names = [
        name if short.count(name) == 1 else str(run.path)
        for name, run in zip(short, runs, strict=True)
    ]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RunError(f"compare: wanted different runs, got {twice[0]} more than once")
    return names


def _space(
    every: Sequence[Held],
    named: Sequence[pl.DataFrame],
    sets: Sequence[Drawn],
    encoder: str | None,
    tell: Teller,
) -> nearness.Space:
    rows = [*named, *(drawn.rows for drawn in sets)]
    questions = pl.concat([frame.select("id", "question") for frame in rows])
    stages = [stage for one in every for stage in one.run.pipeline.stages]
    tell.begin("vectors", questions["id"].n_unique())
    fields = nearness.encoder_fields(stages, encoder)
    return nearness.embedded(questions, fields, tell.tick)


def _stability(
    every: Sequence[Held], seed_count: int, tell: Teller
) -> tuple[pl.DataFrame, pl.DataFrame]:
    lines, times = [], []
    for one in every:
        tell.begin(f"seeds of {one.name}", seed_count)
        figures, counts = seeds.stability(one, seed_count, tell.tick)
        lines.append({"set": one.name, **asdict(figures)})
        times.append(counts.select(pl.lit(one.name).alias("set"), "id", "times"))
    return pl.DataFrame(lines, infer_schema_length=None), pl.concat(times)


def _line(drawn: Drawn, away: tuple[float, float] | None) -> dict[str, Any]:
    mean, most = away or (None, None)
    return {
        "set": drawn.name,
        "kind": drawn.kind,
        "population": None if drawn.population is None else populations.shown(drawn.population),
        **measures.figures(drawn.rows),
        "coverage_mean": mean,
        "coverage_max": most,
    }


def _overlap(one: Drawn, other: Drawn) -> dict[str, Any]:
    ids = set(one.rows["id"]) & set(other.rows["id"])
    keys = set(one.rows["key"].drop_nulls()) & set(other.rows["key"].drop_nulls())
    least = min(one.rows["id"].n_unique(), other.rows["id"].n_unique())
    return {
        "set": one.name,
        "other": other.name,
        "ids": len(ids),
        "questions": len(keys),
        "share": len(ids) / max(least, 1),
    }

"""An Asker's rows in waves, where it names which are to be asked about next (`Asker.wave`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from s1data.asking import Asked
from s1data.asking.known import Replies
from s1data.serving import Serving
from s1data.stage import Asker

Tick = Callable[[int, int], None]


def in_waves(stage: Asker, rows: pl.DataFrame, serving: Serving, tick: Tick) -> Asked:
    """As `Serving.ask`, wave by wave; rows that no wave named have the columns of no reply."""
    columns = stage.columns(rows, Replies(serving.specs, serving.texts))
    wave = stage.wave(rows, columns)
    if wave is None:
        return serving.ask(stage, rows, tick)
    whole = serving.ask(stage, rows.clear(), tick)
    done: set[int] = set()
    while whole.stopped is None and wave is not None:
        new = [place for place in wave.to_list() if place not in done]
        if not new:
            break
        before, of = len(done), len(done) + len(new)
        asked = serving.ask(stage, rows[new], _from(tick, before, of), judged=bool(done))
        columns = _with(columns, new, asked.columns)
        whole = _joined(whole, asked)
        done.update(new)
        wave = stage.wave(rows, columns)
    return Asked(columns, whole.figures, whole.keys, whole.open, whole.stopped)


def _from(tick: Tick, before: int, of: int) -> Tick:
    return lambda done, _: tick(before + done, of)


def _with(columns: pl.DataFrame, places: list[int], new: pl.DataFrame) -> pl.DataFrame:
    """``columns`` with the lines at ``places`` in place of what was there."""
    order = list(range(columns.height))
    for at, place in enumerate(places):
        order[place] = columns.height + at
    return pl.concat([columns, new])[order]


def _joined(one: Asked, two: Asked) -> Asked:
    return Asked(
        two.columns,
        {name: _sum(one.figures.get(name, {}), two.figures[name]) for name in two.figures},
        sorted({*one.keys, *two.keys}),
        dict(sorted((one.open | two.open).items())),
        two.stopped,
    )


def _sum(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(one)
    for name, value in two.items():
        held = out.get(name)
        if isinstance(value, Mapping):
            out[name] = dict(sorted(_sum(held or {}, value).items()))
        else:
            out[name] = value if held is None else round(held + value, 9)
    return out

"""Two models, as trained on two sets, held against each other: the same budget, by question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError
from s1data.scaling import metrics, settings
from s1data.scaling.curves import by_question

Shares = Mapping[str, Mapping[str, float]]
"""By budget, the share of each question's samples that are right."""

_OF_THE_MODEL: Final = frozenset({"model", "prompt", "marks"})
"""Settings in which two models may differ; others say how they were measured."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another model's sweep."""

    folder: Path
    shares: Shares
    rows: Mapping[str, str]
    """By id, the digest of question and answer."""
    settings: Mapping[str, Any]


def read(folder: Path, budgets: Iterable[str], frame: pl.DataFrame) -> Other:
    """The sweep in ``folder`` at those of the budgets that it has.

    ``frame`` (id, question, answer) is asked here: PoolError where nothing can be compared.
    """
    files = {file.stem: file for file in sorted((folder / "samples").glob("*.parquet"))}
    told = settings.read(folder / settings.FILE)
    wanted = sorted(set(budgets))
    if not files or told is None:
        raise PoolError(f"{folder}: wanted a folder that s1data scale wrote, got no samples in it")
    if not set(wanted) & set(files):
        raise PoolError(
            f"{folder}: wanted samples of {' or '.join(wanted)}, it has {', '.join(files)}; two "
            "models are told apart at the same budget"
        )
    ours = settings.digests(frame)
    both = [id_ for id_ in told["rows"] if id_ in ours]
    if not both:
        raise PoolError(f"{folder}: wanted samples of the same questions, got none of these ids")
    if other := [id_ for id_ in both if told["rows"][id_] != ours[id_]]:
        raise PoolError(
            f"{folder}: its question or answer with the id {other[0]} is another one than here; "
            "two models are told apart by the same questions"
        )
    shares = {name: _shares(files[name]) for name in wanted if name in files}
    return Other(folder, shares, told["rows"], told["settings"])


def lines(home: Path, budgets: Iterable[str], frame: pl.DataFrame, other: Other) -> list[str]:
    """What to say of the sweep in ``home`` and the other one, by budget that both have."""
    ours = read(home, budgets, frame)
    said = [
        f"{name}, from {other.folder}: {metrics.difference(other.shares[name], shares)}"
        for name, shares in ours.shares.items()
        if name in other.shares
    ]
    both = len(ours.rows.keys() & other.rows.keys())
    if not both == len(ours.rows) == len(other.rows):
        said.append(
            f"of {len(ours.rows):,} questions here and {len(other.rows):,} there {both:,} are in "
            "both, and only those were compared"
        )
    differ = {
        name: (ours.settings.get(name), other.settings.get(name))
        for name in dict.fromkeys((*ours.settings, *other.settings))
        if name not in _OF_THE_MODEL and ours.settings.get(name) != other.settings.get(name)
    }
    said += [
        f"measured differently: {name} is {here!r} here, {there!r} there"
        for name, (here, there) in differ.items()
    ]
    return said


def _shares(file: Path) -> dict[str, float]:
    try:
        return by_question(pl.read_parquet(file, columns=["id", "right"]))
    except (pl.exceptions.PolarsError, OSError) as error:
        said = str(error).splitlines()[0]
        raise PoolError(f"{file}: wanted samples of s1data scale: {said}") from None

"""What a set costs end to end: the models that were asked, a training run, an evaluation.

Dollars of models are the manifest's. A training run counts by its record where there is one, else
at the rate of the s1 paper. What nobody counted is said to be not counted, and is no zero.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError, RunError
from s1data.export.samples import check, samples
from s1data.run import Run
from s1data.scaling.prompting import RECORD
from s1data.serving import SPENDING
from s1data.store import Spending

PAPER_HOURS: Final = 26 / 60 * 16
"""H100-hours of s1-32B: 26 minutes on 16 (s1 paper, section 4.1; 6.93)."""
PAPER_ROWS: Final = 1_000
PAPER_EPOCHS: Final = 5


_COUNTS: Final = ("requests", "prompt_tokens", "thinking_tokens", "answer_tokens", "usd")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of the table."""

    part: str
    what: str
    usd: float | None
    """None: not counted, or without a price."""
    figures: Mapping[str, Any]


def cost(
    run: Run,
    *,
    training: Path | None = None,
    evaluation: Path | None = None,
    gpu_usd: float | None = None,
    epochs: float = PAPER_EPOCHS,
) -> list[Item]:
    """The lines of a finished run; RunError where it is damaged.

    ``training`` is the folder of a trained model, ``evaluation`` one of `s1data scale`, ``gpu_usd``
    dollars of a GPU-hour. PoolError where a folder is not what it is taken for.
    """
    trained = _estimated(run, epochs) if training is None else _measured(training)
    return [*_models(run), _training(trained, gpu_usd), _evaluation(evaluation)]


def total(items: list[Item]) -> float | None:
    """Dollars of all lines that have some; None where none has."""
    counted = [item.usd for item in items if item.usd is not None]
    return sum(counted) if counted else None


def _models(run: Run) -> list[Item]:
    asked, rehearsal = run.manifest.get("models"), bool(run.manifest.get("rehearsal"))
    if not isinstance(asked, dict):
        raise _damaged(run, "models")
    if not asked:
        what = "none was asked; what recorded attempts and traces cost is not counted"
        return [Item(part="models", what=what, usd=None, figures={})]
    for name, used in asked.items():
        if not isinstance(used, dict) or not all(_is_amount(used.get(key, 0)) for key in _COUNTS):
            raise _damaged(run, f"models, {name}")
    return [_model(name, used, rehearsal=rehearsal) for name, used in sorted(asked.items())]


def _is_amount(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and value >= 0
    )


def _damaged(run: Run, where: str) -> RunError:
    return RunError(
        f"{run.path / 'manifest.json'}: {where}: not as a run writes it; run the recipe again into "
        "this folder, which pays for nothing twice"
    )


def _model(name: str, used: Mapping[str, Any], *, rehearsal: bool) -> Item:
    requests, tokens = used.get("requests", 0), _tokens(used)
    usd = float(used.get("usd", 0.0))
    what = f"{name}: {requests:,} calls, {tokens:,} tokens generated"
    if rehearsal:
        what += ", a rehearsal: nothing was paid" + (f" of ${usd:,.2f}" if usd else "")
    elif not usd:
        what += ", without a price"
    paid = 0.0 if rehearsal else usd or None
    return Item(part="models", what=what, usd=paid, figures={"model": name, **used})


def _tokens(used: Mapping[str, Any]) -> int:
    return int(used.get("thinking_tokens", 0) + used.get("answer_tokens", 0))


def _estimated(run: Run, epochs: float) -> dict[str, Any] | None:
    """None for a set without traces: there is nothing to train on."""
    rows = run.selected
    try:
        check(rows.schema, str(run.path))
    except PoolError:
        return None
    found, _ = samples(rows, "best")
    counted = [one.tokens for one in found if one.tokens is not None]
    return {
        "rows": len(found),
        "tokens": sum(counted) if len(counted) == len(found) else None,
        "gpu_hours": PAPER_HOURS * len(found) / PAPER_ROWS * epochs / PAPER_EPOCHS,
        "epochs": epochs,
        "measured": False,
    }


def _measured(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        found = {name: record[name] for name in ("rows", "tokens", "gpu_hours", "gpu")}
        found["epochs"] = record["settings"]["epochs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PoolError(
            f"{folder}: wanted the folder of a model that s1data.scaling.train made, with "
            f"{RECORD} in it"
        ) from error
    for name in ("rows", "tokens", "epochs", "gpu_hours"):
        if not _is_amount(found[name]) and (name != "gpu_hours" or found[name] is not None):
            raise PoolError(
                f"{folder / RECORD}: {name}: wanted a number from 0 on, got {found[name]!r}; it is "
                "not as training wrote it"
            )
    return {**found, "measured": True}


def _training(trained: dict[str, Any] | None, gpu_usd: float | None) -> Item:
    if trained is None:
        what = "not estimated: the set has no traces with their texts to train on"
        return Item(part="training", what=what, usd=None, figures={})
    hours, tokens = trained["gpu_hours"], trained["tokens"]
    what = f"{trained['rows']:,} rows, " + (
        f"{tokens:,} tokens, " if tokens is not None else "tokens not counted, "
    )
    what += f"{trained['epochs']:g} epochs: "
    if hours is None:
        what += "on a processor, no GPU"
    elif trained["measured"]:
        what += f"{hours:,.2f} hours of {trained['gpu']}"
    else:
        what += (
            f"{hours:,.2f} H100-hours at the s1 paper's rate (32B; {PAPER_HOURS:.2f} for "
            f"{PAPER_ROWS:,} rows)"
        )
    if hours is not None and gpu_usd is None:
        what += "; for dollars give --gpu-usd"
    usd = None if hours is None or gpu_usd is None else hours * gpu_usd
    return Item(part="training", what=what, usd=usd, figures={**trained, "gpu_usd": gpu_usd})


def _evaluation(folder: Path | None) -> Item:
    if folder is None:
        what = "not counted; give a folder of s1data scale with --evaluation"
        return Item(part="evaluation", what=what, usd=None, figures={})
    files = sorted((folder / "samples").glob("*.parquet"))
    if not files:
        raise PoolError(f"{folder}: wanted a folder of s1data scale, with samples in it")
    answers = tokens = 0
    for file in files:
        try:
            table = pl.read_parquet(file, columns=["thinking_tokens", "answer_tokens"], glob=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PoolError(
                f"{file}: cannot be read as samples: {str(error).splitlines()[0]}; run s1data "
                "scale into the folder again"
            ) from error
        answers += table.height
        tokens += sum(int(column.sum()) for column in table.iter_columns())
    usd = None
    # An empty one says nothing: it was cut, or the process was killed before it wrote.
    if (folder / SPENDING).is_file() and (folder / SPENDING).stat().st_size:
        with Spending(folder / SPENDING, None) as spending:
            usd = spending.spent
    what = f"{len(files)} budgets, {answers:,} answers, {tokens:,} tokens generated"
    what += "" if usd is not None else ", without a price"
    figures = {"budgets": len(files), "answers": answers, "tokens": tokens}
    return Item(part="evaluation", what=what, usd=usd, figures=figures)

"""The scorers of reasoning-gym's families against the scores recorded with real attempts.

    python -m bench.gym_scorers [SETTINGS.yaml]

The record has no metadata, but its public evaluation says how its questions were made: 50 of each
family from seed 45. So they are made again, and an entry counts only where its question and its
answer are those of the record, letter by letter. The easy half has the families' defaults;
SETTINGS.yaml (``eval/yaml/hard/deepseek-r1.yaml`` of open-thought/reasoning-gym) has those of the
hard half. What a newer version makes otherwise, or too slowly, is left out and listed.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.graders import gym, workers
from s1data.sources.gym import metadata_text

SEED, SIZE = 45, 50
PATIENCE: Final = 20.0
"""CPU seconds of one family after which the rest of its questions is left out."""
SLOW: Final = frozenset({"knight_swap"})
"""Searches for a minute and more on one question, and then makes others than the record has."""


def settings(path: str | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Level and family to the settings it was made with."""
    if path is None:
        return {}
    from ruamel.yaml import YAML

    given = YAML(typ="safe").load(Path(path))["categories"]
    listed = (one for category in given for one in category["datasets"])
    return {("hard", one["dataset"]): dict(one.get("params") or {}) for one in listed}


def made_again(family: str, fields: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Metadata by question and answer, as a source of s1data gives it."""
    if family in SLOW:
        return {}
    from reasoning_gym.factory import create_dataset

    out: dict[tuple[str, str], str] = {}
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):  # some families print while they search
        entries = create_dataset(family, seed=SEED, size=SIZE, **fields)
        for place in range(SIZE):
            entry = entries[place]
            out[entry["question"], str(entry["answer"])] = metadata_text(entry["metadata"])
            if time.process_time() - started > PATIENCE:
                break
    return out


def with_metadata(rows: pl.DataFrame, given: dict[tuple[str, str], Any]) -> pl.DataFrame:
    """Rows with the metadata of their entry; null where it could not be made again."""
    found: list[pl.DataFrame] = []
    for (dataset,), lines in rows.group_by("dataset", maintain_order=True):
        level, _, family = str(dataset).split("/")[1:]
        fields = {} if level == "easy" else given.get((level, family))
        entries = {} if fields is None else made_again(family, fields)
        keys = lines.select("question", "reference_answer").iter_rows()
        texts = [entries.get(key) for key in keys]  # type: ignore[call-overload] # two texts
        found.append(lines.with_columns(metadata=pl.Series(texts, dtype=pl.String)))
    return pl.concat(found).with_columns(family=pl.col("dataset").str.split("/").list.last())


def scored(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with what the scorer says of the answer, and in ``why`` why it says nothing."""
    columns = ("reference_answer", "final_answer", "question", "metadata")
    asked = [gym.task(*line) for line in rows.select(columns).iter_rows()]
    tasks = [task for task in asked if not isinstance(task, str)]
    with workers.Workers() as processes:
        outcomes = iter(processes.outcomes(tasks))
    out = [task if isinstance(task, str) else next(outcomes) for task in asked]
    return rows.with_columns(
        right=pl.Series([o if isinstance(o, bool) else None for o in out], dtype=pl.Boolean),
        why=pl.Series([o if isinstance(o, str) else None for o in out], dtype=pl.String),
    )


def main() -> None:
    """Prints the figures that docs/grading.md quotes."""
    rows = pl.read_parquet(Path(os.environ["S1DATA_REAL"]) / "attempts_reasoning_gym.parquet")
    given = settings(sys.argv[1] if len(sys.argv) > 1 else None)
    whole = with_metadata(rows, given)
    there = whole.drop_nulls("metadata")
    print(f"{rows.height:,} attempts, {there.height:,} of them at questions made again")
    lost = whole.filter(pl.col("metadata").is_null())
    print("not made again:", dict(Counter(lost["dataset"].to_list()).most_common()))
    table = scored(there.drop_nulls("final_answer")).with_columns(full=pl.col("score") >= 1.0)
    print(f"{table.height:,} of these have an answer; no verdict:")
    print(dict(Counter(table["why"].drop_nulls().to_list()).most_common()))
    judged = table.drop_nulls("right")
    same = int((judged["right"] == judged["full"]).sum())
    print(f"scored {judged.height:,}, as recorded {same:,} ({same / judged.height:.2%})")
    off = judged.filter(pl.col("right") != pl.col("full"))
    print(off.group_by("family", "right", "full").len().sort("len", descending=True).head(30))
    if len(sys.argv) > 2:
        off.write_parquet(sys.argv[2])


if __name__ == "__main__":
    main()

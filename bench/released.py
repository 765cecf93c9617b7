"""How much of the released s1K a draw by the specification has, over 1,000 seeds, in both forms.

    python -m bench.released [RUN] [--seeds N]

The draw of s1 was unseeded, so its 1,000 rows cannot come out again; what can be told is how many
of them a draw by the same rule has. Two ways draw: `keep_s1`, and a loop that follows the published
rule to the letter with a generator of its own; they should agree. Beside them: how many a random
set of that size has on average, and what two seeds share.

Without RUN the population is the real pool: rows with a solution, s1's format filter, each question
once. s1's features are not there, so stand-ins are taken: 51 clusters of TF-IDF for the classes,
the characters of the solution for the tokens of thinking, no difficulty filter, no preselection;
the mix of the notebook's form has AIME alone. RUN is a finished run of `s1k-replay` or
`s1k-recorded`, whose recorded columns are s1's own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from s1data.acting import act, with_places
from s1data.comparing.held import held
from s1data.comparing.seeds import selector_keys
from s1data.engine import LocalEngine
from s1data.run import Run
from s1data.stages import get
from s1data.stages.s1_selection import KeepS1

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")
AIME = "qq8933/AIME_1983_2024"
MIX = {"hand_over": 700, "as_counted": [AIME], "scaled": ["Idavidrein/gpqa"]}
CLASSES = 51


def stand_ins(limit: int | None = None) -> pl.DataFrame:
    """Keys of `keep_s1` over the real pool, with stand-ins for the features of s1."""
    columns = ["question", "solution", "source_type"]
    rows = pl.read_parquet(REAL / "pool.parquet", columns=columns, n_rows=limit)
    rows = rows.filter(pl.col("solution").str.strip_chars() != "").unique(
        "question", keep="first", maintain_order=True
    )
    with tempfile.TemporaryDirectory() as home:
        engine = LocalEngine(read=lambda _: pl.DataFrame(), vectors_home=Path(home))
        frame = with_places(rows)
        for name, fields in (
            ("drop_malformed", {"rules": "s1"}),
            ("add_embedding", {"encoder": "tfidf-svd"}),
            ("add_cluster_domain", {"k": CLASSES}),
        ):
            frame = act(get(name).model_validate(fields), frame, engine).kept
    stage = selector("notebook", 0)
    return stage.keys(frame.with_columns(size=pl.col("solution").str.len_chars()))


def selector(form: str, seed: int) -> KeepS1:
    mix = {"mix": MIX} if form == "notebook" else {}
    return KeepS1.model_validate({"form": form, "length_from": "size", "seed": seed, **mix})


def ours(keys: pl.DataFrame, stage: KeepS1) -> set[int]:
    """Places in ``keys`` of the set that the stage draws."""
    first = keys.get_column("preselected").to_numpy()
    chosen = set(np.flatnonzero(first).tolist())
    for draw in stage.draws(keys):
        if len(chosen) >= stage.n:
            break
        chosen.add(draw.row)
    return chosen


def literal(keys: pl.DataFrame, stage: KeepS1) -> set[int]:
    """The published rule as it stands: a domain, then the k-th longest left with weight 2^-k."""
    rng = np.random.default_rng(stage.seed)
    placed = keys.with_row_index("at").filter(pl.col("domain").is_not_null())
    longest = placed.sort("length", "id", descending=[True, False], nulls_last=True)
    parts = longest.group_by("domain", maintain_order=True).agg("at").iter_rows()
    left = {domain: list(members) for domain, members in parts}
    mix = stage.mix.weights(keys) if stage.mix else {}
    hand_over = stage.mix.hand_over if stage.mix else stage.n
    chosen = set(np.flatnonzero(keys.get_column("preselected").to_numpy()).tolist())
    names = sorted(left)
    while len(chosen) < stage.n and names:
        if len(chosen) >= hand_over and (live := [d for d in names if d in mix]):
            weights = np.array([mix[d] for d in live], float)
            domain = live[int(rng.choice(len(live), p=weights / weights.sum()))]
        else:
            domain = names[int(rng.integers(len(names)))]
        members = left[domain]
        whole = 1.0 - 0.5 ** len(members)
        place = int(-np.log2(1.0 - rng.random() * whole))
        chosen.add(members.pop(min(place, len(members) - 1)))
        if not members:
            names.remove(domain)
    return chosen


def of_run(path: str) -> Iterator[tuple[str, pl.DataFrame, KeepS1]]:
    found = held(Run.open(path), path, "question")
    stage = found.selector
    if not isinstance(stage, KeepS1):
        raise SystemExit(f"{path}: wanted a run whose last selector is keep_s1")
    said = found.rows.select("row", "preselected")
    keys = selector_keys(found, stage).sort("id", "row")
    keys = keys.join(said, on="row", how="left", maintain_order="left")
    yield stage.form, keys, stage
    if stage.form == "notebook":
        paper = {"form": "paper", "length_from": stage.length_from, "n": stage.n}
        yield "paper", keys, KeepS1.model_validate(paper)


def over_seeds(
    keys: pl.DataFrame, stage: KeepS1, seeds: int, draw: Callable[[pl.DataFrame, KeepS1], set[int]]
) -> tuple[np.ndarray, float]:
    """How many released rows the set of each seed has; the share that neighbouring seeds share."""
    released = set(pl.read_parquet(REAL / "s1k_selected.parquet")["question_hash"].to_list())
    mine = np.flatnonzero(keys["id"].is_in(released).to_numpy())
    counts, shared, before = [], [], set[int]()
    for seed in range(seeds):
        chosen = draw(keys, stage.model_copy(update={"seed": seed}))
        counts.append(len(chosen.intersection(mine.tolist())))
        shared += [len(chosen & before) / len(chosen)] if seed else []
        before = chosen
    return np.array(counts), float(np.mean(shared)) if shared else 1.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", nargs="?")
    parser.add_argument("--seeds", type=int, default=1_000)
    given = parser.parse_args()
    if not (REAL / "s1k_selected.parquet").exists():
        print("the released set is not here: put it in ../shared/data or set S1DATA_REAL")
        return
    if given.run:
        cases = list(of_run(given.run))
    else:
        keys = stand_ins().sort("id", "row").with_columns(preselected=pl.lit(value=False))
        cases = [(form, keys, selector(form, 0)) for form in ("notebook", "paper")]
    released = pl.read_parquet(REAL / "s1k_selected.parquet")["question_hash"].to_list()
    for form, keys, stage in cases:
        there = int(keys["id"].is_in(released).sum())
        chance = stage.n * there / keys.height
        print(f"{form}: {keys.height:,} rows, {there} of the released 1,000 among them")
        print(f"  a random {stage.n:,} of them has {chance:.1f} on average")
        for name, draw in (("keep_s1", ours), ("the rule to the letter", literal)):
            counts, shared = over_seeds(keys, stage, given.seeds, draw)
            low, high = np.quantile(counts, [0.025, 0.975])
            print(
                f"  {name:<24} {given.seeds:,} seeds: mean {counts.mean():.2f}, "
                f"sd {counts.std():.2f}, "
                f"95% {low:.0f} to {high:.0f}, most {counts.max()}; seed 0 has {counts[0]}; "
                f"two seeds share {shared:.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()

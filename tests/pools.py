"""Small generated pools for tests of the run: plain texts of our own, every filter finds work."""

import json
from pathlib import Path

import polars as pl

from s1data.recipe import Pipeline

RECIPE = """\
name: small
version: 2026.11.0
sources:
  - {name: sums, path: sums.jsonl}
  - {name: more, path: more.parquet, licence: mit}
inputs:
  bench: {path: bench.csv, columns: [question]}
stages:
  - drop_incomplete: {needs: [answer]}
  - drop_malformed: {rules: general, max_chars: 300}
  - drop_contaminated: {against: [bench]}
  - keep_random: {as: keep, n: 20, seed: 1}
"""


def question(i):
    return f"A farmer has {i} sheep and buys {i % 7 + 2} more at the market: how many are there?"


def lay(folder: Path, rows: int = 120) -> Path:
    """Writes the recipe's files into ``folder`` and returns the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {"question": question(i), "answer": None if i % 11 == 0 else i + i % 7 + 2, "note": i}
        for i in range(rows)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    broken = b'{"question": "\xff\xfe broken"}\nnot json at all\n{"question": "   "}\n'
    long = json.dumps({"question": "why " * 200, "answer": "because"}).encode() + b"\n"
    (folder / "sums.jsonl").write_bytes(text.encode() + broken + long)
    other = [
        f"What is left of {i + 40} apples when {i} are eaten by the {i} birds?" for i in range(40)
    ]
    pl.DataFrame({"question": other, "answer": ["40"] * 40}).write_parquet(folder / "more.parquet")
    bench = "question\n" + "".join(f'"{question(i)}"\n' for i in range(0, rows, 10))
    (folder / "bench.csv").write_text(bench, encoding="utf-8")
    recipe = folder / "small.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    return recipe


def pipeline(folder: Path, text: str = RECIPE) -> Pipeline:
    """The recipe with its paths under ``folder``."""
    for name in ("sums.jsonl", "more.parquet", "bench.csv"):
        text = text.replace(f"path: {name}", f"path: {json.dumps(str(folder / name))}")
    return Pipeline.from_yaml(text, "small.yaml")

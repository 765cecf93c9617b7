"""A small run with everything that a published set may hold, made from texts of our own."""

import json
from pathlib import Path

import polars as pl

from s1data.recipe import Pipeline

HOSTILE = (
    "---\nlicense: mit\n---\n# Heading | <script>alert(1)</script> `code` **bold** [x](http://x)?",
    "a: b\n- c: {d: !!python/object e}\n\x00\x07\x1b[31mred\u202ereversed\u2028 | ``` ~~~ <!-- s1data:end about -->?",
    "'\"\\ {{ template }} {% raw %} $x^2$ &amp; <svg onload=y> | col | umn |\r\n\t?",
)
RECIPE = """\
name: shared
version: {version}
description: "Questions about sheep: <b>bold</b> | a *claim*"
sources:
  - {{name: farm, path: {farm}, licence: cc-by-4.0}}
  - {{name: town, path: {town}}}
inputs:
  bench: {{path: {bench}}}
  solved: {{path: {solved}}}
  traces: {{path: {traces}}}
stages:
  - drop_incomplete: {{needs: [answer]}}
  - drop_malformed: {{rules: general, max_chars: 400}}
  - drop_duplicates
  - drop_contaminated: {{against: [bench]}}
  - add_recorded_attempts: {{from: solved, extracted: final_answer, verdict: is_correct}}
  - drop_solved: {{unknown: keep}}
  - add_recorded_traces: {{from: traces, finish: finish, thinking_tokens: thinking_tokens, answer_tokens: answer_tokens, verdict: verdict}}
  - add_trace_checks
  - drop_bad_traces: {{flaws: [cut, empty, wrong]}}
  - keep_longest: {{as: keep, n: {n}, length_from: traces.thinking_tokens}}
"""


def question(i):
    return f"A shepherd has {i} sheep and finds {i * 7 % 23} more behind hill number {i}: how many has she now?"


def lay(folder: Path, *, n=24, version="2026.11.0", town_licence="mit") -> Path:
    """Writes pools, inputs and recipe into ``folder``; the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    farm = [{"question": question(i), "answer": str(i + i * 7 % 23)} for i in range(90)]
    farm += [{"question": q, "answer": "none"} for q in HOSTILE]
    farm += [{"question": question(3), "answer": "24"}, {"question": question(200), "answer": None}]
    _lines(folder / "farm.jsonl", farm)
    streets = [
        f"Street {i} has {i * 3} houses on each of its {i % 5 + 2} sides. How many are there?"
        for i in range(40)
    ]
    town = [
        {"question": q, "answer": str(i), "licence": town_licence} for i, q in enumerate(streets)
    ]
    town += [{"question": f"long {i} " * 80, "answer": "1", "licence": None} for i in range(5)]
    _lines(folder / "town.jsonl", town)
    _lines(
        folder / "bench.jsonl",
        [{"question": question(i), "topic": "sheep"} for i in range(0, 90, 9)],
    )
    solved = [
        {"question": question(i), "model": "small", "final_answer": "?", "is_correct": i % 3 == 0}
        for i in range(90)
    ]
    _lines(folder / "solved.jsonl", solved)
    _lines(folder / "traces.jsonl", list(_traces(streets)))
    recipe = folder / "shared.yaml"
    places = {p.stem: json.dumps(str(p)) for p in folder.glob("*.jsonl")}
    text = RECIPE.format(n=n, version=version, **places)
    recipe.write_text(text, encoding="utf-8")
    return recipe


def _traces(streets):
    asked = [question(i) for i in range(90)] + streets + list(HOSTILE)
    for i, text in enumerate(asked):
        for sample in range(1 + i % 2):
            yield {
                "question": text,
                "model": "big-teacher" if i % 3 else "gemini-teacher",
                "thinking": " ".join(f"Counting {k} of {i} in sample {sample}." for k in range(20)),
                "answer": f"So it is {i}.",
                "finish": "length" if i % 13 == 0 and text not in HOSTILE else "stop",
                "thinking_tokens": 100 + i * 3 + sample,
                "answer_tokens": 5,
                "verdict": None if i % 5 == 0 or text in HOSTILE else i % 4 != 0,
            }


def _lines(path, rows):
    pl.DataFrame(rows, infer_schema_length=None).write_ndjson(path)


def run(folder: Path, out: Path, **options):
    """A finished run of the recipe in ``out``."""
    return Pipeline.load(lay(folder, **options)).run(out)

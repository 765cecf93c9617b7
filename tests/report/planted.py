"""A small run that has everything a report shows, and texts that try what a page must not allow."""

from pathlib import Path

import polars as pl

from s1data.recipe import Pipeline
from s1data.run import Run

SOLVERS = ("small/solver", "large/solver")
HOSTILE = {
    "script": "<script>window.fired='script'</script>",
    "close": "</script></textarea></style></template>--><script>window.fired='close'</script>",
    "image": "<img src=x onerror=\"window.fired='image'\">",
    "svg": "<svg/onload=\"window.fired='svg'\"><animate onbegin=\"window.fired='begin'\">",
    "link": "[click](javascript:window.fired='link') <a href=\"javascript:window.fired='link'\">a</a>",
    "style": "<style>*{display:none!important}</style><link rel=stylesheet href=//127.0.0.1:9/x.css>",
    "css": '" style="position:fixed;inset:0;background:url(//127.0.0.1:9/x)" x="',
    "template": "{{ 7*7 }} {% include 'x' %} ${7*7} #{7*7}",
    "tex": r"$\href{javascript:window.fired='tex'}{x}$ and $\htmlData{onclick=window.fired=1}{y}$",
    "url": r"$\includegraphics{http://127.0.0.1:9/x.png}$ $\url{javascript:window.fired='url'}$",
    "huge": r"$\rule{9999em}{9999em} \raisebox{-999em}{x} \hspace{-9999em} y$",
    "bomb": r"$\def\a{\b\b}\def\b{\c\c}\def\c{\a\a}\a$ $" + "{" * 900 + "x" + "}" * 900 + "$",
    "turned": "right to left \u202e override \u2066 isolate \u200f mark",
    "broken": "null \x00 bell \x07 escape \x1b[31m replacement \ufffd unassigned \U000e0041 joined \U0001f469\u200d\U0001f4bb",
    "wide": "W" * 30_000,
    "stacked": "z" + "\u0301" * 3_000,
}  # fmt: skip
LONG = "a question of many words with a number 12345 in it; " * 100_000  # over 5 MB
TRACE = "Let $x_1 = \\frac{a}{b}$ and so on, step after step.\n" * 2_000  # over 100,000 characters
BENCH = "How many of the seven grey geese on the north shore of the lake fly south"
MATCHES = f"{BENCH}? {HOSTILE['script']}"
FORMULA = r"Show that $\sqrt{2}$ is irrational, though it costs $5 or $6 to print it."

RECIPE = """
name: planted
version: 2026.11.0
description: Everything a report shows.
expected:
  one <paper>: {drop_incomplete: 331, keep: 40}
  another: {keep: 41, drop_duplicates: 300}
sources:
  - {name: first, licence: cc0-1.0}
  - {name: second, licence: mit}
inputs:
  attempts: {}
  traces: {}
  bench: {columns: [question]}
stages:
  - drop_incomplete: {needs: [answer]}
  - drop_duplicates
  - drop_contaminated: {against: [bench]}
  - add_recorded_attempts: {from: attempts}
  - add_recorded_grades
  - drop_solved: {rule: all, unknown: keep}
  - add_recorded_traces: {from: traces, thinking_tokens: tokens}
  - add_embedding: {encoder: tfidf-svd, dimensions: 8}
  - add_cluster_domain: {k: 4}
  - keep_longest: {as: keep, n: 40, length_from: question}
"""


def plain(i):
    return f"Ann has {i} {('apples', 'pears', 'plums')[i % 3]} and gives {i % 7} away: how many are left?"


def hostile(name):
    return f"({name}) {HOSTILE[name]} {'and more words to be long enough ' * 4}"


def questions():
    own = [hostile(name) for name in HOSTILE] + [LONG, FORMULA + " " * 2 + "Be brief. " * 12]
    return own + [plain(i) for i in range(300)]


def run(folder: Path, **sets: object) -> Run:
    """Runs the recipe into ``folder``."""
    texts = questions()
    first = pl.DataFrame(
        {
            "question": [*texts, MATCHES, f"{plain(7)}", None],
            "solution": [
                f"It is {hostile('image')}" if i < 3 else f"{i} in all" for i in range(len(texts))
            ]
            + ["some", "none", "none"],
            "answer": [
                r"\frac{1}{2}" if i < 9 else str(i) if i % 11 else None for i in range(len(texts))
            ]
            + ["1", "2", "3"],
        }
    )
    second = pl.DataFrame({"question": [plain(i) for i in range(290, 330)], "answer": ["4"] * 40})
    attempts = pl.DataFrame(
        [
            {"question": plain(i), "model": solver, "final_answer": "4", "is_correct": verdict}
            for i in range(100)
            for solver, verdict in zip(SOLVERS, (i % 3 == 0, i % 2 == 0), strict=True)
        ]
    )
    traces = pl.DataFrame(
        [
            {
                "question": text,
                "model": "teacher",
                "thinking": TRACE + text[:200],
                "answer": "It is 4.",
                "tokens": 30_000 + i,
            }
            for i, text in enumerate(texts[: len(HOSTILE) + 2])
        ]
    )
    inputs = {"first": first, "second": second, "attempts": attempts, "traces": traces}
    bench = pl.DataFrame({"question": [f"Once more: {BENCH}"]})
    pipeline = Pipeline.from_yaml(RECIPE, "planted.yaml").with_set(sets)
    return pipeline.run(folder, inputs=inputs | {"bench": bench})

"""A first recipe for a pool of one's own: commented, valid, made from the pool's columns."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from s1data import pool
from s1data.errors import PoolError, nearest
from s1data.sources import open_input, open_source
from s1data.sources.spec import Input, Source

GUESSES: Final[dict[str, tuple[str, ...]]] = {
    "question": ("question", "problem", "prompt", "query", "instruction", "input", "text"),
    "answer": ("answer", "final_answer", "gold", "target", "reference_answer", "expected_answer"),
    "solution": ("solution", "rationale", "explanation", "worked_solution", "reasoning"),
    "licence": ("licence", "license", "lic"),
    "source_type": ("source_type", "source", "subset", "dataset"),
}
"""Names under which pools in the wild hold a column, most telling first."""

_TEMPLATE: Final = """\
# A recipe for {path}, made by s1data init. Every line may be changed.
#   s1data plan FILE     checks it and says what would run
#   s1data run FILE      runs it; the same command resumes
#   s1data stages        lists the stages, s1data stages NAME explains one
name: {name}
version: {version}

sources:
  - name: {name}
    path: {quoted}
    # pool column: column of the file{unread}
    columns: {columns}
    {licence}

# Benchmarks that the set must not contain; then uncomment drop_contaminated below.
# inputs:
#   benchmarks: {{path: benchmarks/*.parquet, columns: [question]}}

stages:
  # Rows without these values leave.
  - drop_incomplete: {{needs: [{needs}]}}
  # Too long, a figure that is not there, broken characters.
  - drop_malformed: {{rules: general}}
  # The same question twice: exactly, then after normalising white space and Unicode.
  - drop_duplicates
  # - drop_contaminated: {{against: [benchmarks]}}
  # Vectors without a download; for better ones: encoder: all-MiniLM-L6-v2.
  - add_embedding: {{encoder: tfidf-svd}}
  # Clusters of questions serve as domains, named by their words.
  - add_cluster_domain: {{k: {k}}}
  # Draws a domain, then a question in it, each with equal chance. {others}
  - keep_diverse: {{n: {n}, seed: 0}}
"""


def recipe_for(path: Path, question: str | None = None) -> str:
    """The text of a recipe for the pool at ``path``, which is read once to count its rows.

    ``question`` names the column that holds the questions, where its name does not tell.

    Raises PoolError where there is no pool that can be read, or no column looks like a question.
    """
    names = tuple(open_input(Input(), "POOL", path).schema)
    if path.is_dir() or not path.exists():
        names = tuple(
            name for name in names if name != "file"
        )  # added by the reading of many files
    if question is not None and question not in names:
        raise PoolError(
            f"{path}: wanted a column {question!r}, "
            f"got {', '.join(names)}{nearest(question, names)}"
        )
    columns = _guess(path, names, question)
    slug = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_") or "pool"
    spec = Source(name=slug, path=str(path), columns=tuple(columns.items()))
    rows = open_source(spec).read().rows.height
    n = 1000 if rows >= 2000 else max(rows // 2, 1)
    taken = {*columns.values(), *(set(pool.SOURCE_COLUMNS) & set(names))}
    unread = [n for n in names if n not in taken]
    needs = [c for c in ("question", "answer") if c in columns or c in names]
    has_solution = "solution" in columns or "solution" in names
    return _TEMPLATE.format(
        path=json.dumps(path.name)[1:-1],
        quoted=json.dumps(str(path), ensure_ascii=False),
        name=slug,
        version=f"{datetime.now(UTC):%Y}.{datetime.now(UTC).month}.0",
        unread=f"; not taken: {json.dumps(unread)[1:-1]}" if unread else "",
        columns=json.dumps(columns, ensure_ascii=False),
        licence=(
            "# the column licence says each row's licence"
            if "licence" in columns or "licence" in names
            else "# licence: cc-by-4.0   (whose is it? a set without a licence is hard to share)"
        ),
        needs=", ".join(needs),
        k=max(min(50, rows // 20), 1),
        n=n,
        others="Others: keep_random,\n  # keep_top, keep_longest"
        + (", keep_s1 (long solutions first: length_from: solution)." if has_solution else "."),
    )


def _guess(path: Path, names: tuple[str, ...], question: str | None) -> dict[str, str]:
    found = {"question": question} if question not in (None, "question") else {}
    lower = {name.lower(): name for name in reversed(names)}
    for column, likely in GUESSES.items():
        if column in names or column in found:
            continue
        guess = next((lower[g] for g in likely if g in lower), None)
        if guess is not None and guess not in found.values():
            found[column] = guess
    if "question" not in names and "question" not in found:
        raise PoolError(
            f"{path}: wanted a column that holds questions (such as question, problem or prompt), "
            f"got {', '.join(names) or 'no columns'}; say which with --question COLUMN"
        )
    return found

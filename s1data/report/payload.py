"""Every row packed for the page: columns and texts as gzipped JSON in base64, in blocks.

The page reads ``core`` first (one number per row and column), then the questions, block by block,
for its search; what else is known of a row (``more``) and the texts of its traces and attempts are
unpacked when the row is opened. Rows that do not fit in full keep id, reason, evidence in words
and first words.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl

from s1data.report.facts import TEXTS, Facts
from s1data.report.room import in_full
from s1data.report.words import MOST, Said, for_rows

LIST_ROWS: Final = 2_048
MORE_ROWS: Final = 256
FIRST_WORDS: Final = 160
_TEXT_BLOCK: Final = 500_000
"""Characters of traces and attempts after which a block ends."""
_FULL: Final = " full"  # no column of a pool is called so
_APART: Final = (
    _FULL,
    *("row", "id", "source", "outcome", "stage", "reason", "evidence"),
    *TEXTS,
    *("attempts", "traces", "embedding"),
)


@dataclass(frozen=True)
class Payload:
    """Blocks by name, and how many rows of each outcome are held in full."""

    blocks: dict[str, str]
    rows: dict[str, int]
    in_full: dict[str, int]

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return sum(map(len, self.blocks.values()))


def pack(facts: Facts, most_bytes: int) -> Payload:
    """Packs all rows into ``most_bytes``; what every row keeps is there even if it takes more."""
    said = for_rows(facts, facts.rows)
    room, floor = float(most_bytes), 0
    while True:
        full = in_full(facts, room, _coded)
        packed = _packed(facts, said, full)
        if packed.size <= most_bytes or not full.any():
            return packed
        # The guess of a row's size was too low: what came out says by how much.
        none = pl.repeat(value=False, n=len(full), dtype=pl.Boolean, eager=True)
        floor = floor or _packed(facts, said, none).size
        room *= 0.97 * max(0, most_bytes - floor) / (packed.size - floor)


def coded(value: object) -> str:
    """A JSON-able value as the page reads it."""
    return _coded(orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY))


def _coded(raw: bytes) -> str:
    return base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode()


def _packed(facts: Facts, said: Sequence[Said], full: pl.Series) -> Payload:
    rows = facts.rows.with_columns(full.alias(_FULL))
    shown = pl.when(_FULL).then("question").otherwise(pl.col("question").str.head(FIRST_WORDS))
    questions = rows.select(shown.fill_null(""))["question"]
    blocks = {
        f"list-{n}": coded(questions[start : start + LIST_ROWS].to_list())
        for n, start in enumerate(range(0, rows.height, LIST_ROWS))
    }
    for n, start in enumerate(range(0, rows.height, MORE_ROWS)):
        part = slice(start, start + MORE_ROWS)
        blocks[f"more-{n}"] = coded(list(_more(rows[part], said[part])))
    places: dict[int, tuple[int, int]] = {}
    for n, block in enumerate(_text_blocks(facts, full)):
        blocks[f"text-{n}"] = coded([texts for _, texts in block])
        places |= {row: (n, place) for place, (row, _) in enumerate(block)}
    blocks["core"] = coded(_core(facts, rows) | {"texts": {str(r): p for r, p in places.items()}})
    held = rows.group_by("outcome").agg(rows=pl.len(), full=pl.col(_FULL).sum()).rows()
    return Payload(blocks, {o: n for o, n, _ in held}, {o: n for o, _, n in held})


def _core(facts: Facts, rows: pl.DataFrame) -> dict[str, Any]:
    fates = rows.select("stage", "reason").unique().sort("stage", "reason").rows()
    number = {fate: n for n, fate in enumerate(fates)}
    sources, source = _by_number(rows["source"])
    domains, domain = _by_number(
        rows["domain"].cast(pl.String) if "domain" in rows.columns else None, rows.height
    )
    return {
        "rows": rows.height,
        "list_rows": LIST_ROWS,
        "more_rows": MORE_ROWS,
        "ids": "".join(rows["id"].fill_null(" " * 16).to_list()),
        "stages": [
            {
                "label": c.label,
                "kind": c.record["kind"],
                "adds": _columns(c.read("columns").columns) if c.has("columns") else [],
            }
            for c in facts.checkpoints
        ],
        "fates": [{"stage": stage, "reason": reason} for stage, reason in fates],
        "fate": [number[fate] for fate in rows.select("stage", "reason").iter_rows()],
        "sources": sources,
        "source": source,
        "domains": domains,
        "domain": domain,
        "full": "".join("1" if full else "0" for full in rows[_FULL]),
    }


def _columns(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in ("row", "embedding")]


def _by_number(values: pl.Series | None, rows: int = 0) -> tuple[list[str], list[int]]:
    """The distinct names in order, and the number of each value; -1 where there is none."""
    if values is None:
        return [], [-1] * rows
    names = values.drop_nulls().unique().sort().to_list()
    number = {name: n for n, name in enumerate(names)}
    return names, [number.get(value, -1) for value in values]


def _more(rows: pl.DataFrame, said: Sequence[Said]) -> Iterator[dict[str, Any]]:
    """What opens with each row: short names, since they stand there once for every row."""
    others = [c for c in rows.columns if c not in _APART]
    for line, told in zip(rows.iter_rows(named=True), said, strict=True):
        more: dict[str, Any] = {"words": told.words, "setting": told.setting}
        evidence = line["evidence"]
        if evidence is not None and (line[_FULL] or len(evidence) <= MOST):
            more["evidence"] = evidence
        if line[_FULL]:
            texts = ("solution", "answer", "source_type", "licence", "metadata")
            more |= {name: line[name] for name in texts}
            more["attempts"] = line.get("attempts")
            more["traces"] = line.get("traces")
            more["columns"] = {name: line[name] for name in others}
        yield {name: value for name, value in more.items() if value not in (None, [], {})}


def _text_blocks(facts: Facts, full: pl.Series) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Blocks of (row, texts of its traces and attempts) of selected rows held in full.

    Each text is [thinking, answer], in the order of the row's traces and attempts.
    """
    attempts = dict(facts.attempt_texts.iter_rows())
    chosen = facts.selected
    columns = ["row", *(c for c in ("traces",) if c in chosen.columns)]
    block: list[tuple[int, dict[str, Any]]] = []
    size = 0
    for row, *traces in chosen.select(columns).iter_rows():
        lists = {"traces": traces[0] if traces else None, "attempts": attempts.get(row)}
        texts = {
            name: [[one.get("thinking"), one.get("answer")] for one in given]
            for name, given in lists.items()
            if given
        }
        if not full[row] or not texts:
            continue
        block.append((row, texts))
        size += sum(len(text or "") for pairs in texts.values() for pair in pairs for text in pair)
        if size > _TEXT_BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block

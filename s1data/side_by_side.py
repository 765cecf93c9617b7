"""What a stage that only annotates said of a row, line by line, as `why` shows it.

Attempts and traces stand side by side with the reference; benchmark items beside what is alike.

All of it is untrusted text, so it is cut and its controls are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from s1data.stage import Stage
from s1data.store.reading import ReplyReader

if TYPE_CHECKING:
    from s1data.checkpoint import Checkpoint


def visible(text: str, most: int) -> str:
    """Text for one terminal line: controls and direction marks as escapes, cut at ``most``."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    flat = re.sub(r"[ \t\r\n]+", " ", cut)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in flat)


@dataclass(frozen=True)
class Texts:
    """The texts of replies: those that a run keeps itself, else those in its reply store."""

    done: Sequence[Checkpoint]
    store: Path | None = None

    def of(self, keys: Sequence[str | None]) -> dict[str | None, str]:
        """Text by key; keys that nothing is known of are left out."""
        wanted = [key for key in keys if key]
        held = pl.col("reply_key").is_in(wanted)
        kept = [c for c in self.done if c.has("texts")]
        found = [c.read("texts", ["reply_key", "text"], where=held) for c in kept]
        texts: dict[str | None, str] = {key: text for f in found for key, text in f.iter_rows()}
        rest = pl.Series([key for key in wanted if key not in texts], dtype=pl.String)
        if self.store is not None and len(rest) and self.store.is_dir():
            asked = zip(rest, ReplyReader(self.store).texts(rest), strict=True)
            texts |= {key: text for key, text in asked if text is not None}
        return texts


def verdict_lines(
    stage: Stage,
    checkpoint: Checkpoint,
    new: pl.DataFrame,
    row: pl.DataFrame,
    replies: Texts,
) -> Iterator[str]:
    """Attempts or traces side by side with the reference, where the stage gave verdicts."""
    column, reference = getattr(stage, "of", None), getattr(stage, "reference", None)
    if not isinstance(column, str) or column not in new.columns or reference not in row.columns:
        return
    wanted = visible(str(row[reference][0]), 40)
    entries = new[column].to_list()[0] or ()
    texts = replies.of([entry["reply_key"] for entry in entries])
    read: dict[int, str] = {}
    if checkpoint.has("artefact"):  # a trace has no field for the answer read in it
        graded = checkpoint.read("artefact", where=pl.col("row") == row["row"][0])
        read = dict(graded.select("place", "extracted").iter_rows())
    for place, entry in enumerate(entries):
        who = f"{entry.get('solver') or entry.get('teacher')} #{entry['sample']}"
        text = texts.get(entry["reply_key"])
        end = "" if text is None else f" \u2026{visible(text[-60:].strip(), 60)}"
        none = "(in its text)" if entry["reply_key"] and text is None else "(none)"
        said = visible(str(entry.get("extracted") or read.get(place) or none), 40)
        verdict = {True: "right", False: "wrong", None: "undecided"}[entry["verdict"]]
        yield f"{who}{end} | answer {said} | reference {wanted} | {verdict} ({entry['method']})"


def hit_lines(new: pl.DataFrame) -> Iterator[str]:
    """The benchmark items that the row resembles, one line each."""
    for column in {"contamination", "benchmark_hits"} & set(new.columns):
        for hit in new[column].to_list()[0] or ():
            alike = "" if hit["score"] is None else f" with a score of {hit['score']}"
            span = f': "{visible(hit["span"], 160)}"' if hit.get("span") else ""
            allowed = f" (allowed: {visible(hit['allowed'], 80)})" if hit.get("allowed") else ""
            where = f"{hit['column']} and item {hit['item']} of {hit['benchmark']}"
            yield f"{where} by {hit['method']}{alike}{span}{allowed}"

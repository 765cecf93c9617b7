"""Training and validation rows, so that no question has a near-duplicate on the other side."""

from __future__ import annotations

import hashlib
import json

import polars as pl

from s1data.acting import apply
from s1data.stages.near_duplicates import DropNearDuplicates

LIKE = DropNearDuplicates(threshold=0.7, same_numbers=False, words_apart=None)
"""Wider than in recipes: the same text with other numbers is a near-duplicate here."""


def validation_ids(questions: pl.DataFrame, share: float, seed: int) -> set[str]:
    """Ids (of ``id``, ``question``) for validation: whole groups of near-duplicates.

    Groups are taken in an order keyed by the seed while they fit into ``share`` of all rows. The
    first is taken in any case, so there is at least one row, and may be more than the share where
    one group is larger.
    """
    once = questions.select("id", "question").unique("id").sort("id")
    dropped = apply(LIKE, once).dropped
    survivors = [json.loads(e)["survivor_row"] for e in dropped["evidence"].to_list()]
    group = dict(zip(dropped["row"].to_list(), survivors, strict=True))
    ids = once["id"].to_list()
    members: dict[str, list[str]] = {}
    for row, one in enumerate(ids):
        members.setdefault(ids[group.get(row, row)], []).append(one)

    def key(name: str) -> str:
        return hashlib.sha256(f"{seed}|{name}".encode()).hexdigest()

    wanted, taken = max(round(share * len(ids)), 1), set[str]()
    for name in sorted(members, key=key):
        if len(taken) >= wanted:
            break
        if len(taken) + len(members[name]) <= wanted or not taken:
            taken.update(members[name])
    return taken

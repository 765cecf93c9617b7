"""What a run says beside its funnel: published counts, and edits that did not go as written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from s1data.report.shown import apart


def remarks(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a terminal."""
    yield from beside_published(manifest["expected"])
    for edit in manifest["edits"]:
        if edit.get("note"):
            yield f"edit {edit['action']} {edit['id']}: {edit['note']}"


def beside_published(
    expected: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> Iterator[str]:
    """Published counts beside those found, and where those who published them differ."""
    told: dict[str, dict[str, int]] = {}
    for who, counts in expected.items():
        for label, both in counts.items():
            said = apart(both["found"], both["expected"])
            yield f"{who}: {label} leaves {both['expected']:,}; here {both['found']:,} ({said})"
            told.setdefault(label, {})[who] = both["expected"]
    for label, counts_of in told.items():
        if (gap := max(counts_of.values()) - min(counts_of.values())) > 0:
            yield f"{' and '.join(counts_of)} differ by {gap:,} after {label}"

"""Untrusted text in a card: shown as it is, never read as Markdown, HTML or YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>:$@=])")


def visible(text: object, most: int = 160) -> str:
    """One line of printable text, cut at ``most``: controls and direction marks as escapes."""
    flat = re.sub(r"\s+", " ", str(text)).strip()
    flat = flat if len(flat) <= most else flat[: most - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in flat)


def inline(text: object, most: int = 160) -> str:
    """Text inside a sentence or a table cell, so that no character of it is markup."""
    escaped = _SPECIAL.sub(r"\\\1", visible(text, most))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def code(text: object, most: int = 160) -> str:
    """Text as code, fit for a table cell."""
    plain = visible(text, most).replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else "—"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. Cells are Markdown already; numbers are set off to the right."""
    lines = [list(row) for row in rows]
    right = [
        bool(lines) and all(isinstance(r[i], int | float) for r in lines) for i in range(len(head))
    ]
    out = [f"| {' | '.join(head)} |", f"|{'|'.join('---:' if r else '---' for r in right)}|"]
    out += [f"| {' | '.join(_cell(value) for value in row)} |" for row in lines]
    return "\n".join(out)


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def metadata(value: object, most: int = 200) -> str:
    """Text for a value of the metadata block: one printable line."""
    return visible(value, most)

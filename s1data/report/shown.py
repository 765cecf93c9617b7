"""How the page writes things: numbers with separators and units, and untrusted text made plain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup, escape

_LEFT_ALONE: Final = "\n\t\r\u200c\u200d"  # joiners belong to scripts and to emoji


def plain(text: object) -> str:
    """Text with what cannot be seen, or turns the direction of the rest, written as ``U+202E``."""
    said = str(text)
    if said.isascii() and said.isprintable():
        return said
    return "".join(f"[U+{ord(c):04X}]" if c not in _LEFT_ALONE and _hidden(c) else c for c in said)


def breaking(text: object) -> Markup:
    """`plain`, for a page: a line may end behind a slash, a stroke or an underscore."""
    return Markup(re.sub(r"([/_-]+)(?=\w)", r"\1<wbr>", str(escape(plain(text)))))  # noqa: S704


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def n(number: float | None) -> str:
    """``83,481``; nothing where there is no number."""
    if number is None:
        return ""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.4g}"


def apart(found: int, count: int) -> str:
    """How far a count is from a published one: ``the same``, ``+1,204``, less with a minus."""
    return "the same" if found == count else f"{found - count:+,}".replace("-", "\N{MINUS SIGN}")


def share(part: float) -> str:
    """``12.3%``, ``<0.1%``."""
    return "<0.1%" if 0 < part < 0.0005 else f"{part:.1%}"


def usd(amount: float) -> str:
    """``$1,234.50``; four places below a dollar."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def seconds(given: float) -> str:
    """``5.9 s``, ``12 min 3 s``, ``2 h 5 min``."""
    if given < 60:
        return f"{given:.1f} s"
    minutes, rest = divmod(round(given), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def when(stamp: str) -> str:
    """``24 November 2026, 14:21 UTC``."""
    moment = datetime.fromisoformat(stamp)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def words(slug: str) -> str:
    """``not_drawn`` as ``not drawn``."""
    return slug.replace("_", " ")


def cell(value: object, name: str) -> str:
    """A figure of a model's line by what it is called."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{words(str(k))} {cell(v, '')}" for k, v in value.items()) or "-"
    if name == "expected_usd" and isinstance(value, list | tuple):
        return " to ".join(usd(one) for one in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name.endswith("usd"):
            return usd(value)
        return seconds(value) if name == "seconds" else n(value)
    return plain(value)


def content(source: Mapping[str, Any]) -> str:
    """Where a source's content is from, in a line."""
    files = source.get("files")
    if files:
        first = files[0]
        more = f" and {len(files) - 1:,} more files" if len(files) > 1 else ""
        return f"{first.get('name')}, sha256 {str(first.get('sha256'))[:16]}…{more}"
    known = {k: v for k, v in source.items() if k not in ("rows", "families", "files")}
    return ", ".join(f"{words(k)} {_brief(v)}" for k, v in known.items())


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def largest_share(lines: Sequence[Mapping[str, int]]) -> float:
    """The largest share of its own total that any line has, before or after."""
    found = [0.0]
    for side in ("before", "after"):
        total = sum(line[side] for line in lines) or 1
        found += [line[side] / total for line in lines]
    return max(found) or 1.0


def columns_of(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is said of any model, in the order in which it is first said."""
    return list(dict.fromkeys(name for model in models for name in model if name != "model"))

"""Thinking and answer as one text, as stages read a reply, and apart again."""

from __future__ import annotations

from typing import Final

OPENS: Final = "<think>\n"
MARK: Final = "\n</think>\n"


def joined(thinking: str | None, answer: str | None) -> str:
    """The one text of a reply; `split` takes it apart again."""
    return f"{OPENS}{thinking}{MARK}{answer or ''}" if thinking else answer or ""


def split(text: str) -> tuple[str, str]:
    """Thinking and answer of the text of a reply."""
    thinking, mark, answer = text.rpartition(MARK)
    return (thinking.removeprefix(OPENS), answer) if mark else ("", text)

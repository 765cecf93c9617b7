"""Tokens and tags that mean something to a chat template, found where a text has its own.

An end token inside a trace ends the turn for a model that is trained on it, and a think tag inside
the thinking closes it. A tokenizer reads both as what they say, whoever wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SHAPED: Final = r"<\|[\w-]{1,40}\|>|<\uff5c[^<>\n]{1,40}\uff5c>"
"""As most families write them, and DeepSeek with wide bars."""
_TAGS: Final = r"</?think>"


class Control:
    """Looks for control tokens, and counts which it met."""

    def __init__(self, special: Iterable[str], *, tags: bool) -> None:
        own = sorted({re.escape(token) for token in special if token.strip()}, key=len)
        self._asked = re.compile("|".join([*own[::-1], _SHAPED]))
        self._said = re.compile("|".join([*own[::-1], _SHAPED, *([_TAGS] if tags else [])]))
        self.met: dict[str, int] = {}
        """Token to samples in which it was the first."""

    def in_question(self, text: str) -> bool:
        """Whether a question has a control token; a think tag does no harm there."""
        return self._met(self._asked.search(text))

    def in_trace(self, thinking: str, answer: str) -> bool:
        return self._met(self._said.search(thinking) or self._said.search(answer))

    def _met(self, found: re.Match[str] | None) -> bool:
        if found is not None:
            self.met[found[0]] = self.met.get(found[0], 0) + 1
        return found is not None

    def in_words(self) -> str:
        """The tokens met, most frequent first, with their counts."""
        ordered = sorted(self.met.items(), key=lambda pair: (-pair[1], pair[0]))
        more = f" and {len(ordered) - 6} more" if len(ordered) > 6 else ""
        return ", ".join(f"{token} {n:,}" for token, n in ordered[:6]) + more

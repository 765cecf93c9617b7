"""Finding which of many known questions a prompt holds, whatever words stand around it.

A question may be the whole prompt, or stand in it after a heading, a tag or a colon. Its first
characters are looked up at every such place, so that finding one among 59,000 costs microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_PLACES: Final = re.compile(r"(?:\A|\n)[ \t>*#\-\"]*|[:>][ \t\n\"]+|>")
_LONG: Final = 32
_SHORT: Final = 8


class Questions:
    """An index over questions; a question that is given twice is the first of its kind."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._texts = [question.strip() for question in questions]
        self._whole: dict[str, int] = {}
        self._long: dict[str, list[int]] = {}
        self._short: dict[str, list[int]] = {}
        for place, text in enumerate(self._texts):
            if self._whole.setdefault(text, place) != place:
                continue
            if len(text) >= _LONG:
                self._long.setdefault(text[:_LONG], []).append(place)
            elif len(text) >= _SHORT:
                self._short.setdefault(text[:_SHORT], []).append(place)

    def find(self, prompt: str) -> int | None:
        """Position of the question that the prompt is, or of the longest that it holds."""
        whole = self._whole.get(prompt.strip())
        if whole is not None:
            return whole
        best: int | None = None
        for place in _PLACES.finditer(prompt):
            for found in self._at(prompt, place.end()):
                if best is None or len(self._texts[found]) > len(self._texts[best]):
                    best = found
        return best

    def _at(self, prompt: str, start: int) -> list[int]:
        near = self._long.get(prompt[start : start + _LONG], ())
        found = [i for i in near if prompt.startswith(self._texts[i], start)]
        if found:
            return found
        near = self._short.get(prompt[start : start + _SHORT], ())
        found = [i for i in near if prompt.startswith(self._texts[i], start)]
        if found:
            return found
        line = self._whole.get(prompt[start:].partition("\n")[0].strip()) if near == () else None
        return [] if line is None else [line]

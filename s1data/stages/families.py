"""Which model family a solver's name is of, so that agreement within one counts once."""

from __future__ import annotations

import re
from typing import Final

FAMILIES: Final = (
    "qwen", "llama", "gemma", "gemini", "mistral", "mixtral", "phi", "rho", "yi", "claude", "gpt",
    "qwq", "qvq", "marco", "skywork", "sky", "s1", "openthinker", "bespoke", "ministral",
    "codestral", "magistral", "mathstral", "pixtral", "chatgpt", "davinci", "o1", "o3", "o4",
    "deepseek", "grok", "reka",
)  # fmt: skip
"""Beginnings of names; the first found counts: a distilled model is of its base's family."""
_SAME: Final = {
    **dict.fromkeys(("o1", "o3", "o4", "chatgpt", "davinci"), "gpt"),
    **dict.fromkeys(("qwq", "qvq", "marco", "sky", "s1", "openthinker", "bespoke"), "qwen"),
    **dict.fromkeys(
        ("mixtral", "ministral", "codestral", "magistral", "mathstral", "pixtral"), "mistral"
    ),
    "gemini": "gemma",
}


def family(solver: str) -> str:
    """The model family of a solver: the first of `FAMILIES` that begins a word of its name.

    Of three letters or less (and phi) it is the whole word, but for digits. Of an unknown name the
    first word is the family.
    """
    words = re.split(r"[^a-z0-9]+", solver.lower())
    for name in FAMILIES:
        if any(_begins(word, name) for word in words):
            return _SAME.get(name, name)
    if any("llama" in word for word in words):
        return "llama"
    return re.sub(r"^[^a-z0-9]+", "", solver.lower().rpartition("/")[2]).split("-")[0] or solver


def _begins(word: str, name: str) -> bool:
    rest = word.removeprefix(name)
    return word.startswith(name) and (len(name) > 3 or not rest or rest[0].isdigit())

"""A new card over an old one: sections of ours are renewed, whatever a user wrote stays.

Each section stands between marks that carry a digest of its text. Where the text between them is
not what was written, a user has edited it: it stays as it is. Text outside the marks is never
touched; a section whose marks are gone was taken out by a user and stays out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from s1data.card import metadata as blocks

_SECTION: Final = re.compile(
    r"<!-- s1data:begin (?P<name>[a-z-]+) (?P<sum>[0-9a-f]{12}) -->\n(?P<text>.*?)"
    r"\n?<!-- s1data:end (?P=name) -->",
    re.DOTALL,
)
_BLOCK: Final = re.compile(r"\A\s*---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_NOTE: Final = (
    "<!-- Sections between s1data marks are written anew by each push. One that you change is "
    "left as you wrote it; text outside of them is never touched. -->"
)


@dataclass(frozen=True)
class Merged:
    """A card, and the sections in it that are a user's own by now."""

    text: str
    edited: tuple[str, ...]
    kept: Mapping[str, str] = field(default_factory=dict)
    """Their texts, by name."""


def fresh(block: Mapping[str, Any], sections: Mapping[str, str]) -> str:
    """A card where there was none."""
    body = "\n\n".join(_marked(name, text) for name, text in sections.items())
    return f"---\n{_yaml(block)}\n---\n\n{_NOTE}\n\n{body}\n"


def merge(
    old: str,
    block: Mapping[str, Any],
    sections: Mapping[str, str],
    before: Mapping[str, Any],
    known: tuple[str, ...],
) -> Merged:
    """``old`` with our metadata and sections renewed.

    ``before`` is the metadata that we wrote last, ``known`` the sections that we wrote then.
    """
    found = _BLOCK.match(old)
    theirs = _mapping(found.group(1)) if found else {}
    body = old[found.end() :] if found else old
    whole = blocks.merged(block, theirs, before)
    head = found.group(1) if found and whole == theirs else _yaml(whole)
    kept: dict[str, str] = {}

    def renewed(match: re.Match[str]) -> str:
        name, text = match["name"], match["text"]
        if _sum(text) != match["sum"]:
            kept[name] = text
            return match.group(0)
        return _marked(name, sections[name]) if name in sections else ""

    there = {match["name"] for match in _SECTION.finditer(body)}
    body = _SECTION.sub(renewed, body)
    more = [name for name in sections if name not in there and name not in known]
    added = "".join(f"\n\n{_marked(name, sections[name])}" for name in more)
    if added:
        body = body.rstrip("\n") + added + "\n"
    gap = "" if body.startswith("\n") else "\n"
    return Merged(f"---\n{head}\n---\n{gap}{body}", tuple(kept), kept)


def _marked(name: str, text: str) -> str:
    text = text.replace("<!--", "<! --")  # no text from elsewhere ends a section
    return f"<!-- s1data:begin {name} {_sum(text)} -->\n{text}\n<!-- s1data:end {name} -->"


def _sum(text: str) -> str:
    return hashlib.sha256(text.strip("\n").encode()).hexdigest()[:12]


def _yaml(block: Mapping[str, Any]) -> str:
    import yaml
    from huggingface_hub import DatasetCardData

    text: str = DatasetCardData(**block).to_yaml()
    # Written as it is, a line break of another alphabet (U+0085) is folded away by the reader.
    plain = yaml.safe_load(text) == dict(block)
    return text if plain else yaml.safe_dump(dict(block), sort_keys=False).rstrip("\n")


def _mapping(text: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}

"""What the emulated judge and classifier read in a prompt: its parts, its choices, its words.

The prompts are not known here. Parts are taken by tag (``<attempt>…</attempt>``) or by heading
("Attempt:"), choices from lines that begin with a code ("05 - Combinatorics", "- B: biology").
"""

from __future__ import annotations

import re
from typing import Final

_ATTEMPT: Final = (
    r"attempt(?:ed solution)?|response|candidate(?: answer)?|reply|submission"
    r"|(?:student|model|solver)(?:'s)?(?: (?:answer|solution|response|attempt|output))?"
)
_REFERENCE: Final = (
    r"reference(?:[ _](?:answer|solution))?|gold(?:[ _]answer)?|correct answer|true answer"
    r"|ground[ _-]truth|expected(?: answer)?"
)
_PAIRS: Final = (
    ("yes", "no"),
    ("correct", "incorrect"),
    ("right", "wrong"),
    ("true", "false"),
    ("equal", "different"),
    ("pass", "fail"),
)
_JUDGES: Final = re.compile(
    r"\b(?:grad|judg|mark|verif|compar|assess|check|whether|decid)\w*", re.IGNORECASE
)
_CHOICE: Final = re.compile(
    r"^[ \t]*[-*•]?[ \t]*[`*]{0,2}(?P<code>[A-Za-z0-9][\w./-]{0,30})[`*]{0,2}"
    r"(?:[ \t]*(?::|=|\u2013|\u2014|\||[ \t]-[ \t])|[ \t]{2,}|[.)][ \t])[ \t]*\S",
    re.MULTILINE,
)
_BARE_CHOICE: Final = re.compile(r"^[ \t]*[-*•]?[ \t]*(?P<code>\d\d)[ \t]+\S", re.MULTILINE)
_CLASSIFIES: Final = re.compile(
    r"\b(?:classif|categor|taxonom|domain|subject|field|discipline)\w*", re.IGNORECASE
)
_BOX: Final = re.compile(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_FINAL: Final = re.compile(r"(?:final answer|answer)(?: is)?[:\s]+([^\n]+)", re.IGNORECASE)


def attempt_in(prompt: str) -> str:
    """The attempt to be judged; the whole prompt where no part of it is marked as one."""
    return _part(prompt, _ATTEMPT, r".*") or prompt


def reference_in(prompt: str) -> str | None:
    """The reference answer, if the prompt states one."""
    return _part(prompt, _REFERENCE, r"[^\n]+(?:\n(?!\s*\n)[^\n:]+)*")


def _part(prompt: str, names: str, body: str) -> str | None:
    tagged = re.search(rf"(?is)<({names})\b[^<>]*>(.*?)</\1>", prompt)
    if tagged:
        return tagged.group(2).strip()
    headed = re.search(
        rf"(?ims)^[#*\s]*(?:the )?(?:{names})\b[^\n:]{{0,40}}:[*\s]*(?P<body>{body})"
        if body == r".*"
        else rf"(?im)^[#*\s]*(?:the )?(?:{names})\b[^\n:]{{0,40}}:[*\s]*(?P<body>{body})",
        prompt,
    )
    return headed.group("body").strip() if headed else None


def final_in(text: str) -> str:
    """The final answer of a text: its last box, the last one announced, or its last line."""
    boxes = _BOX.findall(text)
    if boxes:
        return str(boxes[-1]).strip()
    said = _FINAL.findall(text)
    lines = text.strip().splitlines() or [""]
    return (str(said[-1]) if said else lines[-1]).strip().rstrip(".")


def plain(answer: str) -> str:
    """An answer without what does not change it: spaces, case, dollars, a box, a full stop."""
    boxed = _BOX.search(answer)
    text = boxed.group(1) if boxed else answer
    return re.sub(r"[\s$,()]|\\[,;! ]", "", text).rstrip(".").casefold()


def verdict_words(instructions: str) -> tuple[str, str] | None:
    """The two words between which the prompt asks a judge to choose, spelt as it spells them."""
    if not _JUDGES.search(instructions):
        return None
    for good, bad in _PAIRS:
        first = re.findall(rf"\b{good}\b", instructions, re.IGNORECASE)
        second = re.findall(rf"\b{bad}\b", instructions, re.IGNORECASE)
        if first and second:
            return str(first[-1]), str(second[-1])
    return None


def choices_in(instructions: str) -> list[str]:
    """Codes of the taxonomy that the prompt lists, in its order; none unless it classifies."""
    if not _CLASSIFIES.search(instructions):
        return []
    found = [m.group("code") for m in _CHOICE.finditer(instructions)]
    bare = [m.group("code") for m in _BARE_CHOICE.finditer(instructions)]
    codes = list(dict.fromkeys(bare if len(bare) > len(found) else found))
    # One or two such lines are headings; a taxonomy is a list.
    return codes if len(codes) > 2 else []

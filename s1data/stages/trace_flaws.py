"""What is wrong with one reasoning trace, told from its text: each flaw by a rule of its own.

Rules are regular expressions and counts, no model. A flaw comes with what was found, cut short, so
that a reader can judge it. The text of a trace is its thinking, an end mark, and its answer
(`joined`); a text without the mark is an answer without thinking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from s1data.graders import workers
from s1data.graders.extraction import final_answer
from s1data.models import is_cut
from s1data.stages.languages import foreign_script, language
from s1data.stages.looping import repeated
from s1data.stages.settled import answers_differ

FOUND_CHARS: Final = 120

FLAWS: Final[dict[str, str]] = {
    "cut": "it stops in the middle",
    "empty": "thinking or answer is missing",
    "repeated": "it goes round in circles",
    "mixed_language": "it mixes in another script",
    "other_language": "it is in another language than the question",
    "refusal": "it declines to answer",
    "leaked_prompt": "it shows a system prompt, chat marks or its provider's rules",
    "summary": "the thinking is a summary, not the thinking itself",
    "answers_differ": "the thinking ends in another answer than the reply",
    "boilerplate": "it has phrases of a chat assistant",
    "too_long": "it is over the token limit",
}
"""Every flaw that `flaws_of` can name, in words."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace with its text, and what its record says of it."""

    question: str
    thinking: str
    answer: str
    kind: str | None
    finish: str | None
    tokens: int
    estimated: bool
    """Whether ``tokens`` is a guess from the number of characters."""


def flaws_of(trace: Trace, max_tokens: int, pool: workers.Workers) -> Iterator[tuple[str, str]]:
    """Each flaw of a trace once, with what was found; ``pool`` compares answers in maths."""
    rules = (
        ("cut", _cut(trace)),
        ("empty", _empty(trace)),
        (
            "repeated",
            repeated(trace.thinking, trace.question) or repeated(trace.answer, trace.question),
        ),
        ("mixed_language", _mixed(trace)),
        ("other_language", _other_language(trace)),
        ("refusal", _refusal(trace.answer)),
        ("leaked_prompt", _leak(trace)),
        ("summary", _summary(trace)),
        ("answers_differ", answers_differ(trace.thinking, trace.answer, trace.question, pool)),
        ("boilerplate", _boilerplate(trace.answer)),
        ("too_long", _too_long(trace, max_tokens)),
    )
    for flaw, found in rules:
        if found:
            yield flaw, found[:FOUND_CHARS]


_NAMES_A_WORD: Final = re.compile(
    r"\b(?:answer|option|choice|word|letter|preposition|conjunction|article)\b[^.\n]{0,30}$",
    re.IGNORECASE,
)
_NO_END: Final = re.compile(r"\banswer(?: is)?\s*:\W*$", re.IGNORECASE)
_OPEN_END: Final = re.compile(
    r"(?:[,;(\[{\u2014]|(?<!\bis)\s[=+]|\b(?:the|a|an|and|or|of|to|is|are|that|with|for|in|but|because|so|if)"
    r"|[A-Za-z]{2,}-|\\[a-zA-Z]+\{[^}]*)$"
)


def _cut(trace: Trace) -> str | None:
    if is_cut(trace.finish):
        return f"finish {trace.finish}"
    tail = (trace.answer.strip() or trace.thinking.strip())[-200:]
    if not trace.answer.strip() and tail and not re.search(r"[.!?)\]}\"'*`$。\u201d]$", tail):
        return f"thinking ends: {tail[-60:]}"
    if len(re.findall(r"^[ \t]*```", trace.answer, re.MULTILINE)) % 2:
        return "a code block is not closed"
    if _NO_END.search(tail) or _open_box(trace.answer):
        return f"ends: {tail[-60:]}"
    end = _OPEN_END.search(tail)
    if end and not (end.group().isalpha() and _NAMES_A_WORD.search(tail)):
        return f"ends: {tail[-60:]}"
    return None


def _open_box(answer: str) -> bool:
    _, box, inside = answer.rpartition("\\boxed{")
    inside = re.sub(r"\\[{}]", "", inside)
    return bool(box) and inside.count("{") >= inside.count("}")


def _empty(trace: Trace) -> str | None:
    thinks = re.search(r"\w", trace.thinking) is not None
    answers = re.search(r"[\w\u2200-\u22ff]", trace.answer) is not None
    if thinks and answers:
        return None
    # Some records keep the whole reply as thinking: its end says the answer.
    if thinks and final_answer(trace.thinking[-300:]).rule in ("boxed", "final_answer_is"):
        return None
    return "no answer" if thinks else "no thinking" if answers else "no text"


_ASKS_LANGUAGE: Final = re.compile(
    r"\b(?:translat\w+|Chinese|Japanese|Korean|Russian|Arabic|Hebrew|Hindi|Thai)\b", re.IGNORECASE
)


def _mixed(trace: Trace) -> str | None:
    if _ASKS_LANGUAGE.search(trace.question):
        return None
    return foreign_script(trace.question, f"{trace.thinking}\n{trace.answer}")


def _other_language(trace: Trace) -> str | None:
    asked = language(trace.question)
    for part, text in (("thinking", trace.thinking), ("answer", trace.answer)):
        used = language(text)
        if asked and used and asked != used:
            return f"question in {asked}, {part} in {used}"
    return None


_REFUSAL: Final = re.compile(
    r"\b(?:I(?:'m|\u2019m| am) (?:sorry|afraid|unable)\b[^.\n]{0,40}?\b"
    r"(?:can(?:'|\u2019)?t|cannot|unable|not able)"
    r"|I (?:can(?:'|\u2019)t|cannot|won(?:'|\u2019)t|will not|am unable to|must decline to) "
    r"(?:help|assist|answer|provide|comply|fulfil|continue|do that|engage|support)"
    r"|I(?:'m|\u2019m| am) (?:unable|not able) to "
    r"(?:help|assist|answer|provide|comply|solve|determine)"
    r"|unfortunately,? I (?:can(?:'|\u2019)?t|cannot) (?:determine|solve|answer)"
    r"|(?:\u5bf9\u4e0d\u8d77|\u62b1\u6b49)[^\u3002\n]{0,10}(?:\u4e0d\u80fd|\u65e0\u6cd5)[^\u3002\n]{0,4}(?:\u56de\u7b54|\u5e2e)"
    r"|as an AI(?: language model)?,? I (?:can(?:'|\u2019)?t|cannot|do not|don(?:'|\u2019)t))",
    re.IGNORECASE,
)


_QUOTES: Final = ("'", '"', "\u2018", "\u201c")


def _refusal(answer: str) -> str | None:
    found = _REFUSAL.search(answer[:400])
    # Somebody's speech is no refusal, nor is what goes on to an answer.
    if found is None or answer[: found.start()][-1:] in _QUOTES or "\\boxed{" in answer:
        return None
    return found.group()


_MARKS: Final = re.compile(
    r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>\s*$|</?(?:think|thinking|thought)>"
    r"|<\uff5c[^\uff5c]{2,30}\uff5c>"
)
_PROVIDER: Final = re.compile(
    r"\bmy system (?:prompt|message|instructions?)\b|\bmy instructions say\b"
    r"|\b(?:the|this) system (?:prompt|message|instructions?) "
    r"(?:say|said|tell|ask|instruct|want|state)s?\b"
    r"|\b(?:OpenAI|Anthropic|Google|DeepSeek|Alibaba)(?:'s|\u2019s)? "
    r"(?:polic(?:y|ies)|guidelines?|content rules|usage)"
    r"|(?<!['\"\u2018\u201c])\bI(?: am|'m) (?:ChatGPT|Claude|Gemini|Qwen|DeepSeek|Grok)\b"
    r"|\b(?:I(?: am|'m| was)|language model|AI assistant)\b[^.\n]{0,60}"
    r"\b(?:created|developed|made|trained) by (?:OpenAI|Anthropic|Google|DeepSeek|Alibaba|xAI)\b"
    r"|\bYou are a helpful(?:,? [a-z]+){0,3} assistant\b",
    re.IGNORECASE,
)


_SYSTEM: Final = re.compile(
    r"\b(?:the|this) system (?:prompt|message|instructions?)\b", re.IGNORECASE
)
_OF_CHATS: Final = re.compile(r"\b(?:prompts?|chat\w*|APIs?|LLMs?)\b", re.IGNORECASE)


def _leak(trace: Trace) -> str | None:
    # Thinking has no reason to speak of a system prompt, unless the question is about chats.
    thinking = (
        (_MARKS, _PROVIDER) if _OF_CHATS.search(trace.question) else (_MARKS, _PROVIDER, _SYSTEM)
    )
    for text, patterns in ((trace.thinking, thinking), (trace.answer, (_MARKS, _PROVIDER))):
        for pattern in patterns:
            found = pattern.search(text)
            if found and found.group().lower() not in trace.question.lower():
                around = text[max(0, found.start() - 30) : found.end() + 40]
                return " ".join(around.split())
    return None


_TITLE: Final = re.compile(r"^\s*\*\*[A-Z][^*\n]{4,80}\*\*\s*$", re.MULTILINE)


def _summary(trace: Trace) -> str | None:
    if trace.kind == "summary":
        return "recorded as a summary"
    titles = _TITLE.findall(trace.thinking)
    if not titles or _TITLE.match(trace.thinking.lstrip()) is None:
        return None
    if len(titles) == 1 and not re.match(r"\s*\*\*[^\n]*\n\s*\n", trace.thinking):
        return None
    words = len(trace.thinking.split())
    per_title = words / len(titles)
    # A vendor's summary is a bold title and a paragraph, over and over, from the first line on.
    return f"{len(titles)} bold titles: {titles[0].strip()}" if per_title <= 150 else None


_PHRASES: Final = re.compile(
    r"(?:I hope (?:this|that) helps|let me know if you|feel free to ask|happy to help"
    r"|would you like me to|is there anything else|great question"
    r"|thank you for (?:your|the) question"
    r"|as an AI(?: language)? (?:model|assistant))",
    re.IGNORECASE,
)


def _boilerplate(answer: str) -> str | None:
    """At the ends only: in the middle, such words are mostly part of a text that was asked for."""
    for part in (answer[:150], answer[-250:]):
        if found := _PHRASES.search(part):
            return found.group()
    return None


def _too_long(trace: Trace, max_tokens: int) -> str | None:
    if trace.tokens <= max_tokens:
        return None
    return f"{'about ' if trace.estimated else ''}{trace.tokens} tokens"

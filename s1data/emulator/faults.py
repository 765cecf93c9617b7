"""Which fault strikes a request, and what a reply is after one.

A fault of delivery is drawn anew for every try of the same request, so that trying again helps;
a fault of content belongs to the request, so that only another request (another temperature,
sample or prompt) gets another reply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from s1data.emulator.script import CONTENT, Fault, Script
from s1data.emulator.words import Asked, Said, cut, draw, tokens


def struck_by(asked: Asked, script: Script, tries: int, *, batch: bool = False) -> Fault | None:
    """The fault of this try (numbered from 0); in a batch only faults of content."""
    for planned in script.planned:
        if (not batch or planned.fault in CONTENT) and planned.hits(
            asked.model, asked.prompt, tries
        ):
            return planned.fault
    thrown = None if batch else _thrown(script, asked, tries)
    return thrown or _thrown(script, asked, None)


def _thrown(script: Script, asked: Asked, tries: int | None) -> Fault | None:
    rest = draw("fault", script.seed, asked.material, tries)
    for name, rate in script.faults:
        if (name in CONTENT) == (tries is None):
            if rest < rate:
                return Fault(name)
            rest -= rate
    return None


def limited(said: Said, asked: Asked) -> Said:
    """The reply within the request's own limits: stop texts, thinking budget, most tokens."""
    if asked.thinking_budget is not None and 0 <= asked.thinking_budget < said.thinking_tokens:
        thinking = cut(said.thinking, asked.thinking_budget)
        said = replace(said, thinking=thinking, thinking_tokens=tokens(thinking))
    ends = [place for stop in asked.stop if (place := said.answer.find(stop)) >= 0]
    if ends:
        said = _answering(said, said.answer[: min(ends)])
    if asked.max_tokens is None or said.thinking_tokens + said.answer_tokens <= asked.max_tokens:
        return said
    if said.thinking_tokens >= asked.max_tokens:
        thinking = cut(said.thinking, asked.max_tokens)
        said = replace(said, thinking=thinking, thinking_tokens=tokens(thinking))
        return replace(_answering(said, ""), finish="length")
    rest = cut(said.answer, asked.max_tokens - said.thinking_tokens)
    return replace(_answering(said, rest), finish="length")


def changed(said: Said, fault: Fault | None) -> Said:
    """The reply that a fault of content leaves."""
    change = _CHANGES.get(fault)
    return said if change is None else change(said)


def _answering(said: Said, answer: str) -> Said:
    return replace(said, answer=answer, answer_tokens=tokens(answer))


def _silent(said: Said) -> Said:
    said = replace(said, thinking="", thinking_tokens=0)
    return _answering(said, "")


def _cut_thinking(said: Said) -> Said:
    thinking = cut(said.thinking, max(1, said.thinking_tokens // 2))
    said = replace(said, thinking=thinking, thinking_tokens=tokens(thinking), finish="length")
    return _answering(said, "")


def _cut_answering(said: Said) -> Said:
    return replace(_answering(said, cut(said.answer, said.answer_tokens // 2)), finish="length")


_CHANGES: Final[dict[Fault | None, Callable[[Said], Said]]] = {
    Fault.SAFETY: lambda said: replace(_answering(said, ""), finish="safety"),
    Fault.RECITATION: lambda said: replace(_answering(said, ""), finish="recitation"),
    Fault.PROHIBITED: lambda said: replace(_answering(said, ""), finish="prohibited"),
    Fault.BLOCKED_PROMPT: lambda said: replace(_silent(said), finish="blocked_prompt"),
    Fault.NO_CANDIDATES: lambda said: replace(_silent(said), finish="no_candidates"),
    Fault.CUT_THINKING: _cut_thinking,
    Fault.CUT_ANSWERING: _cut_answering,
    Fault.EMPTY_ANSWER: lambda said: _answering(said, ""),
    Fault.NO_THOUGHTS: lambda said: replace(said, trace="none"),
    Fault.SUMMARY: lambda said: replace(said, trace="summary"),
    Fault.LEAKED_THOUGHTS: lambda said: replace(said, trace="leaked"),
}


def summary_of(said: Said) -> str:
    """A short account of the thinking, as services show it in its place."""
    if not said.thinking:
        return ""
    return f"**Looking at the question**\n\n{said.thinking[:180].rpartition(' ')[0]}."


def leaked_in(said: Said) -> str:
    """An answer with the thinking in it and nothing but a word to tell them apart."""
    if not said.thinking:
        return said.answer
    return f"THOUGHT: {said.thinking}\n\n{said.answer}".rstrip()

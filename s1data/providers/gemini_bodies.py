"""Gemini's bodies, read: the ending by `finishReason` and `blockReason`, thoughts by their marks.

The body is read as JSON text and not through the package's types: reasons that came after them
stay themselves, and what is stored is what was received. Parts marked as thoughts are summaries.
The raw chain of thought that s1 was made from came as two unmarked parts.
"""

from __future__ import annotations

from typing import Any, Final

from s1data.models import Outcome, Request, Told, TraceKind
from s1data.providers.failures import failure
from s1data.providers.replies import (
    count,
    ending,
    first,
    leaks,
    mapping,
    one_thought,
    parsed,
    text,
    wants_thoughts,
)

_BLOCKED: Final = {
    "SAFETY": Outcome.SAFETY,
    "IMAGE_SAFETY": Outcome.SAFETY,
    "RECITATION": Outcome.RECITATION,
    "IMAGE_RECITATION": Outcome.RECITATION,
    "PROHIBITED_CONTENT": Outcome.PROHIBITED,
    "IMAGE_PROHIBITED_CONTENT": Outcome.PROHIBITED,
    "MALFORMED_FUNCTION_CALL": Outcome.MALFORMED,
    "MALFORMED_RESPONSE": Outcome.MALFORMED,
    "UNEXPECTED_TOOL_CALL": Outcome.MALFORMED,
    "TOO_MANY_TOOL_CALLS": Outcome.MALFORMED,
    "MISSING_THOUGHT_SIGNATURE": Outcome.MALFORMED,
    # No reason given: nothing says that the reply is whole.
    "FINISH_REASON_UNSPECIFIED": Outcome.MALFORMED,
    "": Outcome.MALFORMED,
}
_CUT: Final = frozenset({"MAX_TOKENS", "CONTINUATION"})


def read(body: str, request: Request, who: str) -> Told:
    """What a body says; ModelError where it was cut short or is not the model's."""
    if not body.strip():
        return Told(outcome=Outcome.EMPTY, detail="an empty body")
    told = parsed(body, who)
    if not isinstance(told, dict):
        return Told(outcome=Outcome.MALFORMED, detail="a body that is no object")
    usage = mapping(told.get("usageMetadata"))
    tokens: dict[str, Any] = {
        "prompt_tokens": count(usage.get("promptTokenCount")),
        "thinking_tokens": count(usage.get("thoughtsTokenCount")),
        "answer_tokens": count(usage.get("candidatesTokenCount")),
    }
    block = text(mapping(told.get("promptFeedback")).get("blockReason"))
    if block:
        outcome = _BLOCKED.get(block, Outcome.BLOCKED)
        return Told(outcome=outcome, finish=block, detail=f"prompt blocked: {block}", **tokens)
    candidate = first(told.get("candidates"))
    if not candidate:
        return Told(outcome=Outcome.EMPTY, detail="no candidates", **tokens)
    finish = text(candidate.get("finishReason"))
    if finish == "PUP_LIMITED_DISABLED":
        raise failure(who, Outcome.AUTH, "the account is limited or disabled", "see its console")
    thinking, answer, trace_kind = _parts(candidate, tokens, request)
    detail = None
    if finish == "STOP" or finish in _CUT:
        outcome = ending(
            request,
            thinking=thinking,
            answer=answer,
            trace_kind=trace_kind,
            cut=finish in _CUT,
        )
    else:
        outcome = _BLOCKED.get(finish, Outcome.BLOCKED)
        said = text(candidate.get("finishMessage"))
        detail = f"ended by {finish or 'no reason'}" + (f": {said[:200]}" if said else "")
    return Told(
        outcome=outcome,
        trace_kind=trace_kind,
        thinking=thinking or None,
        answer=answer or None,
        finish=finish or None,
        detail=detail,
        **tokens,
    )


def _parts(
    candidate: dict[str, Any], tokens: dict[str, Any], request: Request
) -> tuple[str, str, TraceKind]:
    content = mapping(candidate.get("content")).get("parts")
    parts = [mapping(part) for part in content] if isinstance(content, list) else []
    marked = [text(part.get("text")) for part in parts if part.get("thought") is True]
    plain = [text(part.get("text")) for part in parts if part.get("thought") is not True]
    plain = [part for part in plain if part]
    summary = "".join(marked)
    counted = tokens["thinking_tokens"]
    if not summary and len(plain) == 2 and _is_raw(plain[0], counted, request):
        return plain[0], plain[1], TraceKind.RAW
    # Where no token of an answer was counted, the reply ended inside its thinking or just after.
    unanswered = not summary and len(plain) == 1 and not tokens["answer_tokens"]
    shows = wants_thoughts(request) or _shows_thinking(request)
    if unanswered and shows and one_thought(plain[0], counted):
        return plain[0], "", TraceKind.RAW
    answer = "".join(plain)
    if leaks(answer):
        return summary, answer, TraceKind.LEAKED
    return summary, answer, TraceKind.SUMMARY if summary else TraceKind.NONE


def _is_raw(part: str, counted: int | None, request: Request) -> bool:
    # An ordinary answer may come in two parts as well. The first is the thinking if the model is
    # one of those that showed theirs, or if it is as long as the thinking that was counted.
    if _shows_thinking(request):
        return True
    return wants_thoughts(request) and one_thought(part, counted)


def _shows_thinking(request: Request) -> bool:
    """Whether it goes to one of those models that showed their thinking unasked."""
    return "thinking" in request.model

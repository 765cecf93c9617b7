"""Bodies of OpenAI-compatible servers, written and read: thoughts wherever they stand.

Raw chains of thought come as `reasoning_content`, as `reasoning`, or inside the content up to
`</think>`; the detail of a reply records which.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from s1data.models import Outcome, Request, Scored, Told, TraceKind
from s1data.providers.failures import failure, one_line, outcome_of
from s1data.providers.replies import (
    count,
    ending,
    first,
    leaks,
    mapping,
    parsed,
    text,
)
from s1data.providers.samples import seed_of

_ENDED: Final = frozenset({"stop", "eos", "eos_token", "stop_sequence", "end_turn"})
_CUT: Final = frozenset({"length", "max_tokens"})
_THINK: Final = re.compile(r"\s*<think(?:ing)?>")
_THOUGHT: Final = re.compile(r"</think(?:ing)?>\s*")


def body_of(request: Request, max_tokens: int | None) -> dict[str, Any]:
    """The JSON body of a request; ``extra`` fields stand last and so win."""
    body: dict[str, Any] = {"model": request.model}
    if request.mode == "chat":
        system = [{"role": "system", "content": request.system}] if request.system else []
        body["messages"] = [*system, {"role": "user", "content": request.prompt}]
    else:
        body["prompt"] = (request.system or "") + request.prompt
    named = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": max_tokens,
        "stop": list(request.stop) or None,
        "seed": seed_of(request),
    }
    body |= {name: value for name, value in named.items() if value is not None}
    return body | dict(request.extra)


def read(body: str, request: Request, who: str) -> Told:
    """What a body says; ModelError where it was cut short or is not the model's."""
    if not body.strip():
        return Told(outcome=Outcome.EMPTY, detail="an empty body")
    told = _object(body, who)
    choice = first(told.get("choices"))
    usage = mapping(told.get("usage"))
    prompt_tokens = count(usage.get("prompt_tokens"))
    if not choice:
        outcome = Outcome.EMPTY if "choices" in told else Outcome.MALFORMED
        return Told(outcome=outcome, detail="no choices", prompt_tokens=prompt_tokens)
    finish = text(choice.get("finish_reason"))
    message = mapping(choice.get("message"))
    content = text(message.get("content") if request.mode == "chat" else choice.get("text"))
    thinking, answer, where = _thoughts(message, content)
    trace_kind = _trace_kind(message, thinking, answer)
    decided, detail = _ended(finish, message, who)
    if decided is not None:
        outcome = decided
    else:
        outcome = ending(
            request,
            thinking=thinking,
            answer=answer,
            trace_kind=trace_kind,
            cut=finish in _CUT,
        )
        detail = f"thoughts from {where}" if where else None
    thought, answered = _tokens(usage, thinking, answer)
    return Told(
        outcome=outcome,
        trace_kind=trace_kind,
        thinking=thinking or None,
        answer=answer or None,
        finish=finish or None,
        prompt_tokens=prompt_tokens,
        thinking_tokens=thought,
        answer_tokens=answered,
        detail=detail,
    )


def scored(body: str, request: Request, who: str) -> Scored:
    """Log-probabilities of the tokens of ``request.score`` in an echoed completion.

    A token that holds the end of the prompt and the start of the text counts to the text.
    """
    told = mapping(first(_object(body, who).get("choices")).get("logprobs"))
    columns = [told.get(name) for name in ("tokens", "token_logprobs", "text_offset")]
    if not all(isinstance(column, list) for column in columns):
        raise failure(
            who,
            Outcome.BAD_REQUEST,
            "no log-probabilities of a given text",
            "serve the model with one that echoes prompts with logprobs, as vLLM",
        )
    start = len(request.prompt)
    end = start + len(request.score or "")
    found = [
        (text(token), float(logprob))
        for token, logprob, offset in zip(*columns, strict=True)
        if logprob is not None and offset + len(text(token)) > start and offset < end
    ]
    tokens, logprobs = (tuple(part) for part in zip(*found, strict=True)) if found else ((), ())
    usage = mapping(mapping(parsed(body, who)).get("usage"))
    return Scored(tokens, logprobs, count(usage.get("prompt_tokens")))


def context_of(body: str, model: str) -> int | None:
    """How many tokens a server holds for a model, by its list of models; None if not said."""
    try:
        listed = mapping(json.loads(body)).get("data")
    except ValueError:
        return None
    models = [mapping(one) for one in listed] if isinstance(listed, list) else []
    for one in [one for one in models if one.get("id") == model] or models[:1] * (len(models) == 1):
        for value in (
            one.get("max_model_len"),
            one.get("context_length"),
            mapping(one.get("meta")).get("n_ctx"),
        ):
            if found := count(value):
                return found
    return None


def room_in(message: str) -> tuple[int, int] | None:
    """(context, tokens of the prompt) where a refusal says that they and the reply do not fit."""
    context = re.search(r"context (?:length|size)\D{0,20}?(\d+)", message)
    prompt = re.search(
        r"(\d+) (?:in the (?:messages|prompt)|(?:prompt|input) tokens|tokens from the input)"
        r"|(?:has|contains) (?:at least )?(\d+) (?:input )?tokens",
        message,
    )
    if not context or not prompt:
        return None
    return int(context[1]), int(prompt[1] or prompt[2])


def clamped(request: Request, context: int | None) -> int | None:
    """``max_tokens`` that fits beside the prompt, as far as lengths can tell.

    Two bytes a token is more tokens than text has, but for rows of digits: those are refused and
    then sent with the server's own count.
    """
    if request.max_tokens is None or context is None:
        return request.max_tokens
    prompt = len((request.system or "").encode()) + len(request.prompt.encode())
    room = context - prompt // 2 - 64
    return min(request.max_tokens, room) if room > 0 else request.max_tokens


def _object(body: str, who: str) -> dict[str, Any]:
    told = mapping(parsed(body, who))
    if error := mapping(told.get("error")):
        # Routers pass on the failure of the server behind them with a status of 200.
        code = count(error.get("code")) or 500
        got = one_line(f"{code}: {text(error.get('message'))}")
        raise failure(who, outcome_of(code), got)
    return told


def _thoughts(message: dict[str, Any], content: str) -> tuple[str, str, str]:
    for name in ("reasoning_content", "reasoning"):
        if thinking := text(message.get(name)):
            return thinking, content, name
    opened = _THINK.match(content)
    closed = _THOUGHT.search(content)
    if closed:  # some chat templates open the thinking in the prompt, so that only its end is seen
        start = opened.end() if opened else 0
        return content[start : closed.start()].strip(), content[closed.end() :], "<think>"
    if opened:
        return content[opened.end() :].strip(), "", "<think>"
    return "", content, ""


def _trace_kind(message: dict[str, Any], thinking: str, answer: str) -> TraceKind:
    details = message.get("reasoning_details")
    kinds = [mapping(one).get("type") for one in details] if isinstance(details, list) else []
    if thinking:
        return TraceKind.SUMMARY if "reasoning.summary" in kinds else TraceKind.RAW
    return TraceKind.LEAKED if leaks(answer) else TraceKind.NONE


def _ended(finish: str, message: dict[str, Any], who: str) -> tuple[Outcome | None, str | None]:
    """The outcome that the finish reason alone decides, if it does."""
    if finish == "content_filter":
        return Outcome.SAFETY, "ended by content_filter"
    if refusal := text(message.get("refusal")):
        return Outcome.SAFETY, one_line(f"refused: {refusal}")
    if finish in _ENDED or finish in _CUT:
        return None, None
    if finish in {"abort", "error", "insufficient_system_resource"}:
        outcome = Outcome.DROPPED if finish == "abort" else Outcome.OVERLOADED
        raise failure(who, outcome, f"the server gave up the reply ({finish})", billed=True)
    return Outcome.MALFORMED, f"ended by {finish or 'no reason'}"


def _tokens(usage: dict[str, Any], thinking: str, answer: str) -> tuple[int | None, int | None]:
    total = count(usage.get("completion_tokens"))
    told = mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")
    thought = count(told)
    if total is None:
        return thought, None
    if not thought:
        if not thinking:
            return (thought, total)
        # Counted as one by most servers: split by length, so that the sum stays what is billed.
        thought = round(total * len(thinking) / (len(thinking) + len(answer)))
    return thought, max(total - thought, 0)

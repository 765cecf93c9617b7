"""The OpenAI protocol as vLLM, SGLang and hosted services speak it: chat, completions, models."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from s1data import digest
from s1data.emulator.faults import leaked_in, summary_of
from s1data.emulator.minds import Answer
from s1data.emulator.script import Fault, Persona
from s1data.emulator.words import Asked, Call, Refused, Said, draw

_CREATED: Final = 1_767_225_600
"""A fixed date: the same request gets the same bytes."""
_FINISH: Final = {
    "stop": "stop",
    "length": "length",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited": "content_filter",
}
_FAILURES: Final = {
    Fault.QUOTA_MINUTE: (429, "rate_limit_exceeded", "Rate limit reached for requests."),
    Fault.QUOTA_BARE: (429, None, "Too many requests."),
    Fault.QUOTA_DAY: (429, "insufficient_quota", "You exceeded your current quota per day."),
    Fault.SERVER_ERROR: (500, "internal_error", "The server had an error."),
    Fault.OVERLOADED: (503, "overloaded", "The engine is currently overloaded."),
    Fault.UNAUTHORISED: (401, "invalid_api_key", "Incorrect API key provided."),
    Fault.NOT_FOUND: (404, "model_not_found", "The model does not exist."),
    Fault.BAD_REQUEST: (400, "invalid_request", "The request is invalid."),
    Fault.BLOCKED_PROMPT: (400, "content_filter", "The prompt was blocked by a content filter."),
}
_TOKEN: Final = re.compile(r"\s*\S{1,6}|\s+")


def asked(body: Any, sample: int | None, call: Call) -> Asked:  # noqa: ANN401 - JSON
    """Reads a chat or completions request; Refused (400) where it is none."""
    try:
        if call == "chat":
            turns = [(turn["role"], _text(turn["content"])) for turn in body["messages"]]
            system = "\n\n".join(t for role, t in turns if role in {"system", "developer"})
            prompt = "\n\n".join(t for role, t in turns if role == "user")
        else:
            system, given = "", body["prompt"]
            prompt = given if isinstance(given, str) else "".join(given)
        model = str(body["model"])
        stop = body.get("stop") or ()
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused(400, "invalid_request", f"The request misses {error}") from None
    if not prompt.strip():
        raise Refused(400, "invalid_request", "The prompt is empty.")
    decides = {k: v for k, v in body.items() if k not in {"stream", "stream_options"}}
    scores = call == "completions" and bool(body.get("echo"))
    return Asked(
        protocol="openai",
        call="score" if scores else call,
        model=model,
        prompt=prompt,
        system=system,
        material=digest.of_value(["openai", call, decides, sample or 0]),
        sample=sample or 0,
        numbered=sample is not None,
        seed=body.get("seed") or 0,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        streams=bool(body.get("stream")),
    )


def response(asked: Asked, answer: Answer, persona: Persona) -> dict[str, Any]:
    """A chat completion, or a completion."""
    chat = asked.call == "chat"
    thinking = sum(one.thinking_tokens for one in answer.said)
    out = thinking + sum(one.answer_tokens for one in answer.said)
    usage: dict[str, Any] = {
        "prompt_tokens": asked.prompt_tokens,
        "completion_tokens": out,
        "total_tokens": asked.prompt_tokens + out,
    }
    if chat:
        usage["completion_tokens_details"] = {"reasoning_tokens": thinking}
    choices: list[dict[str, Any]] = []
    for place, said in enumerate(answer.said):
        if said.finish == "no_candidates":
            continue
        spoken: dict[str, Any] = (
            {"message": _message(said, persona)}
            if chat
            else {"text": _think(said) + said.answer if said.trace == "raw" else said.answer}
        )
        ended = {"index": place, "finish_reason": _FINISH[said.finish], "logprobs": None}
        choices.append({**spoken, **ended})
    return {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{asked.material[:24]}",
        "object": "chat.completion" if chat else "text_completion",
        "created": _CREATED,
        "model": asked.model,
        "choices": choices,
        "usage": usage,
    }


def scored(asked: Asked) -> dict[str, Any]:
    """The prompt echoed with the log-probability of each of its tokens, the first one null."""
    pieces = _TOKEN.findall(asked.prompt)
    offsets, at = [], 0
    for piece in pieces:
        offsets.append(at)
        at += len(piece)
    chances = [
        None if at == 0 else round(-8.0 * draw("logprob", asked.model, before, piece), 6)
        for at, (before, piece) in enumerate(zip(["", *pieces], pieces, strict=False))
    ]
    logprobs = {
        "tokens": pieces,
        "token_logprobs": chances,
        "text_offset": offsets,
        "top_logprobs": None,
    }
    choice = {"index": 0, "text": asked.prompt, "finish_reason": "length", "logprobs": logprobs}
    return {
        "id": f"cmpl-{asked.material[:24]}",
        "object": "text_completion",
        "created": _CREATED,
        "model": asked.model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": len(pieces),
            "completion_tokens": 0,
            "total_tokens": len(pieces),
        },
    }


def _message(said: Said, persona: Persona) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.answer or None}
    shown = summary_of(said) if said.trace == "summary" else said.thinking
    if said.trace == "leaked":
        message["content"] = leaked_in(said) or None
    elif said.trace != "none" and shown:
        if persona.reasoning == "think":
            message["content"] = _think(said) + said.answer
        else:
            message[persona.reasoning] = shown
            if said.trace == "summary":
                # As routers mark it; nothing else tells a summary from the thinking itself.
                message["reasoning_details"] = [{"type": "reasoning.summary", "summary": shown}]
    return message


def _think(said: Said) -> str:
    if not said.thinking:
        return ""
    # A reply that was cut in its thinking never closes it.
    ended = "" if said.finish == "length" and not said.answer else "\n</think>\n\n"
    return f"<think>\n{said.thinking}{ended}"


def stream(body: dict[str, Any], *, with_usage: bool) -> list[bytes]:
    """The same response as server-sent events, ended by [DONE]."""
    chat = body["object"] == "chat.completion"
    head = {
        "id": body["id"],
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": _CREATED,
        "model": body["model"],
    }
    events: list[dict[str, Any]] = []
    for choice in body["choices"]:
        place = choice["index"]
        spoken = choice["message"] if chat else {"text": choice["text"]}
        for name in ("reasoning_content", "reasoning", "content", "text"):
            text = spoken.get(name) or ""
            size = max(1, len(text) // 3 + 1)
            for start in range(0, len(text), size):
                piece = {name: text[start : start + size]}
                delta = {"delta": {"role": "assistant", **piece}} if chat else piece
                events.append(
                    {**head, "choices": [{"index": place, "finish_reason": None} | delta]}
                )
        end: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        last = {"index": place, "finish_reason": choice["finish_reason"]} | end
        events.append({**head, "choices": [last]})
    if with_usage:
        events.append({**head, "choices": [], "usage": body["usage"]})
    return [*(b"data: " + orjson.dumps(event) + b"\n\n" for event in events), b"data: [DONE]\n\n"]


def failure(fault: Fault) -> tuple[int, dict[str, Any]]:
    """Status and body of a fault that has one."""
    status, code, message = _FAILURES[fault]
    return status, error(status, code, message)


def error(status: int, code: str | None, message: str) -> dict[str, Any]:
    """The body of an error."""
    kind = "invalid_request_error" if status < 500 and status != 429 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def described(model: str, persona: Persona) -> dict[str, Any]:
    """A model as the list of models shows it; vLLM tells its context there."""
    told: dict[str, Any] = {
        "id": model,
        "object": "model",
        "created": _CREATED,
        "owned_by": "s1data",
    }
    return {**told, "max_model_len": persona.context} if persona.context else told


def _text(content: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text") or "") for part in content or ())

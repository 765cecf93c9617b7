"""The Gemini protocol: from its JSON to `Asked`, from `Said` and faults to its JSON.

Field names are taken in camelCase and in snake_case, as the SDK sends both.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from s1data import digest
from s1data.emulator.faults import leaked_in, summary_of
from s1data.emulator.minds import Answer
from s1data.emulator.script import Fault
from s1data.emulator.words import Asked, Call, Refused, Said, tokens

_FINISH: Final = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "safety": "SAFETY",
    "recitation": "RECITATION",
    "prohibited": "PROHIBITED_CONTENT",
}
_STATUS: Final = {
    Fault.QUOTA_MINUTE: (429, "RESOURCE_EXHAUSTED"),
    Fault.QUOTA_BARE: (429, "RESOURCE_EXHAUSTED"),
    Fault.QUOTA_DAY: (429, "RESOURCE_EXHAUSTED"),
    Fault.SERVER_ERROR: (500, "INTERNAL"),
    Fault.OVERLOADED: (503, "UNAVAILABLE"),
    Fault.UNAUTHORISED: (403, "PERMISSION_DENIED"),
    Fault.NOT_FOUND: (404, "NOT_FOUND"),
    Fault.BAD_REQUEST: (400, "INVALID_ARGUMENT"),
}
_TYPE: Final = "type.googleapis.com/google.rpc."


def asked(model: str, body: Any, sample: int | None, call: Call) -> Asked:  # noqa: ANN401 - JSON
    """Reads a GenerateContentRequest; Refused (400) where it is none."""
    plain = _camel(body) if isinstance(body, dict) else {}
    plain.pop("model", None)  # a batch request names it inside, an online one in the path
    try:
        prompt = "\n\n".join(
            _text(content) for content in plain["contents"] if content.get("role") != "model"
        )
        config = plain.get("generationConfig") or {}
        system = _text(plain.get("systemInstruction") or {})
        thinking = config.get("thinkingConfig") or {}
        seed, stop = config.get("seed") or 0, tuple(config.get("stopSequences") or ())
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused(400, "INVALID_ARGUMENT", f"Invalid JSON payload: {error}") from None
    if not prompt.strip():
        raise Refused(400, "INVALID_ARGUMENT", "contents.parts must not be empty.")
    return Asked(
        protocol="gemini",
        call=call,
        model=model,
        prompt=prompt,
        system=system,
        material=digest.of_value(["gemini", model, plain, sample or 0]),
        sample=sample or 0,
        numbered=sample is not None,
        seed=seed,
        max_tokens=config.get("maxOutputTokens"),
        thinking_budget=thinking.get("thinkingBudget"),
        stop=stop,
        streams=call == "stream",
    )


def wants_thoughts(body: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether the request asks for thoughts to be shown."""
    config = _camel(body).get("generationConfig") or {}
    return bool((config.get("thinkingConfig") or {}).get("includeThoughts"))


def choices(body: Any) -> int:  # noqa: ANN401 - JSON
    """How many candidates the request wants."""
    config = _camel(body).get("generationConfig") or {}
    return int(config.get("candidateCount") or 1)


def response(asked: Asked, answer: Answer, *, thoughts: bool) -> dict[str, Any]:
    """A GenerateContentResponse."""
    first = answer.said[0]
    usage: dict[str, Any] = {"promptTokenCount": asked.prompt_tokens}
    answering = sum(one.answer_tokens for one in answer.said)
    thinking = sum(one.thinking_tokens for one in answer.said)
    if answering:
        usage["candidatesTokenCount"] = answering
    if thinking:
        usage["thoughtsTokenCount"] = thinking
    usage["totalTokenCount"] = asked.prompt_tokens + answering + thinking
    body: dict[str, Any] = {
        "usageMetadata": usage,
        "modelVersion": asked.model,
        "responseId": asked.material[:22],
    }
    if first.finish == "blocked_prompt":
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    elif first.finish != "no_candidates":
        body["candidates"] = [
            _candidate(said, place, thoughts=thoughts) for place, said in enumerate(answer.said)
        ]
    return body


def _candidate(said: Said, place: int, *, thoughts: bool) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if said.trace == "leaked":
        parts.append({"text": leaked_in(said)})
    else:
        # As the one model that showed its raw thinking did: two parts, neither of them marked.
        if said.trace == "raw" and said.thinking:
            parts.append({"text": said.thinking})
        if said.trace == "summary" and said.thinking and thoughts:
            parts.append({"text": summary_of(said), "thought": True})
        if said.answer:
            parts.append({"text": said.answer})
    content: dict[str, Any] = {"role": "model"}
    if any(part["text"] for part in parts):
        content["parts"] = parts
    made: dict[str, Any] = {
        "content": content,
        "finishReason": _FINISH[said.finish],
        "index": place,
    }
    if said.finish == "safety":
        made["safetyRatings"] = [
            {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}
        ]
    return made


def stream(body: dict[str, Any]) -> list[bytes]:
    """The same response as server-sent events: each part in pieces, the finish in the last."""
    candidates = body.get("candidates") or []
    usage = body["usageMetadata"]
    known = {"modelVersion": body["modelVersion"], "responseId": body["responseId"]}
    events: list[dict[str, Any]] = []
    for candidate in candidates:
        for part in candidate["content"].get("parts", []):
            size = max(1, len(part["text"]) // 3 + 1)
            for start in range(0, max(1, len(part["text"])), size):
                piece = {**part, "text": part["text"][start : start + size]}
                content = {"role": "model", "parts": [piece]}
                shown = {"content": content, "index": candidate["index"]}
                events.append({"candidates": [shown], **known})
        last = {**candidate, "content": {"role": "model", "parts": [{"text": ""}]}}
        events.append({"candidates": [last], "usageMetadata": usage, **known})
    return [b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in (events or [body])]


def failure(fault: Fault, model: str, retry_after: float) -> tuple[int, dict[str, Any]]:
    """Status and body of a fault that has one."""
    status, word = _STATUS[fault]
    messages = {
        Fault.OVERLOADED: "The model is overloaded. Please try again later.",
        Fault.SERVER_ERROR: "An internal error has occurred.",
        Fault.UNAUTHORISED: "The caller does not have permission.",
        Fault.NOT_FOUND: f"models/{model} is not found for this API version.",
        Fault.BAD_REQUEST: "Request contains an invalid argument.",
    }
    details: list[dict[str, Any]] = []
    if fault in {Fault.QUOTA_MINUTE, Fault.QUOTA_DAY}:
        span = "PerDay" if fault is Fault.QUOTA_DAY else "PerMinute"
        violation = {
            "quotaMetric": "generate_requests",
            "quotaId": f"GenerateRequests{span}PerProjectPerModel",
            "quotaDimensions": {"location": "global", "model": model},
        }
        details.append({"@type": f"{_TYPE}QuotaFailure", "violations": [violation]})
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{retry_after:g}s"})
    message = messages.get(fault, "You exceeded your current quota. Please retry later.")
    return status, error(status, word, message, details)


def error(
    status: int, word: str, message: str, details: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The body of an error."""
    inner: dict[str, Any] = {"code": status, "message": message, "status": word}
    if details:
        inner["details"] = details
    return {"error": inner}


def wrong_key() -> tuple[int, dict[str, Any]]:
    """What the service answers to a key it does not know: a 400, not a 401."""
    reason = [{"@type": f"{_TYPE}ErrorInfo", "reason": "API_KEY_INVALID"}]
    message = "API key not valid. Please pass a valid API key."
    return 400, error(400, "INVALID_ARGUMENT", message, reason)


def count(body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The answer to countTokens."""
    plain = _camel(body)
    inner = plain.get("generateContentRequest") or plain
    return {"totalTokens": sum(tokens(_text(part)) for part in inner.get("contents") or ())}


def described(model: str) -> dict[str, Any]:
    """A model as the list of models shows it."""
    return {
        "name": f"models/{model}",
        "version": "001",
        "displayName": model,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "batchGenerateContent"],
    }


def _text(content: dict[str, Any]) -> str:
    return "\n".join(part.get("text") or "" for part in content.get("parts") or ())


_SNAKE: Final = re.compile(r"_([a-z0-9])")


def _camel(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {_SNAKE.sub(lambda m: m[1].upper(), key): _camel(v) for key, v in value.items()}
    return [_camel(v) for v in value] if isinstance(value, list) else value

"""Engines that ask a server: every call goes through the reply store, so nothing is paid twice.

`Completions` continues raw prompts at ``/v1/completions`` (vLLM, SGLang, llama.cpp's server).
`Knob` is for hosted models that take a thinking budget and nothing else: no text can be put in, and
whether the service keeps to the budget is for the service to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from s1data.asking import NotSent
from s1data.errors import RunError
from s1data.models import POLICIES, ModelError, ModelSpec, Outcome, Reply, Request, Thinking
from s1data.scaling.forcing import Call, Forced, Generated, Piece
from s1data.serving import Serving

_SPOKEN: Final = {Outcome.CUT_THINKING, Outcome.CUT_ANSWERING, Outcome.EMPTY}
"""Outcomes that are no answers elsewhere, and are what a loop over raw text expects."""


class Completions:
    """Continues raw text at an OpenAI-compatible server."""

    def __init__(self, serving: Serving, name: str) -> None:
        """``name`` is that of a model of ``serving``, whose mode is ``completions``.

        The servers are told to show special tokens (``skip_special_tokens: false``): hidden ones,
        as ``<|im_start|>``, would match no stop text. An ``extra`` of the model wins.
        """
        spec = serving.specs[name]
        if spec.mode != "completions":
            raise RunError(f"model {name}: wanted mode completions, got {spec.mode}; set it so")
        extra = {"skip_special_tokens": False} | dict(spec.extra)
        self._fields = spec.model_dump() | {"extra": extra}
        self._serving = serving

    def generate(self, calls: Sequence[Call]) -> list[Generated]:
        """As `Engine.generate`; RunError where the session stopped, with everything kept."""
        requests = [
            Request(
                **self._fields
                | {
                    "prompt": call.prompt,
                    "max_tokens": call.max_tokens,
                    "stop": call.stop,
                    "sample": call.sample,
                }
            )
            for call in calls
        ]
        answers = _asked(self._serving, requests)
        raw = self._serving.store.get([request.key for request in requests], raw=True)
        return [
            _generated(answers[request.key], raw.get(request.key), call)
            for request, call in zip(requests, calls, strict=True)
        ]

    def most_tokens(self, text: str) -> int:
        """Bytes of the text: no tokenizer makes more tokens than that."""
        return len(text.encode())


def _asked(serving: Serving, requests: Sequence[Request]) -> dict[str, Reply | ModelError]:
    session = serving.session()
    answers = session.run(session.ask_all(requests))
    found: dict[str, Reply | ModelError] = {}
    for key, answer in answers.items():
        if isinstance(answer, NotSent):
            raise RunError(f"{answer.stop.message}; the same command goes on from here")
        found[key] = answer
    return found


def _generated(answer: Reply | ModelError, raw: Reply | None, call: Call) -> Generated:
    if isinstance(answer, ModelError):
        return _failed(f"{answer.outcome.value}: {answer}")
    if not POLICIES[answer.outcome].answers and answer.outcome not in _SPOKEN:
        return _failed(f"{answer.outcome.value}: {answer.detail or 'no detail'}")
    choice, usage = _body(raw)
    if choice is None:
        return _failed("malformed: the reply has no choices")
    return _told_by(choice, usage, call)


def _told_by(choice: Mapping[str, Any], usage: Mapping[str, Any], call: Call) -> Generated:
    text = str(choice.get("text") or "")
    hit = choice.get("finish_reason") in {"length", "max_tokens"}
    tokens = _count(choice, usage)
    if tokens is None or (text and tokens == 0):
        # A server that counts nothing: what keeps the budget under any tokenizer.
        tokens = call.max_tokens if hit else min(call.max_tokens, len(text.encode()))
        return Generated(text=text, tokens=tokens, hit_limit=hit)
    if not 0 <= tokens <= call.max_tokens:
        return _failed(
            f"malformed: the server counts {tokens} tokens where {call.max_tokens} were asked for "
            "at most"
        )
    ending = 0 if hit else min(tokens, _ending(choice, call.stop))
    return Generated(text=text, tokens=tokens, hit_limit=hit, ending=ending)


def _ending(choice: Mapping[str, Any], stop: Sequence[str]) -> int:
    """At most so many of the tokens are those of the mark that ended a choice.

    vLLM says which it was: a text, or the id of a token. Elsewhere it may be any of them, and no
    tokenizer makes more tokens of a text than it has bytes.
    """
    told = choice.get("stop_reason")
    if isinstance(told, int) and not isinstance(told, bool):
        return 1
    known = [told] if isinstance(told, str) else stop
    return max((len(text.encode()) for text in known), default=1)


def _failed(why: str) -> Generated:
    return Generated(text="", tokens=0, hit_limit=False, error=why)


def _body(raw: Reply | None) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """The first choice and the usage; the providers' own reading would take think tags out."""
    body = json.loads(raw.raw) if raw is not None and raw.raw else {}
    choices, usage = body.get("choices"), body.get("usage")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else None, usage if isinstance(usage, dict) else {}


def _count(choice: Mapping[str, Any], usage: Mapping[str, Any]) -> int | None:
    """Generated ids where the server shows them (vLLM: ``return_token_ids``), else its count."""
    if isinstance(ids := choice.get("token_ids"), list):
        return len(ids)
    told = usage.get("completion_tokens")
    return told if isinstance(told, int) and not isinstance(told, bool) else None


class Knob:
    """Asks with a thinking budget or level that the service itself keeps to, or does not."""

    def __init__(self, serving: Serving, name: str) -> None:
        self._serving = serving
        self._spec: ModelSpec = serving.specs[name]

    def ask(
        self, questions: Mapping[tuple[str, int], str], thinking: Thinking, prompt: str
    ) -> list[Forced]:
        """One request for each question, by (id, sample); ``{question}`` stands in ``prompt``."""
        fields = self._spec.model_dump() | {"thinking": thinking}
        requests = [
            Request(**fields, prompt=prompt.replace("{question}", question), sample=sample)
            for (_, sample), question in questions.items()
        ]
        answers = _asked(self._serving, requests)
        return [
            _told(id_, sample, answers[request.key])
            for (id_, sample), request in zip(questions, requests, strict=True)
        ]


def _told(id_: str, sample: int, answer: Reply | ModelError) -> Forced:
    state = Forced(id=id_, sample=sample)
    if isinstance(answer, ModelError):
        state.error = f"{answer.outcome.value}: {answer}"
        return state
    if not POLICIES[answer.outcome].answers and answer.outcome is not Outcome.CUT_ANSWERING:
        state.error = answer.outcome.value
        return state
    state.answer_cut = answer.outcome is Outcome.CUT_ANSWERING
    state.pieces.append(Piece("thinking", answer.thinking or "", answer.thinking_tokens or 0))
    state.pieces.append(Piece("answer", answer.answer or "", answer.answer_tokens or 0))
    return state

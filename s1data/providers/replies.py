"""From what a service told to a `Reply`: the ending judged, times and tokens kept."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from s1data.models import ModelError, Outcome, Reply, Request, Scored, Told, TraceKind
from s1data.providers.failures import failure

_TOLD: Final = tuple(one.name for one in fields(Told))
_LEAKED: Final = re.compile(r"\s*(\*\*)?(THOUGHTS?:|<(think|thinking|thought|thoughts)>)")


@dataclass(frozen=True, slots=True)
class Sending:
    """A request on its way."""

    request: Request
    asked: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    started: float = field(default_factory=time.monotonic)

    def reply(self, told: Told, raw: str | None = None) -> Reply:
        """The reply to it."""
        values = {name: getattr(told, name) for name in _TOLD}
        return Reply(
            key=self.request.key,
            provider=self.request.provider,
            model=self.request.model,
            raw=raw,
            request=self.request.text,
            asked=self.asked,
            seconds=round(time.monotonic() - self.started, 3),
            **values,
        )

    async def scored(self, score: Callable[[Request], Awaitable[Scored]]) -> Reply:
        """The reply to a text to score: its log-probabilities; what was echoed is not kept."""
        try:
            found = await score(self.request)
        except ModelError as error:
            if error.outcome is Outcome.BAD_REQUEST:
                return self.refused(error)
            raise
        told = Told(
            outcome=Outcome.OK,
            answer=found.written(),
            prompt_tokens=found.prompt_tokens,
            answer_tokens=0,
        )
        return self.reply(told)

    def refused(self, error: ModelError) -> Reply:
        """The reply that a refusal for good is."""
        return self.reply(Told(outcome=error.outcome, detail=str(error)))


def parsed(body: str, who: str) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a body; ModelError where it was cut short or is none."""
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:  # the other parser takes NaN and halves of surrogate pairs
        return json.loads(body)
    except (ValueError, RecursionError):
        raise failure(who, Outcome.DROPPED, "a body that is not whole JSON", billed=True) from None


def wants_thoughts(request: Request) -> bool:
    """Whether a reply without thoughts lacks something."""
    return request.thinking is not None and request.thinking.include


def leaks(answer: str) -> bool:
    """Whether an answer opens with thinking that nothing marks as such."""
    return _LEAKED.match(answer) is not None


def ending(
    request: Request, *, thinking: str, answer: str, trace_kind: TraceKind, cut: bool
) -> Outcome:
    """The outcome of a reply that ended by itself or at its limit of tokens."""
    if cut:
        return Outcome.CUT_ANSWERING if answer.strip() else Outcome.CUT_THINKING
    if not answer.strip():
        return Outcome.EMPTY
    if trace_kind is TraceKind.SUMMARY:
        return Outcome.SUMMARY
    if trace_kind is TraceKind.LEAKED:
        return Outcome.LEAKED_THOUGHTS
    bare = not thinking.strip() and wants_thoughts(request)
    return Outcome.OK_WITHOUT_THOUGHTS if bare else Outcome.OK


def text(value: Any) -> str:  # noqa: ANN401 - JSON
    """A JSON value as text that UTF-8 can hold: half a surrogate pair becomes U+FFFD."""
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def count(value: Any) -> int | None:  # noqa: ANN401 - JSON
    """A JSON value as a number of tokens."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(value) if good else None


def mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A JSON value as an object; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def first(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The first object of a JSON list; an empty one where there is none."""
    return mapping(value[0]) if isinstance(value, list) and value else {}


def one_thought(part: str, counted: int | None) -> bool:
    """Whether a text is long enough to be the thinking of which so many tokens were counted.

    A token is some four characters; a summary has a fifth of the thinking's length or less.
    """
    return bool(counted) and len(part) / 4 >= 0.5 * (counted or 0)

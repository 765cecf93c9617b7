"""Everything behind the wire: from a request to a reply, its fault and its price.

One `Minds` serves both protocols and batch jobs; it counts tries, keeps quotas, writes the log.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from s1data.emulator.faults import changed, limited, struck_by
from s1data.emulator.recorded import Recorded
from s1data.emulator.roles import Knowledge, reply
from s1data.emulator.script import UNANSWERED, Fault, Persona, Script
from s1data.emulator.witness import Entry, Witness
from s1data.emulator.words import Asked, Refused, Said

BATCH_SHARE = 0.5
"""What a batch request costs of an online one."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of one try: the replies, or the fault in their place."""

    said: tuple[Said, ...]
    fault: Fault | None
    tries: int
    seconds: float
    """How long the client is kept waiting."""
    retry_after: float
    """Seconds that a 429 asks to wait."""


class Minds:
    """The models of one emulator."""

    def __init__(
        self,
        script: Script,
        answers: pl.DataFrame | None,
        replay: pl.DataFrame | None,
        log: Path | None,
    ) -> None:
        self.script = script
        self.witness = Witness(log)
        self._knowledge = Knowledge(answers)
        self._recorded = Recorded(replay)
        self._tries: Counter[str] = Counter()
        self._minute: dict[str, deque[float]] = {}
        self._day: dict[str, deque[float]] = {}

    @property
    def models(self) -> list[str]:
        """Names to be listed: those served, else those that the script or the replay names."""
        if self.script.served:
            return list(self.script.served)
        named = [name for name, _ in self.script.models if not set(name) & set("*?[")]
        return sorted({*named, *self._recorded.models}) or ["emulated"]

    def serves(self, model: str) -> bool:
        """Whether there is such a model."""
        return not self.script.served or model in self.script.served

    def lets_in(self, key: str | None) -> bool:
        """Whether an API key is accepted."""
        return not self.script.keys or key in self.script.keys

    def answer(self, asked: Asked, choices: int = 1, *, job: str | None = None) -> Answer:
        """Decides one try. Raises Refused where the request itself cannot be served."""
        if not self.serves(asked.model):
            raise Refused(404, "NOT_FOUND", f"model {asked.model} is not found")
        persona = self.script.persona(asked.model)
        self._within_context(asked, persona)
        tries = self._tries[asked.material]
        self._tries[asked.material] += 1
        fault = struck_by(asked, self.script, tries, batch=job is not None)
        retry_after = self.script.retry_delay
        if job is None and fault is None:
            fault, retry_after = self._over_quota(asked.model, persona)
        said: tuple[Said, ...] = ()
        if fault not in UNANSWERED or fault is Fault.HANG:
            said = tuple(self._say(asked, fault, place) for place in range(choices))
        seconds = persona.latency + (self.script.slow_seconds if fault is Fault.SLOW else 0.0)
        if persona.tokens_per_second and said:
            out = max(one.thinking_tokens + one.answer_tokens for one in said)
            seconds += out / persona.tokens_per_second
        return Answer(said, fault, tries + 1, seconds, retry_after)

    def note(self, asked: Asked, answer: Answer, status: int, *, job: str | None = None) -> None:
        """Logs and bills one try."""
        prices = self.script.persona(asked.model).price or (0.0, 0.0)
        said = answer.said
        thinking = sum(one.thinking_tokens for one in said)
        answering = sum(one.answer_tokens for one in said)
        usd = (asked.prompt_tokens * prices[0] + (thinking + answering) * prices[1]) / 1e6
        whole = answer.fault not in UNANSWERED | {
            Fault.DROP_BODY, Fault.CUT_JSON, Fault.EMPTY_BODY,
        }  # fmt: skip
        entry = Entry(
            protocol=asked.protocol,
            call=asked.call if job is None else "batch",
            model=asked.model,
            role=said[0].role if said else None,
            material=asked.material,
            question=said[0].question if said else None,
            sample=asked.sample,
            tries=answer.tries,
            status=status,
            fault=answer.fault.value if answer.fault else None,
            finish=said[0].finish if said else None,
            source=said[0].source if said else None,
            answered=bool(said) and whole,
            prompt_tokens=asked.prompt_tokens if said else None,
            thinking_tokens=thinking if said else None,
            answer_tokens=answering if said else None,
            usd=(usd if job is None else usd * BATCH_SHARE) if said else None,
            job=job,
        )
        self.witness.note(entry)

    def _say(self, asked: Asked, fault: Fault | None, place: int) -> Said:
        one = replace(asked, sample=asked.sample + place) if place else asked
        said = self._recorded.reply(one, self.script) or reply(one, self.script, self._knowledge)
        return changed(limited(said, asked), fault)

    @staticmethod
    def _within_context(asked: Asked, persona: Persona) -> None:
        wanted = asked.max_tokens or 1
        if persona.context is not None and asked.prompt_tokens + wanted > persona.context:
            # Worded after vLLM, whose message clients read the numbers from.
            raise Refused(
                400,
                "INVALID_ARGUMENT",
                f"This model's maximum context length is {persona.context} tokens. However, you "
                f"requested {asked.prompt_tokens + wanted} tokens ({asked.prompt_tokens} in the "
                f"messages, {wanted} in the completion). Please reduce the length of the messages "
                "or completion.",
            )

    def _over_quota(self, model: str, persona: Persona) -> tuple[Fault | None, float]:
        now = time.monotonic()
        for fault, limit, span, kept in (
            (Fault.QUOTA_DAY, persona.requests_per_day, _DAY, self._day),
            (Fault.QUOTA_MINUTE, persona.requests_per_minute, 60.0, self._minute),
        ):
            if limit is None:
                continue
            times = kept.setdefault(model, deque())
            while times and times[0] <= now - span:
                times.popleft()
            if len(times) >= limit:
                return fault, times[0] + span - now
        for limit, kept in (
            (persona.requests_per_day, self._day),
            (persona.requests_per_minute, self._minute),
        ):
            if limit is not None:
                kept[model].append(now)
        return None, self.script.retry_delay

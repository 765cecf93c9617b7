"""What an Asker used of one model: replies by outcome and kind, tokens and dollars."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from s1data.models import Reply


@dataclass
class Used:
    """Replies used of one model, cached or new."""

    requests: int = 0
    cached: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    usd: float = 0.0

    def add(self, reply: Reply, cached: bool) -> None:
        self.cached += cached
        self.outcomes[reply.outcome.value] += 1
        self.origins[reply.origin] += 1
        self.prompt_tokens += reply.prompt_tokens or 0
        self.thinking_tokens += reply.thinking_tokens or 0
        self.answer_tokens += reply.answer_tokens or 0
        self.usd += reply.usd or 0.0
        if reply.answers:
            self.kinds[reply.trace_kind.value] += 1

    def figures(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "cached": self.cached,
            "outcomes": dict(sorted(self.outcomes.items())),
            "open": dict(sorted(self.open.items())),
            "trace_kinds": dict(sorted(self.kinds.items())),
            "origins": dict(sorted(self.origins.items())),
            "prompt_tokens": self.prompt_tokens,
            "thinking_tokens": self.thinking_tokens,
            "answer_tokens": self.answer_tokens,
            "usd": round(self.usd, 9),
        }

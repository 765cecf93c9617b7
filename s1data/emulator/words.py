"""Between the two protocols and the models behind them: what was asked, and what is said.

Tokens are counted as one for four bytes of UTF-8, rounded up: close to a tokenizer's count for
English, and the same on every machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Call = Literal["generate", "stream", "chat", "completions", "score", "batch"]
Finish = Literal[
    "stop", "length", "safety", "recitation", "prohibited", "blocked_prompt", "no_candidates"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for a reply, whichever protocol it came by."""

    protocol: Literal["gemini", "openai"]
    call: Call
    model: str
    prompt: str
    """Everything the user said, or the raw prompt."""
    system: str
    material: str
    """Hex sha256 of all that decides the reply: model, body and sample."""
    sample: int = 0
    numbered: bool = False
    """Whether the client says which sample this is; its seed then need not."""
    seed: int = 0
    max_tokens: int | None = None
    thinking_budget: int | None = None
    stop: tuple[str, ...] = ()
    streams: bool = False

    @property
    def prompt_tokens(self) -> int:
        return tokens(self.prompt) + tokens(self.system)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One reply, whichever protocol carries it."""

    role: str
    question: str
    """`question_id` of the question found in the prompt, else of the whole prompt."""
    thinking: str
    answer: str
    finish: Finish = "stop"
    trace: Literal["raw", "summary", "none", "leaked"] = "raw"
    source: Literal["emulated", "replay"] = "emulated"
    thinking_tokens: int
    answer_tokens: int


class Refused(Exception):  # noqa: N818 - an answer of the server, not an error of ours
    """The server answers with an HTTP error: status, the service's word for it, and a message."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(status, word, message)
        self.status = status
        self.word = word
        self.message = message


def tokens(text: str) -> int:
    """How many tokens a text counts as."""
    return (len(text.encode()) + 3) // 4


def cut(text: str, limit: int) -> str:
    """The longest beginning of a text that counts as ``limit`` tokens at most."""
    return text.encode()[: limit * 4].decode(errors="ignore")


def text_id(text: str) -> str:
    """First 16 hex digits of the sha256 of a text, as the pool names its questions."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def draw(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts and on nothing else."""
    told = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:7]) / 2**56

"""A model as a recipe names it: what decides its replies, and nothing of where it is served."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from s1data.frozen import Frozen, Pairs

OWN: Final = {
    "max_tokens": "give it as max_tokens",
    "temperature": "give it as temperature",
    "top_p": "give it as top_p",
    "stop": "give it as stop",
    "seed": "give it as seed",
    "model": "give it as model",
    "system": "give it as system",
    **dict.fromkeys(("messages", "prompt", "contents"), "what is asked is the stage's prompt"),
    **dict.fromkeys(("systemInstruction", "system_instruction"), "give it as system"),
    **dict.fromkeys(
        ("n", "best_of", "candidateCount", "candidate_count"),
        "one reply to a request is kept and counted: ask for samples",
    ),
    **dict.fromkeys(("stream", "stream_options"), "replies are read whole"),
    **dict.fromkeys(
        ("generationConfig", "generation_config", "maxOutputTokens", "max_output_tokens"),
        "give max_tokens, temperature, top_p, stop, seed and thinking as settings of the model",
    ),
    **dict.fromkeys(("safetySettings", "safety_settings"), "give it as safety"),
}
"""Fields of a body that a request sets itself. One in ``extra`` would go before it unseen: past
the budget's reservation, or to another model than the key says."""


class Thinking(Frozen):
    """How much a model may think, where its API has a knob for it (Gemini)."""

    budget: int | None = Field(
        default=None, ge=-1, description="Thinking tokens (2.5 models); -1 lets the model decide."
    )
    level: Literal["minimal", "low", "medium", "high"] | None = Field(
        default=None, description="Thinking level (3.x models)."
    )
    include: bool = Field(default=True, description="Ask for the thoughts or their summary.")


class ModelSpec(Frozen):
    """One entry under ``models:``; all of it is identity."""

    provider: Literal["gemini", "openai_compatible", "transformers"] = Field(
        description="How it is spoken to; `transformers` loads the weights into this process, and "
        "scores only."
    )
    model: str = Field(min_length=1, description="The name that the server knows it by.")
    revision: str | None = Field(
        default=None, description="Revision of the weights, where one serves them oneself."
    )
    api_version: str | None = Field(default=None, description="Gemini: v1, v1beta; else none.")
    mode: Literal["chat", "completions"] = Field(
        default="chat", description="Chat messages, or a raw prompt to /v1/completions."
    )
    system: str | None = Field(default=None, description="System prompt, before a stage's own.")
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(
        default=None, gt=0, description="Most tokens of a reply, thinking included."
    )
    stop: tuple[str, ...] = Field(default=(), description="Texts that end a reply.")
    seed: int | None = Field(default=None, description="Sampling seed, where the server has one.")
    thinking: Thinking | None = Field(default=None)
    safety: Literal["default", "off"] = Field(
        default="default", description="Gemini: the service's safety filters, or all of them off."
    )
    extra: Pairs[Any] = Field(
        default=(), description="Further fields of the request body, as top_k."
    )

    @field_validator("extra")
    @classmethod
    def _further(cls, extra: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
        for name, value in extra:
            if name in OWN:
                msg = f"{name} is no further field of the request: {OWN[name]}"
                raise ValueError(msg)
            if name == "max_completion_tokens" and (type(value) is not int or value < 1):
                msg = f"max_completion_tokens: wanted a whole number from 1, got {value!r}"
                raise ValueError(msg)
        return extra

    @property
    def most_tokens(self) -> int | None:
        """Most tokens of a reply, by whichever name the request says so; None: it does not."""
        named = [value for name, value in self.extra if name == "max_completion_tokens"]
        return max([*named, *filter(None, [self.max_tokens])], default=None)

"""A model as a recipe names it: what decides its replies, and nothing of where it is served."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from s1data.frozen import Frozen, Pairs


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

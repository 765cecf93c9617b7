"""One question to one model: everything that decides the reply, and the key made of all of it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from s1data.digest import canonical_json
from s1data.models.spec import ModelSpec


class Request(ModelSpec):
    """A model's settings, a prompt, and which of several samples or rungs this is.

    The key is derived from every field, so a field that is added counts by itself; fields that
    hold their default are left out of the hash, so that adding one moves no key.
    """

    prompt: str = Field(
        description="The user's message, or the raw prompt; empty only before a text to score."
    )
    sample: int = Field(default=0, ge=0, description="Which sample of the same question.")
    rung: int = Field(
        default=0, ge=0, description="Which try at a question whose reply was of no use."
    )
    score: str | None = Field(
        default=None, description="A text whose log-probabilities after the prompt are wanted."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Request:
        if not self.prompt and not self.score:
            msg = "a prompt of at least one character is wanted, or a text to score"
            raise ValueError(msg)
        return self

    @cached_property
    def key(self) -> str:
        """Hex sha256 of all that differs from the defaults: the reply's address in the store."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def text(self) -> str:
        """`identity` as canonical JSON."""
        return canonical_json(self.identity())

    def identity(self) -> dict[str, Any]:
        """What the key is made of, JSON-able."""
        return self.model_dump(mode="json", exclude_defaults=True)

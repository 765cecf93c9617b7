"""Immutable values with strict types: what recipes, stages and requests are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

V = TypeVar("V")


def _pairs(value: object) -> object:
    # Anything else is left as it is, for the type's own check to refuse.
    if isinstance(value, Mapping):
        return tuple(sorted(value.items(), key=lambda pair: str(pair[0])))
    if isinstance(value, tuple) and all(isinstance(v, tuple) and v for v in value):
        return tuple(sorted(value, key=lambda pair: str(pair[0])))
    return value


Pairs = Annotated[
    tuple[tuple[str, V], ...],
    BeforeValidator(_pairs),
    PlainSerializer(dict),
    WithJsonSchema({"type": "object"}),
]
"""A mapping as a field: given and written as a mapping, held as sorted pairs, so immutable."""


class Frozen(BaseModel):
    """A deeply immutable value: no unknown fields, no coercion, lists become tuples."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_become_tuples(cls, values: object) -> object:
        return _tuples(values)


def _tuples(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_tuples(v) for v in value)
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return value

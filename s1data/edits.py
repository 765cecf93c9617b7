"""Edits of a chosen set by hand: which row leaves, comes or stays, why, and since when."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator, model_validator

from s1data.frozen import Frozen


class Edit(Frozen):
    """One erratum. It moves at most one row out of the set and one in."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$", description="The question that it is about.")
    action: Literal["drop", "pin", "swap"] = Field(
        description="`drop` puts the next row in its place, `pin` brings it in for the last one "
        "chosen, `swap` puts the row `with` in its place; each within the quota."
    )
    with_: str | None = Field(
        default=None,
        alias="with",
        pattern=r"^[0-9a-f]{16}$",
        description="The question that comes in, for `swap`.",
    )
    reason: str = Field(min_length=1, max_length=400, description="Why, for readers of the card.")
    date: str = Field(description="Since when, as year-month-day.")

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if day is None or day.isoformat() != text:
            msg = f"a day like 2026-11-24 is wanted, got {text!r}"
            raise ValueError(msg)
        return text

    @model_validator(mode="after")
    def _swap_has_a_partner(self) -> Edit:
        if (self.action == "swap") != (self.with_ is not None) or self.with_ == self.id:
            wanted = "another id as `with`" if self.action == "swap" else "no `with`"
            msg = f"{self.action} wants {wanted}"
            raise ValueError(msg)
        return self

    def written(self) -> dict[str, str]:
        """The edit as a recipe says it."""
        plain: dict[str, str] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return plain

"""Edits of a chosen set by hand: which row leaves, comes or stays, why, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from s1data.frozen import Frozen

REASONS: Final[Mapping[str, str]] = {
    "dropped_by_edit": "An edit of {edit[date]} drops it: {edit[reason]}. {edit[other]} is in "
    "its place.",
    "gave_way_to_edit": "An edit of {edit[date]} has {edit[other]} in its place: {edit[reason]}.",
    "kept_out_by_edit": "An edit of {edit[date]} keeps it out: {edit[reason]}. It was not chosen "
    "anyway.",
}
"""What edits do to rows that a selector could choose, whatever the selector."""


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


def contradictions(edits: Sequence[Edit]) -> Iterator[tuple[int, str]]:
    """Edits, by their place, that an earlier one speaks against."""
    about: dict[str, Edit] = {}
    brings: dict[str, Edit] = {}
    for place, edit in enumerate(edits):
        if edit.id in about:
            wanted = "wanted every name once; leave the older one out"
            yield place, f"the name {edit.id} stands twice; {wanted}"
        partner = edit.with_ or ""
        if other := brings.get(partner) or about.get(partner):
            does = "brings in" if other.with_ == partner else "is about"
            got = f"got {partner}, which the edit {other.action} {other.id} {does}"
            wanted = f"edit swap {edit.id}: wanted as `with` a row of no earlier edit"
            yield place, f"{wanted}, {got}; name another, or leave one out"
        about.setdefault(edit.id, edit)
        if partner:
            brings.setdefault(partner, edit)

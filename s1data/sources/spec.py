"""What a recipe says of a source and of a named input: plain values, nothing is opened here.

A `Source` becomes rows of the pool; an `Input` is a table beside it that stages read by name. Each
says where it lies (a path, a Hub repository, reasoning-gym) or leaves that to the run, which binds
a path or a frame to the name. ``columns`` maps pool columns to the columns of the file; this is
the only place where a column is renamed. `s1data.sources.open_source` opens what is described here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from s1data import pool
from s1data.frozen import Frozen, Pairs
from s1data.stage import LABEL

SLUG = f"^{LABEL.pattern}$"
HUB_NAME = r"^[A-Za-z0-9][\w.-]*/[\w.-]+$"

Scalar: TypeAlias = bool | int | float | str


class Family(Frozen):
    """One reasoning-gym family with settings of its own."""

    size: int = Field(gt=0, description="How many questions to generate.")
    config: Pairs[Scalar | tuple[Scalar, ...]] = Field(
        default=(), description="Settings of the family as reasoning-gym names them."
    )


class ReasoningGym(Frozen):
    """Questions that reasoning-gym generates, with verified answers."""

    families: Pairs[Annotated[int, Field(gt=0)] | Family] = Field(
        min_length=1, description="Family name to size, or to {size, config}."
    )
    seed: int = Field(default=0, ge=0, description="Seed given to every family.")


class _Place(Frozen):
    path: str | None = Field(
        default=None,
        min_length=1,
        description="File, folder or glob of .parquet, .jsonl, .ndjson or .csv, relative to the "
        "working directory.",
    )
    hub: str | None = Field(
        default=None, pattern=HUB_NAME, description="Dataset repository on the Hub, org/name."
    )
    config: str | None = Field(default=None, description="Config of the Hub dataset.")
    split: str = Field(default="train", min_length=1, description="Split of the Hub dataset.")
    revision: str | None = Field(
        default=None,
        description="Commit, tag or branch of the Hub dataset; the commit is recorded.",
    )

    shape: Literal["s1k", "s1k-1.1", "openthoughts", "limo", "mixture-of-thoughts"] | None = Field(
        default=None,
        description="The columns are those of this published set: a source becomes a pool, an "
        "input a line for each trace.",
    )

    @model_serializer(mode="wrap")
    def _no_shape_is_not_written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # So that places without one keep the fingerprint that they had before there were shapes.
        fields: dict[str, Any] = write(self)
        return (
            fields if self.shape is not None else {k: v for k, v in fields.items() if k != "shape"}
        )

    @model_validator(mode="after")
    def _only_the_hub_has_revisions(self) -> _Place:
        given = [name for name in ("config", "revision") if getattr(self, name) is not None]
        if given and self.hub is None:
            msg = f"{given[0]} belongs to a Hub dataset: give hub: org/name, or leave it out"
            raise ValueError(msg)
        return self


class Source(_Place):
    """Where some of the pool's questions come from."""

    name: str = Field(pattern=SLUG, description="Name of the source; the rows' column `source`.")
    reasoning_gym: ReasoningGym | None = Field(
        default=None, description="Generate questions with reasoning-gym (an extra)."
    )
    columns: Pairs[str] = Field(
        default=(),
        description="Pool column to column of the source. Canonical names are found by themselves.",
    )
    types: Pairs[Literal["number", "text", "bool"]] = Field(
        default=(),
        description="What columns of your own hold, by pool column; a file whose column is of "
        "another type is refused before anything runs.",
    )
    licence: str | None = Field(
        default=None, min_length=1, description="Licence of rows that name none themselves."
    )
    url: str | None = Field(
        default=None,
        pattern=r"^https?://[\w./%#?=&~+:@-]+$",
        description="A page about the source.",
    )
    citation: str | None = Field(
        default=None, min_length=1, description="What to cite for it, as a sentence or BibTeX."
    )
    priority: int | None = Field(
        default=None, ge=0, description="Lower is preferred; its place in the list unless given."
    )
    cap: int | None = Field(
        default=None, gt=0, description="At most so many rows enter, chosen by a keyed hash of id."
    )
    cap_seed: int = Field(default=0, ge=0, description="Key of the cap's choice.")

    @field_validator("columns")
    @classmethod
    def _names_are_free(cls, columns: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        reserved = {*pool.PLACE_COLUMNS, "position"}
        for name, origin in columns:
            if name in reserved:
                msg = (
                    f"{name} is given by s1data itself: take yours under another name, "
                    f"for example my_{name}: {origin}"
                )
                raise ValueError(msg)
        return columns

    @model_validator(mode="after")
    def _types_are_of_columns(self) -> Source:
        strange = [name for name, _ in self.types if name not in dict(self.columns)]
        if strange:
            msg = f"types: names of columns are wanted, got {', '.join(strange)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        given = [n for n in ("path", "hub", "reasoning_gym") if getattr(self, n) is not None]
        if len(given) > 1:
            msg = f"{' and '.join(given)}: a source has one place; make two sources of it"
            raise ValueError(msg)
        return self


def _names(value: object) -> object:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {item: item for item in value}
    return value


class Input(_Place):
    """A table beside the pool, read by stages under its name in ``inputs:``."""

    columns: Annotated[Pairs[str], BeforeValidator(_names)] = Field(
        default=(),
        description="Columns to take: a list of names, or name to column of the file; else all.",
        json_schema_extra={"type": ["object", "array"]},
    )

    @model_validator(mode="after")
    def _one_place(self) -> Input:
        if self.path is not None and self.hub is not None:
            msg = "path and hub: an input has one place"
            raise ValueError(msg)
        return self

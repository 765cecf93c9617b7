"""The stage contract: everything a stage is, and all that the rest of s1data knows of it.

A stage is a frozen, typed value. Its fields and its ``revision`` are its identity; whatever is
live (files, vectors, progress) reaches it through the engine. Kinds:

* `Enricher` adds columns, row by row.
* `Filter` drops rows, row by row, with a reason and evidence, as a pure function of columns.
* `GlobalFilter` and `GlobalEnricher` need more than the row: other rows, a named input, vectors.
  They first *identify* over narrow keys, then act on rows with the small artefact that came out.
* `Selector` puts rows in an order and keeps the first N.

* `Asker` adds columns by asking models, in rounds of typed requests.

`Pipeline` and the runner dispatch on these classes only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

import polars as pl
from pydantic import ConfigDict, Field

from s1data import edits, pool
from s1data.frozen import Frozen
from s1data.models import Request, TraceKind
from s1data.protocols import Engine, Known, Limited, Table, Vectors

__all__ = [
    "LABEL", "AnyAdder", "AnyDropper", "Asker", "Engine", "Enricher", "Evidence", "Filter",
    "Frozen", "Global", "GlobalEnricher", "GlobalFilter", "Known", "Limited", "Problem", "Selector",
    "Stage", "Table", "Vectors", "snake_case",
]  # fmt: skip

LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a stage dropped a row: its reason, and the values it was decided on."""

    reason: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - values come from a declared struct
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a stage in its place in a pipeline, found before anything runs."""

    field: str | None
    wanted: str
    got: str
    todo: str = ""


def snake_case(class_name: str) -> str:
    """``DropLong`` is ``drop_long``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()


class Stage(Frozen):
    """What all kinds share. Subclass a kind below, not this."""

    model_config = ConfigDict(populate_by_name=True)

    revision: ClassVar[int] = 1
    """Moves when the meaning changes and the fields do not."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Columns the stage always reads and cannot work without."""
    uses: ClassVar[tuple[str, ...]] = ()
    """Canonical columns it reads where the pool has them; null rows otherwise."""
    example: ClassVar[Mapping[str, Any]] = {}
    """Fields of a working instance: shown by ``s1data stages``, held to the laws by the tests."""
    example_inputs: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {}
    """Rows of each named input that the example reads."""
    example_after: ClassVar[tuple[tuple[str, Mapping[str, Any]], ...]] = ()
    """Stages, by name and fields, that stand before the example: the laws run them first, through
    the same engine, since what the example needs (vectors, say) is theirs to make."""

    as_: str | None = Field(
        default=None,
        alias="as",
        pattern=f"^{LABEL.pattern}$",
        max_length=60,
        description="Label of the stage in this recipe; its name unless given.",
    )

    @classmethod
    def stage_name(cls) -> str:
        """``DropLong`` is ``drop_long`` in a recipe."""
        return snake_case(cls.__name__)

    @property
    def label(self) -> str:
        """The stage's name in this recipe."""
        return self.as_ or self.stage_name()

    def identity(self) -> dict[str, Any]:
        """What decides the result beside the data: name, revision and fields, JSON-able."""
        fields = self.model_dump(mode="json", by_alias=True, exclude={"as_"})
        return {"stage": self.stage_name(), "revision": self.revision, "fields": fields}

    def reads(self) -> tuple[str, ...]:
        """Columns this instance reads; the rest of the pool is not shown to it.

        Overridden where fields name columns.
        """
        return (*self.needs, *self.uses)

    def inputs(self) -> tuple[str, ...]:
        """Named inputs this instance reads through ``engine.read``."""
        return ()

    def sources(self) -> tuple[str, ...]:
        """Sources of the recipe that this instance names."""
        return ()

    def check(
        self,
        columns: Mapping[str, pl.DataType],  # noqa: ARG002 - for subclasses
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - nor an input
    ) -> Iterator[Problem]:
        """Yields what is wrong given the columns here and those of each named input."""
        yield from ()


class _Adds(Stage):
    added: ClassVar[tuple[str, ...]] = ()

    def adds(self) -> dict[str, pl.DataType]:
        """Columns this instance adds or replaces, with their dtypes."""
        return {name: pool.COLUMNS[name] for name in self.added}


class _Drops(Stage):
    reasons: ClassVar[Mapping[str, str]] = {}
    """Every reason the stage gives, with a sentence that may name evidence: ``"{chars} …"``."""
    evidence: ClassVar[Mapping[str, Any]] = {}
    """Schema of the evidence struct."""

    def evidence_dtype(self) -> pl.Struct:
        """The dtype of the evidence column."""
        return pl.Struct(dict(self.evidence))

    def in_words(self, evidence: Evidence) -> str:
        """The evidence as a sentence for people."""
        return self.reasons[evidence.reason].format_map(_Shown(self, evidence))

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:  # noqa: ARG002 - for subclasses
        """The least change of fields with which this stage would have kept the row.

        None where no setting would. Law: apply it, and this stage keeps that row.
        """
        return None


class _Shown(dict[str, object]):
    def __init__(self, stage: Stage, evidence: Evidence) -> None:
        values = {name: getattr(stage, name) for name in type(stage).model_fields}
        for name, value in (values | dict(evidence.values)).items():
            listed = isinstance(value, list | tuple)
            self[name] = ", ".join(map(str, value)) or "none" if listed else value


class Enricher(_Adds):
    """Adds columns, row by row: ``columns(a ++ b) == columns(a) ++ columns(b)``."""

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One line per row in order: exactly the columns of `adds`."""
        raise NotImplementedError


class Filter(_Drops):
    """Drops rows, row by row, as a pure function of the columns it reads."""

    thins: ClassVar[str | None] = None
    """A list column it reads and may shorten inside rows; see `verdicts`."""

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One line per row in order: ``reason`` (null keeps, a slug drops) and ``evidence``.

        One that ``thins`` a column returns that column too, with items left out and none changed.
        A row that goes on shortened has evidence without a reason, `in_words` of which says what
        left; a dropped row has an empty list.
        """
        raise NotImplementedError


class Global(Stage):
    """Needs more than the row. Reads ``id`` and ``row`` beside its own columns."""

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The narrow columns that the global work needs, row by row."""
        return rows

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """The small artefact (a drop list, centroids, an index) that acting on rows needs."""
        raise NotImplementedError

    def usable(self, artefact: pl.DataFrame, engine: Engine) -> bool:  # noqa: ARG002 - for subclasses
        """Whether a stored artefact still stands; False where what it points to is gone."""
        return True

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Small JSON-able counts for the stage's record and the manifest."""
        return {}


class Asker(_Adds):
    """Adds columns by asking models, in rounds, as two pure functions of rows and replies.

    A round asks all that `requests` returns; then `requests` is called again with the replies
    that came, until it returns nothing that is still to be asked or `max_rounds` are over. Both
    functions are row-wise. Laws: rounds end; the columns are the same for any order in which
    replies arrive and for any split of the rows.
    """

    def models(self) -> tuple[str, ...]:
        """Names of the recipe's models that this instance asks."""
        raise NotImplementedError

    def max_rounds(self) -> int:
        """No row needs more rounds than this."""
        return 1

    scores: ClassVar[bool] = False
    """Whether what it wants is log-probabilities of given texts, and no replies."""
    ends_with_budget: ClassVar[bool] = False
    """Whether the rows that have replies go on where the budget ends before the others."""
    bound: ClassVar[str] = ""
    """How what an estimate counts stands to what is asked, where it is not that."""

    def wave(self, rows: pl.DataFrame, columns: pl.DataFrame) -> pl.Series | None:  # noqa: ARG002 - for subclasses
        """Places of the rows to be asked about next, given the columns so far; None: all, at once.

        Asking goes on in waves, each row in one of them at most, until none are named that were
        not asked about. Which rows these are may depend on all rows and on what came of others:
        that is the one thing of an Asker that may. It is a pure function too.
        """
        return None

    def remark(self, rows: pl.DataFrame, columns: pl.DataFrame) -> str | None:  # noqa: ARG002 - for subclasses
        """What people should hear of the outcome, in one line."""
        return None

    def accepts(self) -> tuple[TraceKind, ...]:
        """Kinds of thinking without which its replies are of no use; empty where any will do.

        The run stops asking a model whose first replies are mostly of another kind.
        """
        return ()

    def requests(self, rows: pl.DataFrame, known: Known) -> list[Request]:
        """What is to be asked for these rows given what is known; settled ones may be among it."""
        raise NotImplementedError

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        """One line per row in order: exactly the columns of `adds`.

        A request that was not sent (the budget ended) leaves a gap that the next run fills; one
        that failed, for good or for this run, is named with its outcome.
        """
        raise NotImplementedError

    def figures(
        self,
        columns: pl.DataFrame,  # noqa: ARG002 - for subclasses
        models: Mapping[str, Mapping[str, Any]],  # noqa: ARG002 - nor what was asked
    ) -> dict[str, Any]:
        """Small JSON-able counts for the stage's record and the manifest.

        ``columns`` are all that it made; ``models`` says, by name, of the replies used:
        ``requests``, ``cached``, tokens and ``usd``.
        """
        return {}


class GlobalFilter(Global, _Drops):
    """A Global that drops rows."""

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        """As `Filter.verdicts`, given what `identify` returned."""
        raise NotImplementedError


class GlobalEnricher(Global, _Adds):
    """A Global that adds columns."""

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        """As `Enricher.columns`, given what `identify` returned."""
        raise NotImplementedError


class Selector(Global, _Drops):
    """Puts the rows in an order and keeps the first ``n``; says why for every row."""

    edit_reasons: ClassVar[Mapping[str, str]] = edits.REASONS
    """What a recipe's edits do to rows, whatever the selector; see `s1data.editing`."""

    n: int = Field(gt=0, lt=2**32, description="How many rows to keep.")
    reserve: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="How many more rows go on, the first that would step in, for `fill`. With a "
        "reserve the column `selection` is added.",
    )

    def adds(self) -> dict[str, pl.DataType]:
        """Columns this instance adds: where a row stands, if there is a reserve."""
        return {"selection": pool.COLUMNS["selection"]} if self.reserve else {}

    def ranks(self, keys: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        """One line per key row: ``row``, ``rank`` (1 is first), ``reason`` and ``evidence``.

        ``keys`` come sorted by (id, row). ``rank`` is null where the row can never be chosen.
        ``reason`` is why a row not among the first ``n`` stays out; ``evidence`` is given for
        chosen rows too. The order must not depend on ``n``, so that a larger set contains the
        smaller one; a subclass for which that cannot hold leaves ranks beyond ``n`` null. A column
        ``reserve`` (UInt32, from 1) may give the order in which such rows would step in.
        """
        raise NotImplementedError

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        return self.ranks(engine.collect(keys).sort("id", "row"), engine)

    def idle(self, keys: pl.DataFrame) -> Iterator[str]:  # noqa: ARG002 - for subclasses
        """What of its fields has no effect on these keys, in words for people."""
        yield from ()

    def limits(self, keys: pl.DataFrame) -> Sequence[Limited]:  # noqa: ARG002 - for subclasses
        """The quotas that a set, edited or not, must keep; ``keys`` are sorted by (id, row)."""
        return ()

    def in_words(self, evidence: Evidence) -> str:
        if evidence.reason in self.edit_reasons:
            return self.edit_reasons[evidence.reason].format_map(evidence.values)
        return super().in_words(evidence)

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        if evidence.reason in self.edit_reasons:
            return None
        rank, more = evidence.values.get("rank"), evidence.values.get("brought_in") or 0
        return None if rank is None else {"n": rank + more}


AnyDropper: TypeAlias = Filter | GlobalFilter | Selector
AnyAdder: TypeAlias = Enricher | GlobalEnricher | Asker

"""Each law fails on a stage that breaks it: a law that passes everything proves nothing."""

from typing import Any, ClassVar

import polars as pl
import pytest
from pydantic import Field

from s1data import Enricher, Filter, GlobalEnricher, GlobalFilter, Selector, StageError
from tests.laws import laws

WORDS = pl.col("question").fill_null("").str.split(" ").list.len()


class DropLong(Filter):
    """Drops questions of many words; sound, and the ground of the broken ones below."""

    needs = ("question",)
    reasons: ClassVar = {"long": "{words} words, of at most {most}."}
    evidence: ClassVar = {"words": pl.UInt32()}

    most: int = Field(default=30, gt=0, description="Most words.")

    def words(self) -> pl.Expr:
        return WORDS

    def verdicts(self, rows):
        return rows.select(
            reason=pl.when(self.words() > self.most).then(pl.lit("long")),
            evidence=pl.when(self.words() > self.most).then(pl.struct(words=WORDS)),
        )

    def keeps_if(self, evidence):
        return {"most": evidence["words"]}


class Undescribed(DropLong):
    """Has a field that nobody explains."""

    least: int = 0


class Changeable(DropLong):
    """Holds something that can change in place."""

    weights: dict[str, int] = Field(default={}, description="By name.")


class Forgetful(DropLong):
    """Does not come back from a recipe as it was."""

    limit: int | None = Field(default=5, description="Null is lost when written.")
    example: ClassVar = {"limit": None}


class Nameless(DropLong):
    """Leaves a field out of its identity, so a changed one finds the old result."""

    def identity(self) -> dict[str, Any]:
        return {"stage": "nameless", "revision": self.revision, "fields": {}}


class Idle(DropLong):
    """Never drops a row."""

    most: int = Field(default=10**6, description="Most words.")


class Undeclared(DropLong):
    """Gives evidence of another type than it says."""

    evidence: ClassVar = {"words": pl.Int64()}


class Stray(DropLong):
    """Gives a reason that it does not declare."""

    reasons: ClassVar = {"wordy": "{words}"}


class Batched(DropLong):
    """Looks at the mean of the batch."""

    def words(self):
        return WORDS - WORDS.mean() + 27


class Counting(DropLong):
    """Does something else each time."""

    calls: ClassVar[list[int]] = []

    def words(self):
        self.calls.append(1)
        return WORDS + 20 * len(self.calls)


class Fragile(DropLong):
    """Cannot do with no rows."""

    def verdicts(self, rows):
        rows.row(0)
        return super().verdicts(rows)


class Speechless(DropLong):
    """Names in its sentence what is not in its evidence."""

    reasons: ClassVar = {"long": "{chars} characters"}


class Misleading(DropLong):
    """Advises a change that does not help."""

    def keeps_if(self, evidence):
        return {"most": evidence["words"] - 1}


class Resigned(DropLong):
    """Says that no setting keeps what a limit higher by one would: many rows have 23 words."""

    most: int = Field(default=22, gt=0, description="Most words.")

    def keeps_if(self, evidence):
        return None


class DropRepeated(GlobalFilter):
    """Drops the second of two equal questions; this one trusts the order of collected rows."""

    needs = ("question",)
    reasons: ClassVar = {"repeated": "As row {first}."}
    evidence: ClassVar = {"first": pl.UInt32()}

    def identify(self, keys, engine):
        rows = engine.collect(keys)
        first = rows.unique("question", keep="first", maintain_order=True)
        found = rows.join(first.select("question", first="row"), on="question")
        return found.filter(pl.col("row") != pl.col("first")).select("row", "first").sort("row")

    def verdicts(self, rows, artefact):
        out = rows.join(artefact, on="row", how="left", maintain_order="left")
        gone = pl.col("first").is_not_null()
        return out.select(
            reason=pl.when(gone).then(pl.lit("repeated")),
            evidence=pl.when(gone).then(pl.struct("first")),
        )


class AddLongest(GlobalEnricher):
    """Adds the length of the longest question; this one takes the longest of a batch."""

    def reads(self):
        return ("question",)

    def adds(self):
        return {"longest": pl.UInt32()}

    def identify(self, keys, engine):
        longest = pl.col("question").str.len_chars().max().alias("longest")
        return engine.collect(engine.map(keys, lambda rows: rows.select(longest))).head(1)

    def columns(self, rows, artefact):
        return rows.select(pl.lit(artefact["longest"][0]).cast(pl.UInt32).alias("longest"))


class AddLength(Enricher):
    """Adds the length; as something else than it declares."""

    needs = ("question",)

    def adds(self):
        return {"length": pl.Int64()}

    def columns(self, rows):
        return rows.select(length=pl.col("question").str.len_chars())


class KeepFirst(Selector):
    """Keeps the first by row; its evidence is one rank too low."""

    n: int = Field(default=5, gt=0, description="How many.")
    reasons: ClassVar = {"late": "Rank {rank}."}
    evidence: ClassVar = {"rank": pl.UInt32()}

    def ranks(self, keys, engine):
        rank = pl.col("row").rank("ordinal").cast(pl.UInt32)
        return keys.select(
            "row", rank=rank, reason=pl.lit("late"), evidence=pl.struct(rank=rank - 1)
        )


class DropFirstTrace(Filter):
    """Leaves the first trace out where there are more; sound, and the ground of those below."""

    needs = ("traces",)
    thins = "traces"
    reasons: ClassVar = {"no_trace": "{left_out} traces are left out, and no other is there."}
    evidence: ClassVar = {"left_out": pl.UInt32()}

    def left(self, items: list[Any]) -> list[Any]:
        return items[1:] if len(items) > 1 else items

    def evident(self, before: list[Any], after: list[Any]) -> bool:
        return len(after) < len(before) or not after

    def verdicts(self, rows):
        before = [items or [] for items in rows["traces"].to_list()]
        after = [self.left(items) for items in before]
        said = [
            {"left_out": len(b) - len(a)} if self.evident(b, a) else None
            for b, a in zip(before, after, strict=True)
        ]
        return pl.DataFrame(
            {
                "reason": [None if items else "no_trace" for items in after],
                "evidence": said,
                "traces": after,
            },
            schema={
                "reason": pl.String(),
                "evidence": self.evidence_dtype(),
                "traces": rows.schema["traces"],
            },
        )


class DropSilently(DropFirstTrace):
    """Shortens lists and does not say so."""

    def evident(self, before, after):
        return not after


class DropAndRename(DropFirstTrace):
    """Changes the traces that it leaves."""

    def left(self, items):
        return [item | {"teacher": "another"} for item in items]


class DropAndTurn(DropFirstTrace):
    """Leaves the traces in another order."""

    def left(self, items):
        return items[::-1]


def case(kind):
    return laws.Case(laws.example(kind))


SOUND = (*laws.OF_THE_EXAMPLE, *laws.OF_ITS_WORK)


@pytest.mark.parametrize("law", SOUND, ids=lambda law: law.__name__)
@pytest.mark.parametrize("kind", [DropLong, DropFirstTrace])
def test_a_sound_stage_keeps_them(law, kind):
    law(case(kind))


@pytest.mark.parametrize(
    ("law", "kind"),
    [
        (laws.identity_moves_with_each_field, Nameless),
        (laws.something_to_do, Idle),
        (laws.declared_columns_and_reasons, Undeclared),
        (laws.declared_columns_and_reasons, Stray),
        (laws.declared_columns_and_reasons, AddLength),
        (laws.partition_in_order, AddLength),
        (laws.rows_alone, Batched),
        (laws.same_twice, Counting),
        (laws.empty_frame, Fragile),
        (laws.evidence_in_words, Speechless),
        (laws.kept_if, Misleading),
        (laws.none_only_where_no_setting_keeps, Resigned),
        (laws.engine_does_not_matter, DropRepeated),
        (laws.engine_does_not_matter, AddLongest),
        (laws.kept_if, KeepFirst),
        (laws.thins_and_says_so, DropSilently),
        (laws.thins_and_says_so, DropAndRename),
        (laws.thins_and_says_so, DropAndTurn),
    ],
    ids=lambda value: value.__name__,
)
def test_a_law_about_rows_bites(law, kind):
    with pytest.raises((AssertionError, StageError, pl.exceptions.PolarsError, KeyError)):
        law(case(kind))


@pytest.mark.parametrize(
    ("law", "value"),
    [
        (laws.fields_are_described, Undescribed),
        (laws.value_is_frozen, laws.example(Changeable)),
        (laws.survives_being_written, laws.example(Forgetful)),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_law_about_values_bites(law, value):
    with pytest.raises((AssertionError, TypeError)):
        law(value)

"""The laws that every stage keeps, as functions of a `Case`; each raises where it is broken.

A case is one instance of a stage, the generated pool as it is where the stage stands (after the
stages its example comes after), and its named inputs.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from s1data import digest, stages
from s1data.acting import Outcome, act, no_verdicts, shown_columns
from s1data.engine import LocalEngine
from s1data.stage import (
    LABEL,
    Asker,
    Enricher,
    Evidence,
    Filter,
    Frozen,
    Global,
    GlobalEnricher,
    GlobalFilter,
    Selector,
    Stage,
)
from tests.laws.asked import asked
from tests.laws.hostile import HostileEngine
from tests.laws.rows import COLUMNS, generated
from tests.laws.variants import as_written, changed, named, settings, with_changes

SAMPLED_CHANGES = 12
"""Different answers of `keeps_if` that are tried for a stage that sees all rows at once."""


@dataclass(frozen=True)
class Case:
    """One stage instance on the generated pool."""

    stage: Stage

    @cached_property
    def inputs(self):
        return {name: pl.DataFrame(list(rows)) for name, rows in self.stage.example_inputs.items()}

    @cached_property
    def engine(self):
        home = Path(tempfile.mkdtemp(prefix="s1data-laws-"))
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        return LocalEngine(read=self.inputs.__getitem__, vectors_home=home)

    @cached_property
    def rows(self):
        """The pool before the stage."""
        return self.rows_by(self.engine)

    def rows_by(self, engine):
        """The pool before the stage, brought there by ``engine``."""
        planted = [
            text
            for frame in self.inputs.values()
            if "question" in frame.columns
            for text in frame["question"].unique().sort().to_list()
        ]
        rows = generated(planted)
        if isinstance(self.stage, Global) or examples_before(self.stage):
            # Reading lets no row without a question into a pool; only row-wise stages, which can
            # be used on any frame, are shown some.
            rows = rows.filter(pl.col("question").str.strip_chars() != "")
        for before in examples_before(self.stage):
            rows = done(before, rows, engine).kept
        return rows

    @cached_property
    def shown(self):
        return self.rows.select(shown_columns(self.stage))

    @cached_property
    def outcome(self):
        return done(self.stage, self.rows, self.engine)

    @cached_property
    def dropped(self):
        """Each dropped row's place and evidence, as a ledger would give it back."""
        return [
            (row, Evidence(reason, dict.fromkeys(self.stage.evidence) | json.loads(evidence)))
            for row, reason, evidence in self.outcome.dropped.iter_rows()
        ]

    def on_rows(self, rows):
        """The stage's own answer for rows that it is shown: verdicts or columns."""
        stage, artefact = self.stage, self.outcome.artefact
        if isinstance(stage, Filter):
            return stage.verdicts(rows)
        if isinstance(stage, Enricher):
            return stage.columns(rows)
        if isinstance(stage, Asker):
            return asked(stage, rows)[0]
        if isinstance(stage, GlobalFilter):
            return stage.verdicts(rows, artefact)
        if isinstance(stage, GlobalEnricher):
            return stage.columns(rows, artefact)
        return stage.keys(rows)


def done(stage, rows, engine):
    """What the stage does to the rows; an Asker gets scripted replies, all that it asks for."""
    if not isinstance(stage, Asker):
        return act(stage, rows, engine)
    columns, _ = asked(stage, rows.select(shown_columns(stage)))
    kept = rows.drop(columns.columns, strict=False).hstack(columns)
    return Outcome(kept, no_verdicts(), added=rows.select("row").hstack(columns))


def example(kind: type[Stage]) -> Stage:
    """The working instance that a stage class brings along."""
    return kind.model_validate(dict(kind.example))


def examples_before(stage: Stage) -> list[Stage]:
    """The stages that must have run before the example, in order."""
    return [
        stages.get(name).model_validate(dict(fields))
        for name, fields in getattr(stage, "example_after", ())
    ]


# Laws of a class and its example.


def fields_are_described(kind):
    assert (kind.__doc__ or "").strip(), "says in its docstring what it does"
    assert kind.__doc__ != Stage.__doc__
    for name, info in kind.model_fields.items():
        assert info.description, f"{name} has no description"
    for reason, sentence in getattr(kind, "reasons", {}).items():
        assert LABEL.fullmatch(reason), f"{reason} is no slug"
        assert sentence[:1].strip(), f"{reason} has no sentence"


def value_is_frozen(stage):
    assert hash(stage) == hash(with_changes(stage, {})), "equal stages hash alike"
    for name in type(stage).model_fields:
        with pytest.raises(ValidationError):
            setattr(stage, name, getattr(stage, name))
        _assert_immutable(getattr(stage, name), name)


def _assert_immutable(value: Any, where: str) -> None:
    if isinstance(value, tuple):
        for item in value:
            _assert_immutable(item, where)
    elif isinstance(value, Frozen):
        for name in type(value).model_fields:
            _assert_immutable(getattr(value, name), f"{where}.{name}")
    else:
        plain = value is None or isinstance(value, str | int | float | bool)
        assert plain, f"{where} holds a {type(value).__name__}, which can change"


def survives_being_written(stage):
    """A recipe leaves out what is None; JSON turns tuples into lists."""
    written = {k: v for k, v in as_written(stage).items() if v is not None}
    back = type(stage).model_validate(json.loads(json.dumps(written)))
    assert back == stage
    assert back.identity() == stage.identity()


def identity_moves_with_each_field(case):
    stage = case.stage
    before = digest.of_value(stage.identity())
    assert digest.of_value(with_changes(stage, {"as": "label"}).identity()) == before
    revised = type(type(stage).__name__, (type(stage),), {"revision": stage.revision + 1})
    assert digest.of_value(revised.model_validate(as_written(stage)).identity()) != before
    for name in named(type(stage)):
        others = list(changed(stage, name))
        if not others and len(get_args(type(stage).model_fields[name].annotation)) == 1:
            continue  # a choice of one, until there is a second
        assert others, f"no second valid value was found for {name}"
        for other in others:
            assert other.identity()["fields"] != stage.identity()["fields"]
            assert digest.of_value(other.identity()) != before, f"identity forgets {name}"


def example_fits_where_it_stands(case):
    stage = case.stage
    assert set(stage.needs) <= set(stage.reads())
    assert set(stage.inputs()) <= set(case.inputs), "example_inputs has rows for each input"
    assert problems(stage) == []
    for gone in stage.inputs():
        lacking = {gone: {"unrelated": pl.Int8()}}
        assert problems(stage, lacking), f"check does not miss the columns of the input {gone}"


def problems(stage, inputs=None):
    """What `check` says of the instance in front of the generated pool and the example's inputs."""
    made = stage.adds() if isinstance(stage, Enricher | GlobalEnricher | Asker | Selector) else {}
    replaced = set(made) - set(stage.reads())
    columns = {k: v for k, v in COLUMNS.items() if k not in replaced}
    given = {name: dict(frame.schema) for name, frame in Case(stage).inputs.items()}
    return list(stage.check(columns, given | (inputs or {})))


# Laws of what a stage does to rows.


def partition_in_order(case):
    outcome, rows = case.outcome, case.rows
    kept = outcome.kept["row"]
    assert kept.equals(rows["row"].filter(rows["row"].is_in(kept.implode()))), "order is kept"
    both = pl.concat([kept, outcome.dropped["row"]])
    assert both.sort().equals(rows["row"].sort()), "kept + dropped = input, each once"
    added = set() if outcome.added is None else set(outcome.added.columns) - {"row"}
    thins = getattr(case.stage, "thins", None)
    rest = [name for name in rows.columns if name not in added]
    assert_frame_equal(
        outcome.kept.select(rest),
        rows.select(rest).join(
            outcome.kept.select("row"), on="row", how="semi", maintain_order="left"
        ),
    )
    if isinstance(case.stage, Selector):
        assert added == set(case.stage.adds()), "adds where rows stand in a reserve, nothing else"
    elif thins is None and added:
        assert outcome.dropped.is_empty()
    else:
        assert outcome.kept.columns == rows.columns, "what drops rows adds no column"


def declared_columns_and_reasons(case):
    stage = case.stage
    if isinstance(stage, Selector):
        return  # its frame is held to the contract by every outcome
    out = case.on_rows(case.shown)
    assert out.height == case.shown.height
    if isinstance(stage, Filter | GlobalFilter):
        thins = getattr(stage, "thins", None)
        assert dict(out.schema) == {"reason": pl.String(), "evidence": stage.evidence_dtype()} | (
            {thins: case.shown.schema[thins]} if thins else {}
        )
        assert set(out["reason"].drop_nulls()) <= set(stage.reasons)
        assert out.filter(pl.col("reason").is_not_null(), pl.col("evidence").is_null()).is_empty()
    else:
        assert dict(out.schema) == stage.adds()


def thins_and_says_so(case):
    """A list only gets shorter, in its order; a row that lost items says which; an end is a drop."""
    thins = getattr(case.stage, "thins", None)
    if thins is None:
        assert case.outcome.thinned is None
        return
    out = case.on_rows(case.shown)
    before, after = case.shown[thins].to_list(), out[thins].to_list()
    reasons, evidence = out["reason"].to_list(), out["evidence"].to_list()
    for old, new, reason, why in zip(before, after, reasons, evidence, strict=True):
        rest = iter(old or ())
        assert all(item in rest for item in new or ()), "items are left out, none is changed"
        assert bool(new) == (reason is None), "a row is dropped when nothing is left, only then"
        if reason is None:
            assert (why is None) == (old == new), "evidence where items left, and nowhere else"
    kept = dict(case.outcome.kept.select("row", thins).iter_rows())
    said = dict(case.outcome.thinned.iter_rows())
    shorter = [
        r for r, items in case.rows.select("row", thins).iter_rows() if kept.get(r, items) != items
    ]
    assert sorted(said) == shorter
    for row in shorter:
        values = dict.fromkeys(case.stage.evidence) | json.loads(said[row])
        assert case.stage.in_words(Evidence(next(iter(case.stage.reasons)), values)).strip()


def something_to_do(case):
    """The generated pool must try the stage: otherwise the other laws say nothing."""
    if isinstance(case.stage, Enricher | GlobalEnricher | Asker):
        added = case.outcome.added.drop("row")
        assert added.unique().height > 1, "all rows got the same"
    else:
        assert not case.outcome.dropped.is_empty(), "the example drops none of the generated rows"
        assert not case.outcome.kept.is_empty(), "the example keeps none of the generated rows"


def same_twice(case):
    assert_same_outcome(done(case.stage, case.rows, case.engine), case.outcome)


def empty_frame(case):
    stage, nothing = case.stage, case.rows.clear()
    outcome = done(stage, nothing, case.engine)
    assert outcome.kept.is_empty()
    assert outcome.dropped.is_empty()
    assert outcome.kept.schema == case.outcome.kept.schema


def rows_alone(case, seed=11):
    """``f(a ++ b) == f(a) ++ f(b)`` for what acts on rows, for any cut and any chunking."""
    rows, rng = case.shown, random.Random(seed)
    whole = case.on_rows(rows)
    if isinstance(case.stage, Global):
        _assert_additive(case.stage.keys, rows, case.stage.keys(rows), rng)
    _assert_additive(case.on_rows, rows, whole, rng)
    order = list(range(rows.height))
    rng.shuffle(order)
    assert_frame_equal(case.on_rows(rows[order]), whole[order])


def _assert_additive(work, rows, whole, rng):
    cuts = sorted({0, 1, rows.height, *(rng.randrange(rows.height) for _ in range(12))})
    pieces = [rows.slice(a, b - a) for a, b in pairwise(cuts)]
    assert_frame_equal(pl.concat(work(piece) for piece in [rows.clear(), *pieces]), whole)
    assert_frame_equal(work(pl.concat(pieces, rechunk=False)), whole)


def engine_does_not_matter(case):
    # The example by two orders and splits; its settings, a dozen and more of each, by one each.
    every = case.stage == example(type(case.stage))
    for seed in (1, 2) if every else (1 + len(repr(case.stage)) % 2,):
        engine = HostileEngine(case.inputs, seed)
        rows = case.rows_by(engine)
        assert_frame_equal(rows, case.rows)
        assert_same_outcome(done(case.stage, rows, engine), case.outcome)


def selects_exactly(case):
    if not isinstance(case.stage, Selector):
        return
    ranks, n, reserve = case.outcome.ranks, case.stage.n, case.stage.reserve
    kept = case.outcome.kept
    assert ranks["row"].sort().equals(case.rows["row"].sort()), "says why for every row"
    assert ranks.filter(pl.col("rank") <= n, pl.col("reason").is_not_null()).is_empty()
    if not reserve:
        assert kept.height == min(n, ranks["rank"].count())
        assert ranks.filter(pl.col("rank").is_null(), pl.col("reason").is_null()).is_empty()
        return
    alone = done(with_changes(case.stage, {"reserve": 0}), case.rows, case.engine).kept
    places = kept.unnest("selection").sort("place")
    assert places["place"].to_list() == list(range(1, kept.height + 1))
    assert alone.height < kept.height <= alone.height + reserve
    assert places["reserve"].to_list() == [at >= alone.height for at in range(kept.height)]
    assert set(places.filter(~pl.col("reserve"))["row"]) == set(alone["row"]), "the same set"


def evidence_in_words(case):
    for _, evidence in case.dropped:
        assert evidence.reason in case.stage.reasons
        words = case.stage.in_words(evidence)
        assert words.strip()
        assert "None" not in words, words


def kept_if(case):
    """Applying what `keeps_if` says keeps that row."""
    wanted = {}
    for row, evidence in case.dropped:
        change = case.stage.keeps_if(evidence)
        if change is not None:
            assert change, "a change of nothing keeps nothing"
            wanted.setdefault(digest.canonical_json(change), []).append(row)
    tried = sorted(wanted)
    if isinstance(case.stage, Global) and len(tried) > SAMPLED_CHANGES:
        tried = random.Random(3).sample(tried, SAMPLED_CHANGES)
    for change in tried:
        other = with_changes(case.stage, json.loads(change))
        assert other.identity() != case.stage.identity()
        here = pl.col("row").is_in(wanted[change])
        rows = case.rows if isinstance(case.stage, Global) else case.rows.filter(here)
        kept = set(act(other, rows, case.engine).kept["row"])
        still = [row for row in wanted[change] if row not in kept]
        assert not still, f"{change} does not keep rows {still[:5]}"


def none_only_where_no_setting_keeps(case):
    """Where `keeps_if` says None, no single changed setting keeps the row: `why` says so."""
    if not isinstance(case.stage, Filter):
        return  # for a Global this would be a whole run for every setting
    lost = [row for row, evidence in case.dropped if case.stage.keeps_if(evidence) is None]
    rows = case.rows.filter(pl.col("row").is_in(lost))
    for variant, other in settings(case.stage) if lost else ():
        if problems(other):
            continue
        kept = act(other, rows, case.engine).kept["row"].to_list()
        assert not kept, f"{variant} keeps rows {kept[:5]}, which keeps_if calls lost"


def figures_can_be_written(case):
    """What a Global says of its work fits a manifest, and says it of the artefact alone."""
    if not isinstance(case.stage, Global) or case.outcome.artefact is None:
        return
    said = case.stage.figures(case.outcome.artefact)
    assert isinstance(said, dict)
    text = digest.canonical_json(said)
    assert json.loads(text) == said, "only what JSON holds"
    assert len(text) < 20_000, "small figures, not tables"
    assert case.stage.figures(case.outcome.artefact.clone()) == said


def assert_same_outcome(one, two):
    for name in ("kept", "dropped", "added", "ranks", "thinned", "artefact"):
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert_frame_equal(a, b, check_exact=True)


OF_A_CLASS = (fields_are_described,)
OF_A_VALUE = (value_is_frozen, survives_being_written)
OF_THE_EXAMPLE = (identity_moves_with_each_field, example_fits_where_it_stands, something_to_do)
OF_ITS_WORK = (
    partition_in_order,
    declared_columns_and_reasons,
    thins_and_says_so,
    same_twice,
    empty_frame,
    rows_alone,
    engine_does_not_matter,
    selects_exactly,
    evidence_in_words,
    kept_if,
    none_only_where_no_setting_keeps,
    figures_can_be_written,
)

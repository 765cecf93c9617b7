"""What a finished run says of its rows, as narrow columns: one line for each line of its ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from s1data import pool
from s1data.comparing import populations
from s1data.errors import RunError
from s1data.normalising import Normalisation, normalised
from s1data.report.facts import joined
from s1data.run import Run
from s1data.stage import Selector
from s1data.stages import lengths, preselection
from s1data.stages.ordering import Ordering

OF_LEDGER: Final = ("row", "id", "source", "outcome", "stage", "evidence")
TEXT_LENGTH: Final = "question"
"""What is compared as length where no selector goes by one: the characters of the question."""
DIFFICULTY: Final = ("none right", "some right", "all right", "undecided")


@dataclass(frozen=True)
class Held:
    """A run and its rows.

    ``rows`` has the ledger's ``row``, ``id``, ``source``, ``outcome`` and ``stage``; ``question``
    and ``key`` (both null where the text is withheld); ``source_type`` and ``domain``; ``length``;
    ``tokens`` of the row's longest trace; ``difficulty``, one of `DIFFICULTY`;
    and ``preselected``. A column that the run has no values for is null throughout.
    """

    run: Run
    name: str
    rows: pl.DataFrame

    @property
    def selector(self) -> Selector | None:
        return populations.last_selector(self.run.pipeline)

    @property
    def chosen(self) -> pl.DataFrame:
        """The rows of the set."""
        return self.rows.filter(pl.col("outcome") == "selected")

    def population(self, name: str) -> pl.DataFrame:
        """The rows of a population; see `populations`."""
        known = pl.col("id").is_not_null()
        return self.rows.filter(populations.of(self.run.pipeline, name) & known)


def length_by(runs: Iterable[Run]) -> str:
    """What is compared as length: what the first selector that goes by a length goes by."""
    selectors = [populations.last_selector(run.pipeline) for run in runs]
    found = [s.length() for s in selectors if isinstance(s, Ordering)]
    return next((length for length in found if length), TEXT_LENGTH)


def held(run: Run, name: str, length_of: str) -> Held:
    """Reads a run; RunError if it is not finished or its stages are gone.

    ``length_of`` is what counts as the length of a row, as a selector's ``length_from``.
    """
    selector = populations.last_selector(run.pipeline)
    wanted = {"question", "source_type", "domain", "attempts", "traces", lengths.column(length_of)}
    if isinstance(selector, Ordering):
        wanted |= {name for rule in selector.preselect for name in rule.names()}
        wanted |= {lengths.column(own)} if (own := selector.length()) else set()
    rows = _read(run, wanted)
    rows = rows.with_columns(
        key=question_keys(rows["question"]),
        length=_length(rows, length_of),
        tokens=_tokens(rows, length_of),
        difficulty=_difficulty(rows),
        # White space is no domain, as under the selectors.
        domain=pl.when(pl.col("domain").str.strip_chars() != "").then("domain"),
        preselected=_preselected(rows, selector),
    )
    kept = ("question", "key", "source_type", "domain", "length", "tokens", "difficulty")
    return Held(run, name, rows.select(*OF_LEDGER[:-1], *kept, "preselected"))


def question_keys(questions: pl.Series) -> pl.Series:
    """One key for questions that differ in spacing and ways of writing LaTeX only."""
    return pool.question_ids(normalised(questions, Normalisation())).alias("key")


def _read(run: Run, wanted: Iterable[str]) -> pl.DataFrame:
    """Ledger lines with the wanted columns, as the last stage left them; null where there is none.

    A set that was pushed has the texts of its own rows at the least.
    """
    names = [*dict.fromkeys(wanted)]
    done = run.checkpoints()
    if len(done) != 1 + len(run.pipeline.stages):
        raise RunError(
            f"{run.path}: what its stages left under stages/ is gone or damaged; run the recipe "
            "again, which makes it anew"
        )
    whole = run.ledger.select(OF_LEDGER)
    for checkpoint, frame in [(done[0], "rows"), *((c, "columns") for c in done[1:])]:
        if checkpoint.has(frame):
            made = checkpoint.read(frame)
            mine = [n for n in names if n in made.columns and n not in OF_LEDGER]
            whole = joined(whole, made.select("row", *mine))
    if "question" in run.selected.columns:
        texts = run.selected.select("id", "question").unique("id")
        with_own = whole.join(texts, "id", "left", suffix="_own", maintain_order="left")
        if "question_own" in with_own.columns:
            text = pl.coalesce("question", "question_own").alias("question")
            with_own = with_own.with_columns(text).drop("question_own")
        whole = with_own
    return whole.with_columns(
        pl.lit(None, pool.COLUMNS.get(n, pl.String())).alias(n)
        for n in names
        if n not in whole.columns
    )


def _length(rows: pl.DataFrame, length_of: str) -> pl.Expr:
    if any(True for _ in lengths.problems(length_of, rows.schema)):
        return pl.lit(None, pl.Float64)
    return lengths.length(rows, length_of)


def _tokens(rows: pl.DataFrame, length_of: str) -> pl.Expr:
    """Of the longest trace: thinking and answer; else the length, where it counts tokens."""
    struct = pl.element().struct
    total = struct.field("thinking_tokens") + struct.field("answer_tokens").fill_null(0)
    of_traces = pl.col("traces").list.eval(total).list.max().cast(pl.Float64)
    counted = _length(rows, length_of) if "tokens" in length_of else pl.lit(None, pl.Float64)
    return pl.coalesce(of_traces, counted)


def _difficulty(rows: pl.DataFrame) -> pl.Expr:
    verdicts = pl.col("attempts").list.eval(pl.element().struct.field("verdict"))
    right, known = verdicts.list.sum(), verdicts.list.drop_nulls().list.len()
    none, some, every, undecided = (pl.lit(word) for word in DIFFICULTY)
    judged = (
        pl.when(known.fill_null(0) == 0)
        .then(undecided)
        .when(right == 0)
        .then(none)
        .when(right < known)
        .then(some)
        .otherwise(every)
    )
    # Without any attempt in the run nothing is said, which is not the same as undecided.
    return judged if rows["attempts"].list.len().sum() else pl.lit(None, pl.String)


def _preselected(rows: pl.DataFrame, selector: Selector | None) -> pl.Series:
    """Rows that the selector's rules choose first, whether or not they reached it.

    An earlier set that a rule names is not kept in a run: of these rows the ledger says which.
    """
    by_rules = pl.Series("preselected", [False]).new_from_index(0, rows.height)
    if selector is None:
        return by_rules
    said = pl.col("evidence").str.json_path_match("$.how") == "preselected"
    mine = (pl.col("outcome") == "selected") | (pl.col("stage") == selector.label)
    recorded = rows.select((said & mine).fill_null(value=False)).to_series()
    if isinstance(selector, Ordering):
        own = [rule for rule in selector.preselect if not rule.in_input]
        if not list(preselection.problems(own, selector.length(), rows.schema, {})):
            found = preselection.columns(own, rows, selector.length())
            by_rules = rows.select(pl.any_horizontal(pl.lit(value=False), *found)).to_series()
    return recorded | by_rules

"""Attempts that somebody else recorded, brought to the pool's rows.

A line of the input is one attempt of one solver at one question. All attempts of a question stand
in its row as a list, ordered by (solver, sample). The numbers of the samples follow what the lines
say, never where they stand in the file, so that a shuffled file gives the same pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.errors import StageError, nearest
from s1data.stage import LABEL, Engine, GlobalEnricher, Problem, Table
from s1data.stages import recorded
from s1data.stages.columns import By, Columns, missing_columns, pool_ids, question_key, sound

_CONTENT: Final = ("extracted", "verdict", "finish", "tokens")


class AddRecordedAttempts(GlobalEnricher):
    """Adds `attempts` from a named input; a recorded verdict comes along as method ``recorded``.

    A row without attempts gets an empty list. The pool must not have attempts yet.
    """

    from_: str = Field(
        alias="from", pattern=f"^{LABEL.pattern}$", description="The named input to read."
    )
    solvers: tuple[str, ...] = Field(
        default=(), description="Solvers whose attempts are taken; all if empty."
    )
    by: By = Field(
        default="question", description="How a line names its question: by its id or by its text."
    )
    key: str | None = Field(
        default=None, min_length=1, description="The input's column with that; named as `by` is."
    )
    solver: str = Field(default="model", description="The input's column that names the solver.")
    extracted: str = Field(
        default="final_answer", description="The input's column with the final answer."
    )
    verdict: str = Field(
        default="is_correct",
        description="The input's column with recorded verdicts, true or false; '' if it has none.",
    )
    finish: str | None = Field(
        default=None, description="The input's column with why the attempt ended (stop, length)."
    )
    tokens: str | None = Field(
        default=None, description="The input's column with the length of the attempt in tokens."
    )

    added: ClassVar = ("attempts",)
    example: ClassVar = {"from": "attempts"}
    example_inputs: ClassVar = {
        "attempts": [
            {"question": question, "model": model, "final_answer": answer, "is_correct": verdict}
            for question, model, answer, verdict in (
                ("What is 2 + 2?", "small", "4", True),
                ("What is 2 + 2?", "small", "5", None),
                ("What is 2 + 2?", "large", "4", None),
            )
        ]
    }

    def inputs(self) -> tuple[str, ...]:
        return (self.from_,)

    def check(self, columns: Columns, inputs: Mapping[str, Columns]) -> Iterator[Problem]:
        given = inputs.get(self.from_, {})
        taken = {"solver": self.solver} | self._taken()
        yield from missing_columns(given, {"key": self.key or self.by} | taken)
        yield from recorded.wrong_types(given, taken, pool.ATTEMPT)
        yield from recorded.there_already("attempts", columns)

    def _taken(self) -> dict[str, str]:
        named = {name: getattr(self, name) for name in _CONTENT}
        return {name: column for name, column in named.items() if column}

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("id")

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        lines = self._lines(sound(self, engine.read(self.from_), self.from_))
        used = lines.join(pool_ids(keys, engine), on="id", how="semi")
        engine.write("attempts_by_solver", recorded.counts(lines, used, "solver"))
        keyless = used.with_columns(reply_key=pl.lit(None, dtype=pl.String))
        return recorded.as_lists(keyless, "attempts", "solver", _CONTENT)

    def _lines(self, given: pl.DataFrame) -> pl.DataFrame:
        lines = given.select(
            question_key(given, self.by, self.key),
            pl.col(self.solver).alias("solver"),
            *recorded.given_or_null(self._taken(), _CONTENT, pool.ATTEMPT),
        ).drop_nulls(["id", "solver"])
        if not self.solvers:
            return lines
        present = lines.get_column("solver").unique().to_list()
        for solver in self.solvers:
            if solver not in present:
                msg = (
                    f"stage {self.label}: wanted attempts of the solver {solver}, got an input "
                    f"{self.from_} of {len(present)} other solvers{nearest(solver, present)}"
                )
                raise StageError(msg)
        return lines.filter(pl.col("solver").is_in(self.solvers))

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return recorded.by_id(rows, artefact, "attempts")

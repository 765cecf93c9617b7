"""How likely a model finds a text: log-probabilities of a trace or a column, asked and averaged.

Three measures of one text after its question. *Whole*: the mean log-probability of its tokens, and
the perplexity. *Local* (LALP, Just et al., arXiv 2510.03988): each step of the text is scored after
a window of the few parts before it only, so that a long text is not carried by its own beginning.
*IFD* (Li et al., arXiv 2308.12032, section 2): mean loss of the text after the question over that
of the text alone; near 1 the question helps little.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from s1data.models import Request, logprobs_in, split
from s1data.stage import Asker, Known, Problem
from s1data.stages.lists import list_column

Measure = Literal["whole", "local", "ifd"]


class AddScore(Asker):
    """Adds `scores`: how likely a model finds each trace, or the text of a column.

    The model is asked for log-probabilities, so it has to be served by a server that echoes
    prompts with them (vLLM), or loaded here (`provider: transformers`). What could not be scored is
    null, with the reason as `outcome`; `ok` is said where every measure has its number.
    """

    revision: ClassVar = 2

    scores: ClassVar = True
    added: ClassVar = ("scores",)
    example: ClassVar = {
        "model": "student",
        "of": "solution",
        "measures": ["whole", "local", "ifd"],
        "step": ". ",
    }

    model: str = Field(
        description="The model of the recipe that scores: the student to be trained."
    )
    of: str = Field(
        default="traces",
        min_length=1,
        description="`traces`, or a text column; a trace is its thinking and its answer.",
    )
    part: Literal["whole", "thinking", "answer"] = Field(
        default="whole", description="Which part of a trace is scored."
    )
    measures: tuple[Measure, ...] = Field(
        default=("whole",),
        min_length=1,
        description="`whole`: `logprob` and `perplexity`, one request a text; `local`: `lalp`, one "
        "request a step; `ifd`: two requests a text, one of them that of `whole`.",
    )
    window: int = Field(
        default=4,
        ge=0,
        description="How many parts before a step it is scored after. The question counts as the "
        "first part.",
    )
    step: str = Field(
        default="\n\n",
        min_length=1,
        description="What parts the steps of a text; it belongs to the step that follows.",
    )
    prompt: str = Field(
        default="{question}\n\n",
        pattern=r"\{question\}",
        description="What the text comes after; {question} stands for the question. For a chat "
        "model, its template up to the reply.",
    )

    def reads(self) -> tuple[str, ...]:
        return ("question", self.of)

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - reads none
    ) -> Iterator[Problem]:
        dtype = columns.get(self.of)
        if self.of != "traces" and dtype is not None and dtype != pl.String:
            yield Problem("of", "traces, or a text column", f"{self.of}: {dtype}")

    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def requests(self, rows: pl.DataFrame, known: Known) -> list[Request]:
        found: dict[str, Request] = {}
        for question, texts in self._texts(rows, known):
            for _, _, text in texts:
                for request in self._wanted(question, text, known):
                    found.setdefault(request.key, request)
        return list(found.values())

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        scored = [
            [
                {"model": self.model, "teacher": teacher, "sample": sample}
                | self._score(question, text, known)
                for teacher, sample, text in texts
            ]
            for question, texts in self._texts(rows, known)
        ]
        return list_column("scores", scored)

    def figures(
        self,
        columns: pl.DataFrame,
        models: Mapping[str, Mapping[str, Any]],  # noqa: ARG002 - the texts alone are counted
    ) -> dict[str, Any]:
        """Texts by outcome."""
        each = columns.get_column("scores").explode().drop_nulls().struct.field("outcome")
        return {"texts": dict(sorted(each.value_counts().iter_rows()))}

    def _texts(
        self, rows: pl.DataFrame, known: Known
    ) -> Iterator[tuple[str | None, list[tuple[str | None, int | None, str | None]]]]:
        """Each question with its texts: teacher and sample, and the text where it is known."""
        questions = rows.get_column("question").to_list()
        if self.of != "traces":
            for question, text in zip(questions, rows.get_column(self.of).to_list(), strict=True):
                yield question, [(None, None, text)]
            return
        traces = rows.get_column("traces").to_list()
        keys = [trace["reply_key"] for some in traces for trace in some or ()]
        texts = iter(known.texts(pl.Series("reply_key", keys, dtype=pl.String)).to_list())
        for question, some in zip(questions, traces, strict=True):
            yield (
                question,
                [(t["teacher"], t["sample"], self._of_trace(next(texts))) for t in some or ()],
            )

    def _of_trace(self, text: str | None) -> str | None:
        if text is None:
            return None
        thinking, answer = split(text)
        parts = {"whole": (thinking, answer), "thinking": (thinking,), "answer": (answer,)}
        return "\n\n".join(part.strip() for part in parts[self.part] if part.strip())

    def _wanted(self, question: str | None, text: str | None, known: Known) -> list[Request]:
        if question is None or not question.strip() or text is None or not text.strip():
            return []
        parts: list[Request] = []
        if {"whole", "ifd"} & set(self.measures):
            parts += self._after(question, text, known)
        if "local" in self.measures:
            parts += self._steps(question, text, known)
        if "ifd" in self.measures:
            parts += self._alone(text, known)
        return parts

    def _after(self, question: str, text: str, known: Known) -> list[Request]:
        return [self._asked(self.prompt.replace("{question}", question), text.strip(), known)]

    def _alone(self, text: str, known: Known) -> list[Request]:
        return [self._asked("", text.strip(), known)]

    def _steps(self, question: str, text: str, known: Known) -> list[Request]:
        parts = [self.prompt.replace("{question}", question), *steps_of(text.strip(), self.step)]
        return [
            self._asked("".join(parts[max(0, at - self.window) : at]), parts[at], known)
            for at in range(1, len(parts))
        ]

    def _asked(self, before: str, text: str, known: Known) -> Request:
        return known.request(self.model, before, score=text, max_tokens=1)

    def _score(self, question: str | None, text: str | None, known: Known) -> dict[str, Any]:
        none = dict.fromkeys(("tokens", "logprob", "perplexity", "lalp", "steps", "ifd"))
        wanted = self._wanted(question, text, known)
        if question is None or text is None or not wanted:
            return none | {"outcome": "no_text"}
        said: dict[str, Any] = {"outcome": _outcome(wanted, known)}
        whole = local = alone = None
        if {"whole", "ifd"} & set(self.measures):
            whole = _values(self._after(question, text, known), known)
        if "local" in self.measures:
            asked = self._steps(question, text, known)
            local = _values(asked, known)
            said["steps"] = len(asked)
        if "ifd" in self.measures:
            alone = _values(self._alone(text, known), known)
        logprob, without = _mean(whole), _mean(alone)
        said |= {"tokens": len(whole or local or ()) or None, "logprob": logprob}
        if logprob is not None:
            said["perplexity"] = _perplexity(logprob)
        said["lalp"] = _mean(local)
        if logprob is not None and without:
            said["ifd"] = logprob / without
        if said["outcome"] == "ok" and any(said.get(name) is None for name in self._numbers()):
            said["outcome"] = "undefined"
        return none | said

    def _numbers(self) -> tuple[str, ...]:
        """Fields that the measures promise."""
        of: dict[Measure, tuple[str, ...]] = {
            "whole": ("logprob", "perplexity"),
            "local": ("lalp",),
            "ifd": ("logprob", "ifd"),
        }
        return tuple(name for measure in self.measures for name in of[measure])


def steps_of(text: str, separator: str) -> list[str]:
    """The text in steps, which together are the text; each but the first begins with its separator.

    Separators in a row, and steps of nothing but white space, belong to the step that follows.
    """
    cuts = [match.start() for match in re.finditer(re.escape(separator), text)]
    steps: list[str] = []
    start = 0
    for cut in [*cuts, len(text)]:
        if text[start:cut].strip():
            steps.append(text[start:cut])
            start = cut
    if start < len(text) and steps:
        steps[-1] += text[start:]
    return steps


def _values(requests: Sequence[Request], known: Known) -> list[float] | None:
    """Log-probabilities of all tokens; None where one of the requests has none."""
    values: list[float] = []
    for request in requests:
        reply = known.reply(request)
        found = logprobs_in(reply.answer) if reply is not None and reply.answers else None
        if found is None:
            return None
        values += found
    return values


def _outcome(requests: Sequence[Request], known: Known) -> str:
    for request in requests:
        reply = known.reply(request)
        if reply is None:
            return "not_sent"
        if not reply.answers:
            return reply.outcome.value
        if logprobs_in(reply.answer) is None:
            return "malformed"
    return "ok"


def _mean(values: Sequence[float] | None) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _perplexity(logprob: float) -> float | None:
    try:
        return math.exp(-logprob)
    except OverflowError:
        return None

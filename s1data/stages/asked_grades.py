"""A judge for what no grader could decide: a model compares final answer and reference.

Equal pairs are one request, since a request has no row in it. A reply without a clear Yes or No is
asked again on the next rung; after the last the attempt stays undecided and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field

from s1data import prompts
from s1data.models import Reply, Request
from s1data.stage import Asker, Known, Problem
from s1data.stages.lists import list_column

UNCLEAR: Final = "undecided:judge"
_JUDGED: Final = ("judge", UNCLEAR)
_WAYS: Final = {True: "right", False: "wrong", None: "undecided"}


class AddJudgeGrades(Asker):
    """Gives attempts without a verdict one: a model says whether final answer and reference agree.

    Only attempts with a final answer, of rows with a reference, are shown to the judge. Method
    ``judge`` where it decided, ``undecided:judge`` where it never gave a clear word.
    """

    needs: ClassVar = ("question", "attempts")
    uses: ClassVar = ("answer",)
    added: ClassVar = ("attempts",)
    of: ClassVar = "attempts"
    reference: ClassVar = "answer"
    example: ClassVar = {"model": "judge"}

    model: str = Field(description="The model of the recipe that judges.")
    only: Literal["undecided", "all"] = Field(
        default="undecided", description="Which attempts it judges; all of them costs the most."
    )
    prompt: str = Field(default="judge/1", description="Name and version of the prompt.")
    tries: int = Field(default=2, ge=1, le=10, description="How often it is asked at most.")

    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def max_rounds(self) -> int:
        return self.tries

    def check(
        self,
        columns: Mapping[str, pl.DataType],  # noqa: ARG002 - what is named is not a column
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - nor an input
    ) -> Iterator[Problem]:
        if self.prompt not in prompts.PROMPTS:
            yield Problem("prompt", f"one of {', '.join(prompts.PROMPTS)}", repr(self.prompt))

    def requests(self, rows: pl.DataFrame, known: Known) -> list[Request]:
        found = [
            self._last(question, answer, attempt["extracted"], known)[0]
            for question, answer, attempts in _rows(rows)
            for attempt in attempts or ()
            if self._judged(question, answer, attempt)
        ]
        return list({request.key: request for request in found}.values())

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        graded = [
            None
            if attempts is None
            else [self._graded(question, answer, attempt, known) for attempt in attempts]
            for question, answer, attempts in _rows(rows)
        ]
        return list_column("attempts", graded)

    def figures(
        self, columns: pl.DataFrame, models: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Attempts by method, and what was saved against showing the judge every answer.

        ``usd_saved`` is the mean price of an answer judged here times the answers not shown.
        """
        by_method: dict[str, Counter[str]] = {}
        shown = spared = 0
        for attempts in columns.get_column("attempts").to_list():
            for one in attempts or ():
                ways = by_method.setdefault(one["method"] or "none", Counter())
                ways[_WAYS[one["verdict"]]] += 1
            answers = {one["extracted"] for one in attempts or () if one["extracted"]}
            judged = {one["extracted"] for one in attempts or () if one["method"] in _JUDGED}
            shown, spared = shown + len(judged), spared + len(answers - judged)
        asked = models.get(self.model, {})
        usd = float(asked.get("usd", 0.0))
        return {
            "by_method": {
                name: dict(sorted(by_method[name].items())) for name in sorted(by_method)
            },
            "judge_answers": shown,
            "judge_calls": int(asked.get("requests", 0)),
            "judge_usd": round(usd, 9),
            "answers_not_shown": spared,
            "usd_saved": round(usd / shown * spared, 9) if shown else 0.0,
        }

    def _judged(self, question: str | None, answer: str | None, attempt: dict[str, Any]) -> bool:
        asked = self.only == "all" or attempt["verdict"] is None
        shown = (question, answer, attempt["extracted"])
        return asked and all(text is not None and text.strip() for text in shown)

    def _graded(
        self, question: str | None, answer: str | None, attempt: dict[str, Any], known: Known
    ) -> dict[str, Any]:
        if not self._judged(question, answer, attempt):
            return attempt
        reply, verdict = self._last(question or "", answer or "", attempt["extracted"], known)[1:]
        if reply is None:
            return attempt
        return attempt | {"verdict": verdict, "method": UNCLEAR if verdict is None else "judge"}

    def _last(
        self, question: str, answer: str, extracted: str, known: Known
    ) -> tuple[Request, Reply | None, bool | None]:
        """The last request made for a pair, its reply if there is one, and what it says."""
        prompt = prompts.filled(self.prompt, question=question, reference=answer, attempt=extracted)
        request = known.request(self.model, prompt)
        reply = known.reply(request)
        for rung in range(1, self.tries):
            if reply is None or not reply.settled or yes_or_no(reply) is not None:
                break
            request = known.request(self.model, prompt, rung=rung)
            reply = known.reply(request)
        return request, reply, None if reply is None else yes_or_no(reply)


def yes_or_no(reply: Reply) -> bool | None:
    """The word on the last line of a reply that has text: Yes, No, or None for neither."""
    if not reply.answers or not (reply.answer or "").strip():
        return None
    last = (reply.answer or "").strip().splitlines()[-1]
    return {"yes": True, "no": False}.get(last.strip(" \t*_`.:!\"'").lower())


def _rows(
    rows: pl.DataFrame,
) -> Iterator[tuple[str, str, list[dict[str, Any]] | None]]:
    return rows.select("question", "answer", "attempts").iter_rows()

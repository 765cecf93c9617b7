"""Attempts of solvers at the questions: what is asked, and how replies become `attempts`.

Samples are asked in order, so that asking may stop as soon as the rule that uses the attempts is
decided. A cut attempt has no verdict: nobody knows how it would have ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from s1data.graders.extraction import final_answer
from s1data.models import Reply, Request
from s1data.stage import Asker, Known
from s1data.stages.lists import list_column


class AddAttempts(Asker):
    """Adds `attempts`: what each of the named solvers answered, up to `samples` times each.

    ``extracted`` is the final answer by `s1data.graders.extraction`; there is no verdict but one
    that stops early, by equality with the reference answer (method ``equality``).
    """

    revision: ClassVar = 2
    needs: ClassVar = ("question",)
    uses: ClassVar = ("answer",)
    added: ClassVar = ("attempts",)
    example: ClassVar = {"solvers": ["small"], "samples": 2}

    solvers: tuple[str, ...] = Field(min_length=1, description="Models of the recipe, by name.")
    samples: int = Field(default=1, ge=1, le=256, description="Most attempts of each solver.")
    prompt: str = Field(
        default="{question}",
        pattern=r"\{question\}",
        description="What is sent; {question} stands for the question.",
    )
    stop: Literal["never", "any_right"] = Field(
        default="never",
        description="Stop asking about a row never, or once any solver's final answer equals the "
        "reference: for rules that drop whatever was solved once.",
    )

    def models(self) -> tuple[str, ...]:
        return self.solvers

    def max_rounds(self) -> int:
        return 1 if self.stop == "never" else self.samples * len(self.solvers)

    def requests(self, rows: pl.DataFrame, known: Known) -> list[Request]:
        return [
            request
            for question, answer in rows.select("question", "answer").iter_rows()
            for _, _, request, _ in self._asked(question, answer, known)
        ]

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        attempts = [
            [
                self._attempt(solver, sample, reply, answer)
                for solver, sample, _, reply in self._asked(question, answer, known)
                if reply is not None
            ]
            for question, answer in rows.select("question", "answer").iter_rows()
        ]
        return list_column("attempts", attempts)

    def _asked(
        self, question: str | None, answer: str | None, known: Known
    ) -> Iterator[tuple[str, int, Request, Reply | None]]:
        if question is None or not question.strip():
            return
        prompt = self.prompt.replace("{question}", question)
        for sample in range(self.samples):
            for solver in self.solvers:
                request = known.request(solver, prompt, sample=sample)
                reply = known.reply(request)
                yield solver, sample, request, reply
                if self.stop == "any_right" and (
                    reply is None or not reply.settled or _right(reply, answer)
                ):
                    return

    def _attempt(
        self, solver: str, sample: int, reply: Reply, answer: str | None
    ) -> dict[str, Any]:
        decided = self.stop == "any_right" and _right(reply, answer)
        lengths = [n for n in (reply.thinking_tokens, reply.answer_tokens) if n is not None]
        return {
            "solver": solver,
            "sample": sample,
            "reply_key": reply.key,
            "finish": reply.outcome.value,
            "tokens": sum(lengths) if lengths else None,
            "extracted": _extracted(reply),
            "verdict": True if decided else None,
            "method": "equality" if decided else None,
        }


def _extracted(reply: Reply) -> str | None:
    if not reply.answers or reply.answer is None:
        return None
    return final_answer(reply.answer).answer


def _right(reply: Reply, answer: str | None) -> bool:
    wanted = (answer or "").strip()
    return bool(wanted) and (_extracted(reply) or "").strip() == wanted

"""Reasoning traces made by teachers: what is asked, and how replies become the column `traces`.

A teacher that refuses to recite is asked again on the next rung of a temperature ladder, as a new
request that names its rung. A request that is still open leaves no trace, so that the next run
fills the gap; one that failed for good leaves a trace with its outcome, so that no row vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field

from s1data.models import Outcome, Reply, Request, TraceKind
from s1data.stage import Asker, Known
from s1data.stages.lists import list_column

_REFUSED: Final = (Outcome.RECITATION,)


class AddTraces(Asker):
    """Adds `traces`: what each of the named teachers thought and answered, `samples` times each.

    The prompt is the question. A null or blank question is never sent and gets an empty list.
    """

    needs: ClassVar = ("question",)
    added: ClassVar[tuple[str, ...]] = ("traces",)
    example: ClassVar = {"teachers": ["teacher"]}

    teachers: tuple[str, ...] = Field(min_length=1, description="Models of the recipe, by name.")
    samples: int = Field(default=1, ge=1, le=64, description="Traces of each teacher.")
    prompt: str = Field(
        default="{question}",
        pattern=r"\{question\}",
        description="What is sent; {question} stands for the question.",
    )
    ladder: tuple[Annotated[float, Field(ge=0, le=2)], ...] = Field(
        default=(0.7, 1.0),
        description="Temperatures of further tries where a teacher refuses to recite.",
    )

    accept: tuple[Literal["raw", "summary", "leaked", "none"], ...] = Field(
        default=("raw",),
        min_length=1,
        description="Kinds of thinking that are of use; a teacher whose first replies are mostly "
        "of another kind is not asked on.",
    )

    def accepts(self) -> tuple[TraceKind, ...]:
        return tuple(TraceKind(kind) for kind in self.accept)

    def models(self) -> tuple[str, ...]:
        return self.teachers

    def max_rounds(self) -> int:
        return 1 + len(self.ladder)

    def requests(self, rows: pl.DataFrame, known: Known) -> list[Request]:
        return [
            request
            for question in rows.get_column("question").to_list()
            for _, _, request, _ in self._asked(question, known)
        ]

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        traces = [
            [
                _trace(teacher, sample, reply)
                for teacher, sample, _, reply in self._asked(question, known)
                if reply is not None
            ]
            for question in rows.get_column("question").to_list()
        ]
        return list_column("traces", traces)

    def _asked(
        self, question: str | None, known: Known
    ) -> Iterator[tuple[str, int, Request, Reply | None]]:
        """The last rung reached of each teacher and sample, with its reply if there is one."""
        if question is None or not question.strip():
            return
        prompt = self.prompt.replace("{question}", question)
        for teacher in self.teachers:
            for sample in range(self.samples):
                request = known.request(teacher, prompt, sample=sample)
                reply = known.reply(request)
                for rung, temperature in enumerate(self.ladder, 1):
                    if reply is None or reply.outcome not in _REFUSED:
                        break
                    request = known.request(
                        teacher, prompt, sample=sample, rung=rung, temperature=temperature
                    )
                    reply = known.reply(request)
                yield teacher, sample, request, reply


def _trace(teacher: str, sample: int, reply: Reply) -> dict[str, Any]:
    return {
        "teacher": teacher,
        "sample": sample,
        "reply_key": reply.key,
        "trace_kind": reply.trace_kind.value,
        "finish": reply.outcome.value,
        "thinking_tokens": reply.thinking_tokens,
        "answer_tokens": reply.answer_tokens,
        "verdict": None,
        "method": None,
    }

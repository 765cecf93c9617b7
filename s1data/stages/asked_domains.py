"""Domains named by a model: a question is shown a list of fields, and the reply names one code.

A reply that names no code of the list is asked again on the next rung; when the rungs are used up
the domain is null, which selection treats as a row without a domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

import polars as pl
from pydantic import Field

from s1data import pool, prompts, taxonomies
from s1data.frozen import Pairs
from s1data.models import Reply, Request
from s1data.stage import Asker, Known, Problem


class AddModelDomain(Asker):
    """Adds `domain`, the code that a model names, and `domain_score`: 1.0, or null with no domain.

    A null or blank question is never sent and has no domain.
    """

    revision: ClassVar = 2
    needs: ClassVar = ("question",)
    uses: ClassVar = ("source",)
    added: ClassVar = ("domain", "domain_score")
    example: ClassVar = {"model": "small"}

    model: str = Field(description="The model of the recipe that is asked.")
    taxonomy: str = Field(default="msc", description="The list of fields, by name.")
    taxonomies: Pairs[Pairs[str]] = Field(
        default=(), description="Lists of the recipe's own: name to (code to what it means)."
    )
    by_source: Pairs[str] = Field(
        default=(), description="Another list for the rows of a source: source to list."
    )
    prompt: str = Field(default="domain/1", description="Name and version of the prompt.")
    tries: int = Field(default=3, ge=1, le=10, description="How often a row is asked at most.")

    def models(self) -> tuple[str, ...]:
        return (self.model,)

    def sources(self) -> tuple[str, ...]:
        return tuple(source for source, _ in self.by_source)

    def max_rounds(self) -> int:
        return self.tries

    def check(
        self,
        columns: Mapping[str, pl.DataType],  # noqa: ARG002 - what is named is not a column
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - nor an input
    ) -> Iterator[Problem]:
        known = ", ".join(sorted(self._lists()))
        for field, name in (
            ("taxonomy", self.taxonomy),
            *(("by_source", n) for _, n in self.by_source),
        ):
            if name not in self._lists():
                yield Problem(field, f"the name of a list ({known})", repr(name))
        if self.prompt not in prompts.PROMPTS:
            yield Problem("prompt", f"one of {', '.join(prompts.PROMPTS)}", repr(self.prompt))

    def requests(self, rows: pl.DataFrame, known: Known) -> list[Request]:
        return [request for request, _ in self._each(rows, known) if request is not None]

    def columns(self, rows: pl.DataFrame, known: Known) -> pl.DataFrame:
        domains = [code for _, code in self._each(rows, known)]
        scores = [None if code is None else 1.0 for code in domains]
        schema = {name: pool.COLUMNS[name] for name in self.added}
        return pl.DataFrame({"domain": domains, "domain_score": scores}, schema=schema)

    def _each(
        self, rows: pl.DataFrame, known: Known
    ) -> Iterator[tuple[Request | None, str | None]]:
        """The last request of each row (None where there is none to make) and the code it gave."""
        lists, listed = self._lists(), dict(self.by_source)
        shown = {name: _shown(codes) for name, codes in lists.items()}
        for question, source in rows.select("question", "source").iter_rows():
            if question is None or not question.strip():
                yield None, None
                continue
            name = listed.get(source, self.taxonomy)
            text = prompts.filled(self.prompt, classes=shown[name], question=question)
            yield self._last(text, lists[name], known)

    def _last(
        self, prompt: str, codes: Mapping[str, str], known: Known
    ) -> tuple[Request, str | None]:
        request = known.request(self.model, prompt)
        for rung in range(1, self.tries + 1):
            reply = known.reply(request)
            code = None if reply is None else named_code(reply, codes)
            if reply is None or not reply.settled or code is not None or rung == self.tries:
                return request, code
            request = known.request(self.model, prompt, rung=rung)
        return request, None

    def _lists(self) -> dict[str, dict[str, str]]:
        return taxonomies.TAXONOMIES | {name: dict(codes) for name, codes in self.taxonomies}


def named_code(reply: Reply, codes: Mapping[str, str]) -> str | None:
    """The code on the last line of a reply that has text; None if it names none or several."""
    if not reply.answers or not (reply.answer or "").strip():
        return None
    last = (reply.answer or "").strip().splitlines()[-1]
    exact = last.strip(" \t*_`.:()[]\"'")
    if exact in codes:
        return exact
    words = set(re.findall(r"[\w-]+", last)) & set(codes)
    return words.pop() if len(words) == 1 else None


def _shown(codes: Mapping[str, str]) -> str:
    return "\n".join(f"{code}: {name}" for code, name in sorted(codes.items()))

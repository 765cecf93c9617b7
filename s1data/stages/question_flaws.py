"""Questions that no answer can be checked for: told from the question and its reference answer.

Rules are regular expressions, no model. `AddQuestionFlaws` annotates, with the words found;
`DropUnusable` decides. What a question points at is missing where nothing in its text is that.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.stage import Enricher, Evidence, Filter
from s1data.stages.malformed import DRAWING, IMAGE, MENTION

Flaw: TypeAlias = Literal[
    "no_real_answer", "proof_only", "several_questions", "answer_in_question", "missing_part"
]
_NO_ANSWER: Final = re.compile(
    r"\s*(?:n/?a|null|nan|omitted|none given|no answer|not available"
    r"|answers? (?:may |will )?var(?:y|ies)"
    r"|see (?:the )?(?:solution|above|below|figure).*"
    r"|proof|to be (?:proved|shown)|todo|tbd|[-?.]+)[.\s]*", re.IGNORECASE,
)  # fmt: skip
_NOTHING: Final = re.compile(r"\s*(?:unknown|none)[.\s]*", re.IGNORECASE)
"""No answer, unless the question can be answered so."""
_CLOSED: Final = re.compile(
    r"\b(?:unknown|none|uncertain|true or false|yes or no|which|who|whom|any|how many|how much)\b"
    r"|\bcannot be determined\b|(?:^|[.!?:,\n]\s*)(?:is|are|was|were|do|does|did|can|could|has|have"
    r"|will|would|should) ", re.IGNORECASE,
)  # fmt: skip
_PROOF: Final = re.compile(
    r"\b(?:prove that|show that|justify that|demonstrate that|prove:|give a proof)", re.IGNORECASE
)
_ASKS: Final = re.compile(
    r"\?|\b(?:find|determine|compute|calculate|evaluate|how many|what is|express|list all)\b",
    re.IGNORECASE,
)
_PART: Final = re.compile(r"(?:^|\s)\(?(?:[a-d]|i{1,3}|iv)\)\s", re.MULTILINE)
_NUMBERED: Final = re.compile(
    r"(?:^|[\n.:;!?])\s*\(?1[.)]\s[^?]{3,400}\?\s(?:.{0,200}?\s)?\(?2[.)]\s[^?]{3,400}\?.{0,200}\Z",
    re.DOTALL,
)
_SAID: Final = re.compile(
    r"\b(?:answer(?:\s+is)?\s*[:=]|answer\s+is|ans\.?\s*[:=])\s*", re.IGNORECASE
)
_MISSING: Final = re.compile(
    r"\b(?:in|from|of) (?:the )?(?:previous|preceding|earlier) part\b"
    r"|\b(?:previous|preceding) (?:problem|question|exercise|example)\b"
    r"|\b(?:the|an) earlier (?:problem|question|exercise|example)\b"
    r"|\b(?:in|from|of|to|by|see|as|using|use) (?-i:Problem|Exercise|Example)s? \d+\.\d+"
    r"|\b(?:table|passage) (?:above|below)\b", re.IGNORECASE,
)  # fmt: skip
_NUMBERED_FIGURE: Final = re.compile(
    r"\b(?:see|refer(?:ring)? to|look at|according to|return to|using|use|from|in|by|on|of|as)"
    r"\s+(?:the\s+)?(?P<numbered>(?P<kind>figure|fig\.|table|diagram)s?\s*~?\d+(?:[.-]\d+)*)"
    r"|(?P<subject>(?:figure|fig\.|table)\s*~?\d+(?:[.-]\d+)*)\s+"
    r"(?:shows|gives|lists|depicts|illustrates|presents|contains|summari[sz]es|below|above)\b"
    r"|\((?:see\s+)?(?P<bracketed>fig(?:ure|\.)\s*\d+(?:[.-]\d+)*)\)"
    r"|\b(?:see|refer(?:ring)? to|consult)\s+(?:the|this)\s+(?:(?!periodic)\w+\s+)?"
    r"(?P<named>figure|diagram|picture|image|graph|chart|table)\b",
    re.IGNORECASE,
)
_OWN_PART: Final = re.compile(
    r"\b[Pp]arts?\s+(?:\((?P<b>[a-h]|i{1,3}|iv)\)|(?<=\b(?:in|of|to|by) [Pp]art )(?P<c>[A-E])\b)"
)
_LABEL: Final = re.compile(r"(?:^|[\s\[])\(?(?:[a-h]|[A-E]|i{1,3}|iv)\s?[).:][\s\]]", re.MULTILINE)
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*\u2022]|\d+[.)])\s", re.MULTILINE)
_SHORT: Final = 400
_TABLE: Final = re.compile(
    r"\\begin\{(?:tabular|array|table)\}|(?: \|[^|]{0,40}){5}|^\s*\|", re.MULTILINE
)
_TASK: Final = re.compile(r"```|\b(?:Time Limit|Input Format|class Solution)\b")
"""Of programming: figures there illustrate what the words say, so that few are missed."""


class AddQuestionFlaws(Enricher):
    """Adds `question_flaws`: what makes a question unusable, with the words that show it."""

    revision: ClassVar[int] = 4
    needs: ClassVar = ("question",)
    uses: ClassVar = ("answer",)
    added: ClassVar = ("question_flaws",)

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        flaws = [_flaws(q or "", a) for q, a in rows.select("question", "answer").iter_rows()]
        dtype = pool.COLUMNS["question_flaws"]
        return pl.DataFrame({"question_flaws": flaws}, schema={"question_flaws": dtype})


def _flaws(question: str, answer: str | None) -> list[dict[str, str]]:
    found: dict[Flaw, str] = {}
    if answer is not None and _is_none(question, answer):
        found["no_real_answer"] = answer
    # With a reference answer there is something to check: "to show that" stands in options too.
    unanswered = not (answer or "").strip() or "no_real_answer" in found
    proof = _PROOF.search(question)
    asks = _ASKS.search(question) or _TASK.search(question)
    if proof and not asks and (unanswered or _PROOF.match(answer or "")):
        found["proof_only"] = proof.group()
    if several := _several(question, answer):
        found["several_questions"] = several
    if said := _said(question, answer):
        found["answer_in_question"] = said
    if missing := _missing(question):
        found["missing_part"] = missing
    return [{"flaw": flaw, "found": words[:120]} for flaw, words in found.items()]


def _is_none(question: str, answer: str) -> bool:
    if not answer.strip() or _NO_ANSWER.fullmatch(answer):
        return True
    return _NOTHING.fullmatch(answer) is not None and not _CLOSED.search(question)


def _several(question: str, answer: str | None) -> str | None:
    """The parts of a question that asks for several answers; options of a choice are none."""
    if answer is not None and re.fullmatch(r"\s*\(?[A-Ja-j]\)?\s*", answer):
        return None
    parts = [re.sub(r"\W", "", p) for p in _PART.findall(question)]
    if question.count("?") >= 2 and parts[:2] in (["a", "b"], ["i", "ii"]):
        return ", ".join(parts)
    numbered = _NUMBERED.search(question)
    return " ".join(numbered.group().split()) if numbered else None


def _said(question: str, answer: str | None) -> str | None:
    """Where the question says its answer; before another question it is an earlier part's."""
    wanted = (answer or "").strip().strip("$").strip()
    for said in _SAID.finditer(question) if wanted else ():
        rest = question[said.end() :].lstrip("$ ")
        behind = rest[len(wanted) :].lstrip("$")
        if rest.startswith(wanted) and not re.match(r"\.?\w|[-+*/^=(]", behind):
            return None if _ASKS.search(behind) else said.group() + wanted
    return None


def _missing(question: str) -> str | None:
    """Words that point at a figure, table or earlier part that is not in the question."""
    if _TASK.search(question):
        return None
    table = _TABLE.search(question) is not None
    drawn = re.search(DRAWING, question) is not None
    figure = re.search(MENTION, question) or re.search(IMAGE, question)
    if figure and not table and not drawn:
        return figure.group()
    if numbered := _pointed_at(question, table=table, drawn=drawn):
        return numbered
    if own := _no_such_part(question):
        return own
    part = _MISSING.search(question)
    if part is None:
        return None
    # "The passage above" mostly stands in the question itself: then the question is long.
    above = part.group().lower().startswith(("table", "passage"))
    return None if above and (table or len(question) >= _SHORT) else part.group()


def _pointed_at(question: str, *, table: bool, drawn: bool) -> str | None:
    """A figure or table by its number or "see the …", unless something like it is there."""
    for found in _NUMBERED_FIGURE.finditer(question):
        kind = (found["kind"] or found["named"] or found["subject"] or "figure").lower()
        there = table or (drawn and not kind.startswith("table"))
        name = found["numbered"] or found["subject"]
        # A caption names it once more, and then come its numbers.
        titled = name and len(re.findall(re.escape(name) + r"\b", question, re.IGNORECASE)) > 1
        if not there and not (titled and kind.startswith("table")):
            return found.group()
    return None


def _no_such_part(question: str) -> str | None:
    """A part by its letter, where the question has no parts: no label, heading or list of items."""
    if len(_ITEM.findall(question)) >= 2:
        return None
    plain = _OWN_PART.sub("", question)
    for found in _OWN_PART.finditer(question):
        heading = re.match(r"\s*[.:)\u2014\u2013-]", question[found.end() :])
        starts = not question[: found.start()].strip() or question[: found.start()].endswith("\n")
        if (heading and starts) or _LABEL.search(plain):
            return None
        return found.group()
    return None


class DropUnusable(Filter):
    """Drops questions with given flaws."""

    flaws: tuple[Flaw, ...] = Field(min_length=1, description="Flaws that drop a question.")

    needs: ClassVar = ("question_flaws",)
    reasons: ClassVar = {"unusable": "It has {flaws_found}."}
    evidence: ClassVar = {"flaws_found": pl.List(pl.String), "other_flaws": pl.List(pl.String)}
    example: ClassVar = {"flaws": ["proof_only", "missing_part"]}

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        names = pl.col("question_flaws").list.eval(pl.element().struct.field("flaw"))
        found = names.list.set_intersection(list(self.flaws)).list.sort()
        others = names.list.set_difference(list(self.flaws)).list.sort()
        bad = found.list.len().fill_null(0) > 0
        return rows.select(
            pl.when(bad).then(pl.lit("unusable")).alias("reason"),
            pl.when(bad).then(pl.struct(flaws_found=found, other_flaws=others)).alias("evidence"),
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        found, others = evidence["flaws_found"], evidence["other_flaws"]
        left = [flaw for flaw in self.flaws if flaw not in found]
        # The stage must name a flaw: one that the row does not have, if there is any.
        absent = [flaw for flaw in get_args(Flaw) if flaw not in (*found, *others)]
        return {"flaws": left or absent[:1]} if left or absent else None

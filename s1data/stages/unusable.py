"""Questions that no answer can be checked for, and answers that solvers contradict.

`AddQuestionFlaws` reads question and answer; `AddDoubtfulGold` and `AddConsensus` count the final
answers of solvers. All annotate; `DropUnusable` and `DropDoubtfulGold` decide.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.graders import choice, exact, numbers
from s1data.stage import Enricher, Evidence, Filter
from s1data.stages.malformed import DRAWING, IMAGE, MENTION

Flaw: TypeAlias = Literal[
    "no_real_answer", "proof_only", "several_questions", "answer_in_question", "missing_part"
]
_NO_ANSWER: Final = re.compile(
    r"\s*(?:n/?a|null|nan|omitted|none given|"
    r"answers? (?:may |will )?var(?:y|ies)"
    r"|see (?:the )?(?:solution|above|below|figure).*"
    r"|proof|to be (?:proved|shown)|todo|[-?.]+)[.\s]*", re.IGNORECASE,
)  # fmt: skip
_PROOF: Final = re.compile(
    r"\b(?:prove that|show that|justify that|demonstrate that|prove:|give a proof)", re.IGNORECASE
)
_ASKS: Final = re.compile(
    r"\?|\b(?:find|determine|compute|calculate|evaluate|how many|what is|express|list all)\b",
    re.IGNORECASE,
)
_PART: Final = re.compile(r"(?:^|\s)\(?(?:[a-d]|i{1,3}|iv)\)\s", re.MULTILINE)
_MISSING: Final = re.compile(
    r"\b(?:in|from|of) (?:the )?(?:previous|preceding|earlier) (?:problem|question|part|exercise)\b"
    r"|\b(?:table|passage) (?:above|below)\b", re.IGNORECASE,
)  # fmt: skip
_SHORT: Final = 400
_TABLE: Final = re.compile(r"\\begin\{(?:tabular|array)\}|(?: \|[^|]{0,40}){5}")
_TASK: Final = re.compile(r"```|\b(?:Time Limit|Input Format|class Solution)\b")
"""Of programming: figures there illustrate what the words say, so that few are missed."""
FAMILIES: Final = (
    "qwen", "llama", "gemma", "gemini", "mistral", "mixtral", "phi", "rho", "yi", "claude", "gpt",
    "qwq", "qvq", "marco", "skywork", "sky", "s1", "openthinker", "bespoke", "ministral",
    "codestral", "magistral", "mathstral", "pixtral", "chatgpt", "davinci", "o1", "o3", "o4",
    "deepseek", "grok", "reka",
)  # fmt: skip
"""Beginnings of names, the first that is found counts: a distilled model is of its base's family."""  # noqa: E501
_SAME: Final = {
    **dict.fromkeys(("o1", "o3", "o4", "chatgpt", "davinci"), "gpt"),
    **dict.fromkeys(("qwq", "qvq", "marco", "sky", "s1", "openthinker", "bespoke"), "qwen"),
    **dict.fromkeys(
        ("mixtral", "ministral", "codestral", "magistral", "mathstral", "pixtral"), "mistral"
    ),
    "gemini": "gemma",
}
_NO_VOTE: Final = re.compile(
    r"\W*(?:(?:i|we) (?:do not|don['\u2019]?t|can(?:not|['\u2019]?t)) "
    r"(?:know|tell|say|determine|answer)\b.*"
    r"|not sure|no answer|n/?a|null|nan|(?:cannot|can['\u2019]?t) be determined)\W*",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip


class AddQuestionFlaws(Enricher):
    """Adds `question_flaws`: what makes a question unusable, with the words that show it."""

    revision: ClassVar[int] = 3
    needs: ClassVar = ("question",)
    uses: ClassVar = ("answer",)
    added: ClassVar = ("question_flaws",)

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        flaws = [_flaws(q or "", a) for q, a in rows.select("question", "answer").iter_rows()]
        dtype = pool.COLUMNS["question_flaws"]
        return pl.DataFrame({"question_flaws": flaws}, schema={"question_flaws": dtype})


def _flaws(question: str, answer: str | None) -> list[dict[str, str]]:
    found: dict[Flaw, str] = {}
    if answer is not None and (not answer.strip() or _NO_ANSWER.fullmatch(answer)):
        found["no_real_answer"] = answer
    # With a reference answer there is something to check: "to show that" stands in options too.
    unanswered = not (answer or "").strip() or "no_real_answer" in found
    proof = _PROOF.search(question)
    asks = _ASKS.search(question) or _TASK.search(question)
    if proof and not asks and (unanswered or _PROOF.match(answer or "")):
        found["proof_only"] = proof.group()
    parts = [re.sub(r"\W", "", p) for p in _PART.findall(question)]
    choices = answer is not None and re.fullmatch(r"\s*\(?[A-Ja-j]\)?\s*", answer)
    if not choices and question.count("?") >= 2 and (parts[:2] in (["a", "b"], ["i", "ii"])):
        found["several_questions"] = ", ".join(parts)
    said = re.search(r"(?:the )?answer is:?\s*\$?([^\s$.,]+)", question, re.IGNORECASE)
    # What stands before another question is the answer of an earlier part.
    last = said is not None and not _ASKS.search(question, said.end())
    if said and last and answer and said.group(1) == answer.strip().strip("$"):
        found["answer_in_question"] = said.group()
    if missing := _missing(question):
        found["missing_part"] = missing
    return [{"flaw": flaw, "found": words[:120]} for flaw, words in found.items()]


def _missing(question: str) -> str | None:
    """Words that point at a figure, table or earlier part that is not in the question."""
    if _TASK.search(question):
        return None
    table = _TABLE.search(question) is not None
    figure = re.search(MENTION, question) or re.search(IMAGE, question)
    if figure and not table and not re.search(DRAWING, question):
        return figure.group()
    part = _MISSING.search(question)
    if part is None:
        return None
    # "The passage above" mostly stands in the question itself: then the question is long.
    above = part.group().lower().startswith(("table", "passage"))
    return None if above and (table or len(question) >= _SHORT) else part.group()


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


def family(solver: str) -> str:
    """The model family of a solver: the first of `FAMILIES` that begins a word of its name.

    Of three letters or less (and phi) it is the whole word, but for digits. Of an unknown name the
    first word is the family.
    """
    words = re.split(r"[^a-z0-9]+", solver.lower())
    for name in FAMILIES:
        if any(_begins(word, name) for word in words):
            return _SAME.get(name, name)
    if any("llama" in word for word in words):
        return "llama"
    return re.sub(r"^[^a-z0-9]+", "", solver.lower().rpartition("/")[2]).split("-")[0] or solver


def _begins(word: str, name: str) -> bool:
    rest = word.removeprefix(name)
    return word.startswith(name) and (len(name) > 3 or not rest or rest[0].isdigit())


def _voted(answer: str | None) -> str:
    """One text for the ways to write an answer, by the cheap graders; empty for no answer."""
    if not answer or _NO_VOTE.fullmatch(answer):
        return ""
    if (number := numbers.read(answer)) is not None:
        return f"{number.value}{'%' if number.percent else ''} {number.unit}"
    if named := choice.letters(answer):
        return "".join(sorted(named)).lower()
    parts = [numbers.read(part) for part in exact.cleaned(answer).split(",")]
    values = [part.value for part in parts if part is not None]
    if len(values) == len(parts) > 1:
        return ",".join(map(str, sorted(values)))
    return _key(answer)


def _key(answer: str | None) -> str:
    bare = re.sub(
        r"\\(?:text|mathrm|left|right|displaystyle)\b|\\[,;! ]|dfrac", _frac, answer or ""
    )
    return re.sub(r"[\s${}]|(?<=\d),(?=\d{3})|\.$", "", bare.strip()).lower()


def _same(one: str, other: str) -> bool:
    """Equal, or equal but for words round the same numbers (4:30 and 4:30 p.m.)."""
    a, b = _key(one), _key(other)
    numbers = re.findall(r"-?\d+", a)
    return a == b or (bool(numbers) and numbers == re.findall(r"-?\d+", b) and (a in b or b in a))


def _frac(found: re.Match[str]) -> str:
    return "frac" if found.group() == "dfrac" else ""


def _vote(attempts: list[dict[str, Any]] | None) -> tuple[dict[str, Any], str] | None:
    """The answer of most solvers, each with one vote: that of most of its attempts."""
    own: dict[str, Counter[str]] = {}
    written: dict[str, str] = {}
    against: set[str] = set()
    for one in attempts or ():
        if key := _voted(one["extracted"]):
            own.setdefault(one["solver"], Counter())[key] += 1
            written[key] = min(written.get(key, one["extracted"]), one["extracted"])
            if one["verdict"] is False:
                against.add(key)
    if not own:
        return None
    votes = {s: min(c, key=lambda k: (-c[k], k)) for s, c in own.items()}
    tally = Counter(votes.values())
    best = min(tally, key=lambda k: (-tally[k], k))
    families = sorted({family(s) for s, k in votes.items() if k == best})
    value = {"answer": written[best], "votes": tally[best], "voters": len(votes)}
    return value | {"families": families}, "against" if best in against else ""


class _Voting(Enricher):
    min_votes: int = Field(default=3, gt=1, description="Fewest solvers that must agree.")
    min_share: float = Field(default=0.6, gt=0.5, le=1, description="Least share of solvers.")
    needs: ClassVar = ("attempts",)
    uses: ClassVar = ("answer",)

    def _agreed(self, attempts: list[dict[str, Any]] | None) -> tuple[dict[str, Any], bool] | None:
        vote = _vote(attempts)
        if vote is None:
            return None
        value, against = vote
        enough = value["votes"] >= max(self.min_votes, self.min_share * value["voters"])
        return (value, bool(against)) if enough else None


class AddConsensus(_Voting):
    """Adds `consensus`: what most solvers answer; a pseudo-label where there is no gold."""

    revision: ClassVar[int] = 2
    added: ClassVar = ("consensus",)
    example: ClassVar = {"min_votes": 2}

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        out = []
        for attempts, answer in rows.select("attempts", "answer").iter_rows():
            agreed = self._agreed(attempts)
            gold = bool((answer or "").strip())
            out.append(agreed and agreed[0] | {"pseudo_label": not gold})
        return pl.DataFrame({"consensus": out}, schema={"consensus": pool.CONSENSUS})


class AddDoubtfulGold(_Voting):
    """Adds `doubtful_gold`: solvers agree on an answer that was judged wrong by the reference.

    *wrong* where solvers of at least two model families do, else *doubtful*.
    """

    revision: ClassVar[int] = 3
    added: ClassVar = ("doubtful_gold",)
    example: ClassVar = {"min_votes": 2}

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        out: list[dict[str, Any] | None] = []
        for attempts, answer in rows.select("attempts", "answer").iter_rows():
            agreed = self._agreed(attempts) if (answer or "").strip() else None
            if agreed is None or not agreed[1] or _same(agreed[0]["answer"], answer):
                out.append(None)
                continue
            status = "wrong" if len(agreed[0]["families"]) >= 2 else "doubtful"
            out.append(agreed[0] | {"status": status})
        return pl.DataFrame({"doubtful_gold": out}, schema={"doubtful_gold": pool.DOUBTFUL_GOLD})


class DropDoubtfulGold(Filter):
    """Drops questions whose reference answer solvers contradict."""

    at: Literal["doubtful", "wrong"] = Field(
        default="wrong", description="wrong: only those called wrong; doubtful: both."
    )

    needs: ClassVar = ("doubtful_gold",)
    reasons: ClassVar = {
        "wrong_gold": "{votes} of {voters} solvers ({families}) agree on {answer}.",
        "doubtful_gold": "{votes} of {voters} solvers ({families}) agree on {answer}.",
    }
    evidence: ClassVar = {f.name: f.dtype for f in pool.DOUBTFUL_GOLD.fields if f.name != "status"}

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        status = pl.col("doubtful_gold").struct.field("status")
        counts = status.is_in(["wrong"] if self.at == "wrong" else ["wrong", "doubtful"])
        bad = counts.fill_null(False)
        values = pl.struct(pl.col("doubtful_gold").struct.field(n) for n in self.evidence)
        return rows.select(
            pl.when(bad).then(status + "_gold").alias("reason"),
            pl.when(bad).then(values).alias("evidence"),
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        return {"at": "wrong"} if evidence.reason == "doubtful_gold" else None

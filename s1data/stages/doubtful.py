"""Reference answers that solvers contradict, and what solvers agree on where there is none.

`AddDoubtfulGold` and `AddConsensus` count the final answers of solvers, each solver with one vote.
Both annotate; `DropDoubtfulGold` decides.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.graders import choice, exact, numbers
from s1data.stage import Enricher, Evidence, Filter
from s1data.stages.families import family

_NO_VOTE: Final = re.compile(
    r"\W*(?:(?:i|we) (?:do not|don['\u2019]?t|can(?:not|['\u2019]?t)) "
    r"(?:know|tell|say|determine|answer)\b.*"
    r"|not sure|no answer|n/?a|null|nan|(?:cannot|can['\u2019]?t) be determined)\W*",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip


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

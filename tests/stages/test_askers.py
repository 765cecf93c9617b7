"""Askers as pure functions: what they ask given what is known, and what they make of replies."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data import pool
from s1data.models import ModelSpec, Outcome, Reply, Request, TraceKind
from s1data.stage import Asker
from s1data.stages.asked_attempts import AddAttempts
from s1data.stages.asked_domains import AddModelDomain
from s1data.stages.asked_grades import AddJudgeGrades
from s1data.stages.asked_traces import AddTraces
from s1data.taxonomies import TAXONOMIES

SPEC = ModelSpec(provider="openai_compatible", model="m")


@dataclass
class Book:
    """Replies by key, and the models of a recipe."""

    replies: dict[str, Reply] = field(default_factory=dict)

    def request(self, model: str, prompt: str, **settings: object) -> Request:
        spec = SPEC.model_copy(update={"model": model})
        return Request(**(spec.model_dump() | {"prompt": prompt} | settings))

    def reply(self, request: Request) -> Reply | None:
        return self.replies.get(request.key)

    def tell(self, request: Request, outcome: Outcome = Outcome.OK, **parts: object) -> None:
        given = {"thinking": "Hm.", "answer": "The final answer is 4.", "answer_tokens": 7} | parts
        self.replies[request.key] = Reply(
            key=request.key, provider="p", model=request.model, outcome=outcome, **given
        )


def rows(*questions: str | None) -> pl.DataFrame:
    answers = [None if q is None else "4" for q in questions]
    schema = {"question": pl.String, "answer": pl.String}
    return pl.DataFrame({"question": questions, "answer": answers}, schema=schema)


def open_requests(stage: Asker, frame: pl.DataFrame, book: Book) -> list[Request]:
    return [r for r in stage.requests(frame, book) if book.reply(r) is None]


TRACES = AddTraces(teachers=("teacher",), samples=2, ladder=(0.5, 1.0))
ATTEMPTS = AddAttempts(solvers=("small", "large"), samples=3)
FIRST_RIGHT = AddAttempts(solvers=("small", "large"), samples=3, stop="any_right")


@pytest.mark.parametrize("stage", [TRACES, ATTEMPTS, FIRST_RIGHT], ids=repr)
@pytest.mark.parametrize("question", [None, "", " \n"])
def test_a_question_that_says_nothing_is_never_sent(stage, question):
    frame = rows(question)
    assert stage.requests(frame, Book()) == []
    (column,) = stage.columns(frame, Book())
    assert column.to_list() == [[]]


@pytest.mark.parametrize("stage", [TRACES, ATTEMPTS, FIRST_RIGHT], ids=repr)
@given(outcomes=st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=5), seed=st.randoms())
def test_rounds_end_and_arrival_and_splits_change_nothing(stage, outcomes, seed):
    frame = rows("one?", "two?", "three?")
    book = Book()
    for _ in range(stage.max_rounds()):
        asked = open_requests(stage, frame, book)
        seed.shuffle(asked)
        for request in asked:
            # A reply depends on its request only, as it does with a model.
            at = int(request.key[:6], 16) % len(outcomes)
            book.tell(request, outcomes[at], answer="4" if at % 2 else "5")
    assert open_requests(stage, frame, book) == []
    whole = stage.columns(frame, book)
    parts = [stage.columns(frame.slice(i, 1), book) for i in range(3)]
    assert whole.equals(pl.concat(parts))
    assert dict(whole.schema) == stage.adds()


def test_a_recitation_climbs_the_ladder_and_ends_there():
    book, frame = Book(), rows("one?")
    stage = AddTraces(teachers=("teacher",), ladder=(0.5, 1.0))
    seen = []
    while asked := open_requests(stage, frame, book):
        (request,) = asked
        seen.append((request.rung, request.temperature))
        book.tell(request, Outcome.RECITATION, thinking=None, answer=None)
    assert seen == [(0, None), (1, 0.5), (2, 1.0)]
    (trace,) = stage.columns(frame, book)["traces"].to_list()[0]
    assert trace["finish"] == "recitation"
    assert trace["trace_kind"] == "none"


def test_an_open_request_leaves_a_gap_and_a_failed_one_its_name():
    book, frame = Book(), rows("one?")
    first, second = TRACES.requests(frame, book)
    book.tell(first, Outcome.SAFETY, answer=None, thinking=None)
    (traces,) = TRACES.columns(frame, book)["traces"].to_list()
    assert [(t["sample"], t["finish"]) for t in traces] == [(0, "safety")]
    book.tell(second, trace_kind=TraceKind.RAW, thinking_tokens=90)
    (traces,) = TRACES.columns(frame, book)["traces"].to_list()
    assert traces[1] == {
        "teacher": "teacher", "sample": 1, "reply_key": second.key, "trace_kind": "raw",
        "finish": "ok", "thinking_tokens": 90, "answer_tokens": 7, "verdict": None, "method": None,
    }  # fmt: skip


def test_asking_stops_once_an_answer_is_right():
    book, frame = Book(), rows("one?")
    asked = 0
    for answer in ("5", "6", "4"):
        (request,) = open_requests(FIRST_RIGHT, frame, book)
        book.tell(request, answer=f"The final answer is {answer}.")
        asked += 1
    assert open_requests(FIRST_RIGHT, frame, book) == []
    (attempts,) = FIRST_RIGHT.columns(frame, book)["attempts"].to_list()
    assert [(a["solver"], a["sample"], a["extracted"], a["verdict"]) for a in attempts] == [
        ("small", 0, "5", None), ("large", 0, "6", None), ("small", 1, "4", True),
    ]  # fmt: skip
    assert asked == 3


def test_a_cut_attempt_has_no_answer_and_no_verdict():
    book, frame = Book(), rows("one?")
    for request in ATTEMPTS.requests(frame, book):
        book.tell(request, Outcome.CUT_ANSWERING)
    (attempts,) = ATTEMPTS.columns(frame, book)["attempts"].to_list()
    assert len(attempts) == 6
    assert {(a["finish"], a["extracted"], a["verdict"]) for a in attempts} == {
        ("cut_answering", None, None)
    }


DOMAINS = AddModelDomain(model="sorter", tries=3)


@pytest.mark.parametrize(
    ("answer", "domain"),
    [
        ("It counts.\n05", "05"),
        ("It counts.\n**05**", "05"),
        ("It counts.\nCode: 05.", "05"),
        ("05 or 11", None),
        ("99", None),
        ("05\nbecause it counts", None),
        ("   ", None),
    ],
)
def test_the_code_on_the_last_line_is_the_domain(answer, domain):
    book, frame = Book(), with_source("one?")
    (request,) = open_requests(DOMAINS, frame, book)
    book.tell(request, answer=answer)
    found = DOMAINS.columns(frame, book)
    assert found.row(0) == (domain, None if domain is None else 1.0)
    assert len(open_requests(DOMAINS, frame, book)) == (domain is None)


def test_a_reply_without_a_code_is_asked_again_three_times_and_no_more():
    book, frame = Book(), with_source("one?")
    rungs = []
    while asked := open_requests(DOMAINS, frame, book):
        rungs += [request.rung for request in asked]
        book.tell(asked[0], answer="I would rather not say")
    assert rungs == [0, 1, 2]
    assert DOMAINS.columns(frame, book)["domain"].to_list() == [None]


def test_each_source_is_shown_its_own_list():
    own = {"science": {"ch": "chemistry", "ph": "physics"}}
    stage = AddModelDomain(model="sorter", taxonomies=own, by_source={"labs": "science"})
    frame = with_source("one?", "two?", sources=["maths", "labs"])
    first, second = stage.requests(frame, Book())
    assert f"05: {TAXONOMIES['msc']['05']}" in first.prompt
    assert "chemistry" not in first.prompt
    assert "ch: chemistry" in second.prompt
    assert stage.sources() == ("labs",)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"taxonomy": "mcs"}, "taxonomy"),
        ({"by_source": {"labs": "none"}}, "by_source"),
        ({"prompt": "domain/0"}, "prompt"),
    ],
)
def test_a_list_or_prompt_that_is_not_there_is_named(fields, field):
    stage = AddModelDomain(model="sorter", **fields)
    assert [problem.field for problem in stage.check({}, {})] == [field]


JUDGE = AddJudgeGrades(model="judge", tries=2)


def attempts_of(*given: tuple[str | None, bool | None]) -> pl.DataFrame:
    fields = [f.name for f in pool.ATTEMPT.fields]
    lines = [
        dict.fromkeys(fields)
        | {"solver": "small", "sample": i, "extracted": extracted, "verdict": verdict}
        for i, (extracted, verdict) in enumerate(given)
    ]
    return rows("one?").with_columns(pl.Series("attempts", [lines], dtype=pl.List(pool.ATTEMPT)))


def test_the_judge_sees_each_undecided_answer_once_and_no_other():
    frame = attempts_of(("four", None), ("four", None), ("5", False), (None, None), ("2+2", None))
    asked = JUDGE.requests(frame, Book())
    assert len(asked) == 2
    assert all("<reference>\n4\n</reference>" in request.prompt for request in asked)


def test_what_the_judge_says_is_the_verdict():
    frame = attempts_of(("four", None), ("5", False), (None, None), ("2+3", None), ("{4}", None))
    book = Book()
    words = {"four": "The same.\nYes.", "2+3": "Not so.\n**No**", "{4}": "Hard to say"}
    for _ in range(JUDGE.max_rounds()):
        for request in open_requests(JUDGE, frame, book):
            word = next(
                w for a, w in words.items() if f"<attempt>\n{a}\n</attempt>" in request.prompt
            )
            book.tell(request, answer=word)
    assert open_requests(JUDGE, frame, book) == []
    (attempts,) = JUDGE.columns(frame, book)["attempts"].to_list()
    assert [(a["verdict"], a["method"]) for a in attempts] == [
        (True, "judge"), (False, None), (None, None), (False, "judge"), (None, "undecided:judge"),
    ]  # fmt: skip


def test_braces_and_tags_in_a_text_stay_as_they_are():
    (request,) = JUDGE.requests(attempts_of((r"\frac{question}{2}", None)), Book())
    assert r"\frac{question}{2}" in request.prompt


def with_source(*questions: str, sources: list[str] | None = None) -> pl.DataFrame:
    return rows(*questions).with_columns(
        pl.Series("source", sources or ["maths"] * len(questions), dtype=pl.String)
    )

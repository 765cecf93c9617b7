"""The judge behind the cheap graders: what it is asked, what it costs, what that saved."""

import polars as pl
import pytest

from s1data import apply, pool
from s1data.asking import Price, Served, Session, ask_in_rounds
from s1data.emulator import Emulator, Script
from s1data.models import ModelSpec
from s1data.providers import open_model
from s1data.stages.asked_grades import AddJudgeGrades
from s1data.stages.grading import AddGrades, wilson
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending

JUDGE = ModelSpec(provider="openai_compatible", model="judge", max_tokens=200)
PRICE = Price(
    provider="openai_compatible", model="judge", prompt=1.0, output=10.0, date="d", source="s"
)
EMPTY = dict.fromkeys(field.name for field in pool.ATTEMPT.fields)
# The reference; an answer that equality decides, one the judge calls right, one it calls wrong,
# and one that numbers decide.
ANSWERS = (
    ("big bang (theory)", ["big bang (theory)", "big bang theory", "steady state theory"]),
    ("1/2", ["0.5", "0.6", "1/2"]),
    ("red dwarf (faint)", ["red dwarf faint", "red dwarf faint", None]),
)


def rows():
    lines = [
        (
            f"question {n}?",
            reference,
            [EMPTY | {"solver": "small", "sample": i, "extracted": a} for i, a in enumerate(said)],
        )
        for n, (reference, said) in enumerate(ANSWERS)
    ]
    schema = {"question": pl.String, "answer": pl.String, "attempts": pool.COLUMNS["attempts"]}
    return pl.DataFrame(lines, schema=schema, orient="row")


@pytest.fixture(scope="module")
def emulator():
    script = Script.of({"models": {"judge": {"role": "judge", "skill": 1.0}}})
    with Emulator(script) as emulator:
        yield emulator


def judged(emulator, home, stage, frame):
    with ReplyStore(home / "replies") as store, Spending(home / "spending", None) as budget:
        model = open_model(JUDGE, [emulator.openai_url], "a-key", 5.0)
        served = Served(name="judge", spec=JUDGE, model=model, price=PRICE)
        with Session([served], store, budget) as session:
            return ask_in_rounds(stage, frame, {"judge": JUDGE}, session)


def methods(column):
    return [[(one["verdict"], one["method"]) for one in attempts] for attempts in column]


def test_the_judge_decides_what_is_left_and_the_figures_say_what_that_saved(emulator, tmp_path):
    graded = apply(AddGrades(), rows()).kept
    stage = AddJudgeGrades(model="judge")
    asked = judged(emulator, tmp_path, stage, graded.drop("id", "row"))
    assert methods(asked.columns["attempts"].to_list()) == [
        [(True, "exact"), (True, "judge"), (False, "judge")],
        [(True, "number"), (False, "number"), (True, "exact")],
        [(True, "judge"), (True, "judge"), (False, "no_answer")],
    ]
    figures = stage.figures(asked.columns, asked.figures)
    usd = asked.figures["judge"]["usd"]
    assert usd > 0
    # Seven different answers: three were shown, one call each; four were not.
    assert figures == {
        "by_method": {
            "exact": {"right": 2},
            "judge": {"right": 3, "wrong": 1},
            "no_answer": {"wrong": 1},
            "number": {"right": 1, "wrong": 1},
        },
        "judge_answers": 3,
        "judge_calls": 3,
        "judge_usd": usd,
        "answers_not_shown": 4,
        "usd_saved": pytest.approx(usd / 3 * 4),
    }


def test_judging_all_costs_what_was_said_to_be_saved(emulator, tmp_path):
    every = AddJudgeGrades(model="judge", only="all")
    asked = judged(emulator, tmp_path, every, rows())
    figures = every.figures(asked.columns, asked.figures)
    assert (figures["judge_calls"], figures["answers_not_shown"]) == (7, 0)
    assert figures["usd_saved"] == 0


def test_agreement_with_people_is_said_of_the_judge_too(emulator, tmp_path):
    graded = apply(AddGrades(), rows()).kept.drop("id", "row")
    asked = judged(emulator, tmp_path, AddJudgeGrades(model="judge"), graded)
    after = graded.with_columns(asked.columns)
    people = pl.DataFrame(
        {
            "id": [pool.question_id(f"question {n}?") for n in (0, 0, 0, 1)],
            "solver": ["small"] * 4,
            "sample": [0, 1, 2, 1],
            "verdict": [True, False, False, False],
        }
    )
    stage = AddGrades(audited="people")
    outcome = apply(stage, after, {"people": people})
    assert outcome.kept["attempts"].to_list() == after["attempts"].to_list()
    figures = stage.figures(outcome.artefact)
    assert figures["graded"] == 0
    assert figures["agreement"] == {
        "exact": {"agree": 1, "of": 1, "wilson95": list(wilson(1, 1))},
        "judge": {"agree": 1, "of": 2, "wilson95": list(wilson(1, 2))},
        "number": {"agree": 1, "of": 1, "wilson95": list(wilson(1, 1))},
    }

"""What the emulated models say: skill by hash, judges and classifiers that read their prompt."""

import re

import polars as pl
import pytest

from s1data.emulator import Emulator, Script
from tests.emulator import clients

ANSWERS = pl.DataFrame(
    {
        "question": [
            f"A box holds {n} rows of {n + 3} apples. How many apples is that?" for n in range(200)
        ],
        "answer": [str(n * (n + 3)) for n in range(200)],
    }
)
JUDGE = """Judge whether the attempt reaches the reference answer. Reply Yes or No on the last line.

Question: {question}

Reference answer: {reference}

Attempt: Each row has the same number. The final answer is \\boxed{{{got}}}."""
CLASSIFY = """Name the domain of the question by one code of this list.

05: Combinatorics
11: Number theory
26: Real functions
51: Geometry

Question: {question}"""


def boxed(text):
    return re.findall(r"\\boxed\{(.*?)\}", text)[-1]


def solved(server, model, questions, template="{}", **headers):
    with clients.chat(server) as chat:
        return [
            boxed(chat(template.format(q), model, extra_headers=headers).choices[0].message.content)
            for q in questions
        ]


@pytest.fixture(scope="module")
def server():
    script = Script.of({"models": {
        "weak": {"role": "solver", "skill": 0.25},
        "strong": {"role": "solver", "skill": 0.9},
        "never": {"role": "solver", "skill": 0.0},
        "fair": {"skill": 1.0},
        "foul": {"skill": 0.0},
    }})  # fmt: skip
    with Emulator(script, answers=ANSWERS) as server:
        yield server


def test_a_solver_is_right_about_as_often_as_its_skill(server):
    right = {
        model: sum(
            got == truth
            for got, truth in zip(
                solved(server, model, ANSWERS["question"]), ANSWERS["answer"], strict=True
            )
        )
        for model in ("weak", "strong", "never")
    }
    assert 30 <= right["weak"] <= 72
    assert 165 <= right["strong"] <= 195
    assert right["never"] == 0


def test_what_is_said_depends_on_the_request_and_not_on_the_order(server):
    questions = ANSWERS["question"].head(40).to_list()
    forwards = solved(server, "weak", questions)
    assert solved(server, "weak", questions[::-1]) == forwards[::-1]
    with clients.chat(server) as chat:
        assert chat(questions[3], "weak").to_dict() == chat(questions[3], "weak").to_dict()


def test_a_question_is_known_whatever_words_stand_around_it(server):
    questions = ANSWERS["question"].head(40).to_list()
    plain = solved(server, "weak", questions)
    for template in (
        "{}\n\nPut the answer into a box.",
        "Solve it step by step.\n\nQuestion: {}",
        "<question>\n{}\n</question>\nThink first.",
        "Problem: {} Show your work.",
    ):
        assert solved(server, "weak", questions, template) == plain


def test_samples_differ_by_header_or_seed(server):
    (question,) = ANSWERS["question"].sample(1, seed=5)
    with clients.chat(server) as chat:
        by_header = {
            chat(question, "weak", extra_headers={"X-S1Data-Sample": str(k)})
            .choices[0]
            .message.content
            for k in range(6)
        }
        by_seed = {chat(question, "weak", seed=k).choices[0].message.content for k in range(6)}
    assert len(by_header) == len(by_seed) == 6


@pytest.mark.parametrize(
    ("got", "fair", "foul"), [("28", "Yes", "No"), ("29", "No", "Yes"), (" 28 ", "Yes", "No")]
)
def test_a_judge_compares_and_is_as_good_as_its_skill(server, got, fair, foul):
    prompt = JUDGE.format(question=ANSWERS["question"][4], reference="28", got=got)
    with clients.chat(server) as chat:
        for model, verdict in (("fair", fair), ("foul", foul)):
            assert chat(prompt, model).choices[0].message.content.splitlines()[-1] == verdict


def test_a_judge_takes_the_reference_from_the_prompt_and_the_words_it_is_told(server):
    prompt = (
        "Decide whether the response is CORRECT or INCORRECT.\n"
        "<reference>\n\\frac{1}{2}\n</reference>\n<response>\nSo it is $\\boxed{\\frac{1}{2}}$.\n</response>"
    )
    with clients.chat(server) as chat:
        assert chat(prompt, "fair").choices[0].message.content.splitlines()[-1] == "CORRECT"
        assert chat(prompt, "foul").choices[0].message.content.splitlines()[-1] == "INCORRECT"


def test_a_classifier_names_a_code_of_the_list_the_same_for_the_same_question(server):
    with clients.chat(server) as chat:
        said = [
            chat(CLASSIFY.format(question=q), "fair").choices[0].message.content
            for q in ANSWERS["question"].head(60)
        ]
        reworded = CLASSIFY.replace("by one code of", "from the codes of")
        again = (
            chat(reworded.format(question=ANSWERS["question"][0]), "fair")
            .choices[0]
            .message.content
        )
    assert set(said) == {"05", "11", "26", "51"}
    assert again == said[0]


def test_a_classifier_knows_the_domains_that_the_pool_has():
    pool = ANSWERS.head(30).with_columns(domain=pl.lit("51"))
    script = Script.of({"models": {"fair": {"skill": 1.0}, "foul": {"skill": 0.0}}})
    with Emulator(script, answers=pool) as server, clients.chat(server) as chat:
        for question in pool["question"]:
            prompt = CLASSIFY.format(question=question)
            assert chat(prompt, "fair").choices[0].message.content == "51"
            assert chat(prompt, "foul").choices[0].message.content in {"05", "11", "26"}


def test_a_longer_known_question_is_preferred_to_one_it_begins_with():
    pool = pl.DataFrame(
        {
            "question": ["What is 2 + 3?", "What is 2 + 3? Give it in base two."],
            "answer": ["5", "101"],
        }
    )
    script = Script.of({"models": {"*": {"role": "solver", "skill": 1.0}}})
    with Emulator(script, answers=pool) as server:
        assert solved(server, "any", pool["question"], "Question: {}\nAnswer in a box.") == [
            "5",
            "101",
        ]

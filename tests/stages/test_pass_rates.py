"""Pass rates, bands over them, and references and questions that solvers or words speak against."""

import polars as pl
import pytest

from s1data import apply, pool
from s1data.errors import StageError
from s1data.stages.doubtful import AddConsensus, AddDoubtfulGold
from s1data.stages.families import family
from s1data.stages.pass_rates import AddPassRates, DropOutside, DropOutsideCounts
from s1data.stages.question_flaws import AddQuestionFlaws

EMPTY = dict.fromkeys(f.name for f in pool.ATTEMPT.fields)


def rows(attempts, answer="4", question="How many?"):
    lines = [
        EMPTY | {"solver": s, "sample": i, "extracted": e, "verdict": v, "finish": f}
        for i, (s, e, v, f) in enumerate(attempts)
    ]
    schema = {"question": pl.String, "answer": pl.String, "attempts": pool.COLUMNS["attempts"]}
    return pl.DataFrame([(question, answer, lines)], schema=schema, orient="row")


def test_cut_and_unjudged_attempts_count_neither_way():
    given = rows([("m", "4", True, "stop"), ("m", "4", True, "length"), ("m", "5", None, "stop"),
                  ("m", "5", False, None)])  # fmt: skip
    ((rate,),) = apply(AddPassRates(), given).kept["pass_rates"].to_list()
    assert (rate["successes"], rate["attempts"], rate["uncounted"]) == (1, 2, 2)
    assert rate["posterior_mean"] == 0.5
    # Beta(2, 2): the 5 % point p solves 3p² - 2p³ = 0.05.
    assert 3 * rate["posterior_low"] ** 2 - 2 * rate["posterior_low"] ** 3 == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("finish", "counted"),
    [
        *((f, 0) for f in ("LENGTH", "max_output_tokens", "FinishReason.MAX_TOKENS", "incomplete")),
        *((f, 0) for f in ("model length", "content-filter", "SAFETY", "cut_thinking", "error")),
        *((f, 1) for f in ("stop", "STOP", "end_turn", "completed", "tool_calls", "whatever")),
    ],
)
def test_every_spelling_of_a_cut_attempt_counts_neither_way(finish, counted):
    given = rows([("m", "5", False, finish), ("m", "4", True, "stop")])
    ((rate,),) = apply(AddPassRates(), given).kept["pass_rates"].to_list()
    assert (rate["attempts"], rate["uncounted"]) == (1 + counted, 1 - counted)


@pytest.mark.parametrize(
    "stage", [DropOutside(solver="qwen_a"), DropOutsideCounts(solver="qwen_a")]
)
def test_a_solver_that_no_row_has_is_an_error_that_names_those_there_are(stage):
    rated = apply(AddPassRates(), rows([("qwen-a", "4", True, "stop")])).kept.drop("id", "row")
    with pytest.raises(
        StageError, match=r"qwen_a, which no row has; .* of qwen-a; nearest: qwen-a"
    ):
        apply(stage, rated)


@pytest.mark.parametrize(
    ("right", "of", "reason"),
    [
        (0, 32, "too_hard"),
        (1, 32, None),
        (3, 32, None),
        (4, 32, "too_easy"),
        (1, 31, "too_few_attempts"),
    ],
)
def test_limo_keeps_one_to_three_of_32(right, of, reason):
    given = rows([("m", "x", i < right, "stop") for i in range(of)])
    out = apply(DropOutsideCounts(solver="m"), apply(AddPassRates(), given).kept.drop("id", "row"))
    assert out.dropped["reason"].to_list() == ([reason] if reason else [])


def test_the_raw_rate_of_a_row_asked_until_the_first_success_is_refused():
    given = rows([("m", "5", False, "stop"), ("m", "4", True, "stop")])
    outcome = apply(AddPassRates(stopping="first_success", planned=8), given)
    assert outcome.artefact.to_dicts() == [{"solver": "m", "asked": 2, "saved": 6}]
    rated = outcome.kept.drop("id", "row")
    with pytest.raises(StageError, match="until the first success"):
        apply(DropOutside(solver="m", on="raw"), rated)
    assert apply(DropOutside(solver="m", low=0.4, high=0.6), rated).kept.height == 1


@pytest.mark.parametrize(
    ("solvers", "said", "status"),
    [
        (("Qwen/a", "meta-llama/b", "gpt-4o"), "6", "wrong"),
        (("Qwen/a", "Qwen2.5-7B", "qwen-max"), "6", "doubtful"),
        (("Qwen/a", "meta-llama/b"), "6", None),
        (("Qwen/a", "meta-llama/b", "gpt-4o"), "4 apples", None),
        (("Qwen/a", "meta-llama/b", "gpt-4o"), "-4", "wrong"),
    ],
)
def test_gold_is_called_wrong_only_by_two_families(solvers, said, status):
    given = rows([(s, said, False, "stop") for s in solvers])
    (out,) = apply(AddDoubtfulGold(), given).kept["doubtful_gold"].to_list()
    assert (out and out["status"]) == status


@pytest.mark.parametrize("gold", [None, "4"])
def test_consensus_is_a_pseudo_label_only_without_gold(gold):
    given = rows([(s, "4", None, "stop") for s in ("a", "b", "c")], gold)
    (out,) = apply(AddConsensus(), given).kept["consensus"].to_list()
    assert (out["answer"], out["votes"], out["pseudo_label"]) == ("4", 3, gold is None)


def test_families():
    names = ("openai/o1-mini", "gpt-4o", "google/gemma-2-9b", "ll3.3-nemotron", "Qwen2.5-Math")
    assert [family(n) for n in names] == ["gpt", "gpt", "gemma", "ll3.3", "qwen"]
    same = ("QwQ-32B", "s1-32b", "Sky-T1", "Marco-o1", "DeepSeek-R1-Distill-Qwen-7B")
    assert {family(n) for n in same} == {"qwen"}
    assert {family(n) for n in ("chatgpt-4o", "o3-mini", "gpt-4")} == {"gpt"}
    assert {family(n) for n in ("Ministral-8B", "Codestral")} == {"mistral"}
    assert [family(n) for n in ("Skywork-o1-Open", "acme-1", "acme-2")] == [
        "skywork",
        "acme",
        "acme",
    ]


@pytest.mark.parametrize(
    ("said", "votes"),
    [
        (("1/2", "0.5", "\\frac{1}{2}"), 3),
        (("B", "(B)", "B."), 3),
        (("1,2", "2,1", "1, 2"), 3),
        (("I don't know",) * 3, None),
    ],
)
def test_a_vote_is_an_answer_however_it_is_written(said, votes):
    given = rows([(s, a, None, "stop") for s, a in zip("abc", said, strict=True)])
    (out,) = apply(AddConsensus(), given).kept["consensus"].to_list()
    assert (out and out["votes"]) == votes


@pytest.mark.parametrize(
    ("question", "answer", "flaw"),
    [
        ("Prove that n squared is even if n is.", None, "proof_only"),
        ("Prove that it is so and find n.", "4", None),
        ("He wants to prove that he is right. He should (A) go (B) stay", "B", None),
        ("Show that it is even.", "Show that it is a multiple of 2.", "proof_only"),
        ("We can prove that it ends.\nInput Format: a number", None, None),
        ("Part 1: sum? Final answer: The answer is 4. Part 2: what is its half?", "4", None),
        ("Use the table below. | x | y | z | 1 | 2 | 3 |", "4", None),
        ("Fill as in the figure below.\nTime Limit: 1 s", None, None),
        ("Name a colour.", "Answers may vary.", "no_real_answer"),
        ("Is Bo north of Al?", "Unknown", None),
        ("(a) How long is it? (b) How wide is it?", "4", "several_questions"),
        ("How long? (a) 4 (b) 5 Why not 5?", "A", None),
        ("How many? The answer is 4.", "4", "answer_in_question"),
        ("Use the result of the previous problem to find x.", "4", "missing_part"),
        ("Look at the figure below. How long is it?", "4", "missing_part"),
        ("What does the passage above say?", "B", "missing_part"),
        ("A long text. " * 60 + "What does the passage above say?", "B", None),
        ("See Figure 3. How long is the rope?", "4", "missing_part"),
        ("The rope (Fig. 3.2) is cut in two. How long is a half?", "4", "missing_part"),
        ("Refer to the figure. How long is the rope?", "4", "missing_part"),
        ("Using Table 2, find the mean.", "4", "missing_part"),
        ("Table 2 shows the prices. What does tea cost?", "4", "missing_part"),
        ("Table 2: tea 4, milk 3. What does tea cost by Table 2?", "4", None),
        ("Use Table 2 for tea. | x | y | z | 1 | 2 | 3 |", "4", None),
        ("See the figure: [asy] draw((0,0)--(1,1)); [/asy]. How long is it?", "4", None),
        ("Refer to the periodic table and find the mass of tin.", "119", None),
        ("It rounds to 4 in figures (3 of them). What does it round to?", "4", None),
        ("The eight sit at table 1 or table 2. Who sits with Al?", "Bo", None),
        ("The previous problem had two ropes. How long are three?", "4", "missing_part"),
        ("How long is the rope of the preceding example?", "4", "missing_part"),
        ("In Example 5.6-4, find the mean.", "4", "missing_part"),
        ("Use your answer to part (a) to find n.", "4", "missing_part"),
        ("(a) A rope of 4 m. (b) How long are two of part (a)?", "8", None),
        ("- Find n.\n- Find the double of what you have in part (a).", "8", None),
        ("Part A. How long?", "8", None),
        ("1. How long is it? 2. How wide is it?", "4", "several_questions"),
        (
            "A rope is cut.\n(1) How long is a half?\n(2) How long is a third?",
            "4",
            "several_questions",
        ),
        ("1. How long is it? 2. How wide is it? (A) 3, 4 (B) 4, 3", "B", None),
        ("A scale of 1. What is it? Others have 2. What of these?", "4", None),
        ("How long is the rope?", "Unknown", "no_real_answer"),
        ("How long is the rope?", "None", "no_real_answer"),
        ("How long is the rope?", "N/A", "no_real_answer"),
        ("Which of these ropes is long?", "None", None),
        ("Is it true, false or unknown that ropes are long?", "Unknown", None),
        ("How many is 1 + 1? Answer: 2", "2", "answer_in_question"),
        ("How many is 1 + 1? Ans. = $2$.", "2", "answer_in_question"),
        ("How many is 1 + 1? Answer: 20 or so?", "2", None),
        ("Are ropes long? Answer True or False.", "True", None),
    ],
)
def test_question_flaws(question, answer, flaw):
    schema = {"question": pl.String, "answer": pl.String}
    frame = pl.DataFrame([(question, answer)], schema=schema, orient="row")
    (out,) = apply(AddQuestionFlaws(), frame).kept["question_flaws"].to_list()
    assert [line["flaw"] for line in out] == ([flaw] if flaw else [])

"""Recorded traces, what each rule finds in them, and the rows that go on with fewer."""

from pathlib import Path

import polars as pl
import pytest

from s1data import pool
from s1data.acting import act, apply, with_places
from s1data.engine import LocalEngine
from s1data.graders import workers
from s1data.models import joined, split
from s1data.recipe import Pipeline
from s1data.stages.trace_flaws import Trace, flaws_of
from s1data.stages.traces import AddRecordedTraces, AddTraceChecks, DropBadTraces

QUESTION = "How many apples does Ann have after she gives 3 of her 7 apples away?"
GOOD = ("She starts with 7 and gives 3 away, so 4 are left.", "The answer is 4.")


def found(thinking=GOOD[0], answer=GOOD[1], question=QUESTION, finish=None, kind="raw", tokens=9):
    trace = Trace(question, thinking, answer, kind, finish, tokens, estimated=False)
    with workers.Workers(1) as pool_:
        return {flaw for flaw, _ in flaws_of(trace, 100, pool_)}


def test_a_sound_trace_has_no_flaw():
    assert found() == set()


@pytest.mark.parametrize(
    ("flaw", "given"),
    [
        ("cut", {"finish": "length"}),
        ("cut", {"thinking": "She has 7, and she gives", "answer": ""}),
        ("empty", {"thinking": ""}),
        ("repeated", {"thinking": "Wait, let me count again.\n" * 9}),
        ("repeated", {"answer": "so it is four or " * 40}),
        ("mixed_language", {"thinking": "She has 7. 所以 还剩 四个. That is 4."}),
        ("other_language", {"question": "小明有七个苹果, 给了别人三个, 还剩多少个?", "thinking": GOOD[0] * 3}),
        ("refusal", {"answer": "I'm sorry, but I can't help with that."}),
        ("leaked_prompt", {"thinking": "My system prompt says to be brief. So 4."}),
        ("leaked_prompt", {"answer": "<|im_start|>4"}),
        ("summary", {"kind": "summary"}),
        ("summary", {"thinking": "**Counting the Apples**\n\nI'm now counting. I find 4."}),
        ("answers_differ", {"thinking": "So the answer is 5."}),
        ("boilerplate", {"answer": "The answer is 4. Let me know if you want more!"}),
        ("too_long", {"tokens": 101}),
        ("cut", {"answer": "The answer is:"}),
        ("cut", {"answer": "So it is \\boxed{\\frac{5}{2"}),
        ("cut", {"finish": "MAX_OUTPUT_TOKENS"}),
        ("repeated", {"thinking": "abcabc" * 500}),
        ("repeated", {"thinking": "再想一想这道题。" * 100}),
        ("refusal", {"answer": "I'm unable to solve this problem without the figure."}),
        ("refusal", {"answer": "I am not able to provide an answer."}),
        ("leaked_prompt", {"answer": "4</s>"}),
        ("leaked_prompt", {"answer": "4<end_of_turn>"}),
        ("leaked_prompt", {"thinking": "My instructions say I must not tell."}),
    ],
)  # fmt: skip
def test_each_flaw(flaw, given):
    assert flaw in found(**given)


@pytest.mark.parametrize(
    ("flaw", "given"),
    [
        # Shapes that real traces showed to be no flaw.
        ("empty", {"thinking": "So it is four. **Final Answer** \\boxed{4}", "answer": ""}),
        ("answers_differ", {"thinking": "So the answer is 5 cents.", "answer": "Answer: $0.05"}),
        ("answers_differ", {"thinking": "So the answer is a window.", "answer": "Answer: a pane"}),
        ("repeated", {"thinking": "\n".join(f"{i}. She asks: {QUESTION * 2}" for i in range(9))}),
        ("cut", {"answer": "The correct option is a"}),
        ("cut", {"answer": "The language is C++"}),
        ("empty", {"answer": "\u2205"}),
        ("repeated", {"thinking": GOOD[0] + " 0" * 45}),
        ("refusal", {"answer": "I cannot provide a closed form, but it is \\boxed{5}."}),
        ("leaked_prompt", {"answer": "It was developed by Google. Set the system prompt first."}),
        ("leaked_prompt", {"answer": "'I am Claude,' said the painter."}),
        ("summary", {"thinking": "**The Task at Hand**\nWe count. Four are left."}),
        ("mixed_language", {"thinking": "Let θ and λ be the shares; θ + λ = 7, so 4."}),
    ],
)
def test_no_flaw(flaw, given):
    assert flaw not in found(**given)


STEP = "Step {}: let me go over the sum of the apples once more."
PARAGRAPH = """She had seven apples to begin with, and three of them went to her friend in the
afternoon, so that the number of apples which are left with her is found by taking three away."""
REFRAIN = "Roll on, roll on, you river wide\n"
STANZAS = (
    "The {} left at dawn with all its load of tin,\nand nobody could tell us where it had been,\n"
)
CHECK = "if n % {} == 0:\n    print('found', {})\n    return False\n"
THINGS = ("ferry", "barge", "steamer", "tug", "raft", "yacht", "dinghy")


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(STEP.format(n) for n in range(1, 30)),
        "\n\n".join(STEP.format(n) for n in range(1, 30)),
        " ".join(STEP.format(n) for n in range(1, 30)),
        f"{GOOD[0]}\n\n" + "\n".join(STEP.format(n) for n in range(9, 16)),
        "\n\n".join((PARAGRAPH, GOOD[0], PARAGRAPH, "Is that so?", PARAGRAPH)),
        "\n".join(f"Wait, is it {n} or 4? I had better count them again." for n in [3] * 9),
    ],
)
def test_copies_that_only_count_up_and_whole_paragraphs_are_repeated(text):
    assert "repeated" in found(thinking=text)
    assert "repeated" in found(answer=text)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(STANZAS.format(thing) + REFRAIN for thing in THINGS),
        "\n\n".join(STANZAS.format(thing) + REFRAIN * 2 for thing in THINGS),
        "def sound(n):\n" + "".join(CHECK.format(n, n * n) for n in range(2, 12)),
        "```python\n" + "    return False\n" * 8 + "```\nIt is false.",
        "\n".join(f"f({n}) = {n * n}, which is {n} times {n} of course" for n in range(1, 30)),
        "\n".join(f"Taking {n} from {n + 7} leaves 7 in the basket" for n in range(1, 30)),
        "\n\n".join((PARAGRAPH, GOOD[0], PARAGRAPH)),
    ],
)
def test_refrains_code_and_work_with_numbers_are_not(text):
    assert "repeated" not in found(thinking=text)
    assert "repeated" not in found(answer=text)


def test_a_chorus_that_was_asked_for_may_come_three_times():
    chorus = f"{PARAGRAPH}\n\n"
    song = "".join(STANZAS.format(thing) + "\n" + chorus for thing in THINGS[:4])
    assert "repeated" not in found(answer=song, question="Write a song about seven apples.")
    assert "repeated" in found(answer=song)


@pytest.mark.parametrize(
    ("thought", "said"),
    [
        ("\\frac{1}{2}", "\\frac{1}{3}"),
        ("1/2", "1/3"),
        ("500", "5"),
        ("1234", "12345"),
        ("x+1", "x-1"),
        ("(1, 2)", "(2, 1)"),
        ("12", "-12"),
        ("B", "D"),
        ("Yes", "No"),
    ],
)
def test_answers_that_graders_tell_apart_differ(thought, said):
    trace = {"thinking": f"So I get \\boxed{{{thought}}}.", "answer": f"It is \\boxed{{{said}}}."}
    assert "answers_differ" in found(**trace)


@pytest.mark.parametrize(
    ("thought", "said"),
    [
        ("0.5", "\\frac12"),
        ("50\\%", "0.5"),
        ("3.14159", "3.14"),
        ("3.14", "3.14159"),
        ("1,234", "1234"),
        ("x+1", "1+x"),
        ("2x-4", "2(x-2)"),
        ("(B)", "B"),
        ("5 cents", "0.05"),
        ("a pane", "a window"),
    ],
)
def test_answers_that_are_one_or_that_nobody_compares_do_not_differ(thought, said):
    trace = {"thinking": f"So I get \\boxed{{{thought}}}.", "answer": f"It is \\boxed{{{said}}}."}
    assert "answers_differ" not in found(**trace)


TABLE = "| x | y | se |\n|---|---|---|\n" + "".join(f"| {n} | y | es |\n" for n in range(30))


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.replace("| ", " | ").replace("|\n", "\n"),
        "x y z y x y z e y o a " * 9,
        " and ".join(["$a \\le b$", "c \\le d \\le e"] * 9),
    ],
)
def test_tables_and_formulae_are_in_no_language(text):
    asked = f"{QUESTION} Say how the number of the apples that are left is found from the others."
    assert "other_language" not in found(answer=f"The answer is 4.\n\n{text}", question=asked)


def test_a_reply_in_another_language_is_still_told():
    reply = """Ana tiene siete manzanas y da tres a un amigo, por lo que el número de las manzanas
    que le quedan es cuatro. Como se ve en la cuenta, la respuesta es cuatro y no hay otra."""
    asked = f"{QUESTION} Say how the number of the apples that are left is found from the others."
    assert "other_language" in found(answer=reply, question=asked)
    assert "other_language" in found(answer=f"{reply}\n\n{TABLE}", question=asked)


def test_a_stored_text_comes_apart_as_it_went_in():
    for pair in (GOOD, ("", "4"), ("a\n</think>\nb", "4"), ("thinks", "")):
        assert split(joined(*pair)) == pair


def judged(lines):
    given = pl.DataFrame(lines, schema=["question", "model", "thinking", "answer"], orient="row")
    engine = LocalEngine(read={"t": given}.__getitem__, vectors_home=None)
    rows = with_places(given.select(pl.col("question").unique(maintain_order=True)))
    rows = act(AddRecordedTraces.model_validate({"from": "t"}), rows, engine).kept
    return act(AddTraceChecks(), rows, engine).kept


def test_a_row_goes_on_with_its_good_traces_and_leaves_with_none():
    rows = judged([("a", "one", *GOOD), ("a", "two", "", ""), ("b", "one", "She has", None)])
    outcome = apply(DropBadTraces(), rows)
    assert [t["teacher"] for t in outcome.kept["traces"][0]] == ["one"]
    assert outcome.kept["question"].to_list() == ["a"]
    assert outcome.thinned["row"].to_list() == [0]
    assert outcome.dropped["reason"].to_list() == ["no_good_trace"]


def test_keys_follow_content_and_not_the_order_of_the_file():
    lines = [("a", "one", *GOOD), ("a", "one", "7 - 3", "4"), ("a", "two", *GOOD)]
    rows = judged(lines)
    assert rows["traces"].equals(judged(lines[::-1])["traces"])
    keys = [t["reply_key"] for t in rows["traces"][0]]
    assert keys[-1] in keys[:-1], "the same text of two teachers is one text"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"one": None, "two": None, "mute": "none"}),
        ({"kind": "raw"}, {"one": "raw", "two": "raw", "mute": "none"}),
        ({"summary_teachers": ["two"]}, {"one": None, "two": "summary", "mute": "none"}),
        ({"trace_kind": "said", "kind": "raw"}, {"one": "summary", "two": "raw", "mute": "none"}),
    ],
)
def test_a_kind_is_what_somebody_stated_and_no_guess(fields, wanted):
    lines = [("a", "one", *GOOD), ("a", "two", *GOOD), ("a", "mute", "", "4")]
    given = pl.DataFrame(lines, schema=["question", "model", "thinking", "answer"], orient="row")
    given = given.with_columns(said=pl.Series(["summary", None, None], dtype=pl.String))
    rows = with_places(pl.DataFrame({"question": ["a"]}))
    stage = AddRecordedTraces(**{"from": "t", **fields})
    engine = LocalEngine(read=lambda _: given, vectors_home=Path())
    traces = act(stage, rows, engine).kept["traces"][0]
    assert {t["teacher"]: t["trace_kind"] for t in traces} == wanted


def test_a_wrong_answer_stays_unless_asked_for():
    trace = dict.fromkeys(f.name for f in pool.TRACE.fields)
    trace |= {"teacher": "one", "sample": 0, "verdict": False}
    schema = {"traces": pool.COLUMNS["traces"], "trace_flaws": pool.COLUMNS["trace_flaws"]}
    rows = pl.DataFrame({"traces": [[trace]], "trace_flaws": [[]]}, schema=schema)
    rows = rows.with_columns(question=pl.lit("a"))
    assert apply(DropBadTraces(), rows).kept.height == 1
    assert apply(DropBadTraces(flaws=["wrong"]), rows).kept.height == 0


def test_a_run_reads_texts_back_and_says_which_traces_left(tmp_path):
    recipe = Pipeline.from_yaml(
        "name: traces\nversion: 2026.1.0\nsources: [{name: pool, path: pool.parquet}]\n"
        "inputs: {t: {path: traces.parquet}}\n"
        "stages:\n  - add_recorded_traces: {from: t}\n  - add_trace_checks\n  - drop_bad_traces\n"
        "  - keep_random: {n: 1, seed: 1}\n"
    )
    lines = [("a", "one", *GOOD), ("a", "two", "", ""), ("b", "one", "She has", None)]
    given = pl.DataFrame(lines, schema=["question", "model", "thinking", "answer"], orient="row")
    inputs = {"pool": pl.DataFrame({"question": ["a", "b"]}), "t": given}
    run = recipe.run(tmp_path / "run", inputs=inputs)
    (trace,) = run.selected["traces"][0]
    assert (trace["teacher"], trace["thinking"], trace["answer"]) == ("one", *GOOD)
    assert run.ledger["reason"].to_list() == [None, "no_good_trace"]
    (step,) = [s for s in run.why(text="a")[0].steps if s.label == "drop_bad_traces"]
    assert (step.fate, step.words) == ("kept", "1 of its 2 traces are left out, for empty.")
    assert len(recipe.run(tmp_path / "run", inputs=inputs).cached) == 5

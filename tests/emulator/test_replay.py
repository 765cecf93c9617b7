"""Recorded replies served as if live: by name and question, and nothing that was not recorded."""

import openai
import polars as pl
import pytest

from s1data.emulator import Emulator, Script, ScriptError, read_replay
from tests.emulator import clients

RECORDED = pl.DataFrame(
    {
        "question": ["What is 2 + 3?", "What is 2 + 3?", "Name a prime.", "Name a prime."],
        "model": ["org/Thinker-7B", "org/Thinker-7B", "org/Thinker-7B", "plain"],
        "thinking": ["two and three", "three and two", "seven is one", None],
        "answer": ["Five.", "It is 5.", "7", "11"],
        "sample": [1, 0, 0, 0],
        "finish": ["stop", "length", None, None],
    }
)


@pytest.fixture(scope="module")
def server():
    script = Script.of(
        {"models": {"teacher": {"recorded_as": "plain"}, "gone": {"recorded_as": "nobody"}}}
    )
    with Emulator(script, replay=RECORDED) as server:
        yield server


def test_a_recorded_reply_comes_through_both_protocols(server):
    with clients.chat(server) as chat:
        message = chat("Name a prime.", "org/Thinker-7B").choices[0].message
    assert (message.reasoning_content, message.content) == ("seven is one", "7")
    reply = clients.ask_gemini(server, "Name a prime.", "thinker-7b")
    assert clients.parts(reply) == [("seven is one", False), ("7", False)]
    assert {entry.source for entry in server.log if entry.call in {"chat", "generate"}} == {
        "replay"
    }


def test_samples_come_in_their_recorded_order_with_their_finish(server):
    with clients.chat(server) as chat:
        choices = [
            chat(
                "Question: What is 2 + 3?\nThink.",
                "Thinker-7B",
                extra_headers={"X-S1Data-Sample": str(k)},
            ).choices[0]
            for k in range(3)
        ]
    assert [c.message.content for c in choices] == ["It is 5.", "Five.", "It is 5."]
    assert [c.finish_reason for c in choices] == ["length", "stop", "length"]


def test_a_persona_may_stand_in_for_a_recorded_model(server):
    with clients.chat(server) as chat:
        assert chat("Name a prime.", "teacher").choices[0].message.content == "11"


def test_what_was_not_recorded_is_refused_and_not_made_up(server):
    with clients.chat(server) as chat:
        with pytest.raises(openai.BadRequestError, match="nothing of plain is recorded"):
            chat("What is 2 + 3?", "plain")
        with pytest.raises(openai.NotFoundError, match="no model nobody"):
            chat("Name a prime.", "gone")
        # A model that no recording names is emulated as ever: a judge beside recorded solvers.
        assert chat("Name a prime.", "another").choices[0].message.content


def test_a_replay_file_without_its_columns_is_refused_by_name(tmp_path):
    RECORDED.drop("model").write_parquet(tmp_path / "bad.parquet")
    with pytest.raises(
        ScriptError, match=r"bad\.parquet: wanted columns question, model, answer; model missing"
    ):
        read_replay(tmp_path / "bad.parquet")
    (tmp_path / "no.parquet").write_bytes(b"nothing")
    with pytest.raises(ScriptError, match=r"no\.parquet: cannot be read"):
        read_replay(tmp_path / "no.parquet")
    with pytest.raises(ScriptError, match=r"replies\.txt: wanted a file named"):
        read_replay(tmp_path / "replies.txt")


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "text"), [("attempts_math", "attempt_text"), ("traces", "answer")]
)
def test_real_recordings_are_served_as_if_live(real_data, file, text):
    path = real_data / f"{file}.parquet"
    frame = pl.read_parquet(path).filter(pl.col("question").str.strip_chars() != "")
    drawn = frame.filter(pl.col(text).str.len_chars() > 0).sample(60, seed=3)
    with Emulator(replay=read_replay(path)) as server, clients.chat(server) as chat:
        for row in drawn.iter_rows(named=True):
            same = frame.filter(question=row["question"], model=row["model"])
            said = chat(f"Solve this.\n\nQuestion: {row['question']}\n", row["model"])
            assert (said.choices[0].message.content or "") in same[text].fill_null("").to_list()

"""The engines: a server through the reply store, with faults; a model of transformers; a knob."""

import google.genai  # noqa: F401 - its first import must not count as a server's silence
import openai  # noqa: F401 - as above
import polars as pl
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from s1data.emulator import Emulator, Script
from s1data.errors import RunError
from s1data.models import ModelSpec, Thinking
from s1data.scaling import MARKS, Budget, Marks, force, sweep
from s1data.scaling.local import Local
from s1data.scaling.served import Completions, Knob
from s1data.serving import Means, Serving
from tests.scaling import servers

SPEC = ModelSpec(provider="openai_compatible", model="small", mode="completions")
QUESTIONS = {(f"q{i}", 0): f"What is {i} plus {i + 3}?" for i in range(4)}
SCRIPT = {"models": {"small": {"role": "solver", "skill": 1.0, "answer_tokens": 70}}}


def forced(server, home, budget, questions=QUESTIONS):
    means = Means(endpoints={"m": (server.openai_url,)}, no_price=True, store=home / "replies")
    with Serving({"m": SPEC}, means, home) as serving:
        return force(questions, budget, MARKS["think"], Completions(serving, "m"))


def asked(server):
    return [entry for entry in server.log if entry.call == "completions"]


def test_caps_and_waits_are_exact_on_a_server_and_nothing_is_asked_twice(tmp_path):
    budget = Budget(maximum=16)
    with Emulator(Script.of(SCRIPT)) as server:
        first = forced(server, tmp_path, budget)
        assert [one.tokens("thinking") for one in first] == [16] * 4
        assert all(one.cut and one.answer.startswith("Final Answer:") for one in first)
        before = len(server.log)
        assert forced(server, tmp_path, budget) == first
        assert len(server.log) == before
        waited = forced(server, tmp_path, Budget(maximum=5000, waits=2))
        assert [one.count("wait") for one in waited] == [2] * 4
        assert not any(one.cut or one.mute or one.error for one in waited)


def test_faults_of_delivery_change_nothing(tmp_path):
    budget = Budget(maximum=400, waits=1)
    with Emulator(Script.of(SCRIPT)) as server:
        clean = forced(server, tmp_path / "clean", budget)
    faults = {"overloaded": 0.2, "drop_body": 0.1, "cut_json": 0.1}
    with Emulator(Script.of({**SCRIPT, "faults": faults})) as server:
        assert forced(server, tmp_path / "faulty", budget) == clean
        assert any(entry.fault for entry in server.log)


def test_what_the_service_refuses_ends_that_question_only(tmp_path):
    planned = [{"fault": "safety", "contains": "What is 1 plus"}]
    with Emulator(Script.of({**SCRIPT, "planned": planned})) as server:
        ended = forced(server, tmp_path, Budget(maximum=16))
    assert [one.error is not None for one in ended] == [False, True, False, False]
    assert "safety" in ended[1].error


def test_a_chat_model_cannot_be_forced(tmp_path):
    means = Means(endpoints={"m": ("http://127.0.0.1:1/v1",)}, no_price=True)
    chat = SPEC.model_copy(update={"mode": "chat"})
    with (
        Serving({"m": chat}, means, tmp_path) as serving,
        pytest.raises(RunError, match="wanted mode completions, got chat"),
    ):
        Completions(serving, "m")


def test_a_knob_is_turned_and_its_keeping_is_the_services_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    spec = ModelSpec(provider="gemini", model="gemini-2.5-flash")
    script = {"models": {"*": {"role": "teacher", "thinking_tokens": 200}}}
    with Emulator(Script.of(script)) as server:
        means = Means(endpoints={"m": (server.url,)}, no_price=True, store=tmp_path / "replies")
        with Serving({"m": spec}, means, tmp_path) as serving:
            knob = Knob(serving, "m")
            low = knob.ask(QUESTIONS, Thinking(budget=20), "{question}")
            high = knob.ask(QUESTIONS, Thinking(budget=4000), "{question}")
    assert all(a.tokens("thinking") < b.tokens("thinking") for a, b in zip(low, high, strict=True))
    assert all(one.answer and not one.error for one in low)


def against(answer, home, budget):
    """What comes of one question at a server that answers so, and what it was asked."""
    with servers.completions(answer) as server:
        means = Means(endpoints={"m": (server.url,)}, no_price=True, store=home / "replies")
        with Serving({"m": SPEC}, means, home) as serving:
            engine = Completions(serving, "m")
            (one,) = force({("a", 0): "Why?"}, budget, MARKS["think"], engine)
    return one, server.bodies


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"choices": []}, "malformed: the reply has no choices"),
        (servers.said("so", tokens=-3), "malformed: the server counts -3 tokens"),
        (servers.said("so", tokens=99), "99 tokens where 16 were asked for at most"),
    ],
)
def test_a_reply_that_cannot_be_is_named_and_is_no_silence(tmp_path, body, says):
    one, bodies = against(lambda _: body, tmp_path, Budget(maximum=16, minimum=8, waits=2))
    assert says in one.error
    assert (one.mute, one.count("wait")) == (False, 0)
    # Perhaps asked for again, as any such reply, but never gone on from.
    assert len({body["prompt"] for body in bodies if "Why?" in body["prompt"]}) == 1


@pytest.mark.parametrize(
    ("choice", "thought"),
    # Which mark ended it, by its token, its text, or not told: then its bytes, which are 10 at most.
    [
        ({"stop_reason": 7}, 11),
        ({"stop_reason": "</think>"}, 4),
        ({}, 2),
        ({"finish": "length"}, 12),
    ],
)
def test_a_minimum_on_a_server_is_of_what_surely_was_no_mark(tmp_path, choice, thought):
    one, _ = against(
        lambda _: servers.said("so it is", tokens=12, **choice), tmp_path, Budget(maximum=16)
    )
    assert (one.thought, one.tokens("thinking")) == (thought, 12)


def test_a_server_that_counts_nothing_is_held_by_bytes(tmp_path):
    for body in (servers.said("so it is"), servers.said("so it is", tokens=0)):
        one, _ = against(lambda _, body=body: body, tmp_path / str(len(body)), Budget(maximum=16))
        assert (one.tokens("thinking"), one.error) == (8, None)


@pytest.fixture(scope="module")
def tiny():
    """A byte-level model that was never trained: what it says is nothing, and always the same."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<eos>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=257, n_embd=16, n_layer=1, n_head=2, n_positions=1024, eos_token_id=256,
        bos_token_id=256,
    )  # fmt: skip
    return GPT2LMHeadModel(config), tokenizer


PLAIN = Marks(template="{question} ", opens="<t>", ends=("</t>",), closes="</t>", answer_ends=())


@pytest.mark.parametrize("cap", [16, 32, 64])
def test_caps_are_exact_on_a_model_in_this_process(tiny, cap):
    engine = Local(*tiny, temperature=1.0, seed=1)
    (one,) = force({("a", 0): "Why?"}, Budget(maximum=cap, answer=8), PLAIN, engine)
    assert (one.tokens("thinking"), one.cut, one.tokens("answer")) == (cap, True, 8)


def test_a_stop_text_of_several_tokens_is_matched_as_text(tiny):
    engine = Local(*tiny, temperature=1.0, seed=3)
    (free,) = force({("a", 0): "Why?"}, Budget(maximum=60, answer=1), PLAIN, engine)
    stop = next(  # two characters that it writes: two tokens or more
        text
        for at in range(8, 40)
        if (text := free.thinking[at : at + 2]).isascii() and free.thinking.find(text) == at
    )
    marks = PLAIN.model_copy(update={"ends": (stop,)})
    assert engine.most_tokens(stop) == 2
    (one,) = force({("a", 0): "Why?"}, Budget(maximum=60, answer=1), marks, engine)
    assert not one.cut
    assert one.thinking == free.thinking[: free.thinking.find(stop)]
    (waited,) = force({("a", 0): "Why?"}, Budget(maximum=60, waits=1, answer=1), marks, engine)
    assert waited.thinking.startswith(f"{one.thinking}Wait")
    assert waited.tokens("thinking") + 4 <= 60


def test_samples_and_questions_draw_apart_and_each_the_same_again(tiny):
    questions = {(name, sample): "Why?" for name in "ab" for sample in (0, 1)}
    budget = Budget(maximum=24, answer=4)
    first, again = (
        force(questions, budget, PLAIN, Local(*tiny, temperature=1.0)) for _ in range(2)
    )
    assert [one.thinking for one in first] == [one.thinking for one in again]
    assert len({one.thinking for one in first}) == len(questions)


@pytest.fixture(scope="module")
def spaced():
    """A model whose tokenizer is as SentencePiece's: a word's space is in its token."""
    words = [
        "<eos>",
        *(f"\u2581w{i}" for i in range(30)),
        "\u2581Q",
        "\u2581</t>",
        "\u2581",
        "\u2581abcdef",
    ]  # by which transformers tells what a token adds to a text
    inner = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="\u2581")
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    inner.decoder = decoders.Metaspace(prepend_scheme="first")
    inner.add_special_tokens(["<eos>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(words), n_embd=16, n_layer=1, n_head=2, n_positions=256,
                        eos_token_id=0, bos_token_id=0)  # fmt: skip
    return GPT2LMHeadModel(config), tokenizer


def test_a_word_behind_the_prompt_keeps_its_space_with_sentencepiece(spaced):
    model, tokenizer = spaced
    assert tokenizer.decode(tokenizer("Q w3")["input_ids"][1:]) == "w3"
    marks = Marks(template="{question}", opens=" w1", ends=("</t>",), closes=" w2", answer_ends=())
    engine = Local(model, tokenizer, temperature=1.0)
    (one,) = force({("a", 0): "Q"}, Budget(maximum=12, answer=6, final=""), marks, engine)
    assert one.thinking.startswith(" ")
    assert one.answer.startswith(" ")
    # The text goes on from the prompt: read again, it has as many tokens as were generated.
    assert len(tokenizer("Q w1" + one.thinking)["input_ids"]) == 2 + one.tokens("thinking")


def test_the_tokens_of_a_stop_text_are_told_from_those_of_the_thought(tiny):
    model, tokenizer = tiny
    engine = Local(model, tokenizer, temperature=1.0, seed=3)
    (free,) = force({("a", 0): "Why?"}, Budget(maximum=60, answer=1), PLAIN, engine)
    stop = next(
        text
        for at in range(8, 40)
        if (text := free.thinking[at : at + 2]).isascii() and free.thinking.find(text) == at
    )
    (one,) = force(
        {("a", 0): "Why?"}, Budget(maximum=60, answer=1),
        PLAIN.model_copy(update={"ends": (stop,)}), engine,
    )  # fmt: skip
    assert one.pieces[0].ending == 2
    assert one.thought == one.tokens("thinking") - 2


def test_a_sweep_in_this_process_makes_its_folder_and_goes_on_in_it(tiny, tmp_path):
    rows = pl.DataFrame({"id": ["a"], "question": ["Why?"], "answer": ["4"]})
    engine = Local(*tiny, temperature=1.0)
    for _ in range(2):
        (point,) = sweep.run(rows, [Budget(maximum=8, answer=4)], PLAIN, engine, tmp_path / "n/c")
        assert (point.run.tokens, point.errors) == (8, 0)
    assert (tmp_path / "n/c/settings.json").exists()

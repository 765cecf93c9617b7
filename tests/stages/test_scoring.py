"""Scores from a student: served, emulated and loaded here; whole, in a window, and against no question."""

from __future__ import annotations

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import s1data
from s1data import planning
from s1data.emulator import Emulator, Script
from s1data.errors import RecipeError
from s1data.serving import Means
from s1data.stages.scoring import steps_of

HOLDS = 2600
"""Tokens of the tiny model, each a byte."""
TEXTS = [
    "Two and two.\n\nCount them: one, two, three, four.\n\n\nSo it is 4.",
    "One step only.",
    "First.\n\nSecond, which follows.\n\nThird.\n\nFourth.\n\nFifth and last.",
]
POOL = pl.DataFrame(
    {
        "question": ["What is 2 + 2?", "Is 7 a prime?", "How many sides has a pentagon?"],
        "answer": ["4", "yes", "5"],
        "solution": TEXTS,
    }
)
HEAD = """
name: scored
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
models:
  student: {provider: PROVIDER, model: "MODEL", max_tokens: 16}
  teacher: {provider: openai_compatible, model: big-70b, max_tokens: 4000}
stages:
"""
SCORE = (
    "  - add_score: {model: student, of: solution, measures: [whole, local, ifd], window: WINDOW}\n"
)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))


def recipe(stages, provider="openai_compatible", model="tiny", window=4):
    head = HEAD.replace("PROVIDER", provider).replace("MODEL", str(model))
    return s1data.Pipeline.from_yaml(head + stages.replace("WINDOW", str(window)))


def scored(home, frame=POOL, *, url=None, **options):
    means = Means(endpoints={"student": (url,)} if url else {}, no_price=bool(url))
    done = recipe(SCORE, **options).run(home, inputs={"pool": frame}, means=means)
    made = pl.read_parquet(home / "stages" / "01-add_score" / "columns.parquet")["scores"]
    return done, [score for (score,) in made.to_list()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random model over bytes, and its folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: at for at, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.5}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=256, n_positions=HOLDS, **sizes)).eval()
    model.save_pretrained(folder)
    return folder, model, alphabet


@pytest.fixture(scope="module")
def server(tiny):
    """The tiny model as vLLM would serve it: echo with log-probabilities, by the loss of torch."""
    import torch

    _, model, alphabet = tiny
    code = {letter: at for at, letter in enumerate(alphabet)}
    byte = {ord(letter): code[letter] for letter in alphabet if ord(letter) < 127}
    byte |= {ord("\n"): code["Ċ"], ord(" "): code["Ġ"]}

    class Answers(BaseHTTPRequestHandler):
        asked: list = []  # noqa: RUF012 - of the one server of this module

        def log_message(self, *_):
            pass

        def do_GET(self):
            self._say({"data": [{"id": "tiny"}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "messages" in body:
                message = {"role": "assistant", "content": "ready"}
                usage = {"prompt_tokens": 1, "completion_tokens": 1}
                self._say(
                    {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
                )
                return
            Answers.asked.append(body["prompt"])
            ids = torch.tensor([[byte[ord(c)] for c in body["prompt"]]])
            if ids.shape[1] > HOLDS:
                self._say({"error": {"message": "too long for the context"}}, 400)
                return
            with torch.no_grad():
                logits = model(ids).logits[0, :-1]
            losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
            told = {
                "tokens": list(body["prompt"]),
                "token_logprobs": [None, *(-losses).tolist()],
                "text_offset": list(range(ids.shape[1])),
            }
            usage = {"prompt_tokens": ids.shape[1], "completion_tokens": 1}
            choice = {"text": body["prompt"], "logprobs": told, "finish_reason": "length"}
            self._say({"choices": [choice], "usage": usage})

        def _say(self, body, status=200):
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/v1", Answers
        http.shutdown()
        thread.join()


def test_served_and_loaded_here_a_model_gives_the_same_scores(tmp_path, tiny, server):
    long = "It goes on, and on.\n\n" * 110 + "Done."  # read in three chunks here
    texts = [*TEXTS[:2], long]
    frame = POOL.with_columns(solution=pl.Series(texts))
    _, served = scored(tmp_path / "served", frame, url=server[0])
    _, here = scored(tmp_path / "here", frame, provider="transformers", model=tiny[0])
    for one, two, text in zip(served, here, texts, strict=True):
        assert one["outcome"] == two["outcome"] == "ok"
        assert (one["tokens"], one["steps"]) == (two["tokens"], two["steps"])
        assert one["tokens"] == len(text)
        for name in ("logprob", "perplexity", "lalp", "ifd"):
            assert one[name] == pytest.approx(two[name], rel=1e-4), name
    assert len({round(one["logprob"], 3) for one in served}) == len(served)


def test_a_window_of_all_steps_is_the_whole_text_and_a_smaller_one_is_not(tmp_path, server):
    _, whole = scored(tmp_path / "all", url=server[0], window=5)
    _, none = scored(tmp_path / "none", url=server[0], window=0)
    _, one = scored(tmp_path / "one", url=server[0], window=1)
    assert [line["steps"] for line in whole] == [3, 1, 5]
    for line in whole:
        assert line["lalp"] == pytest.approx(line["logprob"], rel=1e-6)
    assert one[1]["lalp"] == pytest.approx(one[1]["logprob"], rel=1e-6)  # a step after the question
    for at in (0, 2):
        assert abs(one[at]["lalp"] - whole[at]["lalp"]) > 1e-4
        assert abs(none[at]["lalp"] - one[at]["lalp"]) > 1e-4


def test_the_measures_are_what_their_definitions_say(tmp_path, tiny, server):
    import torch

    _, lines = scored(tmp_path / "run", url=server[0], window=1)
    _, model, alphabet = tiny
    code = {letter: at for at, letter in enumerate(alphabet)}

    def loss(before, text):
        ids = [code[{"\n": "Ċ", " ": "Ġ"}.get(c, c)] for c in before + text]
        with torch.no_grad():
            found = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
        first = max(len(before), 1)
        return [-found[at - 1, ids[at]].item() for at in range(first, len(ids))]

    for line, question, text in zip(lines, POOL["question"], TEXTS, strict=True):
        given, alone = loss(f"{question}\n\n", text), loss("", text)
        mean = sum(given) / len(given)
        assert line["logprob"] == pytest.approx(-mean, rel=1e-4)
        assert line["perplexity"] == pytest.approx(math.exp(mean), rel=1e-4)
        assert line["ifd"] == pytest.approx(mean / (sum(alone) / len(alone)), rel=1e-4)
        parts = [f"{question}\n\n", *steps_of(text, "\n\n")]
        local = [x for a, b in pairwise(parts) for x in loss(a, b)]
        assert line["lalp"] == pytest.approx(-sum(local) / len(local), rel=1e-4)


def test_what_could_not_be_scored_has_no_number_and_says_why(tmp_path, tiny, server):
    more = POOL.head(1).with_columns(question=pl.lit("What is 3 + 4?"))
    # The first token of a text alone has no probability, so "7" has no loss to divide by.
    texts = pl.Series([None, "x " * HOLDS, TEXTS[2], "7"])
    frame = pl.concat([POOL, more]).with_columns(solution=texts)
    for home, options in (
        (tmp_path / "served", {"url": server[0]}),
        (tmp_path / "here", {"provider": "transformers", "model": tiny[0]}),
    ):
        done, lines = scored(home, frame, **options)
        told = ["no_text", "bad_request", "ok", "undefined"]
        assert [line["outcome"] for line in lines] == told
        assert lines[3]["logprob"] is not None
        assert lines[3]["ifd"] is None
        for line in lines[:2]:
            assert line["logprob"] is line["lalp"] is line["ifd"] is line["perplexity"] is None
        counted = done.manifest["stages"][-1]["figures"]["texts"]
        assert counted == {"bad_request": 1, "no_text": 1, "ok": 1, "undefined": 1}


def test_scores_are_stored_as_replies_are(tmp_path, server):
    url, answers = server
    first, _ = scored(tmp_path / "one", url=url)
    before = len(answers.asked)
    again = recipe(SCORE).run(tmp_path / "two", inputs={"pool": POOL})
    assert again.selected.equals(first.selected)
    assert len(answers.asked) == before
    # Each text after its question and alone, and its steps; one of a single step is the same twice.
    assert first.manifest["models"]["student"]["requests"] == 3 + 3 + (3 + 1 + 5) - 1


TRACES = """
  - add_traces: {teachers: [teacher], samples: 3}
  - add_score: {model: student, measures: [whole, local]}
  - choose_trace: {order: [highest], score: scores.lalp}
"""


def test_the_trace_that_the_student_finds_most_likely_is_chosen(tmp_path):
    script = Script.of({"seed": 2, "models": {"big-70b": {"role": "teacher"}}})
    with Emulator(script, answers=POOL) as server:
        means = Means(
            endpoints=dict.fromkeys(("student", "teacher"), (server.openai_url,)), no_price=True
        )
        done = recipe(TRACES).run(tmp_path / "run", inputs={"pool": POOL}, means=means)
    assert any(entry.call == "score" for entry in server.log)
    others = 0
    made = pl.read_parquet(tmp_path / "run" / "stages" / "02-add_score" / "columns.parquet")
    of = dict(made.join(done.ledger, on="row").select("id", "scores").iter_rows())
    for line in done.selected.iter_rows(named=True):
        (trace,) = line["traces"]
        best = max(of[line["id"]], key=lambda score: score["lalp"])
        assert len(of[line["id"]]) == 3
        assert line["scores"] == [best], "the scores of traces that left are gone"
        assert {score["outcome"] for score in line["scores"]} == {"ok"}
        assert trace["sample"] == best["sample"]
        others += trace["sample"] != 0
        # The emulated student looks one token back, so that no window makes a difference to it.
        for score in line["scores"]:
            assert score["lalp"] == pytest.approx(score["logprob"])
    assert others, "else the first one would do"


def test_a_rehearsal_scores_with_an_emulated_student_whatever_its_provider(tmp_path):
    pipeline = recipe(TRACES, provider="transformers", model="no/such-model")
    done = pipeline.run(tmp_path / "run", inputs={"pool": POOL}, rehearse=True)
    assert done.manifest["rehearsal"] is True
    assert done.selected["scores"].explode().struct["logprob"].null_count() == 0


def test_a_budget_and_a_plan_count_scores(tmp_path, server):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai_compatible"\nmodel = "tiny"\nprompt = 1.0\noutput = 1.0\n'
        'date = "2026-11"\nsource = "a test"\n'
    )
    means = Means(endpoints={"student": (server[0],)}, prices=[prices], max_usd=1.0)
    (asking,) = planning.plan(
        recipe(SCORE), tmp_path / "run", inputs={"pool": POOL}, means=means
    ).asking
    assert asking.estimates[0].requests == 3 + 3 + (3 + 1 + 5) - 1
    done = recipe(SCORE).run(tmp_path / "run", inputs={"pool": POOL}, means=means)
    used = done.manifest["models"]["student"]
    assert used["usd"] == pytest.approx(used["prompt_tokens"] / 1e6)
    assert used["prompt_tokens"] > 0


@pytest.mark.parametrize(
    ("stages", "provider", "said"),
    [
        (SCORE, "gemini", "model student: gemini gives log-probabilities of no given text"),
        ("  - add_traces: {teachers: [student]}\n", "transformers", "gives scores, no replies"),
        ("  - add_score: {model: student, of: row}\n", "openai_compatible", "or a text column"),
    ],
)
def test_who_cannot_score_is_said_before_anything_runs(tmp_path, stages, provider, said):
    with pytest.raises(RecipeError, match=said):
        recipe(stages, provider=provider).run(tmp_path / "run", inputs={"pool": POOL})


@given(st.text(alphabet="ab .\n", max_size=60), st.sampled_from(["\n\n", "\n", ". "]))
def test_steps_are_the_text_and_none_is_blank(text, separator):
    text = text.strip()
    steps = steps_of(text, separator)
    assert "".join(steps) == text
    assert all(step.strip() for step in steps)
    assert all(step.startswith(separator) for step in steps[1:])

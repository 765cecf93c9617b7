"""Both protocols as the real SDKs see them: replies, streams, counts, limits, keys, models."""

import openai
import pytest
from google.genai import errors as gemini_errors
from google.genai import types

from s1data.emulator import Emulator, Script
from tests.emulator import clients

QUESTION = "How many primes are there below 20?"


@pytest.fixture(scope="module")
def server():
    script = Script.of({"models": {
        "big": {"role": "teacher", "skill": 1.0},
        "summing": {"role": "teacher", "trace": "summary"},
        "leaking": {"role": "teacher", "trace": "leaked"},
        "plain": {"role": "teacher", "trace": "none"},
        "small": {"role": "solver"},
        "reasons": {"role": "teacher", "reasoning": "reasoning"},
        "tags": {"role": "teacher", "reasoning": "think"},
        "served": {"role": "teacher", "context": 2048},
    }})  # fmt: skip
    with Emulator(script) as server:
        yield server


def test_gemini_shows_raw_thinking_as_the_first_of_two_unmarked_parts(server):
    reply = clients.ask_gemini(server, QUESTION)
    (thinking, first_marked), (answer, second_marked) = clients.parts(reply)
    assert (first_marked, second_marked) == (False, False)
    assert "primes" in thinking
    assert "\\boxed{" in answer
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP


def test_gemini_counts_thinking_apart_from_the_answer(server):
    usage = clients.ask_gemini(server, QUESTION).usage_metadata
    assert usage.thoughts_token_count > usage.candidates_token_count > 0
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )


def test_a_summary_is_marked_and_far_shorter_than_the_thinking_that_is_billed(server):
    reply = clients.ask_gemini(server, QUESTION, "summing")
    (summary, marked), (_, answer_marked) = clients.parts(reply)
    assert (marked, answer_marked) == (True, False)
    assert len(summary) / 4 < reply.usage_metadata.thoughts_token_count


def test_no_summary_is_shown_to_who_asks_for_none(server):
    reply = clients.ask_gemini(server, QUESTION, "summing", types.GenerateContentConfig())
    assert [marked for _, marked in clients.parts(reply)] == [False]
    assert reply.usage_metadata.thoughts_token_count > 0


def test_leaked_thinking_stands_unmarked_in_the_answer(server):
    ((text, marked),) = clients.parts(clients.ask_gemini(server, QUESTION, "leaking"))
    assert text.startswith("THOUGHT:")
    assert not marked


def test_a_thinking_budget_and_a_limit_of_tokens_are_kept(server):
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=20)
    )
    assert (
        clients.ask_gemini(server, QUESTION, config=config).usage_metadata.thoughts_token_count
        <= 20
    )
    cut = clients.ask_gemini(
        server, QUESTION, config=types.GenerateContentConfig(max_output_tokens=10)
    )
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert cut.usage_metadata.thoughts_token_count == 10
    assert cut.usage_metadata.candidates_token_count is None


def test_a_stream_brings_the_same_reply_in_pieces(server):
    whole = clients.parts(clients.ask_gemini(server, QUESTION))
    client = clients.gemini(server)
    pieces = list(client.models.generate_content_stream(model="big", contents=QUESTION))
    assert len(pieces) > 2
    assert "".join(piece.text or "" for piece in pieces) == "".join(text for text, _ in whole)
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert pieces[-1].usage_metadata.thoughts_token_count > 0


def test_gemini_counts_tokens_and_lists_models(server):
    client = clients.gemini(server)
    assert client.models.count_tokens(model="big", contents="x" * 40).total_tokens == 10
    assert "models/big" in [model.name for model in client.models.list()]
    assert client.models.get(model="big").name == "models/big"


@pytest.mark.parametrize(
    ("model", "field"), [("big", "reasoning_content"), ("reasons", "reasoning")]
)
def test_the_openai_protocol_carries_thinking_in_either_field(server, model, field):
    with clients.chat(server) as chat:
        reply = chat(QUESTION, model)
    message = reply.choices[0].message
    assert "primes" in getattr(message, field)
    assert "primes" not in message.content
    assert (
        reply.usage.completion_tokens > reply.usage.completion_tokens_details.reasoning_tokens > 0
    )


def test_the_openai_protocol_carries_thinking_in_tags(server):
    with clients.chat(server) as chat:
        content = chat(QUESTION, "tags").choices[0].message.content
        cut = chat(QUESTION, "tags", max_tokens=12).choices[0]
    assert content.startswith("<think>\n")
    assert content.count("</think>") == 1
    assert cut.finish_reason == "length"
    assert "</think>" not in cut.message.content


def test_a_solver_shows_its_steps_in_the_answer_only(server):
    with clients.chat(server) as chat:
        message = chat(QUESTION, "small").choices[0].message
    assert not hasattr(message, "reasoning_content")
    assert "\\boxed{" in message.content


def test_a_chat_stream_brings_the_same_reply_in_pieces(server):
    with clients.chat(server) as chat:
        whole = chat(QUESTION).choices[0].message
        pieces = list(chat(QUESTION, stream=True, stream_options={"include_usage": True}))
    deltas = [piece.choices[0].delta for piece in pieces if piece.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.content
    thinking = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert thinking == whole.reasoning_content
    assert pieces[-1].usage.completion_tokens > 0


def test_raw_completions_go_on_from_the_prompt_and_stop_where_told(server):
    client = clients.chatting(server)
    reply = client.completions.create(model="big", prompt=f"{QUESTION}\n<think>")
    assert "\\boxed{" in reply.choices[0].text
    stopped = client.completions.create(model="small", prompt=QUESTION, stop=["\\boxed"])
    assert "\\boxed" not in stopped.choices[0].text
    assert stopped.choices[0].finish_reason == "stop"


def test_a_given_text_is_scored_token_by_token(server):
    client = clients.chatting(server)
    scored = client.completions.create(
        model="big", prompt="Seven is a prime.", echo=True, logprobs=1, max_tokens=1
    ).choices[0]
    assert "".join(scored.logprobs.tokens) == "Seven is a prime."
    assert scored.logprobs.token_logprobs[0] is None
    assert all(p <= 0 for p in scored.logprobs.token_logprobs[1:])
    assert scored.logprobs.text_offset[1] == len(scored.logprobs.tokens[0])


def test_choices_of_one_request_are_different_samples(server):
    with clients.chat(server) as chat:
        contents = {choice.message.content for choice in chat(QUESTION, n=3).choices}
    assert len(contents) == 3


def test_the_served_context_is_told_and_kept(server):
    client = clients.chatting(server)
    served = {model.id: getattr(model, "max_model_len", None) for model in client.models.list()}
    assert served["served"] == 2048
    with clients.chat(server) as chat:
        with pytest.raises(openai.BadRequestError, match="maximum context length is 2048 tokens"):
            chat(QUESTION, "served", max_tokens=32_768)
        assert chat(QUESTION, "served", max_tokens=1_024).choices


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_question_is_refused(server, prompt):
    with pytest.raises(gemini_errors.ClientError, match="must not be empty"):
        clients.ask_gemini(server, prompt or [types.Part(text="")])
    with clients.chat(server) as chat, pytest.raises(openai.BadRequestError, match="empty"):
        chat(prompt)


def test_a_wrong_key_and_a_model_that_is_not_there_are_told_as_the_services_do():
    with Emulator(Script(served=("big",), keys=("right",))) as server:
        with pytest.raises(gemini_errors.ClientError, match="API key not valid") as refused:
            clients.ask_gemini(server, QUESTION)
        assert refused.value.code == 400
        with clients.chat(server) as chat, pytest.raises(openai.AuthenticationError):
            chat(QUESTION)
        with pytest.raises(gemini_errors.ClientError, match="not found") as refused:
            clients.ask_gemini(server, QUESTION, "other", key="right")
        assert refused.value.code == 404
        with clients.chat(server, key="right") as chat:
            with pytest.raises(openai.NotFoundError):
                chat(QUESTION, "other")
            assert chat(QUESTION).choices
        assert [model.id for model in clients.chatting(server, key="right").models.list()] == [
            "big"
        ]


def test_every_answer_says_that_it_comes_from_an_emulator(server):
    reply = clients.chatting(server).models.with_raw_response.list()
    assert reply.headers["server"] == "s1data-emulator"

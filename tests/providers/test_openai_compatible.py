"""What OpenAI-compatible servers do, and which outcome that is: the real package, on loopback."""

import asyncio
import math

import pytest

from s1data.models import ModelError, ModelSpec, Outcome, Request, Thinking, TraceKind
from s1data.providers import open_model
from tests.providers.loopback import (
    Server,
    closed_port,
    closing,
    drops,
    failing,
    failing_check,
    says,
    sleeps,
)

KEY = "planted-key-0123456789"
SPEC = {"provider": "openai_compatible", "model": "qwen"}


def request(**settings):
    return Request(**(SPEC | {"prompt": "What is 6 times 7?"} | settings))


def chat(content="It is 42.", finish="stop", usage=None, **message):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content} | message,
        "finish_reason": finish,
    }
    return {
        "choices": [choice],
        "usage": {"prompt_tokens": 8, "completion_tokens": 20} | (usage or {}),
    }


def error(status, message="no", headers=None, **more):
    return says({"error": {"message": message} | more}, status, headers)


def ask(*acts, models=None, timeout=5.0, **settings):
    async def case():
        async with Server(*acts, models=models) as server:
            made = ModelSpec(
                **(SPEC | {k: v for k, v in settings.items() if k in ModelSpec.model_fields})
            )
            async with closing(open_model(made, [server.url + "/v1"], KEY, timeout)) as model:
                return await model.ask(request(**settings)), server

    return asyncio.run(case())


REPLIES = {
    "an answer": (says(chat()), Outcome.OK, TraceKind.NONE, None),
    "reasoning_content": (
        says(chat(reasoning_content="Six sevens.")),
        Outcome.OK,
        TraceKind.RAW,
        "Six sevens.",
    ),
    "reasoning": (says(chat(reasoning="Six sevens.")), Outcome.OK, TraceKind.RAW, "Six sevens."),
    "a think tag": (
        says(chat("<think>\nSix sevens.\n</think>\n\nIt is 42.")),
        Outcome.OK,
        TraceKind.RAW,
        "Six sevens.",
    ),
    "the end of a think tag": (
        says(chat("Six sevens.\n</think>\n\nIt is 42.")),
        Outcome.OK,
        TraceKind.RAW,
        "Six sevens.",
    ),
    "a summary": (
        says(chat(reasoning="Six.", reasoning_details=[{"type": "reasoning.summary"}])),
        Outcome.SUMMARY,
        TraceKind.SUMMARY,
        "Six.",
    ),
    "cut in the answer": (
        says(chat("It is", "length")),
        Outcome.CUT_ANSWERING,
        TraceKind.NONE,
        None,
    ),
    "cut in the thinking": (
        says(chat(None, "length", reasoning_content="Six")),
        Outcome.CUT_THINKING,
        TraceKind.RAW,
        "Six",
    ),
    "cut in a think tag": (
        says(chat("<think>Six", "length")),
        Outcome.CUT_THINKING,
        TraceKind.RAW,
        "Six",
    ),
    "a think tag never closed": (says(chat("<think>Six")), Outcome.EMPTY, TraceKind.RAW, "Six"),
    "the host's filter": (says(chat("It", "content_filter")), Outcome.SAFETY, TraceKind.NONE, None),
    "a refusal": (says(chat(None, refusal="I cannot.")), Outcome.SAFETY, TraceKind.NONE, None),
    "no finish reason": (says(chat(finish=None)), Outcome.MALFORMED, TraceKind.NONE, None),
    "a call of a tool": (says(chat(finish="tool_calls")), Outcome.MALFORMED, TraceKind.NONE, None),
    "null content": (says(chat(None)), Outcome.EMPTY, TraceKind.NONE, None),
    "no choices": (says({"choices": []}), Outcome.EMPTY, TraceKind.NONE, None),
    "another object": (says({"hello": 1}), Outcome.MALFORMED, TraceKind.NONE, None),
    "an empty body": (says(""), Outcome.EMPTY, TraceKind.NONE, None),
    "a bad request": (error(400, "bad characters"), Outcome.BAD_REQUEST, TraceKind.NONE, None),
    "unprocessable": (says({"detail": "bad"}, 422), Outcome.BAD_REQUEST, TraceKind.NONE, None),
    "a filtered prompt": (
        error(400, "filtered", code="content_filter"),
        Outcome.SAFETY,
        TraceKind.NONE,
        None,
    ),
}

ERRORS = {
    "a wrong key": (error(401), Outcome.AUTH, None, False),
    "no money": (error(402), Outcome.AUTH, None, False),
    "credit used up": (error(429, code="insufficient_quota"), Outcome.AUTH, None, False),
    "no such model": (error(404), Outcome.NOT_FOUND, None, False),
    "a redirect": (says("", 307, {"Location": "/elsewhere"}), Outcome.NOT_FOUND, None, False),
    "quota of the minute": (
        error(429, headers={"Retry-After": "7"}),
        Outcome.QUOTA_MINUTE,
        7.0,
        False,
    ),
    "quota of the day": (
        error(429, "Limit: 200 requests per day (RPD)"),
        Outcome.QUOTA_DAY,
        None,
        False,
    ),
    "a day's quota that refills": (
        error(429, "requests per day (RPD)", {"retry-after-ms": "8640"}),
        Outcome.QUOTA_MINUTE,
        8.64,
        False,
    ),
    "an internal error": (error(500), Outcome.OVERLOADED, None, False),
    "overloaded, in HTML": (
        says("<html><h1>503</h1></html>", 503, kind="text/html"),
        Outcome.OVERLOADED,
        None,
        False,
    ),
    "an error with a 200": (
        says({"error": {"code": 502, "message": "upstream"}}),
        Outcome.OVERLOADED,
        None,
        False,
    ),
    "cut JSON": (says('{"choices": [{"mess'), Outcome.DROPPED, None, True),
    "dropped before the body": (drops(), Outcome.DROPPED, None, True),
    "dropped in the body": (drops(b'{"choices"'), Outcome.DROPPED, None, True),
    "given up by the server": (says(chat(finish="abort")), Outcome.DROPPED, None, True),
}


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_has_its_outcome_its_thinking_and_the_kind_of_its_trace(case):
    act, outcome, kind, thinking = REPLIES[case]
    reply, _ = ask(act)
    assert (reply.outcome, reply.trace_kind, reply.thinking) == (outcome, kind, thinking)
    assert reply.key == request().key


@pytest.mark.parametrize("case", ERRORS)
def test_a_failure_is_sent_once_and_told_in_one_line_without_the_key(case):
    act, outcome, wait, billed = ERRORS[case]
    error_ = failing(act, ModelSpec(**SPEC), request(), KEY)
    assert (error_.outcome, error_.retry_after, error_.billed) == (outcome, wait, billed)


def test_a_reply_that_does_not_come_is_a_timeout_and_may_be_billed():
    with pytest.raises(ModelError) as caught:
        ask(sleeps(), timeout=0.3)
    assert (caught.value.outcome, caught.value.billed) == (Outcome.TIMEOUT, True)


def test_a_model_asked_for_thoughts_that_gives_none_is_noticed():
    assert ask(says(chat()), thinking=Thinking())[0].outcome is Outcome.OK_WITHOUT_THOUGHTS


def test_thinking_tokens_are_the_servers_or_a_share_of_its_count():
    told = {"completion_tokens_details": {"reasoning_tokens": 15}}
    reply, _ = ask(says(chat(reasoning="Six sevens.", usage=told)))
    assert (reply.prompt_tokens, reply.thinking_tokens, reply.answer_tokens) == (8, 15, 5)
    reply, _ = ask(says(chat("a" * 10, reasoning="b" * 30)))
    assert (reply.thinking_tokens, reply.answer_tokens) == (15, 5)


def test_chat_gets_every_setting_and_the_extra_fields():
    extra = {"top_k": 5, "chat_template_kwargs": {"enable_thinking": True}}
    settings = {
        "system": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 99,
        "stop": ("END",),
        "seed": 3,
    }
    _, server = ask(says(chat()), extra=extra, **settings)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 6 times 7?"},
    ]
    assert server.seen == [
        {
            "model": "qwen",
            "messages": messages,
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 99,
            "stop": ["END"],
            "seed": 3,
        }
        | extra
    ]
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_the_key_and_the_account_are_sent_and_what_machine_this_is_is_not(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    _, server = ask(says(chat()))
    sent = {name.lower(): value for name, value in server.headers[0].items()}
    assert sent["authorization"] == f"Bearer {KEY}"
    assert sent["openai-organization"] == "org-1"
    assert sent["content-type"] == "application/json"
    assert not [name for name in sent if name.startswith("x-stainless")]


def test_a_body_nested_deeper_than_any_parser_goes_is_a_dropped_one():
    with pytest.raises(ModelError) as raised:
        ask(says("[" * 100_000))
    assert (raised.value.outcome, raised.value.billed) == (Outcome.DROPPED, True)


def test_a_seed_moves_with_the_sample_and_is_not_made_up():
    sent = [ask(says(chat()), sample=2, **seed)[1].seen[0] for seed in ({"seed": 3}, {})]
    assert [body.get("seed") for body in sent] == [5, None]


def test_a_raw_prompt_goes_to_completions():
    body = {
        "choices": [{"text": " 42", "finish_reason": "stop"}],
        "usage": {"completion_tokens": 2},
    }
    reply, server = ask(says(body), mode="completions")
    assert server.paths == ["/v1/completions"]
    assert server.seen == [{"model": "qwen", "prompt": "What is 6 times 7?"}]
    assert (reply.answer, reply.answer_tokens) == (" 42", 2)


def test_max_tokens_is_clamped_to_the_context_that_the_server_names():
    models = [{"id": "qwen", "max_model_len": 32768}]
    _, server = ask(says(chat()), models=models, max_tokens=32768)
    assert 32000 < server.seen[0]["max_tokens"] < 32768 - 8
    _, server = ask(says(chat()), models=models, max_tokens=1000)
    assert server.seen[0]["max_tokens"] == 1000


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 32768 tokens. However, you requested 33000 tokens (232 in the messages, 32768 in the completion).",
        "'max_tokens' or 'max_completion_tokens' is too large: 32768. This model's maximum context length is 32768 tokens and your request has 232 input tokens (32768 > 32768 - 232).",
        "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of 33000 tokens: 232 tokens from the input messages and 32768 tokens for the completion.",
    ],
)
def test_a_refusal_that_counts_the_tokens_is_sent_again_with_what_fits(message):
    reply, server = ask(error(400, message), says(chat()), max_tokens=32768)
    assert [sent["max_tokens"] for sent in server.seen] == [32768, 32768 - 232]
    assert reply.outcome is Outcome.OK


def test_a_prompt_that_does_not_fit_at_all_is_a_bad_request():
    message = "maximum context length is 100 tokens. However, you requested 332 tokens (232 in the messages, 100 in the completion)."
    reply, server = ask(error(400, message), max_tokens=100)
    assert (reply.outcome, len(server.seen)) == (Outcome.BAD_REQUEST, 1)


def two(first, second, case):
    async def run():
        async with (
            Server(first) as one,
            Server(second) as other,
            closing(open_model(ModelSpec(**SPEC), [one.url, other.url], KEY, 5.0)) as model,
        ):
            return await case(model, one, other)

    return asyncio.run(run())


@pytest.mark.parametrize("act", [error(503), error(429), error(500)])
def test_a_request_that_was_not_taken_goes_to_the_other_endpoint(act):
    async def case(model, one, other):
        for sample in range(5):
            assert (await model.ask(request(sample=sample))).answer == "It is 42."
        return len(one.seen), len(other.seen)

    refused, served = two(act, says(chat()), case)
    assert served == 5
    assert refused < 5  # one that is unwell rests


def test_a_request_that_may_have_been_worked_on_is_not_sent_elsewhere():
    async def case(model, one, other):
        with pytest.raises(ModelError):
            await model.ask(request())
        assert (len(one.seen), len(other.seen)) == (1, 0)
        assert (await model.ask(request())).answer == "It is 42."

    two(drops(b"{"), says(chat()), case)


def test_a_dead_endpoint_is_passed_over_and_does_not_fail_the_check():
    async def run():
        async with Server(says(chat())) as server:
            urls = [closed_port(), server.url]
            async with closing(open_model(ModelSpec(**SPEC), urls, KEY)) as model:
                await model.check()
                assert (await model.ask(request())).answer == "It is 42."

    asyncio.run(run())


def test_requests_in_flight_are_shared_over_the_endpoints():
    async def case(model, one, other):
        await asyncio.gather(*(model.ask(request(sample=n)) for n in range(40)))
        return len(one.seen), len(other.seen)

    shares = two(says(chat()), says(chat()), case)
    assert sum(shares) == 40
    assert min(shares) >= 15


@pytest.mark.parametrize(
    ("act", "outcome", "named"),
    [
        (error(401, f"wrong key {KEY}"), Outcome.AUTH, "OPENAI_API_KEY"),
        (error(404), Outcome.NOT_FOUND, "name"),
        (error(400, "no such field"), Outcome.BAD_REQUEST, "settings"),
    ],
)
def test_the_check_names_cause_and_cure_and_sends_one_request(act, outcome, named):
    error_ = failing_check(act, ModelSpec(**SPEC), KEY)
    assert error_.outcome is outcome
    assert named in str(error_)


def score(body, **settings):
    async def run():
        async with (
            Server(says(body)) as server,
            closing(open_model(ModelSpec(**SPEC), [server.url], KEY)) as model,
        ):
            return await model.score(request(prompt="1+1=", score=" 2.", **settings)), server

    return asyncio.run(run())


def test_a_given_text_is_scored_without_prompt_and_without_what_the_model_adds():
    told = {
        "tokens": ["1", "+1=", " 2", ".", " So"],
        "token_logprobs": [None, -3.0, math.log(0.5), -0.1, -2.0],
        "text_offset": [0, 1, 4, 6, 7],
    }
    found, server = score({"choices": [{"text": "", "logprobs": told}]})
    assert found.tokens == (" 2", ".")
    assert found.logprobs == (math.log(0.5), -0.1)
    assert server.seen[0]["prompt"] == "1+1= 2."
    assert server.seen[0]["echo"] is True


def test_a_server_that_scores_nothing_says_so():
    with pytest.raises(ModelError, match="log-probabilities"):
        score({"choices": [{"text": " So"}]})


def test_a_text_with_half_a_surrogate_pair_can_be_stored():
    reply, _ = ask(
        says('{"choices": [{"message": {"content": "a\\ud800é"}, "finish_reason": "stop"}]}')
    )
    assert reply.answer.encode() == "a\ufffdé".encode()


@pytest.mark.parametrize("word", ["x", "message", "content", "EMPTY", "placeholder"])
def test_a_key_that_is_a_word_spoils_no_reply(word):
    async def case():
        async with Server(
            says(chat("A message of x and placeholder content, not EMPTY."))
        ) as server:
            made = open_model(ModelSpec(**SPEC), [server.url + "/v1"], word, 5.0)
            async with closing(made) as model:
                return await model.ask(request())

    reply = asyncio.run(case())
    assert (reply.outcome, reply.answer_tokens) == (Outcome.OK, 20)
    assert reply.answer == "A message of x and placeholder content, not EMPTY."

"""What Gemini's server does, and which outcome that is: the real package, on loopback."""

import asyncio
import json
import time

import pytest

from s1data.errors import RecipeError
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
SPEC = {"provider": "gemini", "model": "gemini-2.5-flash", "thinking": Thinking(budget=1024)}


def spec(**settings):
    return ModelSpec(**(SPEC | settings))


def request(**settings):
    return Request(**(SPEC | {"prompt": "What is 6 times 7?"} | settings))


def candidate(*parts, finish="STOP", **usage):
    counted = {"promptTokenCount": 8, "candidatesTokenCount": 2} | usage
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"content": content, "finishReason": finish}], "usageMetadata": counted}


def error(status, name, message="no", details=()):
    body = {"error": {"code": status, "status": name, "message": message, "details": details}}
    return says(body, status)


def ask(*acts, made=None, timeout=5.0, **settings):
    async def case():
        async with Server(*acts) as server:
            made_spec = ModelSpec(**(SPEC | settings))
            async with closing(open_model(made_spec, [server.url], KEY, timeout)) as model:
                return await model.ask(made or request(**settings)), server

    return asyncio.run(case())


ANSWER = {"text": "It is 42."}
THOUGHT = {"text": "Six sevens.", "thought": True}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "58.9s"}
DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
LONG = "so many words " * 40

REPLIES = {
    "an answer without the thoughts asked for": (
        says(candidate(ANSWER)),
        Outcome.OK_WITHOUT_THOUGHTS,
        TraceKind.NONE,
    ),
    "a marked thought": (
        says(candidate(THOUGHT, ANSWER, thoughtsTokenCount=900)),
        Outcome.SUMMARY,
        TraceKind.SUMMARY,
    ),
    "two unmarked parts as long as counted": (
        says(candidate({"text": LONG}, ANSWER, thoughtsTokenCount=140)),
        Outcome.OK,
        TraceKind.RAW,
    ),
    "one unmarked part as long as the thinking, and no answer counted": (
        says(
            candidate(
                {"text": LONG}, finish="MAX_TOKENS", thoughtsTokenCount=140, candidatesTokenCount=0
            )
        ),
        Outcome.CUT_THINKING,
        TraceKind.RAW,
    ),
    "one unmarked part too short for the thinking that was counted": (
        says(candidate(ANSWER, thoughtsTokenCount=140, candidatesTokenCount=0)),
        Outcome.OK_WITHOUT_THOUGHTS,
        TraceKind.NONE,
    ),
    "two unmarked parts, the first too short": (
        says(candidate({"text": "It "}, {"text": "is 42."}, thoughtsTokenCount=140)),
        Outcome.OK_WITHOUT_THOUGHTS,
        TraceKind.NONE,
    ),
    "a thought in the answer": (
        says(candidate({"text": "THOUGHT: six sevens\n\n42"})),
        Outcome.LEAKED_THOUGHTS,
        TraceKind.LEAKED,
    ),
    "recitation": (says(candidate(finish="RECITATION")), Outcome.RECITATION, TraceKind.NONE),
    "safety": (says(candidate(finish="SAFETY")), Outcome.SAFETY, TraceKind.NONE),
    "prohibited": (
        says(candidate(finish="PROHIBITED_CONTENT")),
        Outcome.PROHIBITED,
        TraceKind.NONE,
    ),
    "blocklist": (says(candidate(finish="BLOCKLIST")), Outcome.BLOCKED, TraceKind.NONE),
    "a reason of tomorrow, with text": (
        says(candidate(ANSWER, finish="SOME_NEW_REASON")),
        Outcome.BLOCKED,
        TraceKind.NONE,
    ),
    "no reason at all, with text": (
        says(candidate(ANSWER, finish="")),
        Outcome.MALFORMED,
        TraceKind.NONE,
    ),
    "a malformed call": (
        says(candidate(finish="MALFORMED_FUNCTION_CALL")),
        Outcome.MALFORMED,
        TraceKind.NONE,
    ),
    "cut in the thinking": (
        says(candidate(THOUGHT, finish="MAX_TOKENS")),
        Outcome.CUT_THINKING,
        TraceKind.SUMMARY,
    ),
    "cut in the answer": (
        says(candidate(THOUGHT, ANSWER, finish="MAX_TOKENS")),
        Outcome.CUT_ANSWERING,
        TraceKind.SUMMARY,
    ),
    "a thought and no answer": (says(candidate(THOUGHT)), Outcome.EMPTY, TraceKind.SUMMARY),
    "no candidates": (
        says({"usageMetadata": {"promptTokenCount": 8}}),
        Outcome.EMPTY,
        TraceKind.NONE,
    ),
    "an empty body": (says(""), Outcome.EMPTY, TraceKind.NONE),
    "a prompt blocked for safety": (
        says({"promptFeedback": {"blockReason": "SAFETY"}}),
        Outcome.SAFETY,
        TraceKind.NONE,
    ),
    "a prompt blocked as prohibited": (
        says({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
        Outcome.PROHIBITED,
        TraceKind.NONE,
    ),
    "a prompt blocked for another reason": (
        says({"promptFeedback": {"blockReason": "OTHER"}}),
        Outcome.BLOCKED,
        TraceKind.NONE,
    ),
    "a bad request": (
        error(400, "INVALID_ARGUMENT", "prompt too long"),
        Outcome.BAD_REQUEST,
        TraceKind.NONE,
    ),
}

ERRORS = {
    "quota of the minute": (
        error(429, "RESOURCE_EXHAUSTED", details=[RETRY]),
        Outcome.QUOTA_MINUTE,
        58.9,
        False,
    ),
    "quota without details": (error(429, "RESOURCE_EXHAUSTED"), Outcome.QUOTA_MINUTE, None, False),
    "quota of the day": (
        error(429, "RESOURCE_EXHAUSTED", details=[RETRY, DAY]),
        Outcome.QUOTA_DAY,
        58.9,
        False,
    ),
    "a wrong key": (
        error(400, "INVALID_ARGUMENT", "API key not valid", [{"reason": "API_KEY_INVALID"}]),
        Outcome.AUTH,
        None,
        False,
    ),
    "a closed region": (
        error(400, "FAILED_PRECONDITION", "User location is not supported"),
        Outcome.AUTH,
        None,
        False,
    ),
    "forbidden": (error(403, "PERMISSION_DENIED"), Outcome.AUTH, None, False),
    "no such model": (error(404, "NOT_FOUND"), Outcome.NOT_FOUND, None, False),
    "an internal error": (error(500, "INTERNAL"), Outcome.OVERLOADED, None, False),
    "overloaded, in HTML": (
        says("<html><style>x</style><h1>503</h1>", 503, kind="text/html"),
        Outcome.OVERLOADED,
        None,
        False,
    ),
    "the server's own deadline": (error(504, "DEADLINE_EXCEEDED"), Outcome.TIMEOUT, None, True),
    "cut JSON": (says('{"candidates": [{"content": {"par'), Outcome.DROPPED, None, True),
    "HTML with a 200": (
        says("<html>Sign in</html>", kind="text/html"),
        Outcome.DROPPED,
        None,
        True,
    ),
    "dropped before the body": (drops(), Outcome.DROPPED, None, True),
    "dropped in the body": (drops(b'{"candidates"'), Outcome.DROPPED, None, True),
}


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_has_its_outcome_and_the_kind_of_its_trace(case):
    act, outcome, kind = REPLIES[case]
    reply, _ = ask(act)
    assert (reply.outcome, reply.trace_kind) == (outcome, kind)
    assert reply.key == request().key


def test_thinking_alone_is_no_answer_of_a_model_that_shows_its_thinking_unasked():
    alone = candidate({"text": LONG}, thoughtsTokenCount=140, candidatesTokenCount=0)
    reply, _ = ask(says(alone), model="gemini-2.0-flash-thinking-exp", thinking=None)
    assert (reply.outcome, reply.trace_kind) == (Outcome.EMPTY, TraceKind.RAW)
    assert (reply.thinking, reply.answer) == (LONG, None)


@pytest.mark.parametrize("case", ERRORS)
def test_a_failure_is_sent_once_and_told_in_one_line_without_the_key(case):
    act, outcome, wait, billed = ERRORS[case]
    error_ = failing(act, spec(), request(), KEY)
    assert (error_.outcome, error_.retry_after, error_.billed) == (outcome, wait, billed)


def test_a_reply_that_does_not_come_is_a_timeout_and_may_be_billed():
    with pytest.raises(ModelError) as caught:
        ask(sleeps(), timeout=0.3)
    assert (caught.value.outcome, caught.value.billed) == (Outcome.TIMEOUT, True)


def test_thinking_and_answer_are_kept_apart_with_their_tokens_and_the_body():
    body = candidate(THOUGHT, ANSWER, thoughtsTokenCount=900)
    reply, _ = ask(says(body))
    assert (reply.thinking, reply.answer, reply.finish) == ("Six sevens.", "It is 42.", "STOP")
    assert (reply.prompt_tokens, reply.thinking_tokens, reply.answer_tokens) == (8, 900, 2)
    assert json.loads(reply.raw) == body


def test_the_server_gets_every_setting_under_its_own_name():
    settings = {
        "api_version": "v1beta",
        "system": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 99,
        "stop": ("END",),
        "seed": 3,
        "safety": "off",
        "extra": {"top_k": 5, "labels": {"a": "b"}},
    }
    _, server = ask(says(candidate(ANSWER)), **settings)
    sent, config = server.seen[0], server.seen[0]["generationConfig"]
    assert server.paths == ["/v1beta/models/gemini-2.5-flash:generateContent"]
    assert sent["contents"][0]["parts"][0]["text"] == "What is 6 times 7?"
    assert sent["systemInstruction"]["parts"][0]["text"] == "Be brief."
    assert {s["threshold"] for s in sent["safetySettings"]} == {"OFF"}
    assert sent["labels"] == {"a": "b"}
    want = {
        "temperature": 0.5,
        "topP": 0.9,
        "maxOutputTokens": 99,
        "stopSequences": ["END"],
        "seed": 3,
        "topK": 5,
    }
    assert {name: config[name] for name in want} == want
    thinking = config["thinkingConfig"]
    assert thinking.get("thinking_budget", thinking.get("thinkingBudget")) == 1024
    assert server.headers[0]["x-goog-api-key"] == KEY
    assert KEY not in server.paths[0]


def test_a_seed_moves_with_the_sample_and_is_not_made_up():
    sent = [
        ask(says(candidate(ANSWER)), made=request(sample=2, **seed))[1].seen[0]
        for seed in ({"seed": 3}, {})
    ]
    assert [body["generationConfig"].get("seed") for body in sent] == [5, None]


def test_a_level_of_thinking_is_sent():
    _, server = ask(says(candidate(ANSWER)), thinking=Thinking(level="low"))
    assert "LOW" in server.seen[0]["generationConfig"]["thinkingConfig"].values()


def test_a_key_that_a_server_echoes_is_not_kept():
    reply, _ = ask(says(candidate({"text": f"your key is {KEY}"})))
    assert KEY not in repr(reply)


@pytest.mark.parametrize(
    ("act", "outcome", "named"),
    [
        (error(400, "INVALID_ARGUMENT", "API key not valid"), Outcome.AUTH, "GEMINI_API_KEY"),
        (error(404, "NOT_FOUND"), Outcome.NOT_FOUND, "api_version"),
        (error(400, "INVALID_ARGUMENT", "bad budget"), Outcome.BAD_REQUEST, "settings"),
    ],
)
def test_the_check_names_cause_and_cure_and_sends_one_request(act, outcome, named):
    error_ = failing_check(act, spec(), KEY)
    assert error_.outcome is outcome
    assert named in str(error_)


def test_the_check_passes_on_a_tiny_reply_cut_at_its_limit():
    async def run():
        async with (
            Server(says(candidate(finish="MAX_TOKENS"))) as server,
            closing(open_model(spec(), [server.url], KEY)) as model,
        ):
            await model.check()
            assert server.seen[0]["generationConfig"]["maxOutputTokens"] == 16

    asyncio.run(run())


def test_the_check_of_a_server_that_is_not_there_ends_in_under_five_seconds():
    async def run():
        async with closing(open_model(spec(), [closed_port()], KEY)) as model:
            with pytest.raises(ModelError, match="URL"):
                await model.check()

    start = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - start < 5


def test_closing_twice_is_fine_and_a_closed_model_opens_again():
    async def run():
        async with Server(says(candidate(ANSWER))) as server:
            model = open_model(spec(), [server.url], KEY)
            await model.ask(request())
            await model.close()
            await model.close()
            assert (await model.ask(request())).answer == "It is 42."
            await model.close()

    asyncio.run(run())


def test_gemini_scores_no_text():
    async def run():
        async with closing(open_model(spec(), [closed_port()], KEY)) as model:
            with pytest.raises(ModelError, match="log-probabilities"):
                await model.score(request(score="42"))

    asyncio.run(run())


def test_what_gemini_cannot_do_is_refused_when_it_is_opened():
    with pytest.raises(RecipeError, match="completions"):
        open_model(spec(mode="completions"), key=KEY)
    with pytest.raises(RecipeError, match="one endpoint"):
        open_model(spec(), ["http://one.invalid", "http://two.invalid"], KEY)

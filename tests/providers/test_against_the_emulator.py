"""Both providers asked what the emulator does: each fault and persona by its outcome and trace.

The emulator and the providers were written apart from each other; here they have to agree.
"""

import asyncio

import polars as pl
import pytest

from s1data.emulator import Emulator, Fault, Planned, Script
from s1data.models import ModelError, ModelSpec, Outcome, Request, Thinking, TraceKind
from s1data.providers import open_model
from s1data.providers.samples import headers_of
from tests.providers.loopback import closing

NONE, RAW, SUMMARY, LEAKED = TraceKind.NONE, TraceKind.RAW, TraceKind.SUMMARY, TraceKind.LEAKED
QUESTION = "What is the sum of the first 30 odd numbers?"
PROVIDERS = ("gemini", "openai_compatible")

REPLIES = [
    # fault, outcome and trace by gemini, by openai_compatible
    (None, (Outcome.OK, RAW), (Outcome.OK, RAW)),
    (Fault.SLOW, (Outcome.OK, RAW), (Outcome.OK, RAW)),
    (Fault.SUMMARY, (Outcome.SUMMARY, SUMMARY), (Outcome.SUMMARY, SUMMARY)),
    (Fault.LEAKED_THOUGHTS, (Outcome.LEAKED_THOUGHTS, LEAKED), (Outcome.LEAKED_THOUGHTS, LEAKED)),
    (Fault.NO_THOUGHTS, (Outcome.OK_WITHOUT_THOUGHTS, NONE), (Outcome.OK_WITHOUT_THOUGHTS, NONE)),
    (Fault.RECITATION, (Outcome.RECITATION, RAW), (Outcome.SAFETY, RAW)),  # one word there
    (Fault.SAFETY, (Outcome.SAFETY, RAW), (Outcome.SAFETY, RAW)),
    (Fault.PROHIBITED, (Outcome.PROHIBITED, RAW), (Outcome.SAFETY, RAW)),
    (Fault.BLOCKED_PROMPT, (Outcome.PROHIBITED, NONE), (Outcome.SAFETY, NONE)),
    (Fault.CUT_THINKING, (Outcome.CUT_THINKING, RAW), (Outcome.CUT_THINKING, RAW)),
    (Fault.CUT_ANSWERING, (Outcome.CUT_ANSWERING, RAW), (Outcome.CUT_ANSWERING, RAW)),
    (Fault.NO_CANDIDATES, (Outcome.EMPTY, NONE), (Outcome.EMPTY, NONE)),
    (Fault.EMPTY_ANSWER, (Outcome.EMPTY, RAW), (Outcome.EMPTY, RAW)),
    (Fault.EMPTY_BODY, (Outcome.EMPTY, NONE), (Outcome.EMPTY, NONE)),
    (Fault.BAD_REQUEST, (Outcome.BAD_REQUEST, NONE), (Outcome.BAD_REQUEST, NONE)),
]  # fmt: skip

FAILURES = [
    # fault, outcome by gemini, by openai_compatible, seconds to wait by each, whether it may be billed
    (Fault.QUOTA_MINUTE, Outcome.QUOTA_MINUTE, Outcome.QUOTA_MINUTE, (3.5, 3.5), False),
    (Fault.QUOTA_BARE, Outcome.QUOTA_MINUTE, Outcome.QUOTA_MINUTE, (None, None), False),
    (Fault.QUOTA_DAY, Outcome.QUOTA_DAY, Outcome.AUTH, (3.5, None), False),  # no credit
    (Fault.SERVER_ERROR, Outcome.OVERLOADED, Outcome.OVERLOADED, (None, None), False),
    (Fault.OVERLOADED, Outcome.OVERLOADED, Outcome.OVERLOADED, (None, None), False),
    (Fault.OVERLOADED_HTML, Outcome.OVERLOADED, Outcome.OVERLOADED, (None, None), False),
    (Fault.UNAUTHORISED, Outcome.AUTH, Outcome.AUTH, (None, None), False),
    (Fault.NOT_FOUND, Outcome.NOT_FOUND, Outcome.NOT_FOUND, (None, None), False),
    (Fault.DROP_BEFORE, Outcome.DROPPED, Outcome.DROPPED, (None, None), True),
    (Fault.RESET, Outcome.DROPPED, Outcome.DROPPED, (None, None), True),
    (Fault.DROP_BODY, Outcome.DROPPED, Outcome.DROPPED, (None, None), True),
    (Fault.CUT_JSON, Outcome.DROPPED, Outcome.DROPPED, (None, None), True),
    (Fault.HANG, Outcome.TIMEOUT, Outcome.TIMEOUT, (None, None), True),
]  # fmt: skip

PERSONAS = [
    # persona, outcome and trace by gemini, by openai_compatible
    ({"trace": "raw", "reasoning": "reasoning"}, (Outcome.OK, RAW), (Outcome.OK, RAW)),
    ({"trace": "raw", "reasoning": "think"}, (Outcome.OK, RAW), (Outcome.OK, RAW)),
    ({"trace": "summary"}, (Outcome.SUMMARY, SUMMARY), (Outcome.SUMMARY, SUMMARY)),
    ({"trace": "leaked"}, (Outcome.LEAKED_THOUGHTS, LEAKED), (Outcome.LEAKED_THOUGHTS, LEAKED)),
    ({"trace": "none"}, (Outcome.OK_WITHOUT_THOUGHTS, NONE), (Outcome.OK_WITHOUT_THOUGHTS, NONE)),
    ({"role": "solver"}, (Outcome.OK_WITHOUT_THOUGHTS, NONE), (Outcome.OK_WITHOUT_THOUGHTS, NONE)),
    ({"trace": "raw", "thinking_tokens": 2, "answer_tokens": 90}, (Outcome.OK, RAW), (Outcome.OK, RAW)),
]  # fmt: skip


def script(fault=None, **persona):
    planned = (Planned(fault=fault, times=None),) if fault else ()
    made = Script.of({"models": {"big": persona}, "retry_delay": 3.5, "slow_seconds": 0.05})
    return made.model_copy(update={"planned": planned})


def request(provider, **settings):
    return Request(
        **(
            {"provider": provider, "model": "big", "prompt": QUESTION, "thinking": Thinking()}
            | settings
        )
    )


def asked(server, *requests, timeout=5.0):
    """The replies of one provider, in the order of the requests."""
    first = requests[0]
    url = server.url if first.provider == "gemini" else server.openai_url
    spec = ModelSpec(**{name: getattr(first, name) for name in ModelSpec.model_fields})

    async def run():
        async with closing(open_model(spec, [url], "a-key", timeout)) as model:
            return [await model.ask(one) for one in requests]

    return asyncio.run(run())


def test_every_fault_has_its_line():
    assert {fault for fault, *_ in REPLIES[1:]} | {fault for fault, *_ in FAILURES} == set(Fault)


@pytest.mark.parametrize(("fault", "by_gemini", "by_openai"), REPLIES)
def test_a_reply_of_the_emulator_has_its_outcome_and_trace(fault, by_gemini, by_openai):
    with Emulator(script(fault)) as server:
        for provider, wanted in zip(PROVIDERS, (by_gemini, by_openai), strict=True):
            (reply,) = asked(server, request(provider))
            assert (reply.outcome, reply.trace_kind) == wanted, provider
            assert bool(reply.thinking) == (reply.trace_kind in {RAW, SUMMARY})


@pytest.mark.parametrize(("persona", "by_gemini", "by_openai"), PERSONAS)
def test_a_persona_has_its_outcome_and_trace(persona, by_gemini, by_openai):
    with Emulator(script(**persona)) as server:
        for provider, wanted in zip(PROVIDERS, (by_gemini, by_openai), strict=True):
            (reply,) = asked(server, request(provider))
            assert (reply.outcome, reply.trace_kind) == wanted, provider
            assert "\\boxed{" in reply.answer


@pytest.mark.parametrize("provider", PROVIDERS)
def test_leaked_thinking_is_noticed_in_a_request_that_says_nothing_of_thinking(provider):
    with Emulator(script(trace="leaked")) as server:
        (reply,) = asked(server, request(provider, thinking=None))
        assert (reply.outcome, reply.trace_kind) == (Outcome.LEAKED_THOUGHTS, LEAKED)


@pytest.mark.parametrize(("fault", "by_gemini", "by_openai", "waits", "billed"), FAILURES)
def test_a_failure_of_the_emulator_has_its_outcome_and_wait(
    fault, by_gemini, by_openai, waits, billed
):
    with Emulator(script(fault)) as server:
        for provider, outcome, wait in zip(PROVIDERS, (by_gemini, by_openai), waits, strict=True):
            before = len(server.log)
            with pytest.raises(ModelError) as caught:
                asked(server, request(provider), timeout=1.0)
            error = caught.value
            assert (error.outcome, error.retry_after, error.billed) == (outcome, wait, billed)
            assert len(server.log) == before + 1, "sent once"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_prompt_and_reply_over_the_context_are_clamped_or_refused_in_words(provider):
    with Emulator(script(context=4096)) as server:
        (reply,) = asked(server, request(provider, max_tokens=4096))
    wanted = Outcome.BAD_REQUEST if provider == "gemini" else Outcome.OK
    assert reply.outcome is wanted


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_samples_of_one_question_are_different_attempts_and_each_stays_itself(provider, seed):
    with Emulator(script(role="solver")) as server:
        four = [request(provider, seed=seed, sample=sample) for sample in range(4)]
        replies = asked(server, *four)
        again = asked(server, *reversed(four))[::-1]
        assert [entry.sample for entry in server.log[:4]] == [0, 1, 2, 3]
        assert len({entry.material for entry in server.log}) == 4
    assert len({reply.answer for reply in replies}) == 4
    assert [reply.answer for reply in again] == [reply.answer for reply in replies]
    assert [reply.key for reply in replies] == [one.key for one in four]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:8399/v1", True),
        ("http://[::1]:8399", True),
        ("http://localhost", True),
        ("http://192.0.2.7:8000", False),
        ("https://models.example/v1", False),
        ("https://127.0.0.1.example", False),
    ],
)
def test_only_a_server_on_this_machine_is_told_which_sample_it_is(url, told):
    assert bool(headers_of(request("gemini", sample=2), url)) == told


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_samples_of_a_recorded_model_are_all_of_its_recorded_replies(provider, seed):
    replay = pl.DataFrame(
        {
            "question": [QUESTION] * 4,
            "model": ["big"] * 4,
            "answer": ["one", "two", "three", "four"],
        }
    )
    with Emulator(replay=replay) as server:
        replies = asked(server, *(request(provider, seed=seed, sample=n) for n in range(4)))
    assert [reply.answer for reply in replies] == ["one", "two", "three", "four"]

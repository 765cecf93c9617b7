"""Every fault as the real SDKs see it, by rate and by plan; none of them leaves the server ill."""

import json

import aiohttp
import openai
import pytest
from google.genai import errors as gemini_errors

from s1data.emulator import Emulator, Fault, Planned, Script
from s1data.emulator.script import CONTENT, DELIVERY, UNANSWERED
from tests.emulator import clients

QUESTION = "What is the sum of the first 30 odd numbers?"
NO_REPLY = (aiohttp.ClientError, gemini_errors.APIError, TimeoutError, json.JSONDecodeError)


def always(fault, **more):
    return Script(planned=(Planned(fault=fault, times=None),), **more)


def seen_by_gemini(server):
    """One word for what the SDK made of it."""
    try:
        reply = clients.ask_gemini(server, QUESTION, timeout=1_000)
    except gemini_errors.APIError as error:
        return f"{error.code} {error.status}" if error.code else type(error).__name__
    except NO_REPLY as error:
        return type(error).__name__
    if reply.prompt_feedback:
        return reply.prompt_feedback.block_reason.value
    if not reply.candidates:
        return "no candidates"
    marks = "".join("T" if marked else "t" for _, marked in clients.parts(reply))
    return f"{reply.candidates[0].finish_reason.value} {marks}".strip()


def seen_by_openai(server):
    try:
        with clients.chat(server, timeout=1.0) as chat:
            reply = chat(QUESTION)
    except openai.APIStatusError as error:
        return f"{error.status_code} {error.code}"
    except (openai.APIError, json.JSONDecodeError) as error:
        return type(error).__name__
    if isinstance(reply, str):
        return f"text of {len(reply)}"
    if not reply.choices:
        return "no choices"
    choice = reply.choices[0]
    has = [name for name in ("reasoning_content", "content") if getattr(choice.message, name, None)]
    return " ".join([choice.finish_reason, *has])


SEEN = [
    # fault, through google-genai, through openai
    (Fault.QUOTA_MINUTE, "429 RESOURCE_EXHAUSTED", "429 rate_limit_exceeded"),
    (Fault.QUOTA_BARE, "429 RESOURCE_EXHAUSTED", "429 None"),
    (Fault.QUOTA_DAY, "429 RESOURCE_EXHAUSTED", "429 insufficient_quota"),
    (Fault.SERVER_ERROR, "500 INTERNAL", "500 internal_error"),
    (Fault.OVERLOADED, "503 UNAVAILABLE", "503 overloaded"),
    (Fault.OVERLOADED_HTML, "503 Service Unavailable", "503 None"),
    (Fault.UNAUTHORISED, "403 PERMISSION_DENIED", "401 invalid_api_key"),
    (Fault.NOT_FOUND, "404 NOT_FOUND", "404 model_not_found"),
    (Fault.BAD_REQUEST, "400 INVALID_ARGUMENT", "400 invalid_request"),
    (Fault.DROP_BEFORE, "ServerDisconnectedError", "APIConnectionError"),
    (Fault.RESET, "ClientOSError", "APIConnectionError"),
    (Fault.HANG, "TimeoutError", "APITimeoutError"),
    (Fault.SLOW, "STOP tt", "stop reasoning_content content"),
    (Fault.DROP_BODY, "ClientPayloadError", "APIConnectionError"),
    (Fault.CUT_JSON, "JSONDecodeError", "JSONDecodeError"),
    (Fault.EMPTY_BODY, "no candidates", "JSONDecodeError"),
    (Fault.SAFETY, "SAFETY t", "content_filter reasoning_content"),
    (Fault.RECITATION, "RECITATION t", "content_filter reasoning_content"),
    (Fault.PROHIBITED, "PROHIBITED_CONTENT t", "content_filter reasoning_content"),
    (Fault.BLOCKED_PROMPT, "PROHIBITED_CONTENT", "400 content_filter"),
    (Fault.CUT_THINKING, "MAX_TOKENS t", "length reasoning_content"),
    (Fault.CUT_ANSWERING, "MAX_TOKENS tt", "length reasoning_content content"),
    (Fault.NO_CANDIDATES, "no candidates", "no choices"),
    (Fault.EMPTY_ANSWER, "STOP t", "stop reasoning_content"),
    (Fault.NO_THOUGHTS, "STOP t", "stop content"),
    (Fault.SUMMARY, "STOP Tt", "stop reasoning_content content"),
    (Fault.LEAKED_THOUGHTS, "STOP t", "stop content"),
]  # fmt: skip


def test_every_fault_has_its_line():
    assert {fault for fault, *_ in SEEN} == set(Fault)
    assert set(Fault) == CONTENT | DELIVERY | UNANSWERED


@pytest.mark.parametrize(("fault", "by_gemini", "by_openai"), SEEN)
def test_the_sdks_see_the_fault(fault, by_gemini, by_openai):
    with Emulator(always(fault, slow_seconds=0.05)) as server:
        assert seen_by_gemini(server) == by_gemini
        assert seen_by_openai(server) == by_openai
        logged = [entry.fault for entry in server.log]
        assert logged == [fault.value, fault.value]
        server.follow(Script())
        assert seen_by_gemini(server) == "STOP tt"
        assert seen_by_openai(server) == "stop reasoning_content content"


def test_a_minute_quota_says_when_to_come_back_and_a_day_quota_that_it_is_one():
    with Emulator(always(Fault.QUOTA_MINUTE, retry_delay=3.5)) as server:
        with pytest.raises(gemini_errors.ClientError) as refused:
            clients.ask_gemini(server, QUESTION)
        details = {
            one["@type"].rpartition(".")[2]: one
            for one in refused.value.details["error"]["details"]
        }
        assert details["RetryInfo"]["retryDelay"] == "3.5s"
        assert "PerMinute" in details["QuotaFailure"]["violations"][0]["quotaId"]
        with clients.chat(server) as chat, pytest.raises(openai.RateLimitError) as refused:
            chat(QUESTION)
        assert refused.value.response.headers["retry-after"] == "3.5"
        server.follow(always(Fault.QUOTA_DAY))
        with pytest.raises(gemini_errors.ClientError, match="PerDay"):
            clients.ask_gemini(server, QUESTION)


def test_quotas_of_a_model_are_kept_for_that_model_only():
    script = Script.of({"models": {
        "minute": {"requests_per_minute": 2}, "day": {"requests_per_day": 1}, "free": {},
    }})  # fmt: skip
    with Emulator(script) as server, clients.chat(server) as chat:
        for model, allowed in (("minute", 2), ("day", 1)):
            for _ in range(allowed):
                assert chat(QUESTION, model).choices
            with pytest.raises(openai.RateLimitError) as refused:
                chat(QUESTION, model)
            assert refused.value.code == (
                "insufficient_quota" if model == "day" else "rate_limit_exceeded"
            )
        assert chat(QUESTION, "free").choices


def test_a_planned_fault_strikes_the_first_tries_of_the_requests_it_names():
    planned = Planned(fault=Fault.OVERLOADED, model="b*", contains="odd", times=2)
    with Emulator(Script(planned=(planned,))) as server, clients.chat(server) as chat:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                chat(QUESTION)
        assert chat(QUESTION).choices
        assert chat("What is the sum of the first 30 even numbers?").choices
        assert chat(QUESTION, "other").choices


def outcomes(script, prompts, tries):
    """Per prompt the fault of every try, asked in the order given."""
    with Emulator(script) as server, clients.chat(server) as chat:
        for _ in range(tries):
            for prompt in prompts:
                try:
                    chat(prompt)
                except openai.APIError:
                    continue
        faults = {}
        for entry in server.log:
            faults.setdefault(entry.material, []).append(entry.fault)
    return faults


def test_faults_by_rate_come_as_often_as_told_and_do_not_depend_on_the_order():
    prompts = [f"What is {n} plus {n}?" for n in range(150)]
    script = Script.of({"faults": {"overloaded": 0.2, "safety": 0.1}})
    there = outcomes(script, prompts, tries=3)
    assert outcomes(script, prompts[::-1], tries=3) == there
    firsts = [faults[0] for faults in there.values()]
    assert 15 <= firsts.count("overloaded") <= 45
    # A fault of content stays with its request; one of delivery is drawn anew for every try.
    by_content = [faults for faults in there.values() if "safety" in faults]
    assert 5 <= len(by_content) <= 28
    assert all(set(faults) <= {"safety", "overloaded"} for faults in by_content)
    hit = [faults for faults in there.values() if faults[0] == "overloaded"]
    assert any(faults[1] is None for faults in hit)
    other = Script.of({"seed": 1, "faults": {"overloaded": 0.2, "safety": 0.1}})
    assert outcomes(other, prompts, tries=3) != there


def test_another_temperature_is_another_request_and_may_pass():
    script = Script.of({"faults": {"recitation": 0.5}})
    with Emulator(script) as server, clients.chat(server) as chat:
        finishes = {chat(QUESTION, temperature=t / 10).choices[0].finish_reason for t in range(12)}
    assert finishes == {"stop", "content_filter"}

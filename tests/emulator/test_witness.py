"""The log and the bill: every request, what it cost, and nothing that is secret."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from s1data.emulator import Emulator, Fault, Planned, Script
from tests.emulator import clients

PRICED = {"models": {"big": {"price": [2.0, 8.0]}}}


def test_every_request_is_in_the_log_when_its_reply_is_there(tmp_path):
    log = tmp_path / "asked.jsonl"
    prompts = [f"What is {n} minus 1?" for n in range(300)]
    with Emulator(log=log) as server, clients.chat(server, timeout=60) as chat:

        def ask(prompt):
            reply = chat(prompt)
            return reply, any(reply.id.endswith(e.material[:24]) for e in server.log if e.material)

        with ThreadPoolExecutor(8) as threads:
            assert all(there for _, there in threads.map(ask, prompts))
        entries = server.log
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(1, 301))
    assert [line["material"] for line in lines] == [entry.material for entry in entries]
    assert len({line["material"] for line in lines}) == 300
    assert all(line["answered"] and line["tries"] == 1 for line in lines)


def test_the_bill_is_what_was_generated_thinking_included():
    with Emulator(Script.of(PRICED)) as server, clients.chat(server) as chat:
        usages = [chat(f"What is {n} minus 1?").usage for n in range(20)]
        bill = server.bill["big"]
        assert bill.requests == 20
        assert bill.prompt_tokens == sum(usage.prompt_tokens for usage in usages)
        out = sum(usage.completion_tokens for usage in usages)
        assert bill.thinking_tokens + bill.answer_tokens == out
        assert bill.usd == pytest.approx((2 * bill.prompt_tokens + 8 * out) / 1e6)


@pytest.mark.parametrize(
    ("fault", "billed", "answered"),
    [
        (Fault.OVERLOADED, False, False),
        (Fault.DROP_BEFORE, False, False),
        (Fault.DROP_BODY, True, False),
        (Fault.CUT_JSON, True, False),
        (Fault.HANG, True, False),
        (Fault.SAFETY, True, True),
    ],
)
def test_what_is_lost_on_the_way_is_billed_and_what_was_never_made_is_not(fault, billed, answered):
    script = Script.of(PRICED).model_copy(update={"planned": (Planned(fault=fault, times=None),)})
    with Emulator(script) as server, clients.chat(server, timeout=0.5) as chat:
        with contextlib.suppress(openai.APIError, json.JSONDecodeError):
            chat("What is 4 minus 1?")
        (entry,) = server.log
        assert (entry.usd is not None, entry.answered) == (billed, answered)
        assert ("big" in server.bill) == billed


def test_tries_of_the_same_request_are_counted_and_samples_are_different_requests():
    with Emulator() as server, clients.chat(server) as chat:
        for sample in (0, 0, 1):
            chat("What is 4 minus 1?", extra_headers={"X-S1Data-Sample": str(sample)})
        assert [(entry.tries, entry.sample) for entry in server.log] == [(1, 0), (2, 0), (1, 1)]
        assert len({entry.material for entry in server.log}) == 2


def test_neither_key_nor_text_is_in_the_log(tmp_path):
    log, key, secret = tmp_path / "asked.jsonl", "sk-planted-0f3a9c", "a question of our own"
    with Emulator(log=log) as server:
        with clients.chat(server, key=key) as chat:
            chat(secret)
        clients.ask_gemini(server, secret, key=key)
        client = clients.gemini(server, key=key)
        list(client.models.list())
    written = log.read_text()
    assert len(written.splitlines()) == 3
    assert key not in written
    assert secret not in written

"""A session sends what has no reply, tries again by policy, and keeps what came."""

import asyncio

from s1data.asking import Backoff, NotSent, Served, Session
from s1data.models import ModelError, ModelSpec, Outcome, Reply, Request

SPEC = ModelSpec(provider="openai_compatible", model="m")


class Memory(dict):
    def get(self, keys):
        return {key: self[key] for key in keys if key in self}

    def put(self, replies):
        self.update({reply.key: reply for reply in replies})

    def claim(self, keys):
        return set(keys)

    def release(self, keys):
        pass

    def waiting(self, keys):
        return set()


class Scripted:
    def __init__(self, *ends, checks=()):
        self.ends, self.sent, self.checks = list(ends), 0, list(checks)

    async def ask(self, request):
        self.sent += 1
        end = self.ends.pop(0) if self.ends else Outcome.OK
        if end in (Outcome.DROPPED, Outcome.BAD_REQUEST, Outcome.AUTH, Outcome.TIMEOUT):
            raise ModelError(f"it is {end}", end)
        return Reply(
            key=request.key, provider="openai_compatible", model="m", outcome=end, answer="x"
        )

    async def check(self):
        if self.checks and (end := self.checks.pop(0)) is not Outcome.OK:
            raise ModelError(f"model m: it is {end}", end, retry_after=0.01)

    async def close(self):
        pass


def ask(model, store, *prompts):
    with Session([Served(name="m", spec=SPEC, model=model)], store, backoff=Backoff(first=0)) as s:
        requests = [Request(**SPEC.model_dump(exclude_defaults=True), prompt=p) for p in prompts]
        got = s.run(s.ask_all(requests))
        return [got[request.key] for request in requests], s.stopped


def test_a_dropped_request_is_sent_again_and_its_reply_kept_for_good():
    model, store = Scripted(Outcome.DROPPED, Outcome.DROPPED), Memory()
    (reply,), _ = ask(model, store, "q")
    assert (reply.outcome, reply.sends, model.sent, len(store)) == (Outcome.OK, 3, 3, 1)
    ask(model, store, "q")
    assert model.sent == 3


def test_timeouts_are_given_up_sooner_and_leave_the_request_open():
    model, store = Scripted(*[Outcome.TIMEOUT] * 9), Memory()
    (error,), _ = ask(model, store, "q")
    assert (error.outcome, model.sent, len(store)) == (Outcome.TIMEOUT, 3, 0)


def test_a_wrong_key_stops_the_session_after_one_sending():
    model = Scripted(*[Outcome.AUTH] * 9)
    (error,), stopped = ask(model, Memory(), "q")
    assert (error.outcome, model.sent, stopped.reason) == (Outcome.AUTH, 1, "auth")


def test_a_session_is_made_and_used_inside_a_running_loop_as_in_a_notebook():
    async def cell():
        return ask(Scripted(Outcome.DROPPED), Memory(), "q", "r")

    replies, stopped = asyncio.run(cell())
    assert [reply.outcome for reply in replies] == [Outcome.OK, Outcome.OK]
    assert stopped is None


def test_replies_that_all_say_nothing_stop_the_session():
    model, store = Scripted(*[Outcome.EMPTY] * 999), Memory()
    with Session([Served(name="m", spec=SPEC, model=model)], store, backoff=Backoff(first=0)) as s:
        made = [
            Request(**SPEC.model_dump(exclude_defaults=True), prompt=f"q{i}") for i in range(40)
        ]
        s.run(s.ask_all(made[:20]))
        sent = model.sent
        later = s.run(s.ask_all(made[20:]))
        assert s.stopped.reason == "refused"
        assert "the first 20 replies say nothing (empty)" in s.stopped.message
    assert all(isinstance(answer, NotSent) for answer in later.values())
    assert (model.sent, len(store)) == (sent, 20)


def test_one_answer_shows_that_empty_replies_are_the_rows_own_fault():
    model = Scripted(Outcome.OK, *[Outcome.EMPTY] * 300)
    answers, stopped = ask(model, Memory(), *(f"q{i}" for i in range(100)))
    assert stopped is None
    assert sum(answer.outcome is Outcome.EMPTY for answer in answers) == 99


def test_a_refused_check_is_no_refusal_of_the_rows():
    model = Scripted(checks=[Outcome.BAD_REQUEST] * 9)
    answers, stopped = ask(model, Memory(), "q", "r")
    assert [type(answer) for answer in answers] == [NotSent, NotSent]
    assert stopped.message == "model m: it is bad_request"
    assert model.sent == 0


def test_a_check_that_the_service_has_no_time_for_is_tried_again_and_then_given_up():
    busy = [Outcome.OVERLOADED, Outcome.QUOTA_MINUTE]
    (reply,), stopped = ask(Scripted(checks=busy), Memory(), "q")
    assert (reply.outcome, stopped) == (Outcome.OK, None)
    (left,), stopped = ask(Scripted(checks=[*busy, Outcome.OVERLOADED]), Memory(), "q")
    assert isinstance(left, NotSent)
    assert "overloaded" in stopped.message

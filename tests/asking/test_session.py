"""A session sends what has no reply, tries again by policy, and keeps what came."""

import asyncio

from s1data.asking import Backoff, Served, Session
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
    def __init__(self, *ends):
        self.ends, self.sent = list(ends), 0

    async def ask(self, request):
        self.sent += 1
        end = self.ends.pop(0) if self.ends else Outcome.OK
        if end in (Outcome.DROPPED, Outcome.BAD_REQUEST, Outcome.AUTH, Outcome.TIMEOUT):
            raise ModelError(f"it is {end}", end)
        return Reply(
            key=request.key, provider="openai_compatible", model="m", outcome=end, answer="x"
        )

    async def check(self):
        pass

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

"""Budget forcing with a scripted engine: whatever a model does, the budget holds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from s1data.scaling import MARKS, Budget, Generated, Marks, force

MARK = Marks(
    template="Q: {question}\n", opens="<t>", ends=("</t>", "END"), closes="</t>\nA: ",
    answer_ends=("END",),
)  # fmt: skip


class Scripted:
    """A model that wants to say so many words each time it thinks; one token a word."""

    def __init__(self, wants, *, cuts=True, price=1):
        self.wants = wants
        self.cuts = cuts
        self.price = price
        self.calls = []
        self.turns = {}

    def most_tokens(self, text):
        return self.price

    def generate(self, calls):
        self.calls.append(calls)
        return [self._one(call) for call in calls]

    def _one(self, call):
        turn = self.turns[call.id] = self.turns.get(call.id, -1) + 1
        wants = self.wants[min(turn, len(self.wants) - 1)]
        text = "w " * min(wants, call.max_tokens)
        limit = wants > call.max_tokens
        # A server that does not cut at the stop text gives it back with what came after it.
        tail = "" if limit or self.cuts else f"{call.stop[0]} and on"
        return Generated(text=text + tail, tokens=min(wants, call.max_tokens), hit_limit=limit)


WANTS = st.lists(st.integers(0, 30), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    wants=WANTS,
    maximum=st.integers(0, 60),
    share=st.floats(0, 1),
    waits=st.integers(0, 5),
    price=st.integers(0, 4),
    cuts=st.booleans(),
)
def test_whatever_the_model_does_the_budget_holds(wants, maximum, share, waits, price, cuts):
    budget = Budget(maximum=maximum, minimum=int(maximum * share), waits=waits, answer=10)
    engine = Scripted(wants, cuts=cuts, price=price)
    (one,) = force({("a", 0): "why?"}, budget, MARK, engine)
    thought = one.tokens("thinking")
    put_in = one.count("wait") + one.count("minimum")
    assert thought + put_in * price <= maximum
    assert one.count("wait") <= waits
    assert one.tokens("answer") <= budget.answer
    assert thought >= budget.minimum or one.mute or one.cut
    if one.cut:  # only for want of room
        assert maximum - thought - put_in * price <= price
    elif not one.mute:
        assert one.count("wait") == waits
    kinds = [piece.kind for piece in one.pieces]
    at = kinds.index("close")
    thinking, rest = kinds[:at], kinds[at + 1 :]
    assert rest == (["final", "answer"] if one.cut else ["answer"])
    assert thinking[::2] == ["thinking"] * len(thinking[::2])
    assert set(thinking[1::2]) <= {"wait", "minimum"}
    assert "minimum" not in thinking or "wait" not in thinking[thinking.index("minimum") :]
    assert not any(end in one.thinking for end in MARK.ends)
    # Each call goes on from exactly what stands there.
    whole = MARK.prompt("why?") + "".join(piece.text for piece in one.pieces)
    assert all(whole.startswith(calls[0].prompt) for calls in engine.calls)
    assert len(engine.calls) <= thought + waits + 3


@settings(max_examples=40, deadline=None)
@given(many=st.lists(WANTS, min_size=1, max_size=5), waits=st.integers(0, 3))
def test_requests_in_one_batch_do_not_touch_each_other(many, waits):
    class Each(Scripted):
        def _one(self, call):
            self.wants = many[int(call.id)]
            return super()._one(call)

    budget = Budget(maximum=40, minimum=5, waits=waits)
    together = force({(str(i), 0): "q" for i in range(len(many))}, budget, MARK, Each(None))
    alone = [
        force({(str(i), 0): "q"}, budget, MARK, Scripted(wants))[0] for i, wants in enumerate(many)
    ]
    assert together == alone


def test_a_mute_model_is_asked_once_more_and_then_left_alone():
    engine = Scripted([5, 0])
    (one,) = force({("a", 0): "q"}, Budget(minimum=1000, waits=500), MARK, engine)
    assert (one.mute, one.cut, one.count("wait")) == (True, False, 1)
    assert len(engine.calls) == 3


def test_the_budget_shrinks_by_what_was_thought_and_put_in():
    engine = Scripted([5, 7, 30])
    force({("a", 0): "q"}, Budget(maximum=20, waits=2), MARK, engine)
    assert [calls[0].max_tokens for calls in engine.calls] == [20, 14, 6, 4096]


def test_a_cut_thought_is_closed_and_asked_for_its_final_answer():
    engine = Scripted([100, 3])
    (one,) = force({("a", 0): "q"}, Budget(maximum=16), MARK, engine)
    assert one.tokens("thinking") == 16
    assert engine.calls[1][0].prompt == "Q: q\n<t>" + "w " * 16 + "</t>\nA: Final Answer:"
    assert one.answer == "Final Answer:w w w "
    (bare,) = force({("a", 0): "q"}, Budget(maximum=16, final=""), MARK, Scripted([100, 3]))
    assert bare.answer == "w w w "


@pytest.mark.parametrize("text", ["Wait", "Hmm", "\nAlternatively,"])
def test_any_text_may_be_put_in(text):
    (one,) = force({("a", 0): "q"}, Budget(waits=2, text=text), MARK, Scripted([1]))
    assert one.thinking == f"w {text}w {text}w "


def test_an_error_ends_its_own_request_only():
    class Failing(Scripted):
        def _one(self, call):
            if call.id == "b":
                return Generated(text="", tokens=0, hit_limit=False, error="too long")
            return super()._one(call)

    good, bad = force({("a", 0): "q", ("b", 0): "q"}, Budget(), MARK, Failing([2]))
    assert (good.error, bad.error, bad.answer) == (None, "too long", "")


def test_the_marks_of_s1_are_those_it_was_trained_with():
    prompt = MARKS["s1"].prompt("Why {question}?")
    assert prompt.endswith(
        "<|im_start|>user\nWhy {question}?<|im_end|>\n<|im_start|>assistant\n<|im_start|>think\n"
    )
    assert MARKS["s1"].closes == "\n<|im_start|>answer\n"


def test_a_minimum_over_the_maximum_is_refused():
    with pytest.raises(ValidationError, match="minimum 9 is over the maximum 8"):
        Budget(minimum=9, maximum=8)


@pytest.mark.parametrize("name", sorted(MARKS))
@pytest.mark.parametrize(("thought", "limit"), [("so be it\n", False), ("so be", True)])
def test_the_mark_stands_behind_one_line_break_as_in_training(name, thought, limit):
    class Says(Scripted):
        def _one(self, call):
            return Generated(text=thought if not self.turns else "4", tokens=2, hit_limit=limit)

        def generate(self, calls):
            told = super().generate(calls)
            self.turns["done"] = 0
            return told

    engine = Says(None)
    force({("a", 0): "q"}, Budget(maximum=2, final=""), MARKS[name], engine)
    whole = engine.calls[-1][0].prompt
    closes = MARKS[name].closes
    assert whole.endswith(thought.rstrip("\n") + closes)
    assert closes.startswith("\n")
    assert "\n\n" not in whole.split(MARKS[name].opens)[-1].removesuffix(closes)


class Marked(Scripted):
    """Each thought ends in a mark of three tokens, which its engine counts with the words."""

    def _one(self, call):
        got = super()._one(call)
        return got if got.hit_limit else replace(got, tokens=got.tokens + 3, ending=3)


def test_a_minimum_is_of_thinking_without_the_marks_that_were_left_out():
    (one,) = force({("a", 0): "q"}, Budget(maximum=99, minimum=10), MARK, Marked([4, 4, 1, 1, 1]))
    assert one.thought == 10
    assert one.thinking.count("w ") == 10
    # All that was generated is in the maximum, and in the count.
    assert one.tokens("thinking") == 10 + 3 * one.count("minimum") + 3


@pytest.mark.parametrize(
    ("said", "kept"),
    [("so </", "so "), ("so <", "so "), ("so E", "so "), ("so \ufffd", "so "), ("so </t", "so "),
     ("so < 4", "so < 4"), ("so", "so")],
)  # fmt: skip
def test_a_cut_in_the_middle_of_a_mark_leaves_nothing_of_it(said, kept):
    class Cut(Scripted):
        def _one(self, call):
            return Generated(text=said, tokens=call.max_tokens, hit_limit=True)

    engine = Cut([])
    (one,) = force({("a", 0): "q"}, Budget(maximum=4, answer=4), MARK, engine)
    assert (one.thinking, one.cut, one.tokens("thinking")) == (kept, True, 4)
    assert engine.calls[1][0].prompt == f"Q: q\n<t>{kept}</t>\nA: Final Answer:"


@pytest.mark.parametrize("tokens", [-5, 0, 99])
def test_an_engine_whose_counts_cannot_be_is_named_and_not_asked_for_ever(tokens):
    class Miscounts(Scripted):
        def _one(self, call):
            return Generated(text="words", tokens=tokens, hit_limit=False)

    engine = Miscounts([], price=0)
    (one,) = force({("a", 0): "q"}, Budget(maximum=20, minimum=9), MARK, engine)
    assert one.error == f"malformed: {tokens} tokens counted of 5 characters, 20 allowed"
    assert len(engine.calls) == 1

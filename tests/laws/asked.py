"""Askers without a model: every request has one reply, decided by its key, that comes when it likes.

Replies are of every kind that an Asker may meet: right and wrong words, refusals, cuts, silence.
"""

from __future__ import annotations

import random
import re

import polars as pl

from s1data import pool
from s1data.asking import Replies
from s1data.models import ModelSpec, Outcome, Reply, Scored, TraceKind

SAID = ("The final answer is 42.", "\\boxed{7}", "Yes", "No", "no idea", "", "11", "A")


def specs(asker):
    """A spec for each model that the Asker names."""
    return {
        name: ModelSpec(provider="openai_compatible", model=f"served-{name}")
        for name in asker.models()
    }


def reply(request):
    """The one reply to a request."""
    rng = random.Random(request.key)
    outcome = rng.choices(
        [Outcome.OK, Outcome.RECITATION, Outcome.CUT_THINKING, Outcome.EMPTY, Outcome.SAFETY],
        [8, 2, 1, 1, 1],
    )[0]
    codes = re.findall(r"^([0-9A-Z-]+): ", request.prompt, re.MULTILINE)
    said = (*SAID, *rng.sample(codes, min(len(codes), 12)))
    answered = outcome == Outcome.OK
    if request.score is not None:
        logprobs = [-rng.random() for _ in request.score.split()]
        said = (*said, *([Scored((), tuple(logprobs)).written()] * 60))
    return Reply(
        key=request.key,
        provider=request.provider,
        model=request.model,
        outcome=outcome,
        trace_kind=TraceKind.RAW if answered else TraceKind.NONE,
        thinking="Let me see." if answered else None,
        answer=rng.choice(said) if answered else None,
        thinking_tokens=rng.randrange(1, 9_000),
        answer_tokens=rng.randrange(1, 90),
    )


def asked(asker, rows, seed=None):
    """The Asker's columns after all its rounds, and all that is known then.

    With a seed only some of the replies to a round come before the next one, in any order.
    """
    known, rng = Replies(specs(asker)), random.Random(seed)
    rounds = 0
    while new := {r.key: r for r in asker.requests(rows, known) if r.key not in known}:
        keys = sorted(new)
        if seed is None:
            rounds += 1
            assert rounds <= asker.max_rounds(), f"asks on after {asker.max_rounds()} rounds"
        else:
            rng.shuffle(keys)
            keys = keys[: rng.randint(1, len(keys))]
        known.add({key: reply(new[key]) for key in keys})
    return asker.columns(rows, known), known


def rounds_end(asker, rows):
    """No more rounds than declared; then nothing is left to ask."""
    _, known = asked(asker, rows)
    assert all(request.key in known for request in asker.requests(rows, known))


def arrival_does_not_matter(asker, rows):
    """The same columns whichever replies come first, and the same requests for any split of rows."""
    whole, known = asked(asker, rows)
    for seed in (1, 2, 3):
        assert asked(asker, rows, seed)[0].equals(whole)
    cut = rows.height // 3
    parts = [asked(asker, part) for part in (rows.head(cut), rows.slice(cut))]
    assert pl.concat([columns for columns, _ in parts]).equals(whole)
    keys = {request.key for request in asker.requests(rows, known)}
    split = [asker.requests(part, known) for part in (rows.head(cut), rows.slice(cut))]
    assert {request.key for part in split for request in part} == keys


def gaps_are_allowed(asker, rows):
    """With no reply at all the columns stand, and with some of them nothing is made up."""
    nothing = asker.columns(rows, Replies(specs(asker)))
    assert dict(nothing.schema) == asker.adds()
    assert nothing.height == rows.height


def nothing_is_asked_of_no_question(asker, rows):
    """A null or blank question is never sent."""
    blank = rows.filter(pl.col("question").fill_null("").str.strip_chars() == "")
    assert blank.height, "the generated rows have some"
    assert asker.requests(blank, Replies(specs(asker))) == []


def given_up_is_named_or_left(asker, rows):
    """A request that was given up, and is still open, leads to no other question about its row.

    What a later run gets for it would else stand beside a reply that was paid for nothing.
    """
    known = Replies(specs(asker))
    first = asker.requests(rows, known)
    silent = {
        request.key: Reply(
            key=request.key,
            provider=request.provider,
            model=request.model,
            outcome=Outcome.TIMEOUT,
            sends=0,
        )
        for request in first
    }
    known.add(silent)
    again = {request.key for request in asker.requests(rows, known)} - set(silent)
    assert not again, f"asks {len(again)} more after requests that only timed out"
    assert dict(asker.columns(rows, known).schema) == asker.adds()


def names_canonical_columns(asker, rows):
    """Columns that an Asker adds are the pool's own."""
    assert all(pool.COLUMNS[name] == dtype for name, dtype in asker.adds().items())


OF_AN_ASKER = (
    rounds_end,
    arrival_does_not_matter,
    gaps_are_allowed,
    nothing_is_asked_of_no_question,
    given_up_is_named_or_left,
    names_canonical_columns,
)

"""One Asker in a run: its rows through the models, and what of it stays in the stage's record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from s1data.acting import Outcome, checked_columns, no_verdicts, shown_columns
from s1data.asking import Asked
from s1data.asking.known import Texts
from s1data.asking.served import place
from s1data.errors import RunStopped
from s1data.progress import Teller
from s1data.serving import Serving
from s1data.stage import Asker
from s1data.waves import in_waves


@dataclass(frozen=True)
class Consulted:
    """An Asker that went through all its rows."""

    outcome: Outcome
    replies: pl.DataFrame
    """``key`` of every reply that the stage used, and why it is ``open`` where it is."""
    figures: dict[str, Any]
    """``models``: the replies used, by model; ``sent``: what was sent for them this time;
    ``expected``: what an estimate before that said; and the stage's own (`Asker.figures`)."""
    open: dict[str, int]
    """Requests that were given up in this run, by what they ended with."""


def consult(
    stage: Asker, rows: pl.DataFrame, serving: Serving, tell: Teller, texts: Texts
) -> Consulted:
    """Asks what the stage wants to know of ``rows`` (``row`` and what it reads).

    ``texts`` are those of the traces and attempts that earlier stages left.

    Raises RunStopped where a request was not sent: the stage is not complete then.
    """
    shown = rows.select(shown_columns(stage))
    serving.texts = texts
    before = serving.sent()
    # Where nothing can be sent there is nothing to expect.
    expected = serving.estimate(stage, shown) if serving.served else []
    asked = in_waves(stage, shown, serving, tell.tick)
    unsent = sum(why == "not_sent" for why in asked.open.values())
    columns = checked_columns(stage, shown, asked.columns)
    if (asked.stopped is not None or unsent) and not _goes_on(stage, asked):
        raise RunStopped(_why(stage, asked, unsent, serving))
    if said := stage.remark(shown, columns):
        tell.say(f"{stage.label}: {said}")
    left = dict(sorted(Counter(asked.open.values()).items()))
    if left:
        tell.say(
            f"{stage.label}: {left_open(left)} got no reply; their rows say so, and the next run "
            "asks them again"
        )
    # Two names of one served model share what is counted: here it is this stage's.
    own = {place(serving.specs[name]): name for name in reversed(stage.models())}
    sent = {
        own.get(place(serving.specs[name]), name): _since(before.get(name, {}), now)
        for name, now in serving.sent().items()
    }
    return Consulted(
        outcome=Outcome(rows, no_verdicts(), added=rows.select("row").hstack(columns)),
        replies=pl.DataFrame(
            {"key": asked.keys, "open": [asked.open.get(key) for key in asked.keys]},
            schema={"key": pl.String, "open": pl.String},
        ),
        figures={
            "models": asked.figures,
            "sent": {name: figures for name, figures in sent.items() if figures["sent"]},
            "expected": {one.model: one.as_dict() for one in expected if one.cached < one.requests},
            **stage.figures(columns, asked.figures),
        },
        open=left,
    )


def _goes_on(stage: Asker, asked: Asked) -> bool:
    """Whether a run has enough to go on with, though its budget ended within the stage."""
    ended = asked.stopped is not None and asked.stopped.reason == "budget"
    return stage.ends_with_budget and ended and len(asked.keys) > len(asked.open)


def left_open(reasons: Mapping[str, int]) -> str:
    """``3 requests (2 timeout, 1 dropped)``."""
    number = sum(reasons.values())
    parts = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    return f"{number:,} request{'' if number == 1 else 's'} ({parts})"


def _why(stage: Asker, asked: Asked, unsent: int, serving: Serving) -> str:
    done = f"{len(asked.keys) - len(asked.open):,} of {len(asked.keys):,} requests have a reply"
    if asked.stopped is not None:
        return f"stopped at {stage.label}: {asked.stopped.message}; {done}, and all are kept"
    todo = "; ".join(serving.unserved[name] for name in stage.models() if name in serving.unserved)
    return (
        f"stopped before {stage.label}: {unsent:,} requests wait for a model ({done}); {todo}; "
        "then the same command goes on from here"
    )


def _since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What a session sent since it was looked at before."""
    outcomes = Counter(now["outcomes"])
    outcomes.subtract(before.get("outcomes", {}))
    seconds = now["seconds"] - before.get("seconds", 0.0)
    tokens = sum(now[part] - before.get(part, 0) for part in ("thinking_tokens", "answer_tokens"))
    return {
        "sent": now["sent"] - before.get("sent", 0),
        "outcomes": {name: count for name, count in sorted(outcomes.items()) if count},
        "usd": round(now["usd"] - before.get("usd", 0.0), 9),
        "seconds": round(seconds, 3),
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
    }

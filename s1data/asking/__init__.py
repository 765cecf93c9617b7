"""Asking models: what it may cost, how fast it may go, what is tried again, in which rounds.

A `Session` is what one run asks through: the reply store, the budget, one lane per model and the
retries stand behind it. `ask_in_rounds` takes an Asker and rows through it and gives back columns.
"""

from __future__ import annotations

from s1data.asking.batching import Batching, Wave, waves
from s1data.asking.known import Replies
from s1data.asking.lanes import Limits
from s1data.asking.prices import Price, Prices, read_prices
from s1data.asking.retrying import Backoff
from s1data.asking.rounds import Asked, ask_in_rounds
from s1data.asking.served import Served
from s1data.asking.session import Session
from s1data.asking.stopping import NotSent, Stop

__all__ = [
    "Asked",
    "Backoff",
    "Batching",
    "Limits",
    "NotSent",
    "Price",
    "Prices",
    "Replies",
    "Served",
    "Session",
    "Stop",
    "Wave",
    "ask_in_rounds",
    "read_prices",
    "waves",
]

"""The words between stages, providers and the store: request, reply, outcome, model.

Typed values only; no SDK, no network, no file. A `Request` is everything that decides a reply and
gives it its key; a `Reply` is what came back, with its `Outcome`; a `Model` sends the one and
returns the other, or raises a `ModelError`.
"""

from __future__ import annotations

from s1data.models.batches import Batches, JobState
from s1data.models.outcome import CUT, POLICIES, Outcome, Policy, finish_word, is_cut
from s1data.models.protocol import Model, ModelError, Scored, logprobs_in
from s1data.models.reply import Reply, Told, TraceKind
from s1data.models.request import Request
from s1data.models.spec import ModelSpec, Thinking
from s1data.models.whole import MARK, OPENS, joined, split

__all__ = [
    "CUT",
    "MARK",
    "OPENS",
    "POLICIES",
    "Batches",
    "JobState",
    "Model",
    "ModelError",
    "ModelSpec",
    "Outcome",
    "Policy",
    "Reply",
    "Request",
    "Scored",
    "Thinking",
    "Told",
    "TraceKind",
    "finish_word",
    "is_cut",
    "joined",
    "logprobs_in",
    "split",
]

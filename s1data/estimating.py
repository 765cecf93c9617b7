"""What asking would cost, before a word is sent: requests, tokens, dollars, hours, as intervals.

Requests are counted, not guessed. What a reply will be like is learnt from replies that are in the
store: those to the very same requests first (a pilot leaves some), else those of the same model.
Where there are none, only the limits of the requests are known, and the interval says so by its
width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

import polars as pl

from s1data.asking import Batching, Limits, Price, Replies, Wave, waves
from s1data.asking.batching import Cost
from s1data.asking.known import Texts
from s1data.asking.prices import TEMPLATE_TOKENS, prompt_bound
from s1data.errors import BudgetError
from s1data.models import ModelSpec
from s1data.stage import Asker

SLICE: Final = 4096
ENOUGH: Final = 5
"""Fewer replies say nothing of a spread."""
Z: Final = 1.96
"""Half the width of a 95% interval, in standard errors."""
TEMPLATE: Final = 40
"""Tokens that a chat template seldom adds more of to a prompt."""
BYTES_PER_TOKEN: Final = (2.0, 4.0, 6.0)
"""Fewest, usual and most bytes of a token of a prompt, for mathematics in English."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class InJobs:
    """What is asked in batch jobs."""

    models: frozenset[str]
    batching: Batching
    room: float | None
    """Dollars that are left of the budget; None without one."""


class Known(Protocol):
    """What an estimate needs of a store."""

    def known(self, keys: pl.Series) -> pl.DataFrame:
        """Narrow columns of the replies to these requests."""

    def narrow(self) -> pl.DataFrame:
        """Narrow columns of all replies."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What one stage would ask of one model; intervals hold 95 of a hundred outcomes."""

    model: str
    requests: int
    """In the first round; further rounds are asked where replies are of no use."""
    cached: int
    prompt_tokens: Interval
    output_tokens: Interval | None
    """Of thinking and answers; None where nothing bounds them."""
    usd: Interval | None
    """None where no price is known, or nothing bounds it."""
    hours: Interval | None
    """At the model's ``concurrency``, with no limit of requests or tokens a minute in the way."""
    gpu_hours: Interval | None
    """Where the price is that of one's own GPUs."""
    basis: str
    """What the intervals come from, in words."""
    waves: tuple[Wave, ...] | None = None
    """Batch jobs, if each costs what is expected; None where it is asked online."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        told = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return told | {"waves": None if self.waves is None else [asdict(w) for w in self.waves]}

    def __str__(self) -> str:
        new = self.requests - self.cached
        said = [f"{new:,} of {self.requests:,} requests to send"]
        if new:
            said.append(f"{_span(self.prompt_tokens)} prompt tokens")
            if self.output_tokens:
                said.append(f"{_span(self.output_tokens)} tokens of replies")
            if self.usd:
                said.append(_span(self.usd, "$"))
            if self.gpu_hours:
                said.append(f"{_span(self.gpu_hours)} GPU hours")
            if self.hours:
                said.append(_time(self.hours))
            said.append(self.basis)
            if self.waves is not None:
                said.append(_waves_said(self.waves, new))
        return f"{self.model}: {'; '.join(said)}"


def estimate(  # noqa: PLR0913, PLR0917 - one for each thing that an estimate rests on
    asker: Asker,
    rows: pl.DataFrame,
    specs: Mapping[str, ModelSpec],
    store: Known,
    prices: Mapping[str, Price | None],
    limits: Mapping[str, Limits],
    jobs: InJobs | None = None,
    texts: Texts | None = None,
) -> list[Estimate]:
    """One estimate for each model that ``asker`` would ask about ``rows``.

    ``prices`` and ``limits`` are by the recipe's name of the model.
    """
    in_jobs = jobs.models if jobs else frozenset[str]()
    prices = {
        name: price.in_batch() if price and name in in_jobs else price
        for name, price in prices.items()
    }
    wanted = _requests(asker, rows, specs, prices, texts)
    held = store.known(wanted["key"]).select("key", *_TOLD)
    wanted = wanted.join(held, on="key", how="left", maintain_order="left")
    every: pl.DataFrame | None = None
    found = []
    for name in asker.models():
        mine = wanted.filter(pl.col("model") == name)
        cached = mine.filter(pl.col("outcome").is_not_null())
        sample, basis = cached, f"from {cached.height:,} replies to requests of this stage"
        if cached.height < ENOUGH and cached.height < mine.height:
            every = store.narrow() if every is None else every
            spec = specs[name]
            sample = _alike(every.filter(model=spec.model, provider=spec.provider), mine)
            basis = f"from {sample.height:,} replies of this model in the store to prompts as long"
        new = mine.filter(pl.col("outcome").is_null())
        one = _estimate(name, mine, new, sample, basis, prices[name], limits[name])
        if jobs is not None and name in in_jobs:
            one = replace(one, hours=None, waves=_waves(new, one.usd, jobs))
        found.append(one)
    return found


def _alike(replies: pl.DataFrame, mine: pl.DataFrame) -> pl.DataFrame:
    """Replies to prompts of about the length of these: a judge's say nothing of a teacher's."""
    few, _, many = BYTES_PER_TOKEN
    size = float(mine["bytes"].sum()) / max(1, mine.height)
    return replies.filter(pl.col("prompt_tokens").is_between(size / many, size / few + TEMPLATE))


def _waves(new: pl.DataFrame, usd: Interval | None, jobs: InJobs) -> tuple[Wave, ...]:
    """Batch jobs of the requests, each costing its share of the middle of what is expected."""
    share = sum(usd) / 2 / new.height if usd and new.height else 0.0
    most = new["most_usd"].fill_null(0.0)
    costs = [Cost(m, min(share, m), n) for m, n in zip(most, new["bytes"], strict=True)]
    return tuple(waves(costs, jobs.room, jobs.batching))


def _waves_said(found: Sequence[Wave], requests: int) -> str:
    number = f"{len(found)} batch job{'' if len(found) == 1 else 's'}"
    shown = ", ".join(f"{one.requests:,} (up to ${_short(one.maximum)})" for one in found[:5])
    more = ", …" if len(found) > 5 else ""
    left = requests - sum(one.requests for one in found)
    lacking = f"; {left:,} requests do not fit under --max-usd" if left else ""
    return f"{number}{': ' + shown if shown else ''}{more}{lacking}"


_TOLD: Final = ("outcome", "prompt_tokens", "thinking_tokens", "answer_tokens", "seconds")


def _requests(
    asker: Asker,
    rows: pl.DataFrame,
    specs: Mapping[str, ModelSpec],
    prices: Mapping[str, Price | None],
    texts: Texts | None,
) -> pl.DataFrame:
    """Every request of the first round, once, with its size and the most that it can cost."""
    schema = {
        "key": pl.String,
        "model": pl.String,
        "bytes": pl.Int64,
        "max_tokens": pl.Int64,
        "most_usd": pl.Float64,
    }
    parts = [pl.DataFrame(schema=schema)]
    for start in range(0, rows.height, SLICE):
        known = Replies({name: specs[name] for name in asker.models()}, texts)
        lines = []
        for request in asker.requests(rows.slice(start, SLICE), known):
            name = known.names[request.key]
            price = prices[name]
            try:
                most = None if price is None else price.maximum(request)
            except BudgetError:
                most = None
            lines.append(
                (
                    request.key,
                    name,
                    prompt_bound(request) - TEMPLATE_TOKENS,
                    request.max_tokens,
                    most,
                )
            )
        parts.append(pl.DataFrame(lines, schema=schema, orient="row"))
    return pl.concat(parts).unique("key", keep="first", maintain_order=True)


def _estimate(
    name: str,
    mine: pl.DataFrame,
    new: pl.DataFrame,
    sample: pl.DataFrame,
    basis: str,
    price: Price | None,
    limits: Limits,
) -> Estimate:
    size = int(new["bytes"].sum())
    few, _, many = BYTES_PER_TOKEN
    prompt: Interval = (size / many, size / few + TEMPLATE * new.height)
    told = sample.drop_nulls(["prompt_tokens", "answer_tokens"]).with_columns(
        output=pl.col("answer_tokens") + pl.col("thinking_tokens").fill_null(0)
    )
    output: Interval | None
    if told.height >= ENOUGH:
        output = _sum_of(told["output"], new.height)
        usd = None if price is None else _sum_of(_costs(told, price), new.height)
        if "bytes" in told.columns and told["bytes"].sum():
            ratio = float(told["prompt_tokens"].sum()) / float(told["bytes"].sum())
            prompt = (size * ratio * 0.9, size * ratio * 1.1)
    else:
        basis = "no replies to go by: from the limits of the requests alone (--pilot asks a few)"
        most = new["max_tokens"]
        output = None if most.has_nulls() and new.height else (0.0, float(most.sum()))
        known = price is not None and not new["most_usd"].has_nulls()
        usd = (0.0, float(new["most_usd"].sum())) if known else None
    seconds = told["seconds"].drop_nulls()
    hours = None
    if len(seconds) >= ENOUGH:
        low, high = _sum_of(seconds, new.height)
        hours = (low / limits.concurrency / 3600, high / limits.concurrency / 3600)
    gpu = None
    if price is not None and price.gpu_seconds_per_token and output is not None:
        gpu = tuple(tokens * price.gpu_seconds_per_token / 3600 for tokens in output)
    return Estimate(
        model=name,
        requests=mine.height,
        cached=mine.height - new.height,
        prompt_tokens=prompt,
        output_tokens=output,
        usd=usd,
        hours=hours,
        gpu_hours=(gpu[0], gpu[1]) if gpu else None,
        basis=basis,
    )


def _costs(told: pl.DataFrame, price: Price) -> pl.Series:
    pairs = told.select("prompt_tokens", "output").iter_rows()
    return pl.Series([price.usd(prompt, output) for prompt, output in pairs], dtype=pl.Float64)


def _sum_of(sample: pl.Series, count: int) -> Interval:
    """Where the sum of ``count`` further values will lie, by the mean and spread of the sample."""
    values = sample.to_numpy().astype(float)
    mean, spread = values.mean(), values.std(ddof=1)
    half = Z * spread * math.sqrt(count * (1 + count / len(sample)))
    return (max(0.0, float(count * mean - half)), float(count * mean + half))


def _span(interval: Interval, unit: str = "") -> str:
    low, high = (_short(value) for value in interval)
    return f"{unit}{high}" if low == high else f"{unit}{low} to {unit}{high}"


def _time(hours: Interval) -> str:
    """In the unit that fits the longer end."""
    for unit, in_an_hour in (("hours", 1), ("minutes", 60), ("seconds", 3600)):
        if hours[1] * in_an_hour >= 1:
            return f"{_span((hours[0] * in_an_hour, hours[1] * in_an_hour))} {unit}"
    return "under a second"


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"

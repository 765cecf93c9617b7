"""What a run is given to ask models with: addresses, limits, prices, a budget, a store.

None of it decides a result, so none of it is in the recipe. `Means` is what the user gave;
`Serving` is one run's way to its models, opened when the first question is asked.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import polars as pl

from s1data.acting import replies_home
from s1data.asking import (
    Asked,
    Batching,
    Limits,
    Price,
    Prices,
    Served,
    Session,
    ask_in_rounds,
    read_prices,
)
from s1data.asking.again import AskedAgain, ended_so
from s1data.asking.batching import Fallback
from s1data.asking.known import Texts
from s1data.asking.served import place
from s1data.errors import BudgetError, RecipeError, RunError, nearest
from s1data.estimating import Estimate, InJobs, estimate
from s1data.models import POLICIES, ModelError, ModelSpec, Outcome
from s1data.providers import DEFAULT_TIMEOUT, has_batches, open_batches, open_model
from s1data.providers.connections import find_key
from s1data.stage import Asker
from s1data.store import ReplyStore, Spending
from s1data.store.jobs import end_answered, records
from s1data.store.replies import ROLL_BYTES

REHEARSAL: Final = "rehearsal"
"""Folder of a run that holds the replies and the spending of its rehearsal."""
SPENDING: Final = "spending.jsonl"
"""Journal of what a run reserves and spends."""
_REHEARSED_KEY: Final = "rehearsal"
ANSWERS: Final = [outcome.value for outcome, policy in POLICIES.items() if policy.answers]


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a run is given to ask models with; none of it changes a result."""

    endpoints: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Base URLs by the recipe's name of the model; none of them means the service's own address."""
    max_usd: float | None = None
    """The most that the run may cost, over all its resumes."""
    no_price: bool = False
    """Models without a known price cost nothing, or what they cost is not to be counted."""
    prices: Sequence[Path] = ()
    """TOML files of prices, before the built-in table."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """By the recipe's name of the model; that under the empty name holds for all others."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for one request."""
    store: Path | None = None
    """Home of the reply store; `s1data.acting.replies_home` unless given."""
    roll_bytes: int = ROLL_BYTES
    """Bytes of this process's journal that become a part of the store."""
    batch: bool = False
    """Models that have a batch mode are asked in jobs, at the price of it."""
    batch_fallback: Fallback = "stop"
    """What becomes of a job that expired, failed or is stuck: see `s1data.asking.Batching`."""
    ask_again: Sequence[Outcome] = ()
    """Replies that ended so before, which are no answers, are asked for once more."""
    rehearsal: bool = False
    """The endpoints are emulated: replies stay in the run, and everything says so."""


class Serving:
    """One run's models, store and budget; a context manager."""

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        means: Means,
        home: Path,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``specs`` are the models that the run asks, ``home`` its directory.

        Raises RecipeError for an endpoint of a model that is not there, BudgetError where a model
        that was given costs money and there is no cap, or its price is not known.
        """
        self.means = means
        self.specs = specs
        self._say = say
        self.served, self.unserved = _offered(specs, means)
        """Those that can be asked; and of the others, what to do so that they can."""
        own = home / REHEARSAL
        store = own / "replies" if means.rehearsal else (means.store or replies_home())
        self.store = ReplyStore(store, rehearsal=means.rehearsal, roll_bytes=means.roll_bytes)
        self._shown = AskedAgain(self.store, means.ask_again) if means.ask_again else self.store
        self.jobs = self.store.home / "jobs"
        """Where batch jobs under way are written down."""
        self.spending_file = (own if means.rehearsal else home) / SPENDING
        self.texts: Texts = self.store.texts
        """Texts of traces and attempts by key; a run adds those that its stages left."""
        self._spending: Spending | None = None
        self._session: Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._session is not None:
                self._session.close()
        finally:
            if self._spending is not None:
                self._spending.close()
            self.store.close()

    @property
    def origin(self) -> str:
        """``live`` or ``rehearsal``."""
        return "rehearsal" if self.means.rehearsal else "live"

    def check(self, names: Iterable[str]) -> None:
        """Has each of the named models that is served answer one tiny request; else ModelError."""
        wanted = {served.name for served in self.served} & set(names)
        if wanted:
            self._open().check(wanted)

    def ask(
        self,
        stage: Asker,
        rows: pl.DataFrame,
        tick: Callable[[int, int], None] | None = None,
        *,
        judged: bool = False,
    ) -> Asked:
        """Takes rows through an Asker; what is in the store needs no model.

        ``judged``: rows before these have shown what kind of thinking comes.
        """
        return ask_in_rounds(stage, rows, self.specs, self._open(), tick, self.texts, judged=judged)

    def estimate(
        self, stage: Asker, rows: pl.DataFrame, *, batch: bool | None = None
    ) -> list[Estimate]:
        """What asking ``stage`` about ``rows`` (the columns that it reads) would send and cost.

        ``batch`` stands in place of what the run's means say.
        """
        wanted = self.means.batch if batch is None else batch
        in_jobs = frozenset(n for n, spec in self.specs.items() if wanted and has_batches(spec))
        jobs = InJobs(in_jobs, Batching(folder=self.jobs), self.room()) if in_jobs else None
        prices = read_prices(*self.means.prices)
        return estimate(
            stage,
            rows,
            self.specs,
            self._shown,
            {name: prices.get(spec) for name, spec in self.specs.items()},
            {name: self._limits(name) for name in self.specs},
            jobs,
            self.texts,
        )

    def asks_again(self, record: Mapping[str, Any]) -> dict[str, int]:
        """Replies that a stage used and that are to be asked for once more, by outcome."""
        return ended_so(record, self.means.ask_again)

    def _limits(self, name: str) -> Limits:
        return self.means.limits.get(name) or self.means.limits.get("") or Limits()

    def session(self) -> Session:
        """What single requests go through; opened when it is first asked for."""
        return self._open()

    def texts_of(self, keys: pl.Series) -> pl.DataFrame:
        """``reply_key``, ``thinking`` and ``answer`` of the replies that the store has."""
        found = self.store.get(keys.to_list()) if self.specs else {}
        return pl.DataFrame(
            {
                "reply_key": list(found),
                "thinking": [reply.thinking for reply in found.values()],
                "answer": [reply.answer for reply in found.values()],
            },
            schema=dict.fromkeys(("reply_key", "thinking", "answer"), pl.String),
        )

    def hold_texts(self, selected: pl.DataFrame) -> None:
        """RunError where a chosen row lacks the text of a reply that a model of the run gave."""
        if "traces" not in selected.columns or not self.specs:
            return
        asked = pl.col("teacher").is_in(list(self.specs)) & pl.col("finish").is_in(ANSWERS)
        lost = (
            selected.select("traces")
            .explode("traces")
            .drop_nulls()
            .unnest("traces")
            .filter(asked, pl.col("thinking").is_null() & pl.col("answer").is_null())
        )
        if not lost.is_empty():
            raise RunError(
                f"{self.store.home}: {lost.height} replies of chosen rows are not in this store; "
                "give the one that the run was made with (--store), or move the run's directory "
                "away and run again, which asks for what is missing"
            )

    def account(self) -> dict[str, Any]:
        """For the manifest: whether it was a rehearsal, and what the run cost so far."""
        return {
            "rehearsal": self.means.rehearsal and bool(self.specs),
            "spent": self.spent(),
            "in_flight_at_a_kill": self.in_flight_at_a_kill(),
        }

    def spent(self) -> dict[str, Any]:
        """Dollars of the run so far, over all its resumes."""
        if self._spending is None and self.spending_file.is_file():
            self._spending = Spending(self.spending_file, self.means.max_usd)
        if self._spending is None:
            return {"usd": 0.0, "usd_at_most": 0.0, "cap": self.means.max_usd}
        spent, held = self._spending.spent, self._spending.reserved
        return {"usd": spent, "usd_at_most": spent + held, "cap": self._spending.cap}

    def room(self) -> float | None:
        """Dollars that the run may still spend; None without a cap."""
        cap = self.means.max_usd
        return None if cap is None else max(0.0, cap - float(self.spent()["usd_at_most"]))

    def sent(self) -> dict[str, dict[str, Any]]:
        """By model, what was sent so far and what came of it."""
        return {} if self._session is None else self._session.figures()

    def _open(self) -> Session:
        if self._session is None:
            counted = any(served.price is not None for served in self.served)
            if counted or self.spending_file.is_file():
                self._spending = Spending(self.spending_file, self.means.max_usd)
            session = Session(
                self.served, self._shown, self._spending, origin=self.origin, batch=self._batching()
            )
            if session.unknown:
                self._say(
                    f"{len(session.unknown)} requests were in flight when an earlier process was "
                    f"killed; they count at the most they can cost: {', '.join(session.unknown)}"
                )
            self._session = session
        return self._session

    def _batching(self) -> Batching | None:
        if not self.means.batch:
            return None
        fallback = self.means.batch_fallback
        if not self.means.rehearsal:
            return Batching(folder=self.jobs, fallback=fallback)
        # The emulated service of an earlier rehearsal is gone, and its jobs with it.
        shutil.rmtree(self.jobs, ignore_errors=True)
        return Batching(folder=self.jobs, fallback=fallback, poll=0.1, poll_most=1.0)

    def hold_jobs(self) -> None:
        """RunError where jobs of these models are under way and the run would not wait for them."""
        if self.means.batch or self.means.rehearsal:
            return
        places = {place(served.spec) for served in self.served}
        end_answered(self.jobs, self.store.get)
        found = [record for record in records(self.jobs) if record.place in places]
        if found:
            raise RunError(
                f"{self.jobs}: {sum(record.count for record in found):,} requests are under way in "
                f"batch jobs ({', '.join(record.name or record.token for record in found)}), and "
                "would be paid twice if they were sent now: add --batch to wait for them, with "
                "--batch-fallback online to take back what is stuck"
            )

    def in_flight_at_a_kill(self) -> list[str]:
        """Keys of requests whose outcome nobody knows, since the process that sent them died."""
        return [] if self._session is None else list(self._session.unknown)


def serve(
    name: str, spec: ModelSpec, endpoints: Sequence[str], means: Means, prices: Prices | None = None
) -> Served:
    """A model with all that asking it takes. BudgetError where its price is not settled."""
    price = _price(name, spec, means, prices or read_prices(*means.prices))
    key = _REHEARSED_KEY if means.rehearsal else None
    model = open_model(spec, endpoints, key, means.timeout, name=name)
    limits = means.limits.get(name) or means.limits.get("") or Limits()
    batches = open_batches(spec, model) if means.batch and has_batches(spec) else None
    return Served(name=name, spec=spec, model=model, limits=limits, price=price, batches=batches)


def _offered(specs: Mapping[str, ModelSpec], means: Means) -> tuple[list[Served], dict[str, str]]:
    for given in (*means.endpoints, *means.limits):
        if given and given not in specs:
            known = ", ".join(specs) or "none"
            raise RecipeError(
                f"model {given}: wanted a model that the recipe asks ({known}), "
                f"got {given!r}{nearest(given, specs)}"
            )
    if means.batch and specs and not any(map(has_batches, specs.values())):
        raise RecipeError(
            f"--batch: none of the models that the recipe asks ({', '.join(specs)}) has a batch "
            "mode, which gemini has; leave it out"
        )
    prices = read_prices(*means.prices)
    served, unserved = [], {}
    for name, spec in specs.items():
        if name in means.endpoints:
            served.append(serve(name, spec, means.endpoints[name], means, prices))
        elif why := _not_by_itself(name, spec, means):
            unserved[name] = why
        else:
            served.append(serve(name, spec, (), means, prices))
    return served, unserved


def _not_by_itself(name: str, spec: ModelSpec, means: Means) -> str | None:
    """Why a model is not asked that no address was given for; None: its service's own will do."""
    if spec.provider == "transformers":
        return None
    if spec.provider == "openai_compatible":
        return (
            f"model {name}: start a server for {spec.model}, then add "
            f"--model {name}=http://HOST:PORT/v1 (--model {name} alone: OPENAI_API_KEY's service)"
        )
    try:
        find_key(spec, (), None, name)
    except ModelError:
        return (
            f"model {name}: {spec.model} needs a key: set GEMINI_API_KEY and add --max-usd DOLLARS"
        )
    if means.max_usd is None and not means.no_price:
        return f"model {name}: {spec.model} costs money: add --max-usd DOLLARS"
    return None


def _price(name: str, spec: ModelSpec, means: Means, prices: Prices) -> Price | None:
    known = prices.get(spec)
    if means.rehearsal:
        return known  # what it would have cost
    if known is None:
        free = means.no_price or spec.provider == "transformers"
        return None if free else prices.of(name, spec)
    if means.max_usd is None and not means.no_price and (known.prompt or known.output):
        raise BudgetError(
            f"model {name}: {spec.model} costs ${known.prompt:g} a million prompt tokens and "
            f"${known.output:g} a million tokens of thinking and answer (read {known.date}); say "
            "how much the run may cost: --max-usd DOLLARS (of a recipe, s1data plan estimates it)"
        )
    return None if means.no_price and means.max_usd is None else known

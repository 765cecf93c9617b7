"""What a model costs: a dated table, which a TOML file of the user's own goes before.

A price is in US dollars per million tokens. Thinking is billed as output. The most that a request
can cost is figured from what bounds it: its bytes (no tokenizer makes more tokens than bytes) and
its ``max_tokens``. A model that one serves oneself is priced by its GPUs' hours and the tokens a
second that were measured on them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from s1data.errors import BudgetError, nearest
from s1data.frozen import Frozen
from s1data.models import ModelSpec, Reply, Request

TABLE: Final = Path(__file__).with_name("prices.toml")

TEMPLATE_TOKENS: Final = 256
"""More than chat templates put around a message; a default system prompt of Qwen's takes 25."""


class Price(Frozen):
    """What one model costs."""

    provider: str = Field(min_length=1)
    model: str = Field(min_length=1)
    prompt: float = Field(ge=0, description="USD per million prompt tokens.")
    output: float = Field(ge=0, description="USD per million tokens of thinking and answer.")
    long_from: int | None = Field(
        default=None, gt=0, description="Prompts of more tokens than this cost the long prices."
    )
    long_prompt: float | None = Field(default=None, ge=0)
    long_output: float | None = Field(default=None, ge=0)
    batch: float = Field(default=1.0, gt=0, le=1, description="Share of the price in batch mode.")
    most_output: int | None = Field(
        default=None, gt=0, description="Most tokens of a reply where the request sets no limit."
    )
    gpu_seconds_per_token: float | None = Field(
        default=None, gt=0, description="Of a token of a reply, where one serves it oneself."
    )
    date: str = Field(min_length=1, description="When the price was read.")
    source: str = Field(min_length=1, description="Where it was read.")

    def usd(self, prompt_tokens: int, output_tokens: int) -> float:
        """Dollars for so many tokens of prompt, and of thinking and answer together."""
        prompt, output = self.prompt, self.output
        if self.long_from is not None and prompt_tokens > self.long_from:
            prompt = prompt if self.long_prompt is None else self.long_prompt
            output = output if self.long_output is None else self.long_output
        return (prompt_tokens * prompt + output_tokens * output) / 1e6

    def in_batch(self) -> Price:
        """The same for a request in a batch job."""
        longer = {
            name: value * self.batch
            for name in ("long_prompt", "long_output")
            if (value := getattr(self, name)) is not None
        }
        changed = {"prompt": self.prompt * self.batch, "output": self.output * self.batch} | longer
        return self.model_copy(update=changed)

    def of(self, reply: Reply) -> float | None:
        """Dollars for a reply by the tokens that the service counted; None where it did not."""
        made = (reply.answer_tokens, reply.thinking_tokens)
        # A reply cut while it thought has no answer, and a count of its thinking alone.
        if reply.prompt_tokens is None or made == (None, None):
            return None
        return self.usd(reply.prompt_tokens, sum(tokens or 0 for tokens in made))

    def maximum(self, request: Request) -> float:
        """The most that sending a request once can cost; BudgetError where nothing bounds it."""
        most = request.most_tokens or self.most_output
        if most is None and self.output:
            msg = (
                f"model {self.model}: nothing bounds what a reply may cost; set max_tokens for it "
                "in the recipe, or most_output beside its price"
            )
            raise BudgetError(msg)
        # The price is the longer prompt's as soon as the bound is: a maximum must not be passed.
        return self.usd(prompt_bound(request), most or 0)


class SelfServed(Frozen):
    """A model on one's own or rented GPUs."""

    model: str = Field(min_length=1)
    provider: str = "openai_compatible"
    gpus: int = Field(gt=0)
    gpu_hour: float = Field(ge=0, description="USD for one GPU for an hour.")
    tokens_per_second: float = Field(
        gt=0, description="Tokens of replies that all GPUs together were measured to make."
    )
    date: str = Field(min_length=1)
    most_output: int | None = Field(default=None, gt=0)

    def price(self) -> Price:
        """The same per token, reading of prompts within it."""
        a_second = self.gpus * self.gpu_hour / 3600
        return Price(
            provider=self.provider,
            model=self.model,
            prompt=0.0,
            output=a_second / self.tokens_per_second * 1e6,
            gpu_seconds_per_token=self.gpus / self.tokens_per_second,
            most_output=self.most_output,
            date=self.date,
            source=f"{self.gpus} GPUs at ${self.gpu_hour:g} an hour, "
            f"{self.tokens_per_second:g} tokens a second measured",
        )


class _File(Frozen):
    price: tuple[Price, ...] = ()
    self_served: tuple[SelfServed, ...] = ()


class Prices:
    """Prices by provider and model; an earlier file goes before a later one."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._by_model: dict[tuple[str, str], Price] = {}
        for price in prices:
            self._by_model.setdefault((price.provider, _plain(price.model)), price)

    def get(self, spec: ModelSpec) -> Price | None:
        """The price of a model, or None where the table has none."""
        return self._by_model.get((spec.provider, _plain(spec.model)))

    def of(self, name: str, spec: ModelSpec) -> Price:
        """The price of the recipe's model ``name``; BudgetError where the table has none."""
        price = self.get(spec)
        if price is None:
            known = [model for provider, model in self._by_model if provider == spec.provider]
            msg = (
                f"model {name}: no price is known for {spec.model} ({spec.provider})"
                f"{nearest(spec.model, known)}; give one with --prices FILE, or --no-price where "
                "it costs nothing or its cost is not to be counted"
            )
            raise BudgetError(msg)
        return price


def read_prices(*files: Path) -> Prices:
    """The built-in table, with the entries of ``files`` before it."""
    return Prices(price for file in (*files, TABLE) for price in _read(file))


def prompt_bound(request: Request) -> int:
    """No fewer tokens than the prompt has: its UTF-8 bytes, the system prompt's, the template's."""
    texts = (request.prompt, request.system or "", request.score or "")
    return sum(len(text.encode()) for text in texts) + TEMPLATE_TOKENS


def _read(file: Path) -> list[Price]:
    try:
        read = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BudgetError(f"prices {file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BudgetError(f"prices {file}: wanted TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise BudgetError(f"prices {file}: {at}: {first['msg']}") from error
    return [*read.price, *(entry.price() for entry in read.self_served)]


def _plain(model: str) -> str:
    return model.removeprefix("models/")

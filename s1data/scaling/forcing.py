"""Budget forcing (s1 paper, section 3.1): one small loop over any engine.

Thinking goes on until the model ends it. Ended too early, the end is left out and "Wait" put in
its place; at the maximum it is closed by force and an answer asked for. Each request has a state
of its own; `force` asks an engine about all that are still going in one batch.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from pydantic import Field, model_validator

from s1data.frozen import Frozen
from s1data.scaling.marks import Marks

Kind: TypeAlias = Literal["thinking", "wait", "minimum", "close", "final", "answer"]


class Budget(Frozen):
    """How much a model is to think, in tokens that it generates."""

    maximum: int = Field(default=32_000, ge=0)
    """Most thinking tokens; appended texts have their room in it too."""
    minimum: int = Field(default=0, ge=0)
    """Fewest thinking tokens: an end before them is replaced by `text`."""
    waits: int = Field(default=0, ge=0)
    """How often an end is replaced by `text`, wherever it comes."""
    text: str = Field(default="Wait", min_length=1)
    final: str = "Final Answer:"
    """What the answer begins with when thinking was cut; an empty text for nothing."""
    answer: int = Field(default=4_096, ge=1)
    """Most tokens of the answer."""

    @model_validator(mode="after")
    def _possible(self) -> Budget:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is over the maximum {self.maximum}")
        return self

    @property
    def name(self) -> str:
        """A name for files and curves, of what differs from the defaults."""
        parts = [f"max{self.maximum}"]
        parts += [f"min{self.minimum}"] if self.minimum else []
        parts += [f"wait{self.waits}"] if self.waits else []
        return "-".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an engine is asked: go on from here, so far at most, until one of these texts."""

    id: str
    prompt: str
    max_tokens: int
    stop: tuple[str, ...]
    sample: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What an engine gives back."""

    text: str
    tokens: int
    """Generated tokens; of their ids, where the engine has them."""
    hit_limit: bool
    """Whether it ended at a limit and not at a stop text or an end of its own."""
    error: str | None = None
    """Why there is nothing: the request is over."""
    ending: int = 0
    """Of the tokens, those of the stop text or token that ended it; where not known, at most."""


class Engine(Protocol):
    """Whatever continues raw text."""

    def generate(self, calls: Sequence[Call]) -> list[Generated]:
        """One result for each call, in order; never more than ``max_tokens`` of each."""

    def most_tokens(self, text: str) -> int:
        """Tokens that a text has, or a number that it cannot have more than."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what stands behind the prompt, in order: generated, or put in by the loop."""

    kind: Kind
    text: str
    tokens: int = 0
    """Generated tokens; 0 for what was put in."""
    ending: int = 0
    """Of them, those of the mark that ended it, which is not in the text."""


@dataclass(slots=True, kw_only=True)
class Forced:
    """One request's state, and in the end its result."""

    id: str
    sample: int = 0
    pieces: list[Piece] = field(default_factory=list)
    cut: bool = False
    """Whether thinking was ended by force."""
    mute: bool = False
    """Whether the model had nothing to say to a "Wait"."""
    answer_cut: bool = False
    error: str | None = None

    def tokens(self, *kinds: Kind) -> int:
        """Generated tokens of pieces of these kinds."""
        return sum(piece.tokens for piece in self.pieces if piece.kind in kinds)

    @property
    def thought(self) -> int:
        """Thinking tokens without the marks that ended it: what a minimum is of."""
        return sum(piece.tokens - piece.ending for piece in self.pieces if piece.kind == "thinking")

    def count(self, kind: Kind) -> int:
        """Pieces of a kind."""
        return sum(piece.kind == kind for piece in self.pieces)

    def text(self, *kinds: Kind) -> str:
        """The pieces of these kinds, joined."""
        return "".join(piece.text for piece in self.pieces if piece.kind in kinds)

    @property
    def thinking(self) -> str:
        """All between the marks, "Wait" included."""
        return self.text("thinking", "wait", "minimum")

    @property
    def answer(self) -> str:
        """All behind the thinking."""
        return self.text("final", "answer")


def force(
    questions: Mapping[tuple[str, int], str], budget: Budget, marks: Marks, engine: Engine
) -> list[Forced]:
    """Forces a budget on each question, by (id, sample); results in the same order."""
    states = [Forced(id=id_, sample=sample) for id_, sample in questions]
    prompts = [marks.prompt(question) for question in questions.values()]
    going: list[tuple[Generator[Call, Generated, None], Call]] = []
    for state, prompt in zip(states, prompts, strict=True):
        steps = _steps(state, prompt, budget, marks, engine)
        going.append((steps, next(steps)))
    while going:
        results = engine.generate([call for _, call in going])
        still = []
        for (steps, call), result in zip(going, results, strict=True):
            try:
                still.append((steps, steps.send(_kept(result, call))))
            except StopIteration:
                continue
        going = still
    return states


def _kept(got: Generated, call: Call) -> Generated:
    """What an engine gave; a failure where its count could break the budget, or never end it."""
    spoken = _before(got.text, call.stop, cut=False)[0].strip()
    if got.error is not None or (1 if spoken else 0) <= got.tokens <= call.max_tokens:
        return got
    why = f"{got.tokens} tokens counted of {len(got.text):,} characters, {call.max_tokens} allowed"
    return Generated(text="", tokens=0, hit_limit=False, error=f"malformed: {why}")


def _steps(
    state: Forced, prompt: str, budget: Budget, marks: Marks, engine: Engine
) -> Generator[Call, Generated, None]:
    """The calls of one request: takes what was generated, gives what to generate next."""
    yield from _think(state, prompt, budget, marks, engine)
    if state.error is not None:
        return
    # A model that ended its thought itself wrote the line break that stands before the mark.
    closes = marks.closes.removeprefix("\n") if state.thinking.endswith("\n") else marks.closes
    state.pieces.append(Piece("close", closes))
    if state.cut and budget.final:
        state.pieces.append(Piece("final", budget.final))
    whole = prompt + "".join(piece.text for piece in state.pieces)
    got = yield _call(state, whole, budget.answer, marks.answer_ends)
    if got.error is not None:
        state.error = got.error
        return
    text, _ = _before(got.text, marks.answer_ends, cut=got.hit_limit)
    state.answer_cut = got.hit_limit
    state.pieces.append(Piece("answer", text, got.tokens, got.ending))


def _think(
    state: Forced, prompt: str, budget: Budget, marks: Marks, engine: Engine
) -> Generator[Call, Generated, None]:
    left = budget.maximum
    price = engine.most_tokens(budget.text)
    while left > 0:
        whole = prompt + "".join(piece.text for piece in state.pieces)
        got = yield _call(state, whole, left, marks.ends)
        if got.error is not None:
            state.error = got.error
            return
        text, stopped = _before(got.text, marks.ends, cut=got.hit_limit)
        spoken = bool(text.strip())
        waited = bool(state.pieces)
        state.pieces.append(Piece("thinking", text, got.tokens, got.ending))
        left -= got.tokens
        if got.hit_limit and not stopped:
            state.cut = True
            return
        if waited and not spoken:
            state.mute = True
            return
        kind = _goes_on(state, budget)
        if kind is None:
            return
        if left - price <= 0:
            break
        state.pieces.append(Piece(kind, budget.text))
        left -= price
    state.cut = True


def _goes_on(state: Forced, budget: Budget) -> Kind | None:
    """What replaces an end of thinking; None lets it stand."""
    if state.count("wait") < budget.waits:
        return "wait"
    return "minimum" if state.thought < budget.minimum else None


def _call(state: Forced, prompt: str, most: int, stop: tuple[str, ...]) -> Call:
    return Call(id=state.id, sample=state.sample, prompt=prompt, max_tokens=most, stop=stop)


def _before(text: str, stops: tuple[str, ...], *, cut: bool) -> tuple[str, bool]:
    """A text up to its first stop text, and whether there was one: not all engines cut there.

    One that was cut at a limit loses the beginning of a stop text, or of a character, at its end.
    """
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    if places:
        return text[: min(places)], True
    return (_without_part(text, stops) if cut else text), False


def _without_part(text: str, stops: tuple[str, ...]) -> str:
    text = text.rstrip("\ufffd")
    parts = (stop[:size] for stop in stops for size in range(len(stop) - 1, 0, -1))
    longest = max((part for part in parts if text.endswith(part)), key=len, default="")
    return text.removesuffix(longest)

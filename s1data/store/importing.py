"""Replies that were made elsewhere, stored so that a run finds them: never asked, never paid again.

A reply is found by the key of the request that a run would make: the same model settings, the same
prompt. So whoever imports says which model this was, and how the prompt is made of a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from s1data.models import POLICIES, ModelSpec, Outcome, Reply, Request, TraceKind
from s1data.store.tables import BadRow, Row

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "question": ("question", "prompt"),
    "thinking": ("thinking",),
    "answer": ("response", "attempt", "answer"),
    "sample": ("sample",),
}
"""Columns by what they hold, in the order in which they are looked for."""

Given: TypeAlias = Row | BadRow


@dataclass(frozen=True, kw_only=True)
class Import:
    """Whose replies these are, and how a row's request is made."""

    name: str
    """Their origin is ``imported:NAME``."""
    spec: ModelSpec
    prompt: str = "{question}"
    trace_kind: TraceKind = TraceKind.RAW
    """What the thinking is, where no column ``trace_kind`` says it."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns whose names are not among `COLUMNS`, by what they hold."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Rows whose columns have these values; the others are passed over."""


class Importing:
    """Goes through rows once; afterwards it has counted them."""

    def __init__(self, how: Import) -> None:
        self._how = how
        spec = how.spec
        self._settings = {name: getattr(spec, name) for name in spec.model_fields_set}
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self._samples: dict[bytes, int] = {}
        self._keys: set[bytes] = set()
        self.rows = 0
        """All that were looked at."""
        self.passed_over = 0
        self.bad: list[BadRow] = []

    def replies(self, rows: Iterable[Given]) -> Iterator[Reply]:
        """A reply for each row that is one; the others are in ``bad``, each with its reason."""
        for row in rows:
            self.rows += 1
            if isinstance(row, BadRow):
                self.bad.append(row)
                continue
            if any(str(row.values.get(name)) != value for name, value in self._how.only.items()):
                self.passed_over += 1
                continue
            try:
                yield self._reply(row.values)
            except _Bad as error:
                self.bad.append(BadRow(row.where, str(error)))

    def _reply(self, row: Mapping[str, Any]) -> Reply:
        question = self._text(row, "question")
        answer = self._text(row, "answer")
        thinking = self._text(row, "thinking")
        if question is None:
            raise _Bad("it has no question")
        self._check_model(row)
        kind = self._kind(row) if thinking else TraceKind.NONE
        outcome = self._outcome(row, kind, answer)
        request = self._request(question, self._sample(row, question))
        key = bytes.fromhex(request.key)
        if key in self._keys:
            raise _Bad("an earlier row has the same question and sample")
        self._keys.add(key)
        return Reply(
            key=request.key,
            provider=request.provider,
            model=request.model,
            request=request.text,
            outcome=outcome,
            trace_kind=kind,
            thinking=thinking,
            answer=answer,
            origin=f"imported:{self._how.name}",
            asked=self._now,
            sends=0,
            prompt_tokens=_count(row.get("prompt_tokens")),
            thinking_tokens=_count(row.get("thinking_tokens")),
            answer_tokens=_count(row.get("answer_tokens")),
        )

    def _value(self, row: Mapping[str, Any], what: str) -> object:
        if what in self._how.columns:
            return row.get(self._how.columns[what])
        return next((row[name] for name in COLUMNS[what] if name in row), None)

    def _text(self, row: Mapping[str, Any], what: str) -> str | None:
        value = self._value(row, what)
        if isinstance(value, list) and len(value) == 1:  # thinking_trajectories, as s1 wrote them
            value = value[0]
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if not isinstance(value, str):
            raise _Bad(f"its {what} is no text but {_in_words(value)}")
        return value

    def _check_model(self, row: Mapping[str, Any]) -> None:
        model, wanted = row.get("model"), self._how.spec.model
        if isinstance(model, str) and model != wanted and not self._how.only:
            raise _Bad(f"its model is {model}, not {wanted}; pick rows with --only model={model}")

    def _kind(self, row: Mapping[str, Any]) -> TraceKind:
        told = row.get("trace_kind")
        if told is None:
            return self._how.trace_kind
        try:
            return TraceKind(told)
        except ValueError:
            raise _Bad(f"its trace_kind is {told!r}; wanted {', '.join(TraceKind)}") from None

    def _outcome(self, row: Mapping[str, Any], kind: TraceKind, answer: str | None) -> Outcome:
        told = row.get("outcome")
        if told is not None:
            try:
                outcome = Outcome(told)
            except ValueError:
                raise _Bad(f"its outcome {told!r} is none that we know") from None
            if not POLICIES[outcome].settled:
                raise _Bad(f"its outcome {told!r} leaves a request open: there is no reply")
            if POLICIES[outcome].answers and answer is None:
                raise _Bad(f"its outcome is {told!r}, and it has no answer")
            return outcome
        if answer is None:
            raise _Bad("it has no answer")
        thinking = self._how.spec.thinking
        if kind is TraceKind.NONE and thinking is not None and thinking.include:
            return Outcome.OK_WITHOUT_THOUGHTS
        kinds = {TraceKind.SUMMARY: Outcome.SUMMARY, TraceKind.LEAKED: Outcome.LEAKED_THOUGHTS}
        return kinds.get(kind, Outcome.OK)

    def _sample(self, row: Mapping[str, Any], question: str) -> int:
        """As the row says, else how many rows before it have the same question."""
        told = self._value(row, "sample")
        if told is None:
            digest = question.encode("utf-8", "replace")
            sample = self._samples.get(digest, 0)
            self._samples[digest] = sample + 1
            return sample
        if (count := _count(told)) is None:
            raise _Bad(f"its sample is {told!r}; wanted a number from 0")
        return count

    def _request(self, question: str, sample: int) -> Request:
        prompt = self._how.prompt.replace("{question}", question)
        try:
            return Request(**(self._settings | {"sample": sample}), prompt=prompt)
        except (ValidationError, UnicodeEncodeError) as error:
            said = str(error).splitlines()[-1].strip()
            raise _Bad(f"no request can be made of it: {said}") from None


class _Bad(ValueError):  # noqa: N818 - it becomes a line of the report
    """What is wrong with a row."""


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(str(value)) if fits else None


def _in_words(value: object) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__

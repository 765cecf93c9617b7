"""What a model is to learn from a set: for each row a prompt, and what is to come behind it.

A set is a run, a published set, or a file that `s1data export` wrote, in any of its formats. The
chat template renders prompts only: what the assistant says is put behind them as text, so that no
template can drop a part of it in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError, RecipeError, RunError
from s1data.export.control import Control
from s1data.export.formats import s1_content, thinking_in_tags
from s1data.export.samples import Sample, check, samples
from s1data.export.templates import Template, opens_thinking
from s1data.hub.fetching import open_set
from s1data.published import SCHEME
from s1data.run import Run
from s1data.scaling import prompting, rows
from s1data.scaling.prompting import Layout, check_place

_S1_OPENS: Final = "<|im_start|>think\n"
_S1_CLOSES: Final = "\n<|im_start|>answer\n"
_TAG_CLOSES: Final = "</think>"
COLUMNS: Final = ("text", "prompt", "messages", "conversations")
"""A file's format is told by which of these columns it has."""
_OTHERS: Final = (".csv", ".tsv", ".json", ".txt", ".gz", ".zst", ".arrow")
"""Endings of files that are not read, also where there is none by that name."""
_PLACE: Final = "{question}"
_OPENS: Final = "<think>"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row: ``completion`` is thinking and answer, without the token that ends a turn."""

    id: str
    prompt: str
    completion: str


def read(
    target: str, layout: Layout, template: Template, lost: dict[str, int] | None = None
) -> Iterator[Lesson]:
    """The lessons of a run, a published set, or a .jsonl or .parquet file of `s1data export`.

    ``layout`` says how the rows of a run are written; a file has its own. ``lost`` counts the rows
    and traces of a run that give no lesson, by reason, as export does. PoolError where there is
    no such set, and for the row of a file that is not as export writes it, by name.
    """
    path = Path(target)
    if path.suffix not in rows.SUFFIXES:
        found = _open(target).selected
        check(found.schema, target)
        yield from of_rows(found, layout, template, {} if lost is None else lost)
        return
    kind = ""
    asked = _Asked(template)
    for name, row in rows.of_file(path):
        kind = kind or _kind(path, row, template)
        lesson = _lesson(name, row, kind, template, asked)
        _hold(lesson, path, template)
        yield lesson


def _open(target: str) -> Run:
    path = Path(target)
    if path.is_file() or path.suffix.lower() in _OTHERS:
        raise PoolError(
            f"{target}: wanted a run's directory, a published set, or a file of s1data export "
            f"({' or '.join(rows.SUFFIXES)}), got a name that ends in {path.suffix}"
        )
    try:
        return open_set(target)
    except RunError as error:
        # A run that cannot be used is its own trouble; where there is none the call is wrong.
        if target.startswith(SCHEME) or (path / "pipeline.yaml").is_file():
            raise
        raise PoolError(str(error)) from error


def _kind(path: Path, row: Mapping[str, Any], template: Template) -> str:
    """The format of a file, by its first row."""
    kind = next((name for name in COLUMNS if name in row), None)
    if kind is None:
        raise PoolError(
            f"{path}: wanted a file of s1data export, which has a column of "
            f"{', '.join(COLUMNS)}; got {', '.join(row) or 'no column'}"
        )
    if kind == "text":
        check_place(template, "s1")
    return kind


def of_rows(
    frame: pl.DataFrame, layout: Layout, template: Template, lost: dict[str, int]
) -> Iterator[Lesson]:
    """The lessons of a run's rows; texts with control tokens of their own are left out.

    ``lost`` is counted up by reason.
    """
    check_place(template, layout)
    found, none = samples(frame, "best", Control(template.special(), tags=layout != "s1"))
    for reason, count in none.items():
        lost[reason] = lost.get(reason, 0) + count
    for sample in found:
        said = s1_content(sample) if layout == "s1" else thinking_in_tags(sample)
        yield _behind(sample.id, [{"role": "user", "content": sample.question}], said, template)


class _Asked:
    """Checks the questions of rows; in a prompt that is text already, where the template has it."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.control = Control(template.special(), tags=False)
        self._around: list[tuple[str, str]] = []
        self._after = template.prompt([{"role": "user", "content": "?"}]).rpartition("?")[2]

    def check(self, lesson: Lesson) -> Lesson:
        """The lesson; PoolError for a question that is blank or holds a control token."""
        question = self._question(lesson)
        if question is not None:
            rows.check_question(lesson.id, question, self.control)
        elif not lesson.prompt.strip():
            rows.check_question(lesson.id, "", self.control)
        return lesson

    def _question(self, lesson: Lesson) -> str | None:
        """None where the prompt is none that the chat template writes."""
        for before, after in self._around:
            if lesson.prompt.startswith(before) and lesson.prompt.endswith(after):
                return lesson.prompt[len(before) : len(lesson.prompt) - len(after)]
        found = prompting.trained([(lesson.prompt, lesson.completion)], self.template)
        if found is None and lesson.prompt.endswith(self._after):
            # No prompt is known by an empty question: look where one would stand.
            asked = lesson.prompt.removesuffix(self._after) + "?" + self._after
            found = prompting.trained([(asked, lesson.completion)], self.template)
        if found is None:
            return None
        before, _, after = found.marks.template.partition(_PLACE)
        self._around.append((before, after))
        return self._question(lesson)


def _lesson(
    name: str, row: Mapping[str, Any], kind: str, template: Template, asked: _Asked
) -> Lesson:
    if kind == "text":
        return asked.check(_of_text(name, rows.text(name, row, "text"), template))
    if kind == "prompt" and isinstance(row.get("prompt"), str):
        said = _open_ended(name, rows.text(name, row, "completion"), template)
        return asked.check(Lesson(name, row["prompt"], said))
    *before, last = rows.conversation(name, row, kind)
    rows.check_asked(name, before, asked.control)
    return _behind(name, [_plain(turn) for turn in before], _said(name, last), template)


def _of_text(name: str, text: str, template: Template) -> Lesson:
    """s1's text: all before the thinking is the prompt, so that no loss falls on the question."""
    if text.count(_S1_OPENS) != 1:
        raise PoolError(
            f"{name}: wanted one {_S1_OPENS.strip()} in the column text, got "
            f"{text.count(_S1_OPENS)}: where the prompt ends cannot be told; export it as "
            "prompt-completion"
        )
    at = text.index(_S1_OPENS)
    return Lesson(name, text[:at], _open_ended(name, text[at:], template))


def _open_ended(name: str, text: str, template: Template) -> str:
    """Without the end of turn, and without what a template writes behind it (a second end)."""
    bare = text.rstrip()
    specials = sorted(template.tokenizer.all_special_tokens, key=len, reverse=True)
    end = next((token for token in specials if token and bare.endswith(token)), None)
    if end is None:
        return text
    if end != template.end:
        raise PoolError(
            f"{name}: ends with {end!r}, and a turn of {template.name} with {template.end!r}: "
            "export again with the model's own --tokenizer"
        )
    return bare.removesuffix(end)


def _said(name: str, turn: Mapping[str, Any]) -> str:
    thinking = turn.get("reasoning_content")
    if thinking is None:
        return str(turn["content"])
    return thinking_in_tags(Sample(name, "", str(thinking), str(turn["content"])))


def _behind(name: str, asked: Iterable[dict[str, str]], said: str, template: Template) -> Lesson:
    turns = list(asked)
    try:
        prompt = template.prompt(turns)
    except RecipeError as error:
        raise PoolError(f"{name}: {error}") from error
    if any(turn["content"].strip() not in prompt for turn in turns):
        raise PoolError(
            f"{name}: the chat template of {template.name} changes the question; drop the row, or "
            "take another template with --tokenizer"
        )
    if opens_thinking(prompt) and said.startswith(_OPENS):
        said = said.removeprefix(_OPENS).removeprefix("\n")
    return Lesson(name, prompt, said)


def _plain(turn: Mapping[str, Any]) -> dict[str, str]:
    return {"role": str(turn["role"]), "content": str(turn["content"])}


def _hold(lesson: Lesson, path: Path, template: Template) -> None:
    """PoolError unless thinking and answer are there, told apart by their marks, and plain text."""
    s1 = lesson.completion.startswith(_S1_OPENS)
    opening, mark = (_S1_OPENS, _S1_CLOSES) if s1 else (_OPENS, _TAG_CLOSES)
    thinking, _, answer = lesson.completion.partition(mark)
    opened = opens_thinking(lesson.prompt)
    if thinking.startswith(opening) == opened and mark in lesson.completion:
        raise PoolError(
            f"{path}: {lesson.id}: wanted {_OPENS} once before the thinking, got "
            + (f"{opening.strip()} behind a prompt that opens it" if opened else "none")
            + ": mend the row, or export it again with the model's own --tokenizer"
        )
    thinking = thinking.removeprefix(opening)
    for part, text in (("thinking", thinking), ("answer", answer)):
        if mark not in lesson.completion or not text.strip():
            raise PoolError(
                f"{path}: {lesson.id}: wanted thinking, {mark.strip()} and an answer, got no "
                f"{part}: was it dropped by a chat template? s1data export says so"
            )
    control = Control(template.special(), tags=not s1)
    if control.in_trace(thinking, answer):
        raise PoolError(
            f"{path}: {lesson.id}: its thinking or answer holds {next(iter(control.met))!r} of its "
            "own, which would teach to end there; drop the row, or mend it"
        )

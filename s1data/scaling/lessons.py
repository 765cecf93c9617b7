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

from s1data.errors import PoolError
from s1data.export.control import Control
from s1data.export.formats import s1_content, thinking_in_tags
from s1data.export.samples import Sample, check, samples
from s1data.export.templates import Template, opens_thinking
from s1data.hub.fetching import open_set
from s1data.scaling.prompting import Layout, check_place

_S1_OPENS: Final = "<|im_start|>think\n"
_S1_CLOSES: Final = "\n<|im_start|>answer\n"
_TAG_CLOSES: Final = "</think>"
COLUMNS: Final = ("text", "prompt", "messages", "conversations")
"""A file's format is told by which of these columns it has."""
_SPEAKERS: Final = {"human": "user", "gpt": "assistant"}


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
    and traces of a run that give no lesson, by reason, as export does. PoolError names the row
    that has no thinking or no answer, more than one beginning, or another token at its end than
    the template has.
    """
    path = Path(target)
    if path.suffix not in (".jsonl", ".parquet"):
        rows = open_set(target).selected
        check(rows.schema, target)
        yield from of_rows(rows, layout, template, {} if lost is None else lost)
        return
    frame = _file(path)
    kind = next((name for name in COLUMNS if name in frame.columns), None)
    if kind is None:
        raise PoolError(
            f"{path}: wanted a file of s1data export, which has a column of "
            f"{', '.join(COLUMNS)}; got {', '.join(frame.columns)}"
        )
    if kind == "text":
        check_place(template, "s1")
    for number, row in enumerate(frame.iter_rows(named=True), 1):
        name = str(row.get("id") or f"row {number}")
        lesson = _lesson(name, row, kind, template)
        _hold(lesson, path)
        yield lesson


def of_rows(
    rows: pl.DataFrame, layout: Layout, template: Template, lost: dict[str, int]
) -> Iterator[Lesson]:
    """The lessons of a run's rows; texts with control tokens of their own are left out.

    ``lost`` is counted up by reason.
    """
    check_place(template, layout)
    found, none = samples(rows, "best", Control(template.special(), tags=layout != "s1"))
    for reason, count in none.items():
        lost[reason] = lost.get(reason, 0) + count
    for sample in found:
        said = s1_content(sample) if layout == "s1" else thinking_in_tags(sample)
        yield _behind(sample.id, [{"role": "user", "content": sample.question}], said, template)


def _file(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise PoolError(f"{path}: wanted a file of s1data export or a run's directory, got nothing")
    try:
        read = pl.read_parquet if path.suffix == ".parquet" else pl.read_ndjson
        return read(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PoolError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _lesson(name: str, row: Mapping[str, Any], kind: str, template: Template) -> Lesson:
    if kind == "text":
        return _of_text(name, _text(name, row, "text"), template)
    if kind == "prompt" and isinstance(row["prompt"], str):
        said = _text(name, row, "completion")
        return Lesson(name, row["prompt"], _open_ended(name, said, template))
    if kind == "prompt":
        turns = [*_turns(name, row, "prompt"), *_turns(name, row, "completion")]
    elif kind == "messages":
        turns = _turns(name, row, "messages")
    else:
        turns = _of_sharegpt(name, row)
    *before, last = turns
    if last["role"] != "assistant":
        raise PoolError(f"{name}: wanted an assistant's turn at the end, got {last['role']}")
    if not before:
        raise PoolError(f"{name}: wanted a question before the assistant's turn, got none")
    return _behind(name, [_plain(turn) for turn in before], _said(name, last), template)


def _text(name: str, row: Mapping[str, Any], column: str) -> str:
    if isinstance(text := row.get(column), str):
        return text
    raise PoolError(f"{name}: wanted a text in the column {column}, got {_kind(text)}; mend it")


def _turns(
    name: str, row: Mapping[str, Any], column: str, keys: tuple[str, str] = ("role", "content")
) -> list[dict[str, Any]]:
    """The turns in a column, each with who speaks and what, as texts."""
    found = row.get(column)
    if not isinstance(found, list) or not found:
        raise PoolError(f"{name}: wanted turns in {column}, got {_kind(found)}; drop the row")
    for number, turn in enumerate(found, 1):
        if not isinstance(turn, dict):
            raise PoolError(
                f"{name}: wanted turns with {' and '.join(keys)} in {column}, got {_kind(turn)}"
            )
        for key in keys:
            if not isinstance(turn.get(key), str):
                raise PoolError(
                    f"{name}: turn {number} of {column} has {_kind(turn.get(key))} for {key}; "
                    "wanted a text: mend it, or drop the row"
                )
    return list(found)


def _kind(value: object) -> str:
    """What a value is, for a message."""
    if value is None:
        return "nothing"
    if value in ([], ""):
        return "an empty list" if value == [] else "an empty text"
    names = ((str, "a text"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")


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
    prompt = template.prompt(turns)
    if any(turn["content"].strip() not in prompt for turn in turns):
        raise PoolError(
            f"{name}: the chat template of {template.name} changes the question; drop the row, or "
            "take another template with --tokenizer"
        )
    if opens_thinking(prompt):
        said = said.removeprefix("<think>\n")
    return Lesson(name, prompt, said)


def _plain(turn: Mapping[str, Any]) -> dict[str, str]:
    return {"role": str(turn["role"]), "content": str(turn["content"])}


def _of_sharegpt(name: str, row: Mapping[str, Any]) -> list[dict[str, str]]:
    head = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    return head + [
        {"role": _SPEAKERS.get(turn["from"], turn["from"]), "content": turn["value"]}
        for turn in _turns(name, row, "conversations", ("from", "value"))
    ]


def _hold(lesson: Lesson, path: Path) -> None:
    """PoolError unless thinking and answer are both there, told apart by their marks."""
    mark = _S1_CLOSES if lesson.completion.startswith(_S1_OPENS) else _TAG_CLOSES
    thinking, _, answer = lesson.completion.partition(mark)
    for opening in (_S1_OPENS, "<think>"):
        thinking = thinking.removeprefix(opening)
    for part, text in (("thinking", thinking), ("answer", answer)):
        if mark not in lesson.completion or not text.strip():
            raise PoolError(
                f"{path}: {lesson.id}: wanted thinking, {mark.strip()} and an answer, got no "
                f"{part}: was it dropped by a chat template? s1data export says so"
            )

"""The rows of an exported file, and the turns in them: what is there, or one line on what is not.

JSON Lines are read one by one, so that a broken one is named and none sets the types of others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError
from s1data.export.control import Control

SUFFIXES: Final = (".jsonl", ".parquet")
_ROLES: Final = ("system", "developer", "user", "assistant", "tool")
_SPEAKERS: Final = {"human": "user", "gpt": "assistant"}


def of_file(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its name: its id, or its place; PoolError for a broken one, or none at all."""
    if not path.is_file():
        raise PoolError(f"{path}: wanted a file of s1data export or a run's directory, got nothing")
    found = _parquet(path) if path.suffix == ".parquet" else _json_lines(path)
    place = ""
    for place, row in found:
        yield str(row.get("id") or place), row
    if not place:
        raise PoolError(f"{path}: wanted rows of s1data export, got no row")


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PoolError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    for number, row in enumerate(frame.iter_rows(named=True), 1):
        yield f"row {number}", row


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"line {number}", _object(line, f"{path}: line {number}")
    except OSError as error:
        raise PoolError(f"{path}: cannot be read: {error.strerror}") from error


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
        if b"\\u" in line:
            # Half a pair of surrogates is no text that a tokenizer takes.
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise PoolError(f"{where}: wanted one JSON object in UTF-8, got none: {said}") from error
    if not isinstance(row, dict):
        raise PoolError(f"{where}: wanted one JSON object, got {kind(row)}")
    return row


def kind(value: object) -> str:
    """What a value is, for a message."""
    if value is None:
        return "nothing"
    if value in ([], ""):
        return "an empty list" if value == [] else "an empty text"
    names = (
        (str, "a text"), (list, "a list"), (dict, "an object"), (bool, "true or false"),
        (bytes, "bytes"),
    )  # fmt: skip
    return next((name for type_, name in names if isinstance(value, type_)), "a number")


def text(name: str, row: Mapping[str, Any], column: str) -> str:
    """The text in a column."""
    if isinstance(found := row.get(column), str):
        return found
    raise PoolError(f"{name}: wanted a text in the column {column}, got {kind(found)}; mend it")


def conversation(name: str, row: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    """The turns of a row in one of the shapes that have some: questions, then the assistant's."""
    if column == "prompt":
        found = [*_turns(name, row, "prompt"), *_turns(name, row, "completion")]
    elif column == "messages":
        found = _turns(name, row, "messages")
    else:
        found = _of_sharegpt(name, row)
    for number, turn in enumerate(found, 1):
        if turn["role"] not in _ROLES:
            raise PoolError(
                f"{name}: turn {number} is spoken by {turn['role'][:40]!r}; wanted one of "
                f"{', '.join((*_ROLES, *_SPEAKERS) if column == 'conversations' else _ROLES)}"
            )
    if found[-1]["role"] != "assistant":
        raise PoolError(f"{name}: wanted an assistant's turn at the end, got {found[-1]['role']}")
    return found


def check_asked(name: str, turns: list[dict[str, Any]], control: Control) -> None:
    """PoolError unless the turns before the last ask something, without control tokens inside."""
    asked = [turn["content"] for turn in turns if turn["role"] == "user"]
    if not asked:
        raise PoolError(f"{name}: wanted a question before the assistant's turn, got none")
    for one in asked:
        check_question(name, one, control)
    for turn in turns:
        check_question(name, turn["content"] or "-", control, turn["role"])


def check_question(name: str, said: str, control: Control, role: str = "user") -> None:
    """PoolError for a blank question, and for one with a control token inside."""
    if role == "user" and not said.strip():
        raise PoolError(f"{name}: wanted a question, got an empty one; drop the row, or mend it")
    if control.in_question(said):
        raise PoolError(
            f"{name}: a turn of the {role} holds the control token {next(iter(control.met))!r}; "
            "drop the row, or mend it (a conversation of several turns: export it as messages)"
        )


def _turns(
    name: str, row: Mapping[str, Any], column: str, keys: tuple[str, str] = ("role", "content")
) -> list[dict[str, Any]]:
    """The turns in a column, each with who speaks and what, as texts."""
    found = row.get(column)
    if not isinstance(found, list) or not found:
        raise PoolError(f"{name}: wanted turns in {column}, got {kind(found)}; drop the row")
    for number, turn in enumerate(found, 1):
        if not isinstance(turn, dict):
            raise PoolError(
                f"{name}: wanted turns with {' and '.join(keys)} in {column}, got {kind(turn)}"
            )
        for key in keys:
            _check_text(name, turn.get(key), key, f"turn {number} of {column}")
        if turn.get("reasoning_content") is not None:
            _check_text(
                name, turn["reasoning_content"], "reasoning_content", f"turn {number} of {column}"
            )
    return list(found)


def _check_text(name: str, found: object, key: str, where: str) -> None:
    if not isinstance(found, str):
        raise PoolError(
            f"{name}: {where} has {kind(found)} for {key}; wanted a text: mend it, or drop the row"
        )


def _of_sharegpt(name: str, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    system = row.get("system")
    if system is not None and not isinstance(system, str):
        raise PoolError(f"{name}: wanted a text in the column system, got {kind(system)}; mend it")
    head = [{"role": "system", "content": system}] if system else []
    return head + [
        {"role": _SPEAKERS.get(turn["from"], turn["from"]), "content": turn["value"]}
        for turn in _turns(name, row, "conversations", ("from", "value"))
    ]

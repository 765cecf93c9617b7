"""Files of lines that appear when they are whole, and what LLaMA-Factory wants beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import polars as pl

from s1data.checkpoint import settle
from s1data.errors import RunError
from s1data.export.formats import Line
from s1data.hub import shards


class Writer:
    """A file of lines that appears when it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._part = path.with_name(path.name + ".part")
        self._file: Any = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.suffix == ".jsonl":
                self._file = self._part.open("w", encoding="utf-8")
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from error
        return self

    def write(self, lines: list[Line]) -> None:
        self.lines += len(lines)
        if self.path.suffix == ".jsonl":
            self._file.writelines(_one_line(line) for line in lines)
        elif lines:
            frame = pl.DataFrame(lines, infer_schema_length=None)
            self._file = shards.append(frame, self._part, self._file)

    def __exit__(self, kind: object, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if kind is None and self._file is not None:
            settle(self._part, self.path)
        else:
            self._part.unlink(missing_ok=True)


def _one_line(line: Line) -> str:
    """JSON without any character that some reader takes for the end of a line."""
    text = json.dumps(line, ensure_ascii=False)
    for char in "\x85\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text + "\n"


def write_dataset_info(paths: list[Path]) -> None:
    """LLaMA-Factory reads which file is what from a ``dataset_info.json`` beside it."""
    columns = {"messages": "conversations", "system": "system"}
    about = {
        path.stem: {"file_name": path.name, "formatting": "sharegpt", "columns": columns}
        for path in paths
    }
    file = paths[0].with_name("dataset_info.json")
    text = file.read_text(encoding="utf-8") if file.is_file() else "{}"
    try:
        known = json.loads(text)
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise RunError(f"{file}: is no JSON object; move it away, or export to another folder")
    file.write_text(json.dumps({**known, **about}, indent=2) + "\n", encoding="utf-8")

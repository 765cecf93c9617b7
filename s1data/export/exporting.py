"""From a set to training files: samples chosen, lines made, written, and their lengths counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from s1data.checkpoint import settle
from s1data.errors import RecipeError, RunError, nearest
from s1data.export import splitting
from s1data.export.formats import FORMATS, QWEN_SYSTEM, Format, Line
from s1data.export.lengths import Lengths
from s1data.export.samples import Choice, Sample, check, samples
from s1data.export.templates import Template, marked
from s1data.hub import shards
from s1data.hub.published_set import PublishedSet
from s1data.run import Run

BATCH: Final = 256
"""Samples in memory at once: traces of a megabyte are seen."""
ENDINGS: Final = (".jsonl", ".parquet")
WHOLE: Final = "default"
NO_SYSTEM: Final = "none"


@dataclass(frozen=True)
class Options:
    """How a set is exported."""

    format: str = "think"
    """A key of `FORMATS`."""
    tokenizer: str | Template | None = None
    """Name, folder or object: its chat template renders texts, its tokens are counted."""
    system: str = WHOLE
    """``default``: no system message, so whatever the template does; ``none``: surely none; or the
    text of one."""
    samples: Choice = "best"
    validation: float = 0.0
    """Share of rows for a second file; near-duplicates are never split."""
    seed: int = 0
    block_size: int | None = None
    """Tokens in a training block, to say what it cuts."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: Mapping[str, int]
    """Path to samples in it."""
    lost: Mapping[str, int]
    """How many rows or traces gave no sample, by reason."""
    system: str
    """The system prompt that a model will see, in words."""
    lengths: Lengths | None
    warnings: tuple[str, ...] = ()
    block_size: int | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        lengths = None if self.lengths is None else self.lengths.as_dict(self.block_size)
        return {
            **vars(self),
            "files": dict(self.files),
            "lost": dict(self.lost),
            "lengths": lengths,
        }


def export(source: Run | pl.DataFrame, out: str | Path, options: Options | None = None) -> Exported:
    """Writes the samples of a run, a published set or a frame to ``out`` (.jsonl or .parquet).

    A frame needs ``id``, ``question`` and ``traces`` with ``thinking`` and ``answer``. With a
    ``validation`` share a second file stands beside it, ``NAME-validation``.

    Raises RecipeError where the call is wrong, PoolError where there are no traces with texts.
    """
    how, path = options or Options(), Path(out)
    if how.format not in FORMATS:
        raise RecipeError(
            f"format {how.format}: wanted one of {', '.join(FORMATS)}{nearest(how.format, FORMATS)}"
        )
    if path.suffix not in ENDINGS:
        raise RecipeError(f"{path}: wanted a file ending in {' or '.join(ENDINGS)}")
    if not 0 <= how.validation < 1:
        raise RecipeError(f"validation: wanted a share from 0 to below 1, got {how.validation}")
    template = how.tokenizer
    if isinstance(template, str):
        template = Template.load(template)
    return _Export(_Rows(source), path, how, template).run()


class _Rows:
    """The rows of a set, a batch at a time, as often as they are wanted."""

    def __init__(self, source: Run | pl.DataFrame) -> None:
        self._frame = source if isinstance(source, pl.DataFrame) else None
        self._files: list[Path] = []
        if isinstance(source, Run):
            source.check()
        if isinstance(source, PublishedSet):
            self._files = source.files("default")
        elif isinstance(source, Run):
            self._files = [source.file("selected.parquet")]
        first = next(iter(self.batches()))
        check(
            first.schema, "frame" if self._frame is not None else str(getattr(source, "path", ""))
        )

    def batches(self) -> Iterator[pl.DataFrame]:
        if self._frame is not None:
            yield from self._frame.iter_slices(BATCH)
            if self._frame.is_empty():
                yield self._frame
        for path in self._files:
            yield from shards.read(path, BATCH)

    def questions(self) -> pl.DataFrame:
        if self._frame is not None:
            return self._frame.select("id", "question")
        return pl.scan_parquet(self._files, glob=False).select("id", "question").collect()


class _Export:
    def __init__(self, rows: _Rows, path: Path, how: Options, template: Template | None) -> None:
        self.rows = rows
        self.path = path
        self.how = how
        self.template = template
        self.format: Format = FORMATS[how.format]
        self.system = self._system()
        self.lengths: list[int] = []

    def _system(self) -> str | None:
        if self.how.system == WHOLE:
            return None
        if self.how.system != NO_SYSTEM:
            return self.how.system
        own = self.template is None or self.template.adds_a_system_prompt()
        # An empty message keeps a template from writing its own; s1's text has Qwen's.
        return "" if own and (self.template is not None or self.how.format == "s1") else None

    def run(self) -> Exported:
        held_out: set[str] = set()
        if self.how.validation:
            held_out = splitting.validation_ids(
                self.rows.questions(), self.how.validation, self.how.seed
            )
        beside = self.path.with_name(f"{self.path.stem}-validation{self.path.suffix}")
        paths = [self.path, beside] if self.how.validation else [self.path]
        lost: dict[str, int] = {}
        with ExitStack() as stack:
            writers = [stack.enter_context(_Writer(path)) for path in paths]
            for rows in self.rows.batches():
                found, none = samples(rows, self.how.samples)
                for reason, n in none.items():
                    lost[reason] = lost.get(reason, 0) + n
                for writer, which in zip(writers, (False, True), strict=False):
                    self._write(writer, [s for s in found if (s.id in held_out) is which])
            counts = {str(w.path): w.lines for w in writers}
            if not sum(counts.values()):
                raise RunError(f"{self.path}: no row has a trace with thinking and answer: {lost}")
        if self.how.format == "sharegpt":
            _write_dataset_info(paths)
        known = self.template is not None
        return Exported(
            counts, lost, self._system_in_words(),
            Lengths(self.lengths, f"the tokenizer {self.template.name}") if self.template else None,
            tuple(self._warnings() if known else ()), self.how.block_size,
        )  # fmt: skip

    def _write(self, writer: _Writer, some: list[Sample]) -> None:
        for start in range(0, len(some), BATCH):
            part = some[start : start + BATCH]
            lines = [self.format.line(s, self.system, self.template) for s in part]
            writer.write(lines)
            if self.template is not None:
                self.lengths += self.template.lengths(
                    [self._text(s, line) for s, line in zip(part, lines, strict=True)]
                )

    def _text(self, sample: Sample, line: Line) -> str:
        if self.format.messages is not None and self.template is not None:
            return self.template.text(self.format.messages(sample, self.system))
        return str(line["text"] if "text" in line else line["prompt"] + line["completion"])

    def _system_in_words(self) -> str:
        if self.how.system not in (WHOLE, NO_SYSTEM):
            return repr(self.how.system)
        if self.how.system == NO_SYSTEM:
            return "none"
        if self.template is not None:
            own = self.template.own_system()
            if self.template.adds_a_system_prompt():
                return f"the template's own; every text begins with {own!r}"
            return "none is written, and the template adds none"
        if self.how.format == "s1":
            return f"Qwen's default, as in s1: {QWEN_SYSTEM!r}"
        return "none is written; the trainer's template may add its own"

    def _warnings(self) -> Iterator[str]:
        template = self.template
        if template is None:
            return
        if self.format.messages is not None:
            probe = Sample("", "?", marked(), "!")
            if template.loses_thinking(self.format.messages(probe, self.system)):
                yield (
                    f"the chat template of {template.name} drops the thinking of the format "
                    f"{self.how.format}: a model trained so never sees it; take another format "
                    "(s1 and prompt-completion are text) or another template"
                )
        if self.how.format == "prompt-completion" and template.end != template.tokenizer.eos_token:
            yield (
                f"a turn ends with {template.end!r}, but the tokenizer's end token is "
                f"{template.tokenizer.eos_token!r}: set eos_token={template.end!r} in TRL's "
                "SFTConfig, or it adds a second one"
            )


class _Writer:
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


def _write_dataset_info(paths: list[Path]) -> None:
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

"""From a set to training files: samples chosen, lines made, written, and their lengths counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import RecipeError, RunError, nearest
from s1data.export import splitting
from s1data.export.control import Control
from s1data.export.formats import FORMATS, QWEN_SYSTEM, Format, Line
from s1data.export.lengths import Lengths
from s1data.export.samples import Choice, Sample, Special, check, samples
from s1data.export.templates import Template, marked, opens_thinking
from s1data.export.writing import Writer, write_dataset_info
from s1data.hub import shards
from s1data.hub.published_set import PublishedSet
from s1data.run import Run

BATCH: Final = 256
"""Samples in memory at once: traces of a megabyte are seen."""
ENDINGS: Final = (".jsonl", ".parquet")
WHOLE: Final = "default"
NO_SYSTEM: Final = "none"
_PROBE: Final = ({"role": "user", "content": "?"},)


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
    special: Special = "drop"
    """What becomes of samples whose texts hold control tokens or think tags of their own."""


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
    rehearsal: bool = False
    """Whether the texts are an emulator's: nothing to train on."""
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
    if how.block_size is not None and how.tokenizer is None:
        raise RecipeError("block_size: needs a tokenizer to count tokens with; give one as well")
    template = how.tokenizer
    if isinstance(template, str):
        template = Template.load(template, chat=how.format != "s1")
    elif template is not None and not template.chat and how.format != "s1":
        raise template.without_chat()
    return _Export(_Rows(source), path, how, template).run()


class _Rows:
    """The rows of a set, a batch at a time, as often as they are wanted."""

    def __init__(self, source: Run | pl.DataFrame) -> None:
        self._frame = source if isinstance(source, pl.DataFrame) else None
        self._files: list[Path] = []
        self.rehearsal = False
        if isinstance(source, Run):
            source.check()
            self.rehearsal = source.rehearsed
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
        self.tokens = template
        self.template = template if template is not None and template.chat else None
        self.format: Format = FORMATS[how.format]
        self.control = Control(template.special() if template else (), tags=how.format != "s1")
        self.system = self._system()
        self.lengths: list[int] = []
        self.unsaid = 0

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
            writers = [stack.enter_context(Writer(path)) for path in paths]
            for rows in self.rows.batches():
                found, none = samples(rows, self.how.samples, self.control, self.how.special)
                for reason, n in none.items():
                    lost[reason] = lost.get(reason, 0) + n
                for writer, which in zip(writers, (False, True), strict=False):
                    self._write(writer, [s for s in found if (s.id in held_out) is which])
            counts = {str(w.path): w.lines for w in writers}
            if not sum(counts.values()):
                raise RunError(f"{self.path}: no row has a trace with thinking and answer: {lost}")
        if self.how.format == "sharegpt":
            write_dataset_info(paths)
        empty = [f"{path}: no sample is in it" for path, n in counts.items() if not n]
        return Exported(
            counts, lost, self._system_in_words(),
            Lengths(self.lengths, f"the tokenizer {self.tokens.name}") if self.tokens else None,
            (*self._of_content(), *self._warnings(), *empty), self.rows.rehearsal,
            self.how.block_size,
        )  # fmt: skip

    def _write(self, writer: Writer, some: list[Sample]) -> None:
        for start in range(0, len(some), BATCH):
            part = some[start : start + BATCH]
            lines = [self.format.line(s, self.system, self.template) for s in part]
            writer.write(lines)
            if self.tokens is not None:
                texts = [self._text(s, line) for s, line in zip(part, lines, strict=True)]
                self.lengths += self.tokens.lengths(texts)
                self.unsaid += sum(
                    s.thinking not in text or s.answer not in text
                    for s, text in zip(part, texts, strict=True)
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

    def _of_content(self) -> Iterator[str]:
        if self.rows.rehearsal:
            yield (
                "the run is a rehearsal: its texts are an emulator's, not a model's; "
                "do not train on them"
            )
        if self.control.met:
            done = "left out; --special keep takes them" if self.how.special == "drop" else "kept"
            yield (
                f"control tokens or think tags inside the texts ({self.control.in_words()}): "
                f"such samples are {done}"
            )

    def _warnings(self) -> Iterator[str]:
        template = self.template
        if template is None:
            return
        if self.how.format == "s1" and opens_thinking(template.prompt(_PROBE)):
            yield (
                f"the chat template of {template.name} opens <think> itself: who is asked by it "
                "is asked otherwise than this text says; take another format than s1"
            )
        if self.format.messages is not None:
            probe = Sample("", "?", marked(), "!")
            loses = template.loses_thinking(self.format.messages(probe, self.system))
            if self.unsaid and not loses:
                yield (
                    f"the chat template of {template.name} leaves out or changes a part of "
                    f"{self.unsaid:,} samples, which the lengths therefore do not count"
                )
            if loses:
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

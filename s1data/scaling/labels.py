"""From lessons to labelled tokens, and the proof that the loss is where it should be.

Prompt and completion become tokens apart, as at inference, where the prompt stands alone. Labels
are -100 on the prompt; on thinking, answer and one end token they are the tokens themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from s1data.errors import PoolError, RunError
from s1data.scaling.lessons import Lesson

if TYPE_CHECKING:
    from datasets import Dataset

IGNORED: Final = -100
"""A label without loss, as torch has it."""
_BATCH: Final = 256


@dataclass(frozen=True)
class Labelled:
    """The rows to train on, and those that a block would cut."""

    lessons: list[Lesson]
    ids: list[array[int]]
    prompts: list[int]
    """Tokens of each row's prompt."""
    cut: Mapping[str, int]
    """Tokens of the rows that are longer than a block, by id; they are left out."""

    @property
    def tokens(self) -> int:
        """Tokens of one epoch."""
        return sum(map(len, self.ids))

    @property
    def learnt(self) -> int:
        """Tokens of one epoch with a loss."""
        return self.tokens - sum(self.prompts)

    def labels(self) -> Iterator[array[int]]:
        """Of each row, in order."""
        for ids, asked in zip(self.ids, self.prompts, strict=True):
            yield array("i", [IGNORED]) * asked + ids[asked:]

    def dataset(self) -> Dataset:
        """What a trainer reads: ``input_ids`` and ``labels`` of each row."""
        import numpy as np
        import pyarrow as pa
        from datasets import Dataset

        columns = {"input_ids": self.ids, "labels": self.labels()}
        return Dataset(
            pa.table({name: pa.array(map(np.asarray, rows)) for name, rows in columns.items()})
        )


def label(
    lessons: Iterable[Lesson],
    tokenizer: Any,  # noqa: ANN401 - transformers' own class
    end: str,
    block: int,
    most_cut: float,
) -> Labelled:
    """Tokens of each lesson, ended by ``end``; rows over ``block`` tokens are left out.

    PoolError where there are no rows, or a larger share than ``most_cut`` would be cut.
    """
    end_id = tokenizer.convert_tokens_to_ids(end)
    kept, found, prompts, cut = [], [], [], {}
    for part in _batches(lessons):
        asked = _ids(tokenizer, [one.prompt for one in part])
        said = _ids(tokenizer, [one.completion for one in part])
        for lesson, before, behind in zip(part, asked, said, strict=True):
            whole = array("i", [*before, *behind, end_id])
            if len(whole) > block:
                cut[lesson.id] = len(whole)
                continue
            kept.append(lesson)
            found.append(whole)
            prompts.append(len(before))
    total = len(kept) + len(cut)
    if not total:
        raise PoolError("the set has no row with thinking and answer to train on")
    if len(cut) > most_cut * total or not kept:
        longest = max(cut, key=lambda name: cut[name])
        raise PoolError(
            f"{len(cut):,} of {total:,} rows ({len(cut) / total:.1%}) are longer than a block of "
            f"{block:,} tokens (the longest, {longest}, has {cut[longest]:,}) and would lose the "
            f"ends of their answers; wanted {most_cut:.1%} at most: raise --block-size, or leave "
            "more of them out with --max-cut SHARE"
        )
    return Labelled(kept, found, prompts, cut)


def hold(
    lessons: Sequence[Lesson],
    labels: Sequence[Sequence[int]],
    tokenizer: Any,  # noqa: ANN401 - transformers' own class
    end: str,
) -> None:
    """RunError unless each row's labels decode to its thinking, answer and one end token.

    ``labels`` are those that reach the model, as the trainer's collator made them.
    """
    end_id = tokenizer.convert_tokens_to_ids(end)
    for lesson, row in zip(lessons, labels, strict=True):
        learnt = [token for token in row if token != IGNORED]
        ends = learnt.count(end_id)
        if ends != 1 or learnt[-1] != end_id:
            raise RunError(
                f"{lesson.id}: wanted one {end!r} at the end of its labels, got {ends}: its text "
                "holds one of its own; drop the row, or mend it"
            )
        text = tokenizer.decode(learnt[:-1], **_EXACT)
        wanted = _normal(tokenizer, lesson.completion)
        if text != wanted:
            at = next(
                (i for i, (a, b) in enumerate(zip(text, wanted, strict=False)) if a != b),
                min(len(text), len(wanted)),
            )
            raise RunError(
                f"{lesson.id}: its labels decode to another text than thinking and answer: wanted "
                f"{wanted[at : at + 40]!r} at character {at}, got {text[at : at + 40]!r}; this "
                "tokenizer cannot be trained on it"
            )


_EXACT: Final = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}


def _normal(tokenizer: Any, text: str) -> str:  # noqa: ANN401 - as above
    """A text as the tokenizer reads it: those of Qwen compose characters (NFC)."""
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    return text if normalizer is None else str(normalizer.normalize_str(text))


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:  # noqa: ANN401 - as above
    return list(tokenizer(texts, add_special_tokens=False)["input_ids"])


def _batches(lessons: Iterable[Lesson]) -> Iterable[list[Lesson]]:
    part: list[Lesson] = []
    for lesson in lessons:
        part.append(lesson)
        if len(part) == _BATCH:
            yield part
            part = []
    if part:
        yield part

"""Benchmarks as data: what the usual ones are called, where they are, what their licences ask.

A `Benchmark` says which table of the Hub a benchmark is and which column holds its questions, so
that a recipe's input can be written from it (`recipe_input`). Nothing is read here. The content's
hash is taken where the content is: a run's manifest has the sha256 of every input, and
``benchmarks.parquet`` beside a stage's record that of each benchmark's questions.

No entry was tried against the Hub. ``seen`` says what of it public code that loads the table was
seen to use: the id, the split and the column; what it does not name is from memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from s1data.errors import RecipeError, nearest


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark as it is published."""

    name: str
    version: str
    hub: str
    split: str
    column: str
    licence: str
    seen: str
    config: str | None = None
    plain_text: bool = True
    """False where the authors ask that items are not shown in plain text: evidence is hashed."""
    nested: bool = False
    """True where ``column`` holds no texts but lists: export it to a file of questions first."""
    other_names: tuple[str, ...] = ()


_SEEN: Final = "id, split, column"

_ALL: Final = (
    Benchmark("aime24", "2024", "HuggingFaceH4/aime_2024", "train", "problem",
              "none stated; problems of the MAA", _SEEN, other_names=("aime2024", "aime_2024")),
    Benchmark("aime25", "2025", "math-ai/aime25", "test", "problem",
              "Apache-2.0 (repository); problems of the MAA", _SEEN,
              other_names=("aime2025", "aime_2025")),
    Benchmark("aime26", "2026", "MathArena/aime_2026", "train", "problem",
              "CC BY-NC-SA 4.0 (repository); problems of the MAA", _SEEN,
              other_names=("aime2026", "aime_2026")),
    Benchmark("amc23", "2023", "math-ai/amc23", "test", "question",
              "none stated; problems of the MAA", "id, split"),
    Benchmark("math500", "2024", "HuggingFaceH4/MATH-500", "test", "problem", "MIT (MATH)", _SEEN,
              other_names=("math_500", "math-500")),
    Benchmark("gpqa_diamond", "2023", "Idavidrein/gpqa", "train", "Question",
              "CC BY 4.0, gated; the authors ask not to show items in plain text", _SEEN,
              config="gpqa_diamond", plain_text=False,
              other_names=("gpqa", "gpqa-diamond", "gpqa_main", "gpqa_extended")),
    Benchmark("gsm8k", "2021", "openai/gsm8k", "test", "question", "MIT", _SEEN, config="main",
              other_names=("gsm8k_test",)),
    Benchmark("olympiadbench", "2024", "Hothan/OlympiadBench", "train", "question", "Apache-2.0",
              _SEEN, config="OE_TO_maths_en_COMP", other_names=("olympiad_bench",)),
    Benchmark("livecodebench", "release_v6", "livecodebench/code_generation_lite", "test",
              "question_content", "CC; problems of their contest sites", "id, split",
              other_names=("lcb", "live_code_bench")),
    Benchmark("humaneval", "2021", "openai/openai_humaneval", "test", "prompt", "MIT", _SEEN,
              other_names=("human_eval",)),
    Benchmark("mmlu_pro", "2024", "TIGER-Lab/MMLU-Pro", "test", "question", "MIT", "id, split",
              other_names=("mmlu-pro",)),
    Benchmark("minerva", "2022", "math-ai/minervamath", "test", "question",
              "none stated; problems of MIT OpenCourseWare, CC BY-NC-SA", _SEEN,
              other_names=("minerva_math", "minervamath")),
    Benchmark("scibench", "2023", "xw27/scibench", "train", "problem_text",
              "MIT; problems of textbooks", _SEEN),
    Benchmark("chembench", "2025", "jablonkagroup/ChemBench", "train", "examples", "MIT",
              "id, split; a config for each field", config="general_chemistry", nested=True),
)  # fmt: skip

BENCHMARKS: Final[Mapping[str, Benchmark]] = MappingProxyType({b.name: b for b in _ALL})
"""The usual benchmarks by name."""
_HIDDEN: Final = frozenset(b.name.partition("_")[0] for b in _ALL if not b.plain_text)


def _signs(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


_BY_SIGNS: Final = {
    _signs(name): benchmark
    for benchmark in _ALL
    for name in (benchmark.name, benchmark.hub, *benchmark.other_names)
}


def known(name: str) -> Benchmark | None:
    """The benchmark of this name, or of one of its other names or its Hub id; None if unknown.

    Case and punctuation do not count, nor does a file's ending: ``GPQA Diamond.csv`` is known.
    """
    return _BY_SIGNS.get(_signs(name)) or _BY_SIGNS.get(
        _signs(re.sub(r"\.[a-z]+$", "", name, flags=re.IGNORECASE))
    )


def in_plain_text(name: str) -> bool:
    """Whether items of the benchmark may stand in evidence as they are; unknown ones may.

    A name with a word that begins like the family of one that may not (``gpqa``) may not either.
    """
    found = known(name)
    if found is not None:
        return found.plain_text
    words = re.findall(r"[a-z0-9]+", name.lower())
    return not any(word.startswith(family) for word in words for family in _HIDDEN)


def recipe_input(name: str) -> dict[str, Any]:
    """What a recipe's ``inputs:`` says to read a benchmark from the Hub.

    RecipeError where there is none by that name, or where it has no column of texts.
    """
    found = known(name)
    if found is None:
        raise RecipeError(
            f"benchmark {name}: wanted one of {', '.join(BENCHMARKS)}{nearest(name, BENCHMARKS)}; "
            "any other is a named input, a file with a column question"
        )
    if found.nested:
        raise RecipeError(
            f"benchmark {name}: wanted a column of texts, got lists in {found.hub}: "
            f"{found.column}; write its questions to a file and bind that to the input"
        )
    place: dict[str, Any] = {"hub": found.hub, "split": found.split}
    if found.config is not None:
        place["config"] = found.config
    return place | {"columns": {"question": found.column}}

"""reasoning-gym as a source: procedural questions with verified answers (the extra ``gym``).

Only families whose questions are the same in every process are used: a question's text is its
name. Those known to change, or to have no answer, are refused by name. ``FAMILIES`` lists
fast ones of every kind with questions of modest length, tested across processes.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import polars as pl

from s1data import digest, pool
from s1data.errors import PoolError, nearest
from s1data.sources.intake import Raw, Take, first_line, from_frame
from s1data.sources.spec import Family, ReasoningGym

UNSTABLE: Final = "its questions change from one process to the next"
UNANSWERED: Final = "its questions have no answer"
REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "codeio",
            "isomorphic_strings",
            "knight_swap",
            "list_functions",
            "polynomial_multiplication",
            "ransom_note",
            "word_ladder",
        ),
        UNSTABLE,
    ),
    **dict.fromkeys(
        ("boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"), UNANSWERED
    ),
}
"""Families that cannot be used, and why (seen with reasoning-gym 0.1.25)."""

FAMILIES: Final = tuple(
    """
    acre advanced_geometry aiw arc_1d base_conversion basic_arithmetic bf bitwise_arithmetic
    caesar_cipher calendar_arithmetic circuit_logic color_cube_rotation complex_arithmetic
    count_primes course_schedule cryptarithm decimal_arithmetic dice family_relationships
    fraction_simplification game_of_life_halting gsm_symbolic jugs kakurasu knights_knaves
    largest_island letter_counting manipulate_matrix maze mini_sudoku modulo_grid
    number_filtering number_format palindrome_generation polynomial_equations power_function
    prime_factorization self_reference sentence_reordering shortest_path simple_equations
    simple_geometry simple_integration spiral_matrix string_insertion survo syllogism word_sorting
    """.split()  # noqa: SIM905 - as a list it would be fifty lines
)
"""Families to start with: 2,000 questions in a second or two, none over 1,500 characters."""

MATHS: Final = frozenset({"algebra", "arithmetic", "geometry", "probability"})
COLUMNS: Final = ("question", "answer", "source_type", "cot_type", "metadata", "licence")
LICENCE: Final = "Apache-2.0"


class Gym:
    """A reader that generates its rows."""

    def __init__(self, who: str, spec: ReasoningGym) -> None:
        self.who = who
        self._spec = spec
        for name, _ in spec.families:
            if name in REFUSED:
                msg = f"{who}: reasoning-gym family {name} cannot be used: {REFUSED[name]}"
                raise PoolError(msg)

    def names(self) -> tuple[str, ...]:
        return COLUMNS

    def dtype(self, name: str) -> pl.DataType:  # noqa: ARG002 - all are text
        return pl.String()

    def check(self, takes: Sequence[Take]) -> None:  # noqa: ARG002 - all are text
        for family in self._families():
            _dataset(self.who, self._spec.seed, *family)

    def read(self, takes: Sequence[Take], limit: int | None) -> Raw:
        rows: list[tuple[str | None, ...]] = []
        for family in self._families():
            left = family[1] if limit is None else min(family[1], limit - len(rows))
            rows += _generated(self.who, self._spec.seed, family, left)
        schema = {name: pool.SOURCE_COLUMNS[name] for name in COLUMNS}
        return from_frame(pl.DataFrame(rows, schema=schema, orient="row"), takes)

    def _families(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        for name, family in self._spec.families:
            if isinstance(family, Family):
                config = {k: list(v) if isinstance(v, tuple) else v for k, v in family.config}
                yield name, family.size, config
            else:
                yield name, family, {}

    def identity(self, taken: Callable[[], Sequence[Take]]) -> object:  # noqa: ARG002 - the columns are fixed
        return self.provenance()

    def provenance(self) -> dict[str, Any]:
        return {
            "kind": "reasoning_gym",
            "version": _version(self.who),
            **self._spec.model_dump(mode="json"),
            "rows": sum(size for _, size, _ in self._families()),
        }


def _missing(who: str) -> PoolError:
    return PoolError(f"{who}: reasoning-gym is not installed: pip install 's1data[gym]'")


def _version(who: str) -> str:
    try:
        return version("reasoning-gym")
    except PackageNotFoundError as error:
        raise _missing(who) from error


def _dataset(who: str, seed: int, name: str, size: int, config: dict[str, Any]) -> Any:  # noqa: ANN401 - not typed there
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ImportError as error:
        raise _missing(who) from error
    if name not in DATASETS:
        among = sorted(set(DATASETS) - set(REFUSED))
        msg = f"{who}: reasoning-gym has no family {name!r}{nearest(name, among)}"
        raise PoolError(msg)
    known = {field.name for field in fields(DATASETS[name][1])} - {"seed", "size"}
    for key in config:
        if key not in known:
            msg = (
                f"{who}: family {name} has no setting {key!r}{nearest(key, known)}; "
                f"its settings are {', '.join(sorted(known))}"
            )
            raise PoolError(msg)
    try:
        return create_dataset(name, size=size, seed=seed, **config)
    except Exception as error:
        msg = f"{who}: family {name} does not take these settings: {first_line(error)}"
        raise PoolError(msg) from error


def _generated(
    who: str, seed: int, family: tuple[str, int, dict[str, Any]], count: int
) -> Iterator[tuple[str | None, ...]]:
    if count <= 0:
        return
    name = family[0]
    with contextlib.redirect_stdout(io.StringIO()):  # some families print while they search
        dataset = _dataset(who, seed, *family)
        category = dataset.category
        for i in range(count):
            try:
                item = dataset[i]
            except Exception as error:
                msg = f"{who}: family {name} failed at question {i + 1}: {first_line(error)}"
                raise PoolError(msg) from error
            yield (
                item["question"],
                item["answer"],
                f"reasoning_gym/{name}",
                "math" if category in MATHS else category,
                metadata_text(item["metadata"]),
                LICENCE,
            )


def metadata_text(metadata: dict[str, Any]) -> str:
    """What a family says of an entry, as the column holds it."""
    # What is not JSON (sets, objects) may print differently in every process: left out.
    kept = {}
    for key, value in metadata.items():
        try:
            kept[key] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError):
            continue
    return digest.canonical_json(kept)

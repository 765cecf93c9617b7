"""Sources and named inputs: whatever holds questions or tables, opened behind one door.

``open_source`` turns a `Source`, or what a run binds in its place, into an `Opened`: schema
and digest before anything is read, then rows of the pool and a reason for every line that is none.
``open_input`` does the same for a table beside the pool. Columns are renamed here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from s1data.errors import PoolError
from s1data.sources import files
from s1data.sources.frames import Frame, dataset_frame, is_dataset
from s1data.sources.intake import REASONS, Read, Reader, sentence
from s1data.sources.opened import Opened, OpenedInput
from s1data.sources.spec import Family, Input, ReasoningGym, Source

if TYPE_CHECKING:
    from typing import TypeAlias

    import datasets

    Bound: TypeAlias = Path | str | pl.DataFrame | datasets.Dataset | datasets.DatasetDict | None

__all__ = [
    "REASONS",
    "Family",
    "Input",
    "Opened",
    "OpenedInput",
    "Read",
    "ReasoningGym",
    "Source",
    "open_input",
    "open_source",
    "sentence",
]


def open_source(spec: Source, bound: Bound = None, base: Path = Path()) -> Opened:
    """Opens a source at what a run bound to it, else at the place the recipe gives.

    A path of the recipe is relative to ``base``, a bound one to the working directory.
    PoolError if there is no place, nothing at it, or nothing there that can be read.
    """
    who = f"source {spec.name}"
    if bound is None and spec.reasoning_gym is not None:
        from s1data.sources.gym import Gym

        return Opened(who, spec, Gym(who, spec.reasoning_gym))
    return Opened(who, spec, _reader(who, spec.name, spec, bound, base))


def open_input(spec: Input, name: str, bound: Bound = None, base: Path = Path()) -> OpenedInput:
    """Opens a named input; as `open_source`."""
    who = f"input {name}"
    return OpenedInput(who, spec, _reader(who, name, spec, bound, base))


def _reader(who: str, name: str, spec: Source | Input, bound: Bound, base: Path) -> Reader:
    reader = _placed(who, name, spec, bound, base)
    if spec.shape is None:
        return reader
    from s1data.sources.shapes import Shaped

    return Shaped(who, reader, spec.shape, traces=isinstance(spec, Input))


def _placed(who: str, name: str, spec: Source | Input, bound: Bound, base: Path) -> Reader:
    if isinstance(bound, pl.DataFrame):
        return Frame(who, bound)
    if is_dataset(bound):
        return Frame(who, dataset_frame(who, bound, spec.split), "dataset")
    if isinstance(bound, str | Path):
        return _files(who, str(Path(bound).expanduser()), Path())
    if bound is not None:
        msg = f"{who}: wanted a path, a polars DataFrame or a Dataset, got {type(bound).__name__}"
        raise PoolError(msg)
    if spec.path is not None:
        return _files(who, spec.path, base)
    if spec.hub is not None:
        from s1data.sources.hub import Hub

        return Hub(who, spec.hub, spec.config, spec.split, spec.revision)
    msg = f"{who} has no place yet: give it with --input {name}=PATH, or write path: in the recipe"
    raise PoolError(msg)


def _files(who: str, path: str, base: Path) -> Reader:
    found = files.find(who, path, base)
    return files.Files(who, found, many=not (base / path).is_file())

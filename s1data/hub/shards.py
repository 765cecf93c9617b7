"""Parquet as the Hub and ``datasets`` like it: plain types, small row groups, numbered shards.

polars writes ``large_string`` and ``large_list``, which `load_dataset` shows as types of their own.
Here every column becomes the plain type of the same values. Rows come in batches and go out in
batches, so that memory holds one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from s1data import digest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MOST_BYTES: Final = 400_000_000
"""A shard is closed once its values take so much memory; on disk it is smaller."""
GROUP_BYTES: Final = 32_000_000
"""A row group holds about so much: the Hub's viewer reads whole groups."""


@dataclass(frozen=True)
class Written:
    """A file of the set as it will be sent."""

    path: str
    sha256: str
    bytes: int
    rows: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values for the manifest."""
        said: dict[str, object] = {"sha256": self.sha256, "bytes": self.bytes}
        return said if self.rows is None else said | {"rows": self.rows}


def written(root: Path, path: str, rows: int | None = None) -> Written:
    """A file that stands under ``root``."""
    whole = root / path
    return Written(path, digest.of_file(whole), whole.stat().st_size, rows)


def write(frames: Iterable[pl.DataFrame], root: Path, folder: str) -> list[Written]:
    """Writes frames of one schema as ``folder/train-00000-of-0000N.parquet``, at least one."""
    import pyarrow.parquet as pq

    (root / folder).mkdir(parents=True, exist_ok=True)
    rows: list[int] = []
    writer: pq.ParquetWriter | None = None
    held = 0
    parts: list[Path] = []
    try:
        for frame in frames:
            table = _plain(frame)
            if writer is not None and held > MOST_BYTES:
                writer.close()
                writer, held = None, 0
            if writer is None:
                parts.append(root / folder / f".part-{len(parts)}")
                rows.append(0)
                writer = pq.ParquetWriter(
                    parts[-1],
                    table.schema,
                    compression="zstd",
                    write_page_index=True,
                    # Where rows move, the chunks that did not change are not sent again.
                    use_content_defined_chunking=True,
                )
            each = max(table.nbytes // max(table.num_rows, 1), 1)
            writer.write_table(table, row_group_size=max(GROUP_BYTES // each, 1))
            held += table.nbytes
            rows[-1] += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    names = [f"{folder}/train-{i:05d}-of-{len(parts):05d}.parquet" for i in range(len(parts))]
    for part, name in zip(parts, names, strict=True):
        part.replace(root / name)
    return [written(root, name, n) for name, n in zip(names, rows, strict=True)]


def append(frame: pl.DataFrame, path: Path, writer: pq.ParquetWriter | None) -> pq.ParquetWriter:
    """Adds a frame to one file; the writer, made for the first frame, is the caller's to close."""
    import pyarrow.parquet as pq

    table = _plain(frame)
    if writer is None:
        writer = pq.ParquetWriter(path, table.schema, compression="zstd")
    writer.write_table(table.cast(writer.schema))
    return writer


def read(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """A Parquet file in frames of ``rows``, at least one."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows == 0:
            yield pl.read_parquet(path, glob=False)
        for batch in file.iter_batches(batch_size=rows):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a batch becomes a frame
            yield frame


def write_one(frame: pl.DataFrame, path: Path) -> None:
    """Writes a small frame as one file."""
    import pyarrow.parquet as pq

    pq.write_table(_plain(frame), path, compression="zstd")


def _plain(frame: pl.DataFrame) -> pa.Table:
    import pyarrow as pa

    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    schema = pa.schema([pa.field(f.name, _plain_type(f.type)) for f in table.schema])
    return table.cast(schema)


def _plain_type(dtype: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return pa.string()
    if pa.types.is_large_binary(dtype) or pa.types.is_binary_view(dtype):
        return pa.binary()
    if pa.types.is_dictionary(dtype):
        return _plain_type(dtype.value_type)
    if pa.types.is_large_list(dtype) or pa.types.is_list(dtype):
        return pa.list_(_plain_type(dtype.value_type))
    if pa.types.is_struct(dtype):
        return pa.struct([pa.field(f.name, _plain_type(f.type)) for f in dtype])
    return dtype

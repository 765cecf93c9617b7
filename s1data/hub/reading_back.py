"""What stands on the Hub after a push, held against what was sent."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s1data import digest
from s1data.errors import RunError
from s1data.hub.remote import Remote, Say
from s1data.published import quiet


def read_back(
    remote: Remote, sent: Mapping[str, Path], commit: str, manifest: Mapping[str, Any], say: Say
) -> None:
    """Every file as it stands at the commit, by hash and rows; every config as datasets sees it."""
    say(f"{remote.name}: reading back {len(sent)} files at {commit[:12]}")
    rows = manifest["published"]["files"]
    for name, path in sent.items():
        with tempfile.TemporaryDirectory(prefix="s1data-read-back-") as home:
            found = remote.download(name, commit, Path(home))
            if digest.of_file(found) != digest.of_file(path):
                raise RunError(
                    f"{remote.name}: {name} at {commit[:12]} is not what was sent; push again"
                )
            wanted = rows.get(name, {}).get("rows")
            if wanted is not None and _rows(found) != wanted:
                raise RunError(f"{remote.name}: {name}: wanted {wanted} rows, got {_rows(found)}")
    _configs(remote.name, commit, manifest["published"])


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _configs(name: str, commit: str, published: Mapping[str, Any]) -> None:
    import datasets

    for config, folder in published["configs"].items():
        wanted = sum(1 for path in published["files"] if path.startswith(f"{folder}/"))
        with tempfile.TemporaryDirectory(prefix="s1data-read-back-") as home, quiet():
            try:
                builder = datasets.load_dataset_builder(
                    f"hf://datasets/{name}", config, revision=commit, cache_dir=home
                )
            except Exception as error:
                raise RunError(
                    f"{name}: config {config} at {commit[:12]} cannot be loaded: {error}"
                ) from error
            got = len((builder.config.data_files or {}).get("train", ()))
        if got != wanted:
            raise RunError(f"{name}: config {config}: wanted {wanted} files, got {got}")

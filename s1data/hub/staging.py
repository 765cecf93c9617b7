"""The folder that is sent: every file of a published set, as it will stand in the repository.

```
README.md  pipeline.yaml  manifest.json
data/     config default: the set            ledger/   config ledger: every line that came in
replay/   config replay: what filters read   replies/  config replies, where asked for
artefacts/NN-label.parquet                   figures/*.svg
```
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from s1data import digest, licences
from s1data.checkpoint import write_json
from s1data.engine import batches
from s1data.errors import RunError
from s1data.hub import figures, shards
from s1data.hub.shards import Written
from s1data.replay import build, rerun
from s1data.replay.building import Lines
from s1data.run import Run
from s1data.serving import Means, Serving
from s1data.texts import PARTS, texts_of

FORMAT: Final = 1
WithReplies: TypeAlias = Literal["selected", "all", "none"]
SHARDED: Final = ("data", "ledger", "replay", "replies")
"""Folders with a config each."""
LEDGER_BATCH: Final = 65_536
DATA_BATCH: Final = 512
"""Rows with their traces: 20 KB each is ordinary, a megabyte is seen."""


@dataclass(frozen=True)
class Staged:
    """A folder ready to be sent, but for its card."""

    folder: Path
    manifest: Mapping[str, Any]
    files: tuple[Written, ...]
    concerns: tuple[licences.Concern, ...]

    @property
    def published(self) -> Mapping[str, Any]:
        """What the manifest says of the published set."""
        found: Mapping[str, Any] = self.manifest["published"]
        return found


def check(run: Run) -> None:
    """RunError unless a run may be published at all."""
    if run.rehearsed:
        raise RunError(
            f"{run.path}: is a rehearsal: its replies are an emulator's, not a model's, so it is "
            "never published; run the recipe with real models"
        )
    run.check()


def stage(
    run: Run,
    folder: Path,
    *,
    with_replies: WithReplies = "selected",
    store: Path | None = None,
) -> Staged:
    """Writes everything but the card into ``folder``, which is emptied first.

    ``store`` is the reply store of the run's own requests, where it is not the user's. Raises
    RunError where the run is a rehearsal, damaged, or not to be decided anew from what would be
    published.
    """
    check(run)
    _empty(folder)
    lines = build(run)
    ledger = run.ledger
    selected = shards.read(run.path / "selected.parquet", DATA_BATCH)
    if with_replies == "none":
        selected = map(without_texts, selected)
    files = shards.write(selected, folder, "data")
    files += shards.write(batches(ledger, LEDGER_BATCH), folder, "ledger")
    files += _replay(run, lines, ledger, folder)
    configs = {"default": "data", "ledger": "ledger", "replay": "replay"}
    if with_replies == "all":
        files += shards.write(_replies(run, lines, store), folder, "replies")
        configs["replies"] = "replies"
    recipe = run.path / "pipeline.yaml"
    shutil.copyfile(recipe, folder / "pipeline.yaml")
    pictures = figures.write(run, folder)
    files += [shards.written(folder, name) for name in ("pipeline.yaml", *pictures)]
    files.sort(key=lambda f: f.path)
    names = ["id", "source", "licence"]
    pool = run.checkpoints()[0].read("rows", names)
    chosen = pl.read_parquet(run.path / "selected.parquet", columns=names, glob=False)
    concerns = licences.concerns(chosen, pool)
    manifest = {
        **run.manifest,
        "published": {
            "format": FORMAT,
            "with_replies": with_replies,
            "configs": configs,
            "files": {f.path: f.as_dict() for f in files},
            "content": content({f.path: f.sha256 for f in files}),
            "replay": lines.layout.as_dict(),
            "concerns": [vars(c) | {"sources": list(c.sources)} for c in concerns],
        },
    }
    write_json(manifest, folder / "manifest.json")
    return Staged(folder, manifest, tuple(files), tuple(concerns))


def content(hashes: Mapping[str, str]) -> str:
    """Digest of a set's files but for its pictures, which another plotting library draws anew."""
    return digest.of_value({p: h for p, h in hashes.items() if not p.startswith("figures/")})


def without_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The set with traces that have keys, lengths and verdicts, but neither thinking nor answer."""
    dtype = frame.schema.get("traces")
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return frame
    kept = [f.name for f in dtype.inner.fields if f.name not in PARTS]
    fields = pl.element().struct
    return frame.with_columns(
        pl.col("traces").list.eval(pl.struct(fields.field(name) for name in kept))
    )


def thinking_chars(frame: pl.DataFrame) -> pl.Series | None:
    """Characters of the thinking of each trace; None where their texts are not there."""
    dtype = frame.schema.get("traces")
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    if not isinstance(inner, pl.Struct) or "thinking" not in {f.name for f in inner.fields}:
        return None
    each = frame.select(pl.col("traces").explode()).drop_nulls()
    return each.select(pl.col("traces").struct.field("thinking").str.len_chars()).to_series()


def _empty(folder: Path) -> None:
    mine = {"README.md", "pipeline.yaml", "manifest.json"}
    mine |= {"data", "ledger", "replay", "replies", "artefacts", "figures"}
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: wanted a folder to write the set into, got a file")
    if folder.is_dir() and (others := sorted({p.name for p in folder.iterdir()} - mine)):
        raise RunError(
            f"{folder}: wanted an empty folder or one of an earlier push, got one with "
            f"{', '.join(others[:3])} in it; give another --out"
        )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir()
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written to ({error.strerror}); give another --out"
        ) from None


def _replay(run: Run, lines: Lines, ledger: pl.DataFrame, folder: Path) -> Iterator[Written]:
    files = shards.write(lines.batches(), folder, "replay")
    paths = [folder / f.path for f in files]
    for number, one in enumerate(run.pipeline.stages, 1):
        if any(s.label == one.label and s.artefact for s in lines.layout.stages):
            name = artefact_path(number, one.label)
            (folder / "artefacts").mkdir(exist_ok=True)
            shards.write_one(lines.artefact(one.label), folder / name)
            files.append(shards.written(folder, name))
    replay = pl.scan_parquet(paths, glob=False)
    done = rerun(
        run.pipeline,
        lines.layout,
        ledger,
        lambda names: replay.select(names).collect(),
        lines.artefact,
    )
    if done.difference is not None:
        raise RunError(
            f"{run.path}: what would be published does not give the run's own decisions: "
            f"{done.difference}; run the recipe again, and report it if that does not mend it"
        )
    yield from files


def artefact_path(number: int, label: str) -> str:
    """Where what a Global identified stands in a published set."""
    return f"artefacts/{number:02d}-{label}.parquet"


def _replies(run: Run, lines: Lines, store: Path | None) -> Iterator[pl.DataFrame]:
    """Every text of a trace that the run holds, of the rows whose texts may be passed on."""
    done = run.checkpoints()
    shown = lines.shown.filter("texts").select("row", "id")
    keys = [
        checkpoint.read("columns", ["row", column])
        .explode(column)
        .drop_nulls(column)
        .select("row", reply_key=pl.col(column).struct.field("reply_key"))
        for checkpoint in done
        if checkpoint.has("columns")
        for column in ("traces", "attempts")
        if column in pl.read_parquet_schema(checkpoint.path("columns"))
    ]
    schema = {"id": pl.String(), "reply_key": pl.String()}
    places = pl.DataFrame(schema=schema)
    if keys:
        places = pl.concat(keys).drop_nulls().join(shown, on="row").select(*schema).unique()
        places = places.sort("id", "reply_key")
    texts = [c.path("texts") for c in done if c.has("texts")]
    # Opened even where the run asked nobody: then nothing is found in it, and nothing is made.
    with Serving(run.pipeline.models, Means(store=store), run.path) as serving:
        for some in batches(places, DATA_BATCH):
            held = texts_of(some["reply_key"], texts, serving.texts_of)
            yield some.join(held, on="reply_key", how="inner", maintain_order="left")


def read_manifest(text: str) -> dict[str, Any]:
    """A published manifest; RunError where the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "published" not in found:
        raise RunError("manifest.json: is not one that s1data push wrote")
    return found

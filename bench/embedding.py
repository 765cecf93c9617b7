"""Embedding and clustering, beside what a user would otherwise call; real questions if present.

    python -m bench.embedding

MiniLM in batches of fixed shape against `SentenceTransformer.encode` as it comes, on the same 500
questions, in turns, on one thread: CPU seconds, the best of several rounds. Then the whole pool:
TF-IDF with SVD and 50 clusters, each with its CPU seconds and peak memory above the pool; a second
run, which finds every vector; and finding 100,000 keys.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import polars as pl

from s1data import memory
from s1data.acting import act, with_places
from s1data.embedding import VectorCache, keys_of
from s1data.encoders import model_encoder, model_folder
from s1data.engine import LocalEngine
from s1data.stages import get

NAME = "all-MiniLM-L6-v2"
QUESTIONS, ROUNDS, KEYS, CLUSTERS = 500, 3, 100_000, 50
REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")


def questions() -> pl.DataFrame:
    """The real pool, or as many generated texts of about the same lengths."""
    if (REAL / "pool.parquet").exists():
        return pl.read_parquet(REAL / "pool.parquet", columns=["question"])
    rng = np.random.default_rng(1)
    words = np.array([f"{a}{b}{c}" for a in "bdgklmnprst" for b in "aeiou" for c in "lmnrst"])
    lengths = np.exp(rng.normal(3.8, 0.9, 83_481)).astype(int) + 3
    return pl.DataFrame({"question": [" ".join(rng.choice(words, n)) for n in lengths]})


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def model(texts: list[str]) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # waiting threads count as CPU time
    plain, ours = SentenceTransformer(str(model_folder(NAME))), model_encoder(NAME)
    plain.encode(texts[:32], show_progress_bar=False)
    list(ours.encode(texts[:32]))
    taken: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(ROUNDS):
        taken["plain"].append(cpu(lambda: plain.encode(texts, show_progress_bar=False)))
        taken["ours"].append(cpu(lambda: list(ours.encode(texts))))
    torch.set_num_threads(threads)
    base, own = min(taken["plain"]), min(taken["ours"])
    print(f"SentenceTransformer.encode      {len(texts) / base:6.1f} questions per CPU second")
    print(f"fixed shapes                    {len(texts) / own:6.1f}   {base / own:.2f} x")


def stages(frame: pl.DataFrame, home: Path) -> None:
    rows = with_places(frame)
    engine = LocalEngine(read={}.__getitem__, vectors_home=home)
    embed = get("add_embedding").model_validate({"encoder": "tfidf-svd"})
    cluster = get("add_cluster_domain").model_validate({"k": CLUSTERS})
    for label, stage in (
        ("add_embedding tfidf-svd", embed),
        ("again, all stored", embed),
        (f"add_cluster_domain k={CLUSTERS}", cluster),
        ("add_cluster_domain, k chosen", get("add_cluster_domain").model_validate({})),
    ):
        memory.reset_peak()
        before = memory.peak_mb()
        start, clock = time.process_time(), time.perf_counter()
        kept = act(stage, rows, engine).kept
        seconds, wall = time.process_time() - start, time.perf_counter() - clock
        more = memory.peak_mb() - before
        print(f"{label:30} {seconds:6.1f} s CPU ({wall:.1f} s), {more:5.0f} MB more")
        rows = kept


def look_up(home: Path) -> None:
    texts = pl.Series([str(n) for n in range(KEYS)])
    keys = keys_of("0" * 16, texts)
    vectors = np.zeros((KEYS, 384), np.float32)
    writer = VectorCache(home, "0" * 16)
    for start in range(0, KEYS, 256):  # as many parts as an encoder leaves
        writer.put(keys[start : start + 256], vectors[start : start + 256])
    cache = VectorCache(home, "0" * 16)
    opening = cpu(lambda: cache.missing(keys[:1]))
    print(f"opening {KEYS:,} vectors          {opening:6.2f} s CPU, every part checked")
    held = dict.fromkeys(keys.to_list())
    plain = cpu(lambda: [key in held for key in keys.to_list()])
    found = cpu(lambda: cache.missing(keys))
    print(f"finding {KEYS:,} keys             {found:6.2f} s CPU; a dict of texts {plain:.2f} s")


def main() -> None:
    frame = questions()
    print(f"{frame.height:,} questions")
    model(frame["question"].sample(QUESTIONS, seed=1).to_list())
    with tempfile.TemporaryDirectory() as home:
        stages(frame, Path(home))
        look_up(Path(home))


if __name__ == "__main__":
    main()

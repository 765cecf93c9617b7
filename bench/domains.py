"""How well domains agree with labels that people gave: clusters and nearest classes, by encoder.

    python -m bench.domains [ROWS [POPULATION…]]

Needs the real questions. Three populations, 2,000 rows of each unless said: MMLU-Pro with its 14
categories, MATH with its 7 subjects, and a sample of the whole pool with its sources (those of at
least 200 rows). Encoders: TF-IDF with SVD, MiniLM, and static embeddings made from MiniLM here, as
model2vec does it: each token of the vocabulary alone through the model, PCA to 256 numbers, weights
by frequency rank. Measures: normalised mutual information (NMI), adjusted Rand index (ARI), and
purity, the share of rows whose domain has their label as its commonest.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from s1data.acting import act, with_places
from s1data.encoders import model_folder
from s1data.engine import LocalEngine
from s1data.stages import get

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")
MINILM, COMPONENTS = "all-MiniLM-L6-v2", 256
PRO, MATH = "TIGER-Lab/MMLU-Pro/", "hendrycks/math/"
NEAREST = {"MMLU-Pro": ["anzsrc"], "MATH": ["msc"], "sources": ["anzsrc", "msc"]}


def populations(rows: int) -> dict[str, pl.DataFrame]:
    """Questions with a column ``label``, by name of the population."""
    pool = pl.read_parquet(REAL / "pool.parquet", columns=["question", "source_type"])
    pool = pool.unique("question", keep="first", maintain_order=True)
    source = pl.col("source_type")

    def drawn(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.sample(min(rows, frame.height), seed=1)

    return {
        "MMLU-Pro": drawn(
            pool.filter(source.str.starts_with(PRO)).with_columns(
                label=source.str.strip_prefix(PRO)
            )
        ),
        "MATH": drawn(
            pool.filter(source.str.starts_with(MATH)).with_columns(
                label=source.str.strip_prefix(MATH)
            )
        ),
        "sources": drawn(
            pool.filter(pl.len().over("source_type") >= 200).with_columns(label=source)
        ),
    }


def distilled(folder: Path) -> Path:
    """A folder of static embeddings made from MiniLM."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from sklearn import decomposition
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder(MINILM) / "tokenizer.json"))
    tokenizer.no_truncation()
    teacher = SentenceTransformer(str(model_folder(MINILM)))
    start, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    parts = []
    with torch.inference_mode():
        for first in range(0, tokenizer.get_vocab_size(), 512):
            tokens = torch.arange(first, min(first + 512, tokenizer.get_vocab_size()))
            edge = torch.ones_like(tokens)
            ids = torch.stack([edge * start, tokens, edge * end], dim=1)
            features = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            parts.append(teacher(features)["token_embeddings"].mean(dim=1).numpy())
    table = decomposition.PCA(COMPONENTS, random_state=0).fit_transform(np.concatenate(parts))
    # Zipf: a WordPiece vocabulary is sorted by frequency, the commonest first.
    share = 1 / np.arange(2, len(table) + 2)
    table *= (1e-3 / (1e-3 + share / share.sum()))[:, None]
    modules = [StaticEmbedding(tokenizer, embedding_weights=table.astype(np.float32)), Normalize()]
    SentenceTransformer(modules=modules).save(str(folder))
    return folder


def agreement(label: pl.Series, domain: pl.Series) -> tuple[float, float, float]:
    """NMI, ARI and purity."""
    one, other = label.to_list(), domain.to_list()
    counts = pl.DataFrame({"label": one, "domain": other}).group_by("label", "domain").len()
    best = counts.group_by("domain").agg(pl.col("len").max())["len"].sum()
    return (
        normalized_mutual_info_score(one, other),
        adjusted_rand_score(one, other),
        best / len(one),
    )


def main() -> None:
    rows = int(sys.argv[1]) if sys.argv[1:] else 2_000
    with tempfile.TemporaryDirectory() as home:
        encoders = {
            "tfidf-svd": "tfidf-svd",
            "static": str(distilled(Path(home) / "static")),
            "MiniLM": MINILM,
        }
        engine = LocalEngine(read={}.__getitem__, vectors_home=Path(home) / "vectors")
        for name, frame in populations(rows).items():
            if sys.argv[2:] and name not in sys.argv[2:]:
                continue
            labels = frame["label"].n_unique()
            print(f"{name}: {frame.height:,} rows, {labels} labels", flush=True)
            largest = frame["label"].value_counts()["count"].max() / frame.height
            print(f"  one domain for all{'':<33}NMI 0.00  ARI 0.00  purity {largest:.2f}")
            for encoder, model in encoders.items():
                start = time.process_time()
                embedded = act(
                    get("add_embedding").model_validate({"encoder": model}),
                    with_places(frame),
                    engine,
                ).kept
                seconds = time.process_time() - start
                print(f"  {encoder}, {frame.height / seconds:,.0f} questions per CPU second")
                ways: dict[str, tuple[str, dict[str, object]]] = {
                    f"clusters, k={labels}": ("add_cluster_domain", {"k": labels}),
                    "clusters, k=50": ("add_cluster_domain", {"k": 50}),
                    "clusters, k chosen": ("add_cluster_domain", {}),
                }
                for taxonomy in NEAREST[name]:
                    fields = {"taxonomy": taxonomy, "encoder": model, "least": -1.0}
                    ways[f"nearest of {taxonomy}"] = ("add_nearest_domain", fields)
                for way, (stage, fields) in ways.items():
                    done = act(get(stage).model_validate(fields), embedded, engine).kept
                    nmi, ari, purity = agreement(done["label"], done["domain"])
                    used = done["domain"].n_unique()
                    print(
                        f"    {way:<34}{used:>4} domains  NMI {nmi:.2f}  ARI {ari:.2f}  "
                        f"purity {purity:.2f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()

"""Near-duplicates by datatrove, for one comparison by hand; needs an environment of its own.

    PEER_PYTHON -m bench.parts.peer_datatrove TEXTS.parquet OUT.parquet [own]

Its MinHash steps (signatures, buckets, clusters; 14 buckets of 8, which it states as a threshold of
0.72) in one process. With ``own`` texts are cut as it does it (its normalisation with numbers kept,
its English tokenizer), else as ours are, which costs it less. TEXTS has a column ``text`` (already
normalised), OUT gets the pairs that stand side by side in a bucket and the CPU seconds. Run by
`bench.duplicates` where $DUPLICATES_PEER names an interpreter with datatrove, tokenizers, xxhash,
regex, spacy and polars.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

TOKEN = re.compile(r"[^\W_]+|[^\s\w]|_")


def main() -> None:
    if len(sys.argv) < 3:
        print("run by hand, in an environment with datatrove and polars: see the docstring")
        return
    import numpy as np
    import polars as pl
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )
    from datatrove.utils.logging import logger
    from datatrove.utils.text import TextNormConfig

    logger.remove()

    class Signature(MinhashDedupSignature):
        def get_shingles(self, text: str) -> np.ndarray:
            tokens = TOKEN.findall(text)
            grams = {" ".join(tokens[i : i + 3]).encode() for i in range(max(len(tokens) - 2, 1))}
            return np.fromiter(map(self._hash_func, grams), dtype=np.uint64).reshape((-1, 1))

    texts = pl.read_parquet(sys.argv[1])["text"].to_list()
    config = MinhashConfig(n_grams=3, norm_config=TextNormConfig(norm_numbers=False))
    signing = MinhashDedupSignature if sys.argv[3:] == ["own"] else Signature
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        docs = (Document(text=text, id=str(at)) for at, text in enumerate(texts))
        signing(f"{folder}/signed", config).run(docs)
        for bucket in range(config.num_buckets):
            buckets = MinhashDedupBuckets(
                f"{folder}/signed", f"{folder}/pairs", config=config, lines_to_buffer=1000
            )
            buckets.run(rank=bucket, world_size=config.num_buckets)
        cluster = MinhashDedupCluster(
            f"{folder}/pairs", f"{folder}/clusters", config=config, lines_to_buffer=1000
        )
        cluster.run()
        seconds = time.process_time() - start
        parts = [np.fromfile(path, np.uint32) for path in Path(folder, "pairs").glob("*.dups")]
        lines = np.concatenate(parts).reshape(-1, 4)
    found = pl.DataFrame(
        {"left": lines[:, 1].astype(np.int64), "right": lines[:, 3].astype(np.int64)}
    )
    found.unique().with_columns(seconds=pl.lit(seconds)).write_parquet(sys.argv[2])


if __name__ == "__main__":
    main()

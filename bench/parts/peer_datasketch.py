"""Near-duplicates by datasketch, for one comparison by hand; needs an environment of its own.

    PEER_PYTHON -m bench.parts.peer_datasketch TEXTS.parquet OUT.parquet

TEXTS has a column ``text`` (already normalised), OUT gets the pairs that LSH at 0.7 proposes and
the CPU seconds. Run by `bench.duplicates` where $DUPLICATES_PEER names such an interpreter.
"""

from __future__ import annotations

import re
import sys
import time

TOKEN = re.compile(r"[^\W_]+|[^\s\w]|_")


def main() -> None:
    if len(sys.argv) < 3:
        print("run by hand, in an environment with datasketch and polars: see the docstring")
        return
    import polars as pl
    from datasketch import MinHash, MinHashLSH

    texts = pl.read_parquet(sys.argv[1])["text"].to_list()
    start = time.process_time()
    lsh, pairs = MinHashLSH(threshold=0.7, num_perm=128), []
    for at, text in enumerate(texts):
        tokens = TOKEN.findall(text)
        grams = {" ".join(tokens[i : i + 3]).encode() for i in range(max(len(tokens) - 2, 1))}
        signed = MinHash(num_perm=128)
        signed.update_batch(grams)
        pairs += [(int(other), at) for other in lsh.query(signed)]
        lsh.insert(str(at), signed)
    seconds = time.process_time() - start
    found = pl.DataFrame(pairs, schema={"left": pl.Int64, "right": pl.Int64}, orient="row")
    found.with_columns(seconds=pl.lit(seconds)).write_parquet(sys.argv[2])


if __name__ == "__main__":
    main()

"""An engine that does everything an engine may: it splits, shuffles, repeats and reorders.

It answers `s1data.stage.Engine`. Work that depends on how rows are batched, on their order, or on
being called once gives another result here than on the local engine, or fails on the spot.
"""

from __future__ import annotations

import random

import numpy as np
import polars as pl


class MemoryVectors:
    """Vectors in a dictionary; a key that comes back with other values is an error."""

    def __init__(self):
        self.held = {}

    def missing(self, keys):
        return pl.Series("missing", [key not in self.held for key in keys], dtype=pl.Boolean)

    def get(self, keys):
        if len(keys) == 0:
            return np.zeros((0, len(next(iter(self.held.values()), ()))), dtype=np.float32)
        return np.stack([self.held[key] for key in keys])

    def put(self, keys, vectors):
        assert vectors.dtype == np.float32, "vectors are float32"
        assert len(vectors) == len(keys), "one vector for each key"
        for key, vector in zip(keys, vectors, strict=True):
            before = self.held.setdefault(key, vector.copy())
            assert before.tobytes() == vector.tobytes(), "the vector of a key depends on its batch"


class HostileEngine:
    """Batches in random sizes (some empty) and order; every piece of work is done twice."""

    def __init__(self, inputs, seed):
        self.inputs = inputs
        self.random = random.Random(seed)
        self.stores = {}
        self.written = {}

    def read(self, name):
        return self.inputs[name].clone()

    def put(self, frame):
        return self._cut(self._shuffled(frame))

    def map(self, table, work):
        done = []
        for batch in table:
            once = work(batch.clone())
            again = work(pl.concat([batch.head(1), batch.slice(1)], rechunk=False))
            assert once.equals(again), "work that is repeated gives something else"
            assert once.schema == again.schema
            done.append(once)
        self.random.shuffle(done)
        return done

    def exchange(self, table, by):
        whole = self._shuffled(pl.concat(table))
        groups = whole.partition_by(by, maintain_order=True)
        self.random.shuffle(groups)
        batches = [whole.clear()]
        while groups:
            take = self.random.randint(1, 3)
            batches.append(self._shuffled(pl.concat(groups[:take])))
            groups = groups[take:]
        return batches

    def collect(self, table):
        return self._shuffled(pl.concat(table))

    def write(self, name, frame):
        assert frame.width > 0
        self.written[name] = frame

    def texts(self, keys):
        left = self.written.get("texts")
        if left is None:
            return pl.Series("text", [None] * len(keys), dtype=pl.String)
        held = dict(left.select("reply_key", "text").iter_rows())
        return pl.Series("text", [held.get(key) for key in keys], dtype=pl.String)

    def vectors(self, encoder):
        return self.stores.setdefault(encoder, MemoryVectors())

    def progress(self, done, of):
        assert 0 <= done <= of

    def _shuffled(self, frame):
        order = list(range(frame.height))
        self.random.shuffle(order)
        return frame[order]

    def _cut(self, frame):
        batches, start = [frame.clear()], 0
        while start < frame.height:
            rows = self.random.choice((1, 2, 7, 40, 150))
            batches.append(frame.slice(start, rows))
            start += rows
        self.random.shuffle(batches)
        return batches

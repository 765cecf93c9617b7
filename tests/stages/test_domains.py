"""Clusters of embeddings: the same whatever the order of rows, and named so that people can read them."""

import logging
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from s1data import StageError
from s1data.acting import act, with_places
from s1data.embedding import keys_of
from s1data.engine import LocalEngine
from s1data.stages.domains import AddClusterDomain
from s1data.stages.terms import names, telling
from s1data.stages.vectors import AddEmbedding

ENCODER = "0123456789abcdef"
TOPICS = {
    "geometry": "The triangle number {n} has three sides and its inscribed circle touches them. Find its radius.",
    "chemistry": "How many moles of oxygen burn with {n} grams of magnesium oxide in the flask?",
    "motion": "A train leaves the station at {n} kilometres per hour and overtakes a cyclist. When?",
}


class Keeping(LocalEngine):
    """The local engine; keeps what a stage writes for people."""

    def __init__(self, home):
        super().__init__(read={}.__getitem__, vectors_home=home)
        self.written = {}

    def write(self, name, frame):
        self.written[name] = frame


@pytest.fixture
def engine(tmp_path):
    return Keeping(tmp_path)


def pool_of(texts):
    return with_places(pl.DataFrame({"question": texts}, schema={"question": pl.String}))


def topics(count=30):
    return [(name, text.format(n=n)) for n in range(count) for name, text in TOPICS.items()]


def embedded(texts, engine, dimensions=8):
    return act(
        AddEmbedding(encoder="tfidf-svd", dimensions=dimensions), pool_of(texts), engine
    ).kept


def planted(vectors, engine, texts=None):
    """A pool whose rows have these very vectors."""
    texts = texts or [f"number {n}" for n in range(len(vectors))]
    rows = pool_of(texts).with_columns(keys_of(ENCODER, pl.Series(texts)))
    engine.vectors(ENCODER).put(rows["embedding"], np.asarray(vectors, dtype=np.float32))
    return rows


def blobs(centres, each=40, seed=0):
    """Points close around directions at right angles to each other."""
    rng = np.random.default_rng(seed)
    return np.repeat(np.eye(16)[:centres], each, axis=0) + rng.normal(
        scale=0.05, size=(centres * each, 16)
    )


def test_topics_come_apart_and_are_named_by_their_words(engine):
    wanted, texts = zip(*topics(), strict=True)
    out = act(AddClusterDomain(k=3), embedded(texts, engine), engine).added
    together = out.with_columns(topic=pl.Series(wanted)).select("topic", "domain").unique()
    assert together.height == 3
    assert together["domain"].n_unique() == 3
    for topic, domain in together.iter_rows():
        words = domain.split("-")
        assert len(words) == 3
        assert all(word in TOPICS[topic].lower() for word in words), domain
        assert not {"the", "its", "and", "how", "many"} & set(words)
    assert out["domain_score"].is_between(0.5, 1).all()


def test_a_score_is_the_cosine_to_the_clusters_centroid(engine):
    vectors = blobs(3)
    out = act(AddClusterDomain(k=3), planted(vectors, engine), engine).added
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for domain in out["domain"].unique():
        of = (out["domain"] == domain).to_numpy()
        centroid = unit[of].mean(axis=0)
        wanted = unit[of] @ centroid / np.linalg.norm(centroid)
        np.testing.assert_allclose(out["domain_score"].to_numpy()[of], wanted, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_neither_the_order_of_rows_nor_their_numbers_matter(engine, seed):
    _, texts = zip(*topics(), strict=True)
    stage = AddClusterDomain(k=5)
    rows = embedded(texts, engine)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=seed).with_columns(
        row=pl.int_range(rows.height, dtype=pl.UInt32)
    )
    one, other = (act(stage, r, engine).kept.sort("id").drop("row") for r in (rows, shuffled))
    assert one.equals(other)


def test_rows_with_the_same_text_share_a_domain_and_weigh_as_many(engine):
    vectors = [[1, 0], [0, 1], [0.9, 0.45]]
    texts = ["one", "two", "three"]
    planted(vectors, engine, texts)
    many = pool_of(["one"] * 50 + ["two", "three"])
    many = many.with_columns(keys_of(ENCODER, many["question"]))
    out = act(AddClusterDomain(k=1), many, engine)
    assert out.added["domain"].n_unique() == 1
    assert engine.written["clusters"]["size"].to_list() == [52]
    scores = out.added["domain_score"]
    assert scores[0] > 0.99, "fifty of the same draw the centroid to them"
    assert scores[50] < 0.1


def test_the_clusters_are_left_for_people_to_read(engine):
    _, texts = zip(*topics(), strict=True)
    rows = embedded(texts, engine)
    out = act(AddClusterDomain(k=3, terms=2), rows, engine).added
    clusters = engine.written["clusters"]
    assert clusters.columns == ["domain", "size", "terms", "mean_score"]
    counted = out.group_by("domain").agg(size=pl.len(), mean=pl.col("domain_score").mean())
    both = clusters.join(counted, on="domain", suffix="_counted")
    assert both.height == clusters.height == 3
    assert (both["size"] == both["size_counted"]).all()
    assert ((both["mean_score"] - both["mean"]).abs() < 1e-5).all()
    assert clusters["size"].is_sorted(descending=True)
    assert "criterion" not in engine.written


@pytest.mark.parametrize("centres", [3, 5])
def test_k_is_chosen_by_the_best_silhouette(engine, centres):
    stage = AddClusterDomain(k_range=(2, 3, 4, 5, 6, 7), sample=100)
    out = act(stage, planted(blobs(centres), engine), engine).added
    assert out["domain"].n_unique() == centres
    tried = engine.written["criterion"]
    assert tried["k"].to_list() == [2, 3, 4, 5, 6, 7]
    (chosen,) = tried.filter("chosen").iter_rows(named=True)
    assert chosen["k"] == centres
    assert chosen["silhouette"] == tried["silhouette"].max() > 0.8


@pytest.mark.parametrize(
    ("fields", "vectors", "domains"),
    [
        ({"k": 9}, [[1, 0], [0, 1], [1, 0], [2, 0]], 2),
        ({"k": 9}, [[1, 0]], 1),
        ({"k": 9}, [[0, 0], [0, 0]], 1),
        ({}, [[1, 0], [0, 1]], 2),
        ({}, [[1, 0]], 1),
        ({}, [[0, 0], [0, 0]], 1),
    ],
)
def test_there_are_never_more_clusters_than_distinct_vectors(
    engine, caplog, fields, vectors, domains
):
    with caplog.at_level(logging.WARNING):
        out = act(AddClusterDomain(**fields), planted(vectors, engine), engine).added
    assert out["domain"].n_unique() == domains
    assert out["domain"].null_count() == out["domain_score"].null_count() == 0
    said = f"k is 9, but there are {domains} distinct vectors: at most {domains} clusters"
    assert (said in caplog.text) == ("k" in fields)


def test_vectors_apart_by_less_than_rounding_are_one_cluster_or_two_but_never_an_error(engine):
    near = 1 + np.arange(6)[:, None] * 1e-7 * np.array([[1, 0, 0]])
    out = act(AddClusterDomain(k=6), planted(near, engine), engine).added
    assert 1 <= out["domain"].n_unique() <= 6
    assert (out["domain_score"] > 0.999).all()


def test_a_row_without_an_embedding_has_no_domain(engine):
    rows = planted(blobs(2, each=5), engine)
    gone = rows["row"].is_in([0, 7])
    rows = rows.with_columns(embedding=pl.when(~gone).then("embedding"))
    out = act(AddClusterDomain(k=2), rows, engine).added
    assert out["domain"].is_null().equals(gone)
    assert out["domain_score"].is_null().equals(gone)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_pool_without_any_embedding_has_no_domains(engine, rows):
    frame = pool_of(["a"] * rows).with_columns(embedding=pl.lit(None, pl.String))
    out = act(AddClusterDomain(), frame, engine).added
    assert out["domain"].to_list() == [None] * rows
    assert out.schema["domain_score"] == pl.Float64


def test_vectors_that_are_gone_are_an_error_that_says_what_to_do(engine):
    rows = planted(blobs(2, each=5), engine)
    more = pl.concat(
        [
            rows,
            pool_of(["new"]).with_columns(
                keys_of(ENCODER, pl.Series(["new"])), row=pl.lit(10, pl.UInt32)
            ),
        ]
    )
    with pytest.raises(
        StageError, match=r"stage add_cluster_domain: .* 1 are not in the cache; run add_embedding"
    ):
        act(AddClusterDomain(k=2), more, engine)


def test_a_column_that_holds_no_keys_is_an_error(engine):
    rows = pool_of(["a"]).with_columns(embedding=pl.lit("[0.1, 0.2]"))
    with pytest.raises(StageError, match=r"stage add_cluster_domain: .*got '\[0.1, 0.2\]'"):
        act(AddClusterDomain(k=2), rows, engine)


@pytest.mark.parametrize("k_range", [[], [1, 2], [4, 3], [3, 3]])
def test_the_k_to_choose_from_rise(k_range):
    with pytest.raises(ValidationError, match=r"k_range"):
        AddClusterDomain.model_validate({"k_range": k_range})


def test_names_tell_groups_apart_and_are_never_the_same():
    given = [("acid", "zinc"), (), ("acid", "zinc"), (), ("prime",), ("acid", "zinc")]
    found = list(names(given))
    assert found == ["acid-zinc", "no-words", "acid-zinc-2", "no-words-2", "prime", "acid-zinc-3"]


def test_telling_words_count_once_a_question_and_skip_commands_and_stop_words():
    texts = pl.DataFrame(
        [
            (0, r"\frac{1}{2} of the Prime numbers"),
            (0, r"a prime: \sqrt{4}, and what is the number"),
            (0, "spam " * 50),
            (1, "numbers of moles; THE MOLES"),
            (1, "moles x y zz 12"),
            (2, "1 + 1"),
        ],
        schema=["group", "text"],
        orient="row",
    )
    assert telling(texts, 2) == {0: ("prime", "number"), 1: ("moles", "numbers"), 2: ()}
    assert telling(texts.sample(fraction=1, shuffle=True, seed=2), 2) == telling(texts, 2)


ONCE = """
import sys
from pathlib import Path
import polars as pl
from s1data import digest
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.domains import AddClusterDomain
from s1data.stages.vectors import AddEmbedding
texts = [f"{a} {b} {c} question" for a in "zinc acid moles flask".split() for b in
    "prime number sum root".split() for c in [f"word{chr(97 + n)}" for n in range(26)]]
rows = with_places(pl.DataFrame({"question": texts}))
engine = LocalEngine(read={}.__getitem__, vectors_home=Path(sys.argv[1]))
for stage in (AddEmbedding(encoder="tfidf-svd", dimensions=32), AddClusterDomain(k=7)):
    rows = act(stage, rows, engine).kept
    print(digest.of_columns(rows, rows.columns))
vectors = engine.vectors(rows["embedding"][0][:16]).get(rows["embedding"])
print(digest.of_series(pl.Series(vectors.ravel())))
"""


def test_the_number_of_threads_moves_no_bit(tmp_path):
    made = []
    for threads in ("1", "3"):
        env = os.environ | dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"),
            threads,
        )
        command = [sys.executable, "-c", ONCE, tmp_path / threads]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        made.append(done.stdout)
    assert made[0] == made[1]
    assert made[0].count("\n") == 3

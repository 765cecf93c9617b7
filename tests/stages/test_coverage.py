"""Selectors over embeddings, against loops that compute every gain anew at every step."""

import itertools
import json
import math

import numpy as np
import polars as pl
import pytest

from s1data import StageError
from s1data.acting import act
from s1data.embedding import keys_of
from s1data.engine import LocalEngine
from s1data.stages import get

ENCODER = "0123456789abcdef"


@pytest.fixture
def choose(tmp_path):
    """A selector's ranked ids and evidence on rows that have these very vectors, by name."""
    engine = LocalEngine(read={}.__getitem__, vectors_home=tmp_path)

    def chosen(name, vectors, **fields):
        rows = pool(len(vectors))
        engine.vectors(ENCODER).put(rows["embedding"], np.asarray(vectors, np.float32))
        outcome = act(get(name).model_validate(fields), rows, engine)
        lines = outcome.ranks.join(rows, on="row").sort("rank", nulls_last=True)
        return lines.with_columns(
            evidence=pl.Series(map(json.loads, lines["evidence"]), dtype=pl.Object)
        )

    return chosen


def pool(rows):
    ids = [f"{i:016x}" for i in range(rows)]
    return pl.DataFrame(
        {
            "row": pl.Series(range(rows), dtype=pl.UInt32),
            "id": ids,
            "embedding": keys_of(ENCODER, pl.Series([f"{rows} {i}" for i in ids])),
        }
    )


def cloud(rows, dimensions=8, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, dimensions))
    return centres[rng.integers(6, size=rows)] + 0.7 * rng.normal(size=(rows, dimensions))


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def kept(lines, n):
    return [int(i, 16) for i in lines["id"].head(n)]


@pytest.mark.parametrize(("rows", "n"), [(60, 60), (300, 40), (5_000, 30)])
def test_k_center_takes_the_row_farthest_from_those_before_it(choose, rows, n):
    vectors = cloud(rows)
    lines = choose("keep_kcenter", vectors, n=n, seed=3)
    order, near = kept(lines, n), cosines(vectors)
    for i in range(1, n):
        distance = 1 - near[:, order[:i]].max(axis=1)
        distance[order[:i]] = -1
        assert distance[order[i]] == pytest.approx(distance.max(), abs=1e-5)
        assert lines["evidence"][i]["gain"] == pytest.approx(distance.max(), abs=1e-5)
    assert "gain" not in lines["evidence"][0]
    assert order != kept(choose("keep_kcenter", vectors, n=n, seed=4), n)


@pytest.mark.parametrize(("rows", "n"), [(60, 60), (300, 40), (5_000, 12)])
def test_facility_location_takes_the_row_that_adds_most(choose, rows, n):
    vectors = cloud(rows)
    lines = choose("keep_facility_location", vectors, n=n, population=rows)
    order, near = kept(lines, n), cosines(vectors).clip(0)
    best = np.zeros(rows)
    for i, row in enumerate(order):
        gains = np.array([np.maximum(column - best, 0).mean() for column in near.T])
        gains[order[:i]] = -1
        assert gains[row] == pytest.approx(gains.max(), abs=1e-6)
        assert lines["evidence"][i]["gain"] == pytest.approx(gains.max(), abs=1e-6)
        best = np.maximum(best, near[row])


def test_greedy_facility_location_keeps_its_promise_against_the_best_set_there_is(choose):
    vectors = cloud(14, dimensions=3, seed=5)
    near = cosines(vectors).clip(0)

    def worth(places):
        return near[:, list(places)].max(axis=1).mean()

    best = max(map(worth, itertools.combinations(range(14), 4)))
    mine = worth(kept(choose("keep_facility_location", vectors, n=4), 4))
    assert (1 - 1 / math.e) * best <= mine <= best + 1e-6


def test_a_sampled_population_stands_for_the_pool(choose):
    vectors = cloud(3_000, seed=6)
    near = cosines(vectors).clip(0)

    def worth(lines):
        return near[:, kept(lines, 20)].max(axis=1).mean()

    whole, sampled, chance = (
        worth(choose(name, vectors, n=20, **fields))
        for name, fields in (
            ("keep_facility_location", {}),
            ("keep_facility_location", {"population": 300}),
            ("keep_random", {}),
        )
    )
    assert whole - sampled < 0.2 * (whole - chance)


@pytest.mark.parametrize("name", ["keep_kcenter", "keep_facility_location"])
def test_a_row_that_stays_out_is_told_the_chosen_row_nearest_to_it(choose, name):
    vectors = cloud(200)
    lines, near = choose(name, vectors, n=15), cosines(vectors)
    order = kept(lines, 15)
    for line in lines.slice(15).iter_rows(named=True):
        row, evidence = int(line["id"], 16), line["evidence"]
        assert line["reason"] == "covered"
        assert int(evidence["nearest_id"], 16) == order[near[row, order].argmax()]
        assert evidence["similarity"] == pytest.approx(near[row, order].max(), abs=1e-5)


@pytest.mark.parametrize("name", ["keep_kcenter", "keep_facility_location"])
def test_a_vector_of_no_length_is_never_chosen_and_equal_ones_still_fill_the_set(choose, name):
    vectors = np.zeros((12, 4))
    vectors[:8, 0] = 1
    lines = choose(name, vectors, n=6)
    assert set(kept(lines, 6)) < set(range(8))
    out = lines.filter(reason="no_embedding")
    assert sorted(int(i, 16) for i in out["id"]) == [8, 9, 10, 11]


@pytest.mark.parametrize("name", ["keep_kcenter", "keep_facility_location"])
def test_preselected_rows_are_where_it_begins(choose, name, tmp_path):
    vectors = cloud(200)
    engine = LocalEngine(read={}.__getitem__, vectors_home=tmp_path)
    rows = pool(200).with_columns(right=pl.Series(range(200)) < 5)
    engine.vectors(ENCODER).put(rows["embedding"], vectors.astype(np.float32))
    stage = get(name).model_validate({"n": 6, "preselect": [{"right": "right"}]})
    ranks = act(stage, rows, engine).ranks.drop_nulls("rank").sort("rank")
    assert sorted(ranks["row"].head(5)) == [0, 1, 2, 3, 4]
    near = cosines(vectors)
    if name == "keep_kcenter":
        worth = 1 - near[:, :5].max(axis=1)
    else:
        covered = near[:, :5].clip(0).max(axis=1)
        worth = np.array([np.maximum(column - covered, 0).mean() for column in near.T])
    worth[:5] = -1
    assert ranks["row"][5] == int(worth.argmax())


def test_vectors_that_are_gone_are_said_with_what_to_do(tmp_path):
    engine = LocalEngine(read={}.__getitem__, vectors_home=tmp_path)
    with pytest.raises(StageError, match=r"stage keep_kcenter: .* run add_embedding again"):
        act(get("keep_kcenter")(n=2), pool(4), engine)

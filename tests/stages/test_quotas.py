"""Quotas and preselection under every selector, against every set there is on small pools."""

import hashlib
import itertools
import json
import random

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from s1data import RecipeError, StageError
from s1data.acting import act
from s1data.embedding import keys_of
from s1data.engine import LocalEngine
from s1data.recipe import Pipeline
from s1data.stage import Evidence
from s1data.stages import get
from s1data.stages.quotas import Quota
from tests import pools

ENCODER = "0123456789abcdef"
EVERY = {
    "keep_s1": {"length_from": "tokens"},
    "keep_random": {},
    "keep_longest": {"length_from": "tokens"},
    "keep_diverse": {},
    "keep_stratified": {"by": "domain"},
    "keep_top": {"weights": {"tokens": 1.0}},
    "keep_kcenter": {},
    "keep_facility_location": {"population": 50},
}
STATIC = [name for name in EVERY if name not in ("keep_kcenter", "keep_facility_location")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cache with the vectors of `pool`."""
    home = tmp_path_factory.mktemp("vectors")
    rows = pool()
    vectors = np.random.default_rng(1).normal(size=(rows.height, 6)).astype(np.float32)
    LocalEngine(read={}.__getitem__, vectors_home=home).vectors(ENCODER).put(
        rows["embedding"], vectors
    )
    return home


@pytest.fixture
def choose(home):
    """The outcome of a selector on the pool, or on the rows given."""

    def chosen(name, n, rows=None, inputs=None, **fields):
        engine = LocalEngine(read=(inputs or {}).__getitem__, vectors_home=home)
        stage = get(name).model_validate(EVERY[name] | {"n": n} | fields)
        return act(stage, pool() if rows is None else rows, engine)

    return chosen


def pool(rows=120, seed=2):
    rng = random.Random(seed)
    ids = [hashlib.sha256(str(i).encode()).hexdigest()[:16] for i in range(rows)]
    return pl.DataFrame(
        {
            "row": pl.Series(range(rows), dtype=pl.UInt32),
            "id": ids,
            "source": [rng.choice(["maths", "chem", "chem"]) for _ in ids],
            "domain": [rng.choice("abcde") for _ in ids],
            "tokens": [rng.randrange(6000) for _ in ids],
            "right": [rng.random() < 0.1 for _ in ids],
            "embedding": keys_of(ENCODER, pl.Series(ids)),
        }
    )


def counts(outcome, column):
    return dict(outcome.kept[column].value_counts().iter_rows())


def within(chosen, quotas, n):
    """Whether these rows keep the quotas, said plainly: values to (least, most) by column."""
    return len(chosen) == n and all(
        least <= sum(row[column] == value for row in chosen) <= most
        for column, bounds in quotas.items()
        for value, (least, most) in bounds.items()
    )


@pytest.mark.parametrize("seed", range(40))
def test_of_all_sets_within_the_quotas_the_one_with_the_earliest_rows_is_kept(choose, seed):
    rng = random.Random(seed)
    rows = pool(9, seed).with_columns(
        pl.Series("cot", [rng.choice("xy") for _ in range(9)]),
    )
    n = rng.choice((3, 4, 5))
    columns = rng.sample(["source", "domain", "cot"], rng.choice((1, 2, 3)))
    bounds = {
        column: {
            value: (low := rng.choice((0, 0, 1, 2)), low + rng.choice((0, 1, 2)))
            for value in rng.sample(sorted(rows[column].unique()), 2)
        }
        for column in columns
    }
    quota = {
        column: {value: {"min": low, "max": high} for value, (low, high) in of.items()}
        for column, of in bounds.items()
    }
    by_id = {row["id"]: row for row in rows.iter_rows(named=True)}
    ranks = choose("keep_random", 9, rows).ranks.sort("rank")
    order = ranks.join(rows, on="row", maintain_order="left")["id"].to_list()
    right = [
        places
        for places in itertools.combinations(range(9), n)
        if within([by_id[order[i]] for i in places], bounds, n)
    ]
    if not right:
        with pytest.raises(StageError, match="wanted"):
            choose("keep_random", n, rows, quota=quota)
        return
    kept = set(choose("keep_random", n, rows, quota=quota).kept["id"])
    assert kept == {order[i] for i in min(right)}


MANY = {
    "source": {"maths": 12},
    "domain": {"groups": {"a": {"share": 0.31}}, "others": {"max": 9}},
    "tokens": {"bands": [1000, 4000], "groups": {"<1000": {"min": 5}, ">=4000": {"max": 10}}},
}


@pytest.mark.parametrize("name", EVERY)
def test_every_selector_keeps_exactly_n_within_several_quotas(choose, name):
    out = choose(name, 30, quota=MANY)
    assert out.kept.height == 30
    assert counts(out, "source")["maths"] == 12
    domains = counts(out, "domain")
    assert domains.pop("a") in (9, 10)
    assert max(domains.values()) <= 9
    assert (out.kept["tokens"] < 1000).sum() >= 5
    assert (out.kept["tokens"] >= 4000).sum() <= 10
    # The quotas had something to say, and the selector still had its way among the rest.
    assert set(out.kept["id"]) != set(choose(name, 30).kept["id"])
    again = pool().sample(fraction=1, shuffle=True, seed=3)
    again = again.with_columns(row=pl.int_range(120, dtype=pl.UInt32))
    assert set(choose(name, 30, again, quota=MANY).kept["id"]) == set(out.kept["id"])


@pytest.mark.parametrize("name", EVERY)
def test_whoever_is_left_out_by_a_quota_is_told_which_and_who_came_before(choose, name):
    out = choose(name, 30, quota={"source": {"maths": {"max": 3}}})
    stage = get(name).model_validate(EVERY[name] | {"n": 30})
    full = out.dropped.filter(reason="quota_full").join(pool(), on="row")
    assert full.height > 10
    assert set(full["source"]) == {"maths"}
    in_order = out.ranks.filter(pl.col("rank") <= 30).sort("rank").join(pool(), on="row")
    last = in_order.filter(source="maths")["id"].to_list()
    for evidence in map(json.loads, full["evidence"]):
        assert evidence["full"] == "source maths has 3 of at most 3"
        assert evidence["last_id"] in last
        words = stage.in_words(Evidence("quota_full", dict.fromkeys(stage.evidence) | evidence))
        assert "source maths has 3 of at most 3" in words


@pytest.mark.parametrize(
    ("name", "quota"),
    [
        *((name, {"domain": {"a": {"min": 8}, "b": {"max": 4}}}) for name in STATIC),
        *((name, {"domain": {"b": {"max": 4}}}) for name in EVERY if name not in STATIC),
        *((name, {}) for name in EVERY),
    ],
)
def test_a_larger_set_holds_the_smaller_one(choose, name, quota):
    sets = [set(choose(name, n, quota=quota).kept["id"]) for n in (10, 11, 20, 40)]
    assert [len(s) for s in sets] == [10, 11, 20, 40]
    assert all(a < b for a, b in itertools.pairwise(sets))


@pytest.mark.parametrize("name", EVERY)
def test_a_set_grows_from_an_earlier_one_even_where_quotas_would_not_nest(choose, name):
    quota = {"domain": {"a": {"share": 0.4}}, "source": {"maths": {"min": 6}}}
    first = choose(name, 15, quota=quota).kept
    grow = {"preselect": [{"in_input": "first"}], "quota": quota}
    more = choose(name, 30, inputs={"first": first.select("id")}, **grow)
    assert set(first["id"]) < set(more.kept["id"])
    assert counts(more, "domain")["a"] == 12
    how = {
        r: json.loads(e).get("how") for r, e in more.ranks.select("rank", "evidence").iter_rows()
    }
    assert {how[rank] for rank in range(1, 16)} == {"preselected"}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    ("n", "quota", "left_out", "says"),
    [
        (30, {}, 2, r"wanted its 15 rows among those that reach the selector, got 13: [0-9a-f]{16}, "),
        (14, {}, 0, "wanted its 15 rows kept, got n: 14"),
        (
            30,
            {"domain": {"a": {"max": 1}}},
            0,
            r"kept, got room for \d+, without [0-9a-f]{16}.*: domain a has \d of them, at most 1",
        ),
        (
            16,
            {"half": {"late": {"min": 5}}},
            0,
            "15 of them and the 5 that minimums of half want besides are 20 of n: 16",
        ),
    ],
    ids=["missing", "n", "most", "least"],
)  # fmt: skip
def test_a_first_set_that_cannot_be_kept_whole_is_refused_with_the_arithmetic(
    choose, name, n, quota, left_out, says
):
    rows = pool().with_columns(
        half=pl.when(pl.col("row") < 60).then(pl.lit("early")).otherwise(pl.lit("late"))
    )
    first = rows.filter(half="early").head(12).vstack(rows.filter(half="early", domain="a").tail(3))
    assert first["id"].n_unique() == 15
    rows = rows.join(first.head(left_out), on="row", how="anti")
    grow = {"preselect": [{"right": "right"}, {"in_input": "first"}], "quota": quota}
    with pytest.raises(StageError, match=f"stage {name}: preselect in_input first: .*{says}"):
        choose(name, n, rows, inputs={"first": first.select("id")}, **grow)


@pytest.mark.parametrize("name", EVERY)
def test_a_rule_with_a_condition_picks_from_an_input_and_promises_nothing_of_it(choose, name):
    first = pool().filter(~pl.col("right")).head(12)
    some = [{"in_input": "first", "right": "right"}]
    assert choose(name, 5, inputs={"first": first.select("id")}, preselect=some).kept.height == 5


@pytest.mark.parametrize("name", EVERY)
def test_preselected_rows_are_chosen_first_and_count_for_the_quota(choose, name):
    right = set(pool().filter("right")["id"])
    assert 8 < len(right) < 20
    out = choose(name, 30, preselect=[{"right": "right"}])
    assert right < set(out.kept["id"])
    few = choose(name, 30, preselect=[{"right": "right"}], quota={"right": {"true": {"max": 5}}})
    assert len(right & set(few.kept["id"])) == 5
    assert few.kept.height == 30


@pytest.mark.parametrize(
    ("n", "quota", "says"),
    [
        (121, {"source": {"maths": {"max": 60}}}, "wanted 121 rows, got 120 to choose from"),
        (50, {"domain": {"a": {"min": 40}}}, r"domain a: wanted at least 40, got [0-9]+ rows in all"),
        (50, {"domain": {"z": 1}}, "domain z: wanted at least 1, got 0 rows"),
        (10, {"domain": {"a": 6, "b": 5}}, r"domain: wanted 10 rows, got minimums of 6 \+ 5 = 11"),
        (
            50,
            {"domain": {"groups": {"a": {"max": 3}}, "others": {"max": 5}}},
            r"domain: wanted 50 rows, got at most 3 \+ 5 \+ 5 \+ 5 \+ 5 = 23",
        ),
        (
            20,
            {"source": {"maths": {"min": 15}}, "domain": {"others": {"max": 4}, "groups": {"a": 0, "b": 0, "c": 1}}},
            "domain: wanted 20 rows, got at most 1 . 4 . 4 = 9",
        ),
    ],
)  # fmt: skip
def test_quotas_that_cannot_be_met_are_refused_with_the_arithmetic(choose, n, quota, says):
    with pytest.raises(StageError, match=f"stage keep_random: .*{says}"):
        choose("keep_random", n, quota=quota)


def test_quotas_that_exclude_each_other_are_named_and_no_others(choose):
    rows = pool().with_columns(cot=pl.when(pl.col("source") == "maths").then(pl.lit("m")))
    quota = {
        "domain": {"others": {"max": 20}},
        "source": {"maths": {"min": 8}},
        "cot": {"m": {"max": 7}},
    }
    with pytest.raises(StageError) as error:
        choose("keep_random", 20, rows, quota=quota)
    said = str(error.value)
    assert "at least 8 of source maths" in said
    assert "at most 7 of cot m" in said
    assert "domain" not in said


def test_rows_that_cannot_be_chosen_do_not_count_as_there(choose):
    rows = pool().with_columns(
        domain=pl.when(pl.col("source") == "chem").then("domain"),
    )
    with pytest.raises(StageError, match="source maths: wanted at least 1, got 0 rows"):
        choose("keep_diverse", 10, rows, quota={"source": {"maths": 1}})


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({}, "groups or others"),
        ({"a": {}}, "min, max or both"),
        ({"a": {"min": 3, "max": 2}}, "min 3 and max 2"),
        ({"a": {"share": 0.5, "min": 3}}, "share alone"),
        ({"a": {"share": 1.5}}, "less than or equal to 1"),
        ({"a": -1}, "greater than or equal to 0"),
        ({"bands": [5, 2], "others": {"max": 3}}, "rising edges"),
        ({"bands": [5], "groups": {"low": 1}}, "<5, >=5"),
        ({"a": True}, "valid integer"),
        ({"a": 3, "groups": {"b": 3}}, "beside groups only others and bands"),
    ],
)
def test_a_quota_that_says_nothing_sound_is_refused(written, says):
    with pytest.raises(ValidationError, match=says):
        get("keep_random").model_validate({"n": 3, "quota": {"source": written}})


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{maths: {mn: 2}}", "field quota.source: min, max or share is wanted, got mn"),
        ("{others: {mx: 2}}", "field quota.source.others: min, max or share is wanted, got mx"),
        ("{maths: many}", "field quota.source: wanted a whole number, got 'many'"),
        ("{maths: {min: 3, max: 2}}", "field quota.source: a max of at least the min is wanted"),
        ("3", "field quota.source: wanted a mapping of fields, got 3"),
    ],
)
def test_a_mistyped_quota_is_told_with_the_column_and_what_was_written(written, says):
    text = f"{pools.RECIPE}  - keep_random: {{as: k, n: 3, quota: {{source: {written}}}}}\n"
    with pytest.raises(RecipeError, match=rf"small.yaml:13:\d+: stage k: {says}"):
        Pipeline.from_yaml(text, "small.yaml")


def test_a_number_is_short_for_exactly_so_many():
    short, long = {"a": 3, "others": {"max": 2}}, {"groups": {"a": 3}, "others": {"max": 2}}
    assert Quota.model_validate(short) == Quota.model_validate(long)
    assert Quota.model_validate(short).groups == (("a", 3),)


@pytest.mark.parametrize(
    ("quota", "columns"),
    [
        ({"score": {"a": 1}}, {"score": pl.Float64()}),
        ({"tags": {"a": 1}}, {"tags": pl.List(pl.String())}),
        ({"right": {"bands": [1], "groups": {"<1": 1}}}, {"right": pl.Boolean()}),
    ],
)
def test_a_column_that_makes_no_groups_is_a_problem_before_anything_runs(quota, columns):
    (problem,) = get("keep_random").model_validate({"n": 4, "quota": quota}).check(columns, {})
    assert problem.field == "quota"


def test_a_length_rule_without_a_length_is_a_problem():
    stage = get("keep_random").model_validate({"n": 4, "preselect": [{"length_over": 5}]})
    (problem,) = stage.check({}, {})
    assert "length_from" in problem.wanted
    own = {"preselect": [{"length_over": 5, "length_from": "tokens"}]}
    assert not list(get("keep_random").model_validate({"n": 4} | own).check({}, {}))

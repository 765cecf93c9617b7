"""What every selector promises, then what is its own; the statistics are in the file beside this."""

import hashlib
import math
import random

import polars as pl
import pytest
from pydantic import ValidationError

import s1data
from s1data import StageError
from s1data.stage import Evidence
from s1data.stages import get
from s1data.stages.preselection import preselected

RULES = [
    {"right": "right", "source_type": ["gpqa", "aime"]},
    {"right": "right", "source_contains": ["math"], "length_over": 5600},
]
MIX = {"hand_over": 30, "as_counted": ["aime"], "scaled": ["gpqa"]}
SELECTORS = [
    pytest.param("keep_s1", {"length_from": "tokens"}, id="keep_s1 paper"),
    pytest.param(
        "keep_s1",
        {"length_from": "tokens", "form": "notebook", "preselect": RULES, "mix": MIX},
        id="keep_s1 notebook",
    ),
    pytest.param("keep_random", {}, id="keep_random"),
    pytest.param("keep_longest", {"length_from": "solution"}, id="keep_longest"),
    pytest.param("keep_diverse", {}, id="keep_diverse"),
    pytest.param("keep_stratified", {"by": "domain", "power": 0.5}, id="keep_stratified"),
    pytest.param("keep_top", {"weights": {"tokens": 1.0, "score": -2.0}}, id="keep_top"),
]


class Whole:
    """An engine whose tables are frames; selectors ask no more of one than to collect."""

    def collect(self, table):
        return table


def pool(rows=400):
    """Seven domains and rows without one, ties in length, nulls in everything that may be null."""
    rng = random.Random(3)
    return pl.DataFrame(
        [
            {
                "id": hashlib.sha256(str(i).encode()).hexdigest()[:16],
                "row": i,
                "domain": rng.choice(["algebra", *"bcdefg", None]),
                "source_type": rng.choice(["gpqa", "aime", "open/math/train", "else", None]),
                "solution": rng.choice([None, "x" * rng.randrange(40)]),
                "tokens": rng.choice([None, rng.randrange(9000), 4000]),
                "score": rng.choice([None, rng.random(), math.nan, math.inf]),
                "right": rng.choice([True, False, None]),
            }
            for i in range(rows)
        ],
        schema_overrides={"row": pl.UInt32, "score": pl.Float64},
        infer_schema_length=None,
    )


def ranked(stage, rows):
    """The stage's outcome beside the rows, by rank; rows that can never be chosen come last."""
    shown = rows.select("id", "row", *(c for c in stage.reads() if c not in ("id", "row")))
    outcome = stage.identify(stage.keys(shown), Whole())
    assert outcome.columns == ["row", "rank", "reason", "evidence", "reserve"]
    assert outcome.height == rows.height
    return rows.join(outcome, on="row").sort("rank", "id", "row", nulls_last=True)


def order(stage, rows):
    return ranked(stage, rows).drop_nulls("rank").get_column("id").to_list()


def values(line):
    return Evidence(line["reason"], line["evidence"])


@pytest.mark.parametrize(("name", "fields"), SELECTORS)
class TestEverySelector:
    def test_ranks_are_1_to_m_and_exactly_the_first_n_have_no_reason(self, name, fields):
        stage = get(name)(n=50, **fields)
        lines = ranked(stage, pool())
        ranks = lines.get_column("rank").drop_nulls().to_list()
        assert ranks == list(range(1, len(ranks) + 1))
        assert lines.filter(pl.col("reason").is_null()).get_column("rank").to_list() == [
            *range(1, 51)
        ]
        assert set(lines.get_column("reason").drop_nulls()) <= set(stage.reasons)

    def test_a_larger_n_changes_no_rank(self, name, fields):
        small, large = (order(get(name)(n=n, **fields), pool()) for n in (20, 90))
        assert small == large

    def test_neither_the_order_of_rows_nor_their_place_in_the_sources_matters(self, name, fields):
        stage = get(name)(n=50, **fields)
        shuffled = pool().sample(fraction=1.0, shuffle=True, seed=4)
        renumbered = shuffled.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
        assert order(stage, pool()) == order(stage, shuffled) == order(stage, renumbered)

    def test_every_row_of_an_id_has_a_line_of_its_own(self, name, fields):
        stage = get(name)(n=50, **fields)
        twins = pool(60).with_columns(row=pl.col("row") + 1000)
        lines = ranked(stage, pl.concat([pool(60), twins]))
        assert lines.get_column("row").n_unique() == 120
        assert lines.get_column("rank").drop_nulls().is_unique().all()
        assert lines.filter(pl.col("reason").is_null()).height == 50

    def test_a_pool_smaller_than_n_comes_out_whole(self, name, fields):
        rows = pool(30).with_columns(pl.col("domain").fill_null("none"))
        assert ranked(get(name)(n=31, **fields), rows).get_column("reason").null_count() == 30

    def test_no_rows_give_no_lines(self, name, fields):
        stage = get(name)(n=5, **fields)
        lines = ranked(stage, pool(3).clear())
        assert lines.schema["rank"] == pl.UInt32
        assert lines.schema["evidence"] == stage.evidence_dtype()

    def test_what_would_have_kept_a_row_keeps_it(self, name, fields):
        stage = get(name)(n=50, **fields)
        for line in (
            ranked(stage, pool()).drop_nulls("reason").gather_every(17).iter_rows(named=True)
        ):
            change = stage.keeps_if(values(line))
            if line["rank"] is None:
                assert change is None
                continue
            again = ranked(stage.model_copy(update=change), pool())
            kept = again.filter(pl.col("reason").is_null()).get_column("id")
            assert line["id"] in kept
            fewer = stage.model_copy(update={"n": change["n"] - 1})
            assert line["id"] not in ranked(fewer, pool()).filter(pl.col("reason").is_null())["id"]

    def test_every_row_that_stays_out_can_be_told_why(self, name, fields):
        stage = get(name)(n=50, **fields)
        for line in ranked(stage, pool()).drop_nulls("reason").iter_rows(named=True):
            words = stage.in_words(values(line))
            assert "{" not in words
            if line["rank"] is not None:
                assert f"ank {line['rank']} " in words or f"ank {line['rank']};" in words

    def test_evidence_is_finite_so_that_it_can_be_written_as_json(self, name, fields):
        floats = ranked(get(name)(n=50, **fields), pool()).unnest("evidence", separator=".")
        for column in floats.select(pl.col("^evidence.*$")).iter_columns():
            if column.dtype.is_float():
                assert column.drop_nulls().is_finite().all()


@pytest.mark.parametrize("name", ["keep_s1", "keep_random", "keep_diverse"])
def test_another_seed_gives_another_order(name):
    fields = {"length_from": "tokens"} if name == "keep_s1" else {}
    first, second = (order(get(name)(n=5, seed=seed, **fields), pool()) for seed in (0, 1))
    assert first != second
    assert set(first) == set(second)


class TestKeepRandom:
    def test_a_row_that_leaves_moves_no_other(self):
        stage = get("keep_random")(n=5)
        everything, fewer = pool(), pool().filter(pl.col("row") % 3 != 0)
        left = set(fewer.get_column("id"))
        assert order(stage, fewer) == [name for name in order(stage, everything) if name in left]


class TestKeepLongest:
    @pytest.mark.parametrize(
        ("column", "lengths"),
        [
            pytest.param(["aa", "bbbb", None, "éé"], [2, 4, None, 2], id="characters, not bytes"),
            pytest.param([3, 7, None, 5], [3, 7, None, 5], id="numbers as they are"),
            pytest.param([0.5, math.nan, math.inf, -1.0], [0.5, None, None, -1.0], id="not finite"),
        ],
    )
    def test_length_is_that_of_the_named_column(self, column, lengths):
        rows = pool(4).with_columns(pl.Series("mine", column))
        lines = ranked(get("keep_longest")(n=4, length_from="mine"), rows).sort("row")
        assert [e["length"] for e in lines.get_column("evidence")] == lengths

    def test_of_a_list_it_is_the_greatest_number(self):
        attempts = [[{"tokens": 3}, {"tokens": 8}], [], None, [{"tokens": None}]]
        rows = pool(4).with_columns(pl.Series("attempts", attempts))
        stage = get("keep_longest")(n=4, length_from="attempts.tokens")
        assert stage.reads() == ("attempts",)
        lines = ranked(stage, rows).sort("row")
        assert [e["length"] for e in lines.get_column("evidence")] == [8, None, None, None]

    def test_equal_lengths_go_by_id_and_no_length_comes_last(self):
        rows = pool(5).with_columns(mine=pl.Series([1, 4, 4, None, 4]))
        ids = rows.get_column("id").to_list()
        stage = get("keep_longest")(n=4, length_from="mine")
        assert order(stage, rows) == [*sorted([ids[1], ids[2], ids[4]]), ids[0], ids[3]]

    @pytest.mark.parametrize(
        ("length_from", "columns"),
        [
            ("right", {"right": pl.Boolean()}),
            ("tags", {"tags": pl.List(pl.String())}),
            ("tags.size", {"tags": pl.List(pl.String())}),
            ("attempts.finish", {"attempts": pl.List(pl.Struct({"finish": pl.String()}))}),
            ("attempts.tokens", {"attempts": pl.List(pl.Struct({"finish": pl.String()}))}),
        ],
    )
    def test_what_has_no_length_is_a_problem_before_anything_runs(self, length_from, columns):
        (problem,) = get("keep_longest")(n=4, length_from=length_from).check(columns, {})
        assert problem.field == "length_from"
        assert length_from in problem.got

    @pytest.mark.parametrize("length_from", ["", " ", "a.b.c", ".tokens", "traces."])
    def test_what_is_no_column_is_refused(self, length_from):
        with pytest.raises(ValidationError, match="length_from"):
            get("keep_longest")(n=4, length_from=length_from)


class TestKeepTop:
    ROWS = pool(4).with_columns(
        a=pl.Series([10.0, 20.0, 30.0, None]), b=pl.Series([True, False, False, False])
    )

    @pytest.mark.parametrize(
        ("fields", "scores"),
        [
            ({"weights": {"a": 1, "b": 15}, "scale": "raw"}, [25, 20, 30, 10]),
            ({"weights": {"a": -1}, "scale": "raw"}, [-10, -20, -30, -30]),
            # a: 10 and the null tie for the first two of four places; b: three False tie.
            ({"weights": {"a": 1}}, [0.5 / 3, 2 / 3, 1, 0.5 / 3]),
            ({"weights": {"b": 3}}, [3, 1, 1, 1]),
        ],
    )
    def test_score_is_the_weighted_sum_and_null_counts_as_the_worst(self, fields, scores):
        lines = ranked(get("keep_top")(n=2, **fields), self.ROWS).sort("row")
        assert [e["score"] for e in lines.get_column("evidence")] == pytest.approx(scores)

    def test_a_row_that_lacks_a_value_comes_last_and_is_told_which(self):
        rows = self.ROWS.with_columns(c=pl.Series([math.nan, 1.0, 2.0, None]))
        for scale in ("rank", "raw"):
            # The second row is the worst by both columns, and still before those that lack one.
            weights = {"a": -1.0, "c": -1.0}
            stage = get("keep_top")(n=1, weights=weights, scale=scale)
            ids = rows["id"].to_list()
            assert order(stage, rows)[2:] == [ids[0], ids[3]]
            lines = {line["row"]: line for line in ranked(stage, rows).iter_rows(named=True)}
            assert [lines[i]["reason"] for i in (0, 3)] == ["no_value", "no_value"]
            said = lines[3]["evidence"]
            assert said["missing"] == ["a", "c"]
            assert "It has no a, c, so it comes" in stage.in_words(Evidence("no_value", said))
            assert stage.keeps_if(Evidence("no_value", said)) == {"n": 4}

    def test_equal_scores_go_by_id(self):
        rows = self.ROWS.with_columns(a=1.0)
        assert order(get("keep_top")(n=2, weights={"a": 1}), rows) == sorted(rows["id"])

    @pytest.mark.parametrize("weights", [{}, {"a": 0}, [("a", 1.0), ("a", 2.0)], {"a": math.nan}])
    def test_weights_that_say_nothing_are_refused(self, weights):
        with pytest.raises(ValidationError, match="weights"):
            get("keep_top")(n=2, weights=weights)

    @pytest.mark.parametrize(("weights", "got"), [({"a.x": 1}, "a.x"), ({"t": 1}, "t: String")])
    def test_in_a_script_too_a_column_that_cannot_be_weighed_is_one_clear_line(self, weights, got):
        rows = self.ROWS.with_columns(t=pl.lit("long"))
        with pytest.raises(StageError, match=f"stage keep_top: field weights: wanted .*got {got}"):
            s1data.apply(get("keep_top")(n=2, weights=weights), rows)

    def test_a_column_without_numbers_is_a_problem(self):
        (problem,) = get("keep_top")(n=2, weights={"a": 1}).check({"a": pl.String()}, {})
        assert (problem.field, problem.got) == ("weights", "a: String")


class TestKeepDiverse:
    def test_rows_without_a_domain_are_never_drawn(self):
        lines = ranked(get("keep_diverse")(n=400), pool())
        out = lines.filter(pl.col("domain").is_null())
        assert out.get_column("reason").to_list() == ["no_domain"] * out.height
        assert lines.get_column("rank").null_count() == out.height > 0

    @pytest.mark.parametrize("name", ["keep_diverse", "keep_s1"])
    def test_a_domain_of_white_space_is_none(self, name):
        rows = pool().with_columns(domain=pl.when(pl.col("row") % 2 == 0).then(pl.lit(" ")).otherwise("domain"))  # fmt: skip
        more = {"length_from": "tokens"} if name == "keep_s1" else {}
        lines = ranked(get(name)(n=400, **more), rows)
        blank = lines.filter(pl.col("row") % 2 == 0)
        assert set(blank["reason"]) == {"no_domain"}
        assert blank["rank"].null_count() == blank.height


def test_a_rule_that_preselects_nothing_is_told(caplog):
    rules = [{"source_type": ["no such"]}, {"right": "right"}]
    out = s1data.apply(get("keep_random")(n=3, preselect=rules), pool())
    assert out.kept.height == 3
    rule = '{"source_type":["no such"]}'
    said = f"stage keep_random: preselect rule 1, {rule}, meets none of {pool().height:,} rows"
    assert [record.getMessage() for record in caplog.records] == [said]


def test_a_quota_of_groups_that_no_row_has_is_told(caplog):
    stage = get("keep_random")(n=2, quota={"domain": {"algbra": {"max": 1}, "others": {"max": 9}}})
    assert s1data.apply(stage, pool()).kept.height == 2
    (said,) = [record.getMessage() for record in caplog.records]
    assert "quota of domain names algbra, which no row has; it has " in said


class TestKeepS1:
    def test_preselected_rows_come_first_the_longest_of_them_leading(self):
        rows = pool()
        stage = get("keep_s1")(n=50, length_from="tokens", preselect=RULES)
        wanted = rows.filter(
            pl.col("right").fill_null(False)
            & (
                pl.col("source_type").is_in(["gpqa", "aime"])
                | (pl.col("source_type").str.contains("math") & (pl.col("tokens") > 5600))
            )
        ).sort(pl.col("tokens").fill_null(-1), "id", descending=[True, False])
        assert 50 < wanted.height < 100
        assert order(stage, rows)[: wanted.height] == wanted.get_column("id").to_list()
        lines = ranked(stage, rows)
        how = lines.get_column("evidence").struct.field("how")
        assert how.head(wanted.height).unique().to_list() == ["preselected"]
        assert "preselected" not in how.tail(-wanted.height)
        past = lines.slice(50, wanted.height - 50).get_column("reason")
        assert past.unique().to_list() == ["preselected_past_n"]

    def test_a_row_without_a_domain_is_kept_only_if_preselected(self):
        lines = ranked(get("keep_s1")(n=400, length_from="tokens", preselect=RULES), pool())
        no_domain = lines.filter(pl.col("domain").is_null())
        kept = no_domain.filter(pl.col("reason").is_null())
        assert 0 < kept.height < no_domain.height
        assert {e["how"] for e in kept.get_column("evidence")} == {"preselected"}
        assert set(no_domain.get_column("reason").drop_nulls()) == {"no_domain"}

    @pytest.mark.parametrize("rows", [400, 2000])
    def test_the_place_of_a_draw_is_the_rank_among_the_rows_left_in_its_domain(self, rows):
        # With 2,000 rows some domains are longer than what is put in order at first.
        fields = {"form": "notebook", "preselect": RULES, "mix": MIX}
        stage = get("keep_s1")(n=5, length_from="tokens", **fields)
        shown = pool(rows).select("id", "row", *stage.reads())
        keys = stage.keys(shown).sort("id", "row")
        keys = keys.with_columns(preselected(stage.preselect, keys, Whole()))
        lengths, domains = keys["length"].fill_null(-1).to_list(), keys["domain"].to_list()
        left = {d: [] for d in sorted({d for d in domains if d})}
        for i in sorted(range(rows), key=lambda i: -lengths[i]):
            left.get(domains[i], []).append(i)
        names = list(left)
        for draw in stage.draws(keys):
            assert left[names[draw.domain]].pop(draw.place) == draw.row
        assert not any(left.values())

    def test_a_changed_row_disturbs_no_other_domain(self):
        stage = get("keep_s1")(n=50, length_from="tokens")
        rows = pool()
        gone = rows.filter(pl.col("domain") == "algebra").get_column("row")[0]
        lengthened = rows.with_columns(
            tokens=pl.when(pl.col("row") == gone).then(10_000).otherwise("tokens")
        )
        without_domain = rows.filter(pl.col("domain") != "algebra")
        others = set(without_domain.filter(pl.col("domain").is_not_null()).get_column("id"))

        def of_others(changed):
            return [name for name in order(stage, changed) if name in others]

        before = of_others(rows)
        assert of_others(rows.filter(pl.col("row") != gone)) == before
        assert of_others(lengthened) == before
        assert of_others(without_domain) == before

    def test_the_notebook_hands_over_when_enough_rows_are_chosen(self):
        rows = pool()
        fields = {"form": "notebook", "mix": MIX}
        lines = ranked(get("keep_s1")(n=5, length_from="tokens", **fields), rows)
        how = [e["how"] for e in lines.drop_nulls("rank").get_column("evidence")]
        assert how[:30] == ["drawn"] * 30
        assert set(how[30:60]) == {"drawn_from_mix"}
        paper = order(get("keep_s1")(n=5, length_from="tokens"), rows)
        assert order(get("keep_s1")(n=5, length_from="tokens", **fields), rows)[:30] == paper[:30]

    def test_without_rows_in_the_mix_the_draw_stays_uniform(self):
        mix = MIX | {"as_counted": ["nowhere"]}
        stage = get("keep_s1")(n=5, length_from="tokens", form="notebook", mix=mix)
        assert order(stage, pool()) == order(get("keep_s1")(n=5, length_from="tokens"), pool())

    def test_a_row_that_stays_out_names_the_last_one_chosen_in_its_domain(self):
        lines = ranked(get("keep_s1")(n=50, length_from="tokens"), pool())
        chosen = lines.head(50)
        for line in lines.slice(50).drop_nulls("rank").iter_rows(named=True):
            rivals = chosen.filter(pl.col("domain") == line["domain"])
            evidence = line["evidence"]
            assert evidence["chosen_in_domain"] == rivals.height
            assert evidence["last_id"] == rivals.get_column("id")[-1]
            assert evidence["last_length"] == rivals.get_column("tokens")[-1]

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "length_from"),
            ({"length_from": "tokens", "form": "notebook"}, "notebook wants a mix"),
            ({"length_from": "tokens", "mix": MIX}, "paper wants no mix"),
            ({"length_from": "tokens", "preselect": [{}]}, "a condition is wanted"),
            ({"length_from": "tokens", "preselect": [{"rihgt": "x"}]}, "rihgt"),
            ({"length_from": "tokens", "n": 0}, "greater than 0"),
            ({"length_from": "tokens", "form": "notebook", "mix": MIX | {"share": 0}}, "share"),
        ],
    )
    def test_fields_that_make_no_sense_are_refused(self, fields, message):
        with pytest.raises(ValidationError, match=message):
            get("keep_s1")(**fields)

    def test_right_must_be_a_boolean_column(self):
        stage = get("keep_s1")(length_from="tokens", preselect=RULES)
        columns = {"tokens": pl.Int64(), "right": pl.String()}
        assert {p.field for p in stage.check(columns, {})} == {"preselect"}

    def test_only_columns_that_its_fields_name_are_read(self):
        assert get("keep_s1")(length_from="tokens").reads() == ("domain", "tokens")
        stage = get("keep_s1")(length_from="tokens", form="notebook", preselect=RULES, mix=MIX)
        assert set(stage.reads()) == {"domain", "tokens", "source_type", "right"}


class TestKeepStratified:
    def sizes(self, n, power, groups):
        domain = [name for name, size in groups.items() for _ in range(size)]
        rows = pool(len(domain)).with_columns(domain=pl.Series(domain))
        lines = ranked(get("keep_stratified")(n=n, power=power), rows)
        return dict(lines.head(n)["domain"].value_counts().iter_rows())

    @pytest.mark.parametrize(
        ("n", "power", "wanted"),
        [
            # 53, 24, 23 rows; Sainte-Laguë's seats worked out by hand.
            pytest.param(7, 1.0, {"a": 3, "b": 2, "c": 2}, id="3.71, 1.68, 1.61"),
            pytest.param(10, 1.0, {"a": 6, "b": 2, "c": 2}, id="5.3, 2.4, 2.3"),
            pytest.param(100, 1.0, {"a": 53, "b": 24, "c": 23}, id="all"),
            pytest.param(9, 0.0, {"a": 3, "b": 3, "c": 3}, id="alike"),
            pytest.param(
                90, 0.0, {"a": 43, "b": 24, "c": 23}, id="alike, as long as there are rows"
            ),
        ],
    )
    def test_groups_give_in_proportion_to_a_power_of_their_size(self, n, power, wanted):
        assert self.sizes(n, power, {"a": 53, "b": 24, "c": 23}) == wanted

    def test_rows_of_a_group_are_drawn_by_the_seed_and_a_row_that_leaves_moves_no_other(self):
        stage, rows = get("keep_stratified")(n=5), pool()
        fewer = rows.filter(pl.col("row") % 3 != 0)
        for domain in ("algebra", "b"):
            one, other = (order(stage, r.filter(pl.col("domain") == domain)) for r in (rows, fewer))
            assert other == [name for name in one if name in set(fewer["id"])]


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("keep_stratified", {"by": "tags"}, "field by: wanted a column of texts"),
        ("keep_longest", {"length_from": "tags"}, "field length_from: wanted a text or number"),
        ("keep_random", {"quota": {"tags": {"a": 1}}}, "field quota: wanted a text column"),
        ("keep_kcenter", {}, "wanted the columns embedding"),
    ],
)
def test_in_a_script_a_selector_says_in_a_line_what_its_column_lacks(name, fields, says):
    rows = pool().with_columns(tags=pl.concat_list("id"))
    with pytest.raises(StageError, match=f"^stage {name}: {says}.*got.*$"):
        s1data.apply(get(name).model_validate({"n": 3} | fields), rows)


def test_difficulty_and_length_of_a_trace_can_be_weighed_together():
    """Select2Reason's ranking: both as ranks, so that neither unit counts more."""
    rows = pool(4).with_columns(
        difficulty=pl.Series([0.9, 0.8, 0.2, 0.1]),
        traces=pl.Series(
            [[{"thinking_tokens": t}, {"thinking_tokens": 1}] for t in (10, 900, 9000, 20)]
        ),
    )
    weights = {"difficulty": 0.5, "traces.thinking_tokens": 0.5}
    stage = get("keep_top")(n=1, weights=weights)
    assert stage.reads() == ("difficulty", "traces")
    ids = rows["id"].to_list()
    assert order(stage, rows) == [*sorted(ids[1:3]), ids[0], ids[3]]


def test_the_weight_of_a_draw_is_that_of_its_place():
    lines = ranked(get("keep_s1")(n=50, length_from="tokens"), pool()).drop_nulls("rank")
    for evidence in lines["evidence"]:
        assert evidence["weight"] == 2.0 ** -evidence["place"]

"""Errata: one edit moves one row, whatever the selector, and every quota still holds."""

import itertools
import json

import polars as pl
import pytest
from click.testing import CliRunner

import s1data
from s1data import RecipeError, StageError
from s1data.acting import act
from s1data.cli import app
from s1data.edits import Edit
from s1data.engine import LocalEngine
from s1data.recipe import Pipeline
from s1data.stage import Evidence
from s1data.stages import get
from tests import pools
from tests.stages.test_quotas import EVERY, home, pool  # noqa: F401 - a fixture

QUOTA = {"source": {"maths": 9}, "domain": {"others": {"max": 8}}}
DAY = "2026-11-24"
TWICE = "{id: 0123456789abcdef, action: drop, reason: r, date: 2026-11-24}"

SWAP = "{id: '1111111111111111', action: swap, with: 0123456789abcdef, reason: r, date: 2026-11-24}"


def edit(action, id_, **more):
    return Edit.model_validate(
        {"id": id_, "action": action, "reason": "wrong answer", "date": DAY} | more
    )


@pytest.fixture
def choose(home):  # noqa: F811 - the fixture by its name
    def chosen(name, edits=(), n=25, **fields):
        engine = LocalEngine(read={}.__getitem__, vectors_home=home)
        stage = get(name).model_validate(EVERY[name] | {"n": n} | fields)
        return act(stage, pool(), engine, edits=edits)

    return chosen


def ids(outcome):
    return set(outcome.kept["id"])


@pytest.mark.parametrize("quota", [{}, QUOTA], ids=["free", "under quotas"])
@pytest.mark.parametrize("name", EVERY)
def test_every_edit_more_moves_one_row_out_and_one_in(choose, name, quota):
    before = choose(name, quota=quota)
    ranks = before.ranks.join(pool(), on="row").sort("rank", nulls_last=True)
    inside, outside = ranks["id"].head(15).to_list(), ranks["id"].tail(40).to_list()
    source = dict(pool().select("id", "source").iter_rows())
    domain = dict(pool().select("id", "domain").iter_rows())
    twin = next(
        (a, b)
        for a, b in itertools.product(inside[5:], outside[5:])
        if (source[a], domain[a]) == (source[b], domain[b])
    )
    edits = [
        edit("drop", inside[0]),
        edit("pin", outside[0]),
        edit("swap", twin[0], **{"with": twin[1]}),
        edit("drop", inside[1]),
        edit("pin", inside[2]),
        edit("drop", outside[1]),
    ]
    last = ids(before)
    for count, moves in enumerate([1, 1, 1, 1, 0, 0], 1):
        after = choose(name, edits[:count], quota=quota)
        line = after.edits.row(-1, named=True)
        assert last - ids(after) == ({line["out"]} if moves else set())
        assert ids(after) - last == ({line["came_in"]} if moves else set())
        assert after.kept.height == 25
        if quota:
            assert after.kept.filter(source="maths").height == 9
            assert max(after.kept["domain"].value_counts()["count"]) <= 8
        last = ids(after)
    assert {outside[0], twin[1], inside[2]} <= last
    assert not {inside[0], twin[0], inside[1]} & last


@pytest.mark.parametrize("name", EVERY)
def test_a_set_with_edits_grows_and_keeps_its_rows(choose, name):
    before = choose(name)
    inside, outside = sorted(ids(before)), sorted(set(pool()["id"]) - ids(before))
    edits = [edit("drop", inside[0]), edit("pin", outside[3]), edit("drop", inside[4])]
    small, large = ids(choose(name, edits)), ids(choose(name, edits, n=50))
    assert len(small) == 25
    assert small < large


def test_the_row_that_steps_in_is_the_next_in_the_order(choose):
    before = choose("keep_longest")
    order = before.ranks.sort("rank").join(pool(), on="row", maintain_order="left")["id"].to_list()
    after = choose("keep_longest", [edit("drop", order[26]), edit("drop", order[3])])
    assert ids(after) == {*order[:3], *order[4:26]}
    # The first edit moved nothing, but that row will not step in.
    again = choose(
        "keep_longest", [edit("drop", order[26]), *(edit("drop", i) for i in order[3:5])]
    )
    assert ids(again) == {*order[:3], *order[5:26], order[27]}


def test_an_edit_that_does_not_go_as_written_is_told_and_recorded(choose, caplog):
    before = choose("keep_longest")
    order = before.ranks.sort("rank").join(pool(), on="row", maintain_order="left")["id"].to_list()
    edits = [
        edit("drop", "0" * 16),
        edit("drop", order[40]),
        edit("pin", order[1]),
        edit("swap", order[2], **{"with": order[3]}),
        edit("swap", order[41], **{"with": order[50]}),
        edit("drop", order[0]),
    ]
    after = choose("keep_longest", edits)
    said = [
        "it moved nothing: no row by that id reaches the selector: check the id",
        "it moved nothing: the row was not chosen, and will not step in",
        "it moved nothing: the row is chosen already, and stays",
        f"{order[3]} is in the set already, so the next row, {order[25]}, took the place",
        "it moved nothing: the row was not chosen, and will not step in",
        None,
    ]
    assert after.edits["note"].to_list() == said
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        f"stage keep_longest: edit {one.action} {one.id}: {note}"
        for one, note in zip(edits, said, strict=True)
        if note is not None
    ]
    assert ids(after) == {order[1], *order[3:25], order[25], order[26]}
    # The partner was asked for by name, so it does not give way to a row that is pinned later.
    pins = [edit("pin", i) for i in order[60:82]]
    assert order[3] in ids(choose("keep_longest", [edits[3], *pins]))


def test_a_question_that_is_in_the_set_twice_leaves_it_twice(choose):
    rows = pool().with_columns(id=pl.when(pl.col("row") == 7).then(pl.lit(pool()["id"][3])).otherwise("id"))  # fmt: skip
    engine = LocalEngine(read={}.__getitem__, vectors_home="unused")
    stage = get("keep_longest").model_validate({"n": 119, "length_from": "tokens"})
    out = act(stage, rows.head(120), engine, edits=[])
    wrong = rows["id"][3]
    assert out.kept.filter(id=wrong).height == 2
    stage = stage.model_copy(update={"n": 110})
    after = act(stage, rows, engine, edits=[edit("drop", wrong)])
    assert wrong not in set(after.kept["id"])
    assert after.kept.height == 110


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("quota", [{}, {"source": {"maths": 9}}], ids=["free", "under a quota"])
def test_what_would_keep_a_row_is_true_beside_edits(choose, name, quota):
    before = choose(name, quota=quota)
    inside, outside = sorted(ids(before)), sorted(set(pool()["id"]) - ids(before))
    edits = [edit("drop", outside[0]), *(edit("pin", i) for i in outside[1:4])]
    edits += [edit("drop", inside[0])]
    after = choose(name, edits, quota=quota)
    stage = get(name).model_validate(EVERY[name] | {"n": 25, "quota": quota})
    by_row = dict(pool().select("row", "id").iter_rows())
    tried = 0
    for row, reason, evidence in after.dropped.sort("row").select("row", "reason", "evidence").iter_rows():  # fmt: skip
        given = dict.fromkeys(stage.evidence) | json.loads(evidence)
        change = stage.keeps_if(Evidence(reason, given))
        if by_row[row] in (outside[0], inside[0]):
            assert change is None
            assert "An edit of" in stage.in_words(Evidence(reason, given))
        elif change is not None and tried < 8:
            tried += 1
            assert by_row[row] in ids(choose(name, edits, **({"quota": quota} | change)))
    assert tried or name in ("keep_kcenter", "keep_facility_location")


@pytest.mark.parametrize(
    ("made", "quota", "says"),
    [
        (("pin", "0" * 16), {}, "edit pin 0{16}: wanted a row that reaches the selector, got none"),
        (("swap", "IN", "0" * 16), {}, "wanted a row 0{16} that reaches the selector"),
        (
            ("swap", "IN_MATHS", "OUT_CHEM"),
            {"source": {"maths": 9}},
            "a swap within the quota, got source maths with 9 of at least 9",
        ),
        (
            ("pin", "OUT_CHEM"),
            {"source": {"chem": 0}},
            "a row that can give way within the quota, got source chem with 0 of at most 0",
        ),
    ],
)
def test_what_no_swap_can_do_is_an_error_that_says_why(choose, made, quota, says):
    before = choose("keep_random", quota=quota)
    rows = pool().with_columns(chosen=pl.col("id").is_in(before.kept["id"].implode()))
    first = {
        "IN": rows.filter("chosen")["id"][0],
        "IN_MATHS": rows.filter("chosen", source="maths")["id"][0],
        "OUT_CHEM": rows.filter(~pl.col("chosen"), source="chem")["id"][0],
    }
    action, one, *other = (first.get(part, part) for part in made)
    with pytest.raises(StageError, match=f"stage keep_random: .*{says}"):
        choose(
            "keep_random", [edit(action, one, **({"with": other[0]} if other else {}))], quota=quota
        )


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("[{id: xy, action: drop, reason: r, date: 2026-11-24}]", "edit xy: field id"),
        ("[{id: 0123456789abcdef, action: mend, reason: r, date: 2026-11-24}]", "'drop', 'pin'"),
        ("[{id: 0123456789abcdef, action: drop, reason: r, date: 24.11.2026}]", "a day like"),
        ("[{id: 0123456789abcdef, action: swap, reason: r, date: 2026-11-24}]", "swap wants another"),
        ("[{id: 0123456789abcdef, action: drop, date: 2026-11-24}]", "field reason"),
        (f"[{TWICE}, {TWICE}]", "the name 0123456789abcdef stands twice"),
        (
            f"[{SWAP.replace(chr(39), '')}]",
            "field id: wanted text, got 1111111111111111, which YAML reads as no text; put it in quo",
        ),
        (f"[{TWICE}, {SWAP}]", "of no earlier edit, got 0123456789abcdef, which the edit drop .* is"),
        (
            f"[{SWAP}, {SWAP.replace('1111', '2222')}]",
            "edit swap 2222.*, got 0123456789abcdef, which the edit swap 1111.* brings in",
        ),
        ("{}", "wanted a list"),
    ],
)  # fmt: skip
def test_an_edit_that_is_not_sound_is_refused_with_its_place(lines, says):
    with pytest.raises(RecipeError, match=rf"small.yaml:\d+:\d+: .*{says}"):
        Pipeline.from_yaml(f"{pools.RECIPE}edits: {lines}\n", "small.yaml")


def test_edits_without_a_selector_are_refused():
    text = pools.RECIPE.replace("  - keep_random: {as: keep, n: 20, seed: 1}\n", "")
    edits = "edits: [{id: 0123456789abcdef, action: drop, reason: r, date: 2026-11-24}]\n"
    with pytest.raises(RecipeError, match="they change what a selector chose"):
        Pipeline.from_yaml(text + edits, "small.yaml")


def test_a_run_tells_of_its_edits_in_ledger_manifest_and_why(tmp_path):
    pools.lay(tmp_path / "pool")
    plain = pools.pipeline(tmp_path / "pool").run(tmp_path / "run")
    wrong = plain.selected["id"][0]
    text = pools.RECIPE + (
        f"edits:\n  - {{id: {wrong}, action: drop, reason: the answer is 41, date: 2026-11-24}}\n"
    )
    recipe = pools.pipeline(tmp_path / "pool", text)
    assert Pipeline.from_yaml(recipe.to_yaml()) == recipe
    run = recipe.run(tmp_path / "run")
    assert run.cached == {"read", "drop_incomplete", "drop_malformed", "drop_contaminated"}
    (line,) = run.manifest["edits"]
    assert (line["id"], line["action"], line["date"], line["out"]) == (wrong, "drop", DAY, wrong)
    assert set(plain.selected["id"]) ^ set(run.selected["id"]) == {wrong, line["came_in"]}
    by_id = {row["id"]: row for row in run.ledger.iter_rows(named=True)}
    out, came = by_id[wrong], by_id[line["came_in"]]
    assert (out["outcome"], out["stage"], out["reason"]) == ("dropped", "keep", "dropped_by_edit")
    assert json.loads(came["evidence"])["edit"]["reason"] == "the answer is 41"
    words = str(run.why(wrong)[0])
    assert (
        f"An edit of {DAY} drops it: the answer is 41. {line['came_in']} is in its place." in words
    )
    assert "no setting of this stage would have kept it" in words
    again = recipe.run(tmp_path / "run")
    assert again.manifest["edits"] == run.manifest["edits"]
    assert plain.manifest is not None
    assert s1data.Pipeline.load(run.path / "pipeline.yaml").fingerprint == recipe.fingerprint


def test_the_command_tells_of_an_edit_that_moved_nothing_also_when_it_is_quiet(tmp_path):
    recipe = pools.lay(tmp_path)
    text = pools.pipeline(tmp_path).to_yaml()
    text += "edits:\n  - {id: '0000000000000000', action: drop, reason: r, date: 2026-11-24}\n"
    recipe.write_text(text, encoding="utf-8")
    for again in range(2):
        words = ["run", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert (
            "edit drop 0000000000000000: it moved nothing: no row by that id reaches" in done.stdout
        ), again

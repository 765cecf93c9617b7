"""An edit of a set says the same thing in the ledger, the manifest and the card."""

import json

import polars as pl
import pytest

from s1data.card.sections import sections
from s1data.hub.pushing import facts_of
from s1data.hub.staging import stage
from s1data.recipe import Pipeline
from s1data.verify import verify
from tests import pools

HOSTILE = "Wrong answer | <b>found</b> by `hand`"


def run(home, edits=()):
    pipeline = pools.pipeline(pools.lay(home / "pool").parent)
    text = pipeline.to_yaml()
    if edits:
        text += "edits:\n" + "".join(f"  - {json.dumps(edit)}\n" for edit in edits)
    return Pipeline.from_yaml(text, "small.yaml").run(home / "run")


def shown(done, folder):
    staged = stage(done, folder)
    return sections(facts_of(staged, staged.manifest, done, "org/small"))


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return run(tmp_path_factory.mktemp("before"))


def test_a_dropped_a_pinned_and_a_swapped_row_are_told_alike_in_all_three(before, tmp_path):
    chosen = before.selected["id"].to_list()
    waits = before.ledger.filter(stage="keep")["id"].to_list()
    edits = [
        {"id": chosen[0], "action": "drop", "reason": HOSTILE, "date": "2026-11-24"},
        {"id": waits[0], "action": "pin", "reason": "it is needed", "date": "2026-11-25"},
        {
            "id": chosen[3],
            "action": "swap",
            "with": waits[1],
            "reason": "twins",
            "date": "2026-11-26",
        },
    ]
    after = run(tmp_path, edits)
    text = shown(after, tmp_path / "staged")["errata"]
    lines = [line for line in text.splitlines() if line.startswith("| `2026")]
    assert len(lines) == len(after.manifest["edits"]) == 3
    ledger = {line["id"]: line for line in after.ledger.to_dicts()}
    members, touched = set(chosen), {}
    for line, edit, asked in zip(lines, after.manifest["edits"], edits, strict=True):
        assert asked.items() <= edit.items()
        members = members - {edit["out"]} | {edit["came_in"]}
        touched |= dict.fromkeys((edit["out"], edit["came_in"]), asked["reason"])
        for told in (edit["date"], edit["id"], edit["action"], edit["out"], edit["came_in"]):
            assert told in line
    assert members == set(after.selected["id"])
    for id_, reason in touched.items():
        row = ledger[id_]
        assert row["outcome"] == ("selected" if id_ in members else "dropped")
        assert json.loads(row["evidence"])["edit"]["reason"] == reason
    assert "<b>" not in text
    assert lines[0].count("|") - lines[0].count("\\|") == 7
    checked = verify(after)
    assert (checked.reached, checked.differences) == ("decisions", ())


def test_an_edit_that_moved_nothing_says_so_and_without_edits_there_is_no_section(before, tmp_path):
    waits = before.ledger.filter(stage="keep")["id"].to_list()
    edit = {"id": waits[-1], "action": "drop", "reason": "never in", "date": "2026-11-24"}
    text = shown(run(tmp_path, [edit]), tmp_path / "staged")["errata"]
    assert "| none | none |" in text
    assert "errata" not in shown(before, tmp_path / "plain")


def test_a_thousand_grows_to_two_thousand_and_keeps_the_first(tmp_path):
    """Through recipes, quotas and an edit: the larger set holds every row of the smaller."""
    rows = pl.DataFrame(
        [
            {"question": f"What is {i} times {i % 97}?", "kind": f"k{i % 7}", "size": i * 37 % 1009}
            for i in range(5000)
        ]
    )
    recipe = """
name: grown
version: 2026.11.0
sources: [{name: pool, columns: {domain: kind, size: size}}]
stages:
  - keep_s1: {as: keep, n: 1000, length_from: size, quota: {domain: {others: {max: 400}}}}
"""
    small = Pipeline.from_yaml(recipe, "a.yaml").run(tmp_path / "first", inputs={"": rows})
    more = recipe.replace("stages:", "inputs: {first: {}}\nstages:").replace("n: 1000", "n: 2000")
    more = more.replace("length_from: size", "length_from: size, preselect: [{in_input: first}]")
    drop = (
        f"edits: [{{id: {small.selected['id'][5]}, action: drop, reason: wrong, date: 2026-11-24}}]"
    )
    first = {"first": tmp_path / "first" / "selected.parquet"}
    for text, kept in ((more, 1000), (more + drop, 999)):
        grown = Pipeline.from_yaml(text, "b.yaml").run(
            tmp_path / f"grown-{kept}", inputs={"pool": rows} | first
        )
        assert grown.selected.height == 2000
        assert grown.selected.join(small.selected, on="id", how="semi").height == kept
        how = grown.ledger["evidence"].str.json_path_match("$.how").fill_null("")
        assert int((how == "preselected").sum()) == 1000
        checked = verify(grown)
        assert (checked.reached, checked.differences) == ("decisions", ())

"""The card: whatever text comes, it is shown and read as nothing else; edits are kept."""

import re

import polars as pl
import yaml
from hypothesis import given
from hypothesis import strategies as st

from s1data.card import fresh, merge
from s1data.card.metadata import merged, ours
from s1data.card.text import code, inline, table

ANY = st.text(max_size=80) | st.sampled_from(
    [
        "`a` | b",
        "<!-- s1data:end about -->",
        "# h",
        "---\nx: y\n---",
        "a\\|b",
        "``` ~~~",
        "&lt;",
        "\u202e\x00",
        "\x85",
    ]
)


@given(ANY)
def test_any_text_is_one_line_of_a_cell_without_markup(text):
    for shown in (inline(text), code(text)):
        assert all(c.isprintable() for c in shown)
    assert not re.search(
        r"(?<!\\)[|*_`\[\]#<>]", inline(text).replace("&lt;", "").replace("&amp;", "")
    )
    row = table(("a", "b"), [(inline(text), code(text))]).splitlines()
    assert len(row) == 3
    assert len(re.findall(r"(?<!\\)\|", row[2])) == 3


@given(ANY, ANY)
def test_the_metadata_block_reads_back_and_the_body_is_not_part_of_it(title, text):
    block = {"pretty_name": title, "tags": [text]}
    card = fresh(block, {"about": f"# {inline(title)}\n\n{text}"})
    head = re.match(r"\A---\n(.*?)\n---\n", card, re.DOTALL)
    assert yaml.safe_load(head.group(1)) == block
    assert card[head.end() :].count("<!-- s1data:end about -->") == 1


def card(**sections):
    return fresh({"tags": ["s1data"]}, sections)


def test_traces_without_counted_tokens_are_told_by_their_characters(tmp_path):
    from s1data.card.sections import sections
    from s1data.hub.pushing import facts_of
    from s1data.hub.staging import stage
    from s1data.recipe import Pipeline

    recipe = """
name: told
version: 2026.11.0
sources: [{name: pool, licence: mit}]
inputs: {traces: {}}
stages: [add_recorded_traces: {from: traces}, keep_random: {as: keep, n: 2}]
"""
    pool = pl.DataFrame({"question": ["One?", "Two?"]})
    traces = pool.with_columns(
        model=pl.lit("m"), thinking=pl.Series(["abc", "abcdefg"]), answer=pl.lit("4")
    )
    given = {"pool": pool, "traces": traces}
    run = Pipeline.from_yaml(recipe).run(tmp_path / "run", inputs=given)
    staged = stage(run, tmp_path / "set")
    made = sections(facts_of(staged, staged.manifest, run, "org/told"))["composition"]
    assert "| characters of thinking | 3 | 7 | 7 | 7 |" in made
    assert "tokens of thinking" not in made.replace("Tokens of thinking", "")


def test_merging_the_same_changes_nothing():
    old = card(about="one", use="two")
    again = merge(
        old,
        {"tags": ["s1data"]},
        {"about": "one", "use": "two"},
        {"tags": ["s1data"]},
        ("about", "use"),
    )
    assert (again.text, again.edited) == (old, ())


def test_a_new_section_is_added_once_and_one_taken_out_stays_out():
    old = card(about="one")
    more = merge(
        old, {"tags": ["s1data"]}, {"about": "1", "use": "2"}, {}, ("about", "reasons")
    ).text
    assert more.count("begin use") == 1
    again = merge(
        more,
        {"tags": ["s1data"]},
        {"about": "1", "use": "2", "reasons": "3"},
        {},
        ("about", "reasons", "use"),
    )
    assert "begin reasons" not in again.text
    assert again.text == more


def test_a_card_without_our_marks_keeps_its_text_and_gets_our_sections():
    found = merge("# Mine\n\nText.\n", {"license": "mit"}, {"about": "ours"}, {}, ()).text
    assert found.startswith("---\nlicense: mit\n---\n")
    assert "# Mine\n\nText." in found
    assert "ours" in found


def test_metadata_that_a_user_changed_or_added_is_kept_and_ours_is_renewed():
    before = {"license": "mit", "size_categories": ["n<1K"], "gone": 1}
    old = {"license": "apache-2.0", "size_categories": ["n<1K"], "gone": 1, "language": "en"}
    new = {"license": "mit", "size_categories": ["1K<n<10K"]}
    assert merged(new, old, before) == {
        "license": "apache-2.0",
        "size_categories": ["1K<n<10K"],
        "language": "en",
    }


def test_licences_become_names_that_the_hub_knows_or_other():
    def block(licences):
        manifest = {
            "title": "t",
            "selected": {"rows": 5, "licences": licences},
            "published": {"configs": {"default": "data"}},
        }
        return {k: v for k, v in ours(manifest).items() if k.startswith("license")}

    assert block({"MIT": 3}) == {"license": "mit"}
    assert block({"MIT": 3, "CC BY 4.0": 2}) == {"license": ["cc-by-4.0", "mit"]}
    assert block({"unknown": 1, "MIT": 4})["license"] == "other"
    assert block({"house rules": 5})["license_name"] == "house rules"

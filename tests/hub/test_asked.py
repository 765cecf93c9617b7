"""A run that asked models: its replies are published and checked from the reply store."""

import polars as pl
import pytest

from s1data.emulator import Emulator, Script
from s1data.hub.published_set import PublishedSet
from s1data.hub.staging import stage
from s1data.recipe import Pipeline
from s1data.serving import Means
from s1data.verify import verify
from tests.hub import sets

RECIPE = """\
name: asked
version: 2026.11.0
sources: [{name: pool, licence: mit}]
models:
  teacher: {provider: openai_compatible, model: deepseek-r1, max_tokens: 4096}
stages:
  - drop_incomplete: {needs: [answer]}
  - add_traces: {teachers: [teacher]}
  - keep_longest: {as: keep, n: 4, length_from: traces.thinking_tokens}
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The run, its pool and its store; the emulator that answered is gone."""
    home = tmp_path_factory.mktemp("asked")
    pool = pl.DataFrame(
        {"question": [sets.question(i) for i in range(9)], "answer": ["7"] * 8 + [None]}
    )
    script = Script.of({"models": {"deepseek-r1": {"role": "teacher", "skill": 1.0}}})
    with Emulator(script) as server:
        means = Means(
            endpoints={"teacher": (server.openai_url,)}, no_price=True, store=home / "replies"
        )
        run = Pipeline.from_yaml(RECIPE).run(home / "run", inputs={"pool": pool}, means=means)
    return run, pool, home / "replies"


def test_all_replies_are_published_from_the_store_and_none_where_that_is_asked(asked, tmp_path):
    run, _, store = asked
    done = stage(run, tmp_path / "all", with_replies="all", store=store)
    assert [f.rows for f in done.files if f.path.startswith("replies/")] == [8]
    replies = PublishedSet.open(tmp_path / "all").config("replies")
    chosen = run.selected["traces"].explode().struct.unnest()
    for line in chosen.iter_rows(named=True):
        held = replies.filter(reply_key=line["reply_key"])
        assert held.select("thinking", "answer").row(0) == (line["thinking"], line["answer"])
    stage(run, tmp_path / "none", with_replies="none", store=store)
    thinking = str(chosen["thinking"][0]).encode()
    assert all(
        thinking not in p.read_bytes() for p in (tmp_path / "none").rglob("*") if p.is_file()
    )


def test_it_is_verified_in_full_with_the_store_and_no_model(asked, tmp_path):
    run, pool, store = asked
    found = verify(run, "full", inputs={"pool": pool}, store=store)
    assert (found.reached, found.differences) == ("full", ())
    without = verify(run, "full", inputs={"pool": pool}, store=tmp_path / "empty")
    assert without.reached == "decisions"
    assert "teacher" in without.differences[0]


def test_the_published_set_decides_anew_without_store_or_model(asked, tmp_path):
    run, _, store = asked
    stage(run, tmp_path / "set", store=store)
    found = verify(PublishedSet.open(tmp_path / "set"))
    assert (found.reached, found.differences) == ("decisions", ())
    (way,) = PublishedSet.open(tmp_path / "set").why(run.selected["id"][0])
    assert way.outcome == "selected"

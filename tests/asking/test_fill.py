"""Exactly N rows with a trace: a reserve is taught in selection order until holes are filled."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import s1data
from s1data import planning
from s1data.emulator import Emulator, Script
from s1data.errors import RecipeError, RunStopped
from s1data.hub.published_set import PublishedSet
from s1data.hub.staging import stage
from s1data.serving import Means
from s1data.stages.standing import standing
from s1data.verify import verify

N, RESERVE = 20, 20
RECIPE = f"""
name: filled
version: 2026.11.0
sources: [{{name: pool, path: unused.parquet, columns: {{subject: subject}}}}]
models:
  teacher: {{provider: openai_compatible, model: big-70b, max_tokens: 4000}}
stages:
  - keep_random: {{as: shortlist, n: {N}, reserve: {RESERVE}, quota: {{subject: {{odd: 12, even: 8}}}}}}
  - fill: {{teachers: [teacher], ladder: []}}
  - drop_unfilled
"""
POOL = pl.DataFrame(
    {
        "question": [f"What is {i} + {i + 1}?" for i in range(90)],
        "answer": [str(2 * i + 1) for i in range(90)],
        "subject": ["odd" if i % 2 else "even" for i in range(90)],
    }
)
FAULTS = {"cut_thinking": 0.15, "recitation": 0.15, "safety": 0.1}


def script(faults=FAULTS):
    return Script.of({"seed": 3, "models": {"big-70b": {"role": "teacher"}}, "faults": faults})


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))


def means(server, **more):
    return Means(**({"endpoints": {"teacher": (server.openai_url,)}, "no_price": True} | more))


def run(home, recipe=RECIPE, frame=POOL, **options):
    return s1data.Pipeline.from_yaml(recipe).run(home, inputs={"pool": frame}, **options)


def columns(home):
    """What the fill left of each row that the selector handed on."""
    at = home / "stages"
    chosen = pl.read_parquet(at / "01-shortlist" / "columns.parquet")
    made = pl.read_parquet(at / "02-fill" / "columns.parquet")
    return chosen.join(made, on="row").unnest("selection").sort("place")


def test_blocked_and_cut_traces_leave_no_hole_and_nothing_more_is_taught(tmp_path):
    with Emulator(script(), answers=POOL) as server:
        done = run(tmp_path / "run", means=means(server))
        assert done.selected.height == N
        assert dict(done.selected["subject"].value_counts().iter_rows()) == {"odd": 12, "even": 8}
        assert done.selected["filling"].struct["accepted"].all()
        for traces in done.selected["traces"].to_list():
            assert [trace["finish"] for trace in traces] == ["ok"]
            assert traces[0]["thinking"]
        lines = columns(tmp_path / "run")
        taught = lines.filter(pl.col("filling").struct.field("accepted").is_not_null())
        failed = taught.filter(~pl.col("filling").struct.field("accepted"))
        assert failed.height > 0
        assert taught.height == N + failed.height, "a row of the reserve for each hole, no more"
        assert done.manifest["models"]["teacher"]["sent"] == taught.height
        # Holes are filled in selection order within the quota.
        for subject in ("odd", "even"):
            mine = lines.join(
                done.ledger.select("row", "reason"), on="row", maintain_order="left"
            ).filter(pl.col("row") % 2 == int(subject == "odd"))
            seen = mine.filter(pl.col("reserve"))["reason"].to_list()
            untouched = [at for at, reason in enumerate(seen) if reason == "not_needed"]
            assert untouched == list(range(len(seen) - len(untouched), len(seen)))
        reasons = dict(done.ledger["reason"].value_counts().iter_rows())
        assert reasons["no_accepted_trace"] == failed.height
        assert reasons["not_needed"] == RESERVE - failed.height
        (figures,) = [
            s["figures"] for s in done.manifest["stages"] if s["label"] == "drop_unfilled"
        ]
        assert (figures["wanted"], figures["accepted"], figures["missing"]) == (N, N, 0)
        assert set(figures["not_accepted"]) <= {"cut_thinking", "recitation", "safety"}
        assert sum(figures["not_accepted"].values()) == failed.height
        before = len(server.log)
        again = run(tmp_path / "again", means=means(server))
        assert len(server.log) == before + 1  # the tiny request that checks the model
    for name in ("selected.parquet", "ledger.parquet"):
        one, two = tmp_path / "run" / name, tmp_path / "again" / name
        assert one.read_bytes() == two.read_bytes()
    assert verify(again).differences == ()


def test_every_row_of_the_reserve_says_why_it_is_not_in_the_set(tmp_path):
    with Emulator(script(), answers=POOL) as server:
        done = run(tmp_path / "run", means=means(server))
    ids = dict(done.ledger.select("row", "id").iter_rows())
    failed = done.ledger.filter(reason="no_accepted_trace")
    for line in failed.iter_rows(named=True):
        told = json.loads(line["evidence"])
        (way,) = done.why(row=line["row"])
        assert told["other"] in ids.values()
        assert f"({', '.join(told['why_not'])}); in its place: {told['other']}" in str(way)
    spare = done.ledger.filter(reason="not_needed")["row"][0]
    said = str(done.why(row=spare)[0])
    assert f"{N} of {N} rows were accepted without it" in said
    assert "shortlist                selected: for the reserve, at place " in said


def test_a_reserve_that_is_used_up_is_said_with_how_many_are_missing(tmp_path):
    class Heard(s1data.progress.Silent):
        said = ""

        def say(self, text):
            Heard.said += text

    small = RECIPE.replace(f"reserve: {RESERVE}", "reserve: 2")
    with Emulator(script({"safety": 0.5}), answers=POOL) as server:
        done = run(tmp_path / "run", small, means=means(server), tell=Heard())
    figures = done.manifest["stages"][-1]["figures"]
    assert figures["missing"] == N - done.selected.height > 0
    assert figures["missing"] == sum(figures["not_accepted"].values()) - 2
    assert figures["why_missing"].startswith("the reserve is used up")
    assert f"{figures['missing']} of {N} rows are missing: the reserve is used up" in Heard.said


def test_the_budget_ends_and_the_next_run_fills_on(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai_compatible"\nmodel = "big-70b"\nprompt = 1.0\noutput = 10.0\n'
        'date = "2026-11"\nsource = "a test"\n'
    )
    priced = {"no_price": False, "prices": [prices]}
    with Emulator(script(), answers=POOL) as server:
        with pytest.raises(RunStopped, match="cap of 0"):
            run(tmp_path / "run", means=means(server, max_usd=0.01, **priced))
        part = run(tmp_path / "run", means=means(server, max_usd=0.15, **priced))
        figures = part.manifest["stages"][-1]["figures"]
        assert 0 < part.selected.height == figures["accepted"] < N
        assert figures["why_missing"] == "the budget ended"
        assert part.ledger.filter(reason="not_taught").height > 0
        assert part.manifest["open"] > 0
        assert part.manifest["spent"]["usd_at_most"] <= 0.15
        whole = run(tmp_path / "run", means=means(server, max_usd=5.0, **priced))
        assert whole.selected.height == N
        assert whole.manifest["open"] == 0
        assert whole.manifest["spent"]["usd_at_most"] <= 5.0
    with Emulator(script(), answers=POOL) as server:
        other = run(tmp_path / "other", means=means(server, store=tmp_path / "fresh"))
    for name in ("selected.parquet", "ledger.parquet"):
        assert (whole.path / name).read_bytes() == (other.path / name).read_bytes()


def test_what_is_accepted_is_what_checks_and_filter_would_keep(tmp_path):
    """`add_trace_checks` and `drop_bad_traces` with the same flaws drop none of what it accepts."""
    tail = "  - add_trace_checks: {max_tokens: 900}\n  - drop_bad_traces: {flaws: [cut, empty, too_long]}\n"
    strict = "{teachers: [teacher], ladder: [], flaws: [cut, empty, too_long], max_tokens: 900}"
    recipe = RECIPE.replace("{teachers: [teacher], ladder: []}", strict) + tail
    with Emulator(script(), answers=POOL) as server:
        done = run(tmp_path / "run", recipe, means=means(server))
    filled, checked = (done.manifest["stages"][at] for at in (3, 5))
    assert "too_long" in filled["figures"]["not_accepted"]
    assert checked["rows_out"] == checked["rows_in"] == filled["rows_out"]


def test_plan_counts_the_reserve_as_the_most_that_is_asked(tmp_path):
    planned = planning.plan(
        s1data.Pipeline.from_yaml(RECIPE), tmp_path / "run", inputs={"pool": POOL}
    )
    (asking,) = planned.asking
    assert asking.estimates[0].requests == N + RESERVE
    assert "all of the reserve is counted" in asking.said


def test_rehearsal_fills_too(tmp_path):
    done = run(tmp_path / "run", rehearse=True, script=script())
    assert done.manifest["rehearsal"] is True
    assert done.selected.height == N


def test_an_erratum_brings_the_next_row_of_the_reserve_before_it_is_taught(tmp_path):
    with Emulator(script(), answers=POOL) as server:
        plain = run(tmp_path / "run", means=means(server))
        gone = plain.selected["id"][0]
        edit = f"edits:\n  - {{id: {gone}, action: drop, reason: wrong, date: 2026-11-24}}\n"
        edited = run(tmp_path / "edited", RECIPE + edit, means=means(server))
    assert edited.selected.height == N
    assert gone not in edited.selected["id"]
    assert len(set(edited.selected["id"]) - set(plain.selected["id"])) == 1


def test_fill_without_a_reserve_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(
        RecipeError, match=r"stage fill: wanted a selector with a reserve before it"
    ):
        run(tmp_path / "run", RECIPE.replace(f"reserve: {RESERVE}, ", ""), rehearse=True)


def test_a_row_that_a_filter_drops_before_the_teaching_leaves_no_hole_either(tmp_path):
    with_filter = RECIPE.replace("  - fill:", "  - drop_incomplete: {needs: [answer]}\n  - fill:")
    frame = POOL.with_columns(
        answer=pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("answer")
    )
    with Emulator(script(), answers=POOL) as server:
        done = run(tmp_path / "run", with_filter, frame, means=means(server))
    assert done.ledger.filter(reason="missing_value").height > 0
    assert done.selected.height == N
    assert dict(done.selected["subject"].value_counts().iter_rows()) == {"odd": 12, "even": 8}


GROUPS = st.lists(st.sampled_from("ab"), min_size=1, max_size=14)


@given(groups=GROUPS, n=st.integers(1, 8), data=st.data())
def test_no_quota_is_ever_left_and_waves_end_where_all_at_once_does(groups, n, data):
    n = min(n, len(groups))
    counts = {g: groups[:n].count(g) for g in "ab"}
    fixed = data.draw(st.booleans())
    selection = [
        {
            "place": at + 1,
            "reserve": at >= n,
            "wanted": n,
            "groups": [
                {"group": g, "least": counts[g] if fixed else 0, "most": counts[g] + (not fixed)}
            ],
        }
        for at, g in enumerate(groups)
    ]
    truth = data.draw(st.lists(st.booleans(), min_size=len(groups), max_size=len(groups)))
    known: list[bool | None] = [None] * len(groups)
    while new := [r for r in standing(selection, known).inside if known[r] is None]:
        for row in new[: data.draw(st.integers(1, len(new)))]:
            known[row] = truth[row]
    set_ = standing(selection, known)
    assert set_ == standing(
        selection, [t if k is not None else None for t, k in zip(truth, known, strict=True)]
    )
    assert all(truth[row] for row in set_.inside)
    for g in "ab":
        inside = sum(groups[row] == g for row in set_.inside)
        assert inside <= counts[g] + (not fixed)
    spare = [r for r in range(n, len(groups)) if known[r] is None]
    holes = [row for row, came in set_.stand_ins.items() if came is None]
    assert len(set_.inside) + len(holes) == n
    assert not (holes and any(groups[s] == groups[h] for s in spare for h in holes))


def test_a_published_set_says_where_every_row_stood(tmp_path):
    with Emulator(script(), answers=POOL) as server:
        done = run(tmp_path / "run", means=means(server))
    stage(done, tmp_path / "set", with_replies="none", store=tmp_path / "cache" / "replies")
    shown = PublishedSet.open(tmp_path / "set")
    for reason in ("not_needed", "no_accepted_trace"):
        row = done.ledger.filter(reason=reason)["row"][0]
        (there,), (here,) = shown.why(row=row), done.why(row=row)
        fates = [(step.label, step.fate, step.reason) for step in here.steps]
        assert [(step.label, step.fate, step.reason) for step in there.steps] == fates
        assert there.steps[-1].words == here.steps[-1].words
    checked = verify(shown, inputs={"pool": POOL})
    assert checked.differences == ()


def test_waves_of_batch_jobs_fill_the_same_set(tmp_path):
    gemini = RECIPE.replace(
        "provider: openai_compatible, model: big-70b",
        "provider: gemini, model: gemini-2.5-flash, thinking: {budget: 1024}",
    ).replace("ladder: []", "ladder: [], accept: [summary, raw]")
    faulty = Script.of(
        {"seed": 3, "models": {"gemini-2.5-flash": {"role": "teacher"}}, "faults": FAULTS}
    )
    one = run(tmp_path / "online", gemini, rehearse=True, script=faulty)
    jobs = run(tmp_path / "jobs", gemini, rehearse=True, script=faulty, means=Means(batch=True))
    assert one.ledger.filter(reason="no_accepted_trace").height > 0
    assert jobs.selected["id"].equals(one.selected["id"])
    assert jobs.ledger.equals(one.ledger)

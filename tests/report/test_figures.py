"""The figures behind page, tables, JSON and pictures: they are those of the ledger."""

import itertools
import json
import re
from pathlib import Path

import polars as pl
import pytest

from s1data import cli
from s1data.errors import RunError
from s1data.recipe import Pipeline
from s1data.report import charts, facts, html, overlap, payload, projection, shown, summary
from s1data.run import Run
from tests.report import planted


@pytest.fixture(scope="session")
def found(run):
    return facts.read(run)


@pytest.fixture(scope="session")
def said(found):
    return summary.of(found)


def test_rows_are_the_ledger_with_what_stages_added(found, run):
    assert found.rows.select(run.ledger.columns).equals(run.ledger)
    assert {"question", "attempts", "traces", "domain", "embedding"} <= set(found.rows.columns)
    gone = found.rows.filter(stage="drop_incomplete")
    assert gone["domain"].null_count() == gone.height, "never made for a dropped row"


def test_counts_are_those_of_ledger_and_funnel(said, run):
    assert said["rows"] == {"read": 361, "selected": 40, "dropped": 321, "asked_for": 40}
    lost = run.ledger.filter(outcome="dropped").group_by("stage", "reason").len()
    removed = {(g["stage"], g["reason"]): g["rows"] for g in said["removed"]}
    assert removed == {(s, r): n for s, r, n in lost.iter_rows()}
    assert [s["rows_out"] for s in said["funnel"]] == run.funnel()["rows_out"].to_list()


def test_published_counts_stand_beside_those_found(said, run, tmp_path, capsys):
    left = dict(run.funnel().select("stage", "rows_out").iter_rows())
    assert said["expected"] == {
        "who": ["another", "one <paper>"],
        "stages": [
            {"stage": stage, "found": left[stage], "expected": counts}
            for stage, counts in (
                ("drop_incomplete", [None, 331]),
                ("drop_duplicates", [300, None]),
                ("keep", [41, 40]),
            )
        ],
    }
    assert [shown.apart(40, 40), shown.apart(1204, 2), shown.apart(2, 9)] == [
        "the same",
        "+1,202",
        "\N{MINUS SIGN}7",
    ]
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", str(run.path), "--out", str(tmp_path / "page.html")])
    assert not ended.value.code
    table = capsys.readouterr().out.split("Beside published counts")[1]
    assert "41 (\N{MINUS SIGN}1)" in table
    assert "40 (the same)" in table
    assert "not said" in table


def test_examples_say_what_why_says(said, run):
    for group in said["removed"]:
        assert len(group["examples"]) == min(3, group["rows"])
        for example in group["examples"]:
            (way,) = run.why(row=example["row"])
            step = next(s for s in way.steps if s.fate == "dropped")
            assert (example["words"], group["stage"], group["reason"]) == (
                step.words,
                step.label,
                step.reason,
            )
            assert (example["setting"] is None) == (step.settings is None)


@pytest.mark.parametrize("column", ["domain", "source", "licence"])
def test_distributions_count_before_and_after(said, found, column):
    rows = found.rows if column == "licence" else found.rows.filter(pl.col(column).is_not_null())
    lines = said["distributions"][column]
    assert sum(line["before"] for line in lines) == rows.height
    assert sum(line["after"] for line in lines) == 40
    one = lines[0]
    same = rows.filter(pl.col(column).fill_null("unknown") == one["name"])
    assert (one["before"], one["after"]) == (same.height, same.filter(outcome="selected").height)


def test_every_length_is_in_a_bin(said, found):
    chars = said["distributions"]["question_chars"]
    assert sum(chars["before"]) == found.rows["question"].drop_nulls().len()
    assert sum(chars["after"]) == 40
    tokens = said["distributions"]["trace_tokens"]
    assert sum(tokens["before"]) == found.rows["traces"].list.len().sum()


def test_thinking_without_counted_tokens_is_measured_in_characters(tmp_path):
    questions = [planted.plain(i) for i in range(4)]
    traces = pl.DataFrame(
        [(q, "t", "so " * (n + 1), "4") for n, q in enumerate(questions)],
        schema=["question", "model", "thinking", "answer"],
        orient="row",
    )
    recipe = (
        "name: told\nversion: 2026.11.0\nsources: [{name: pool, columns: {domain: kind}}]\n"
        "inputs: {traces: {}}\nstages: [add_recorded_traces: {from: traces}, keep_random: {n: 2}]\n"
    )
    pool = pl.DataFrame({"question": questions, "kind": ["a", "a", "a", "b"]})
    run = Pipeline.from_yaml(recipe).run(tmp_path / "r", inputs={"pool": pool, "traces": traces})
    said = summary.of(facts.read(run))["distributions"]
    assert "trace_tokens" not in said
    assert sum(said["trace_chars"]["before"]) == 4
    assert said["trace_chars"]["median_before"] == 7.5
    assert sum(said["trace_chars"]["after"]) == 2
    names = {line["name"]: line["before"] for line in said["domain"]}
    assert names == {"a": 3, "b": 1}, "a domain that the pool brings counts too"
    page = html.write(run).read_text(encoding="utf-8")
    assert 'id="map"' not in page, "nothing was embedded"


@pytest.mark.parametrize("width", [60, 200])
def test_no_name_is_cut_in_a_terminal(run, tmp_path, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = call("report", str(run.path), "--out", str(tmp_path / "p.html"), capsys=capsys)
    assert code in (0, None)
    assert "…" not in out
    tables, _ = out.split("open in a browser")
    assert max(map(len, tables.splitlines())) <= width


def test_shares_on_an_axis_are_what_they_say(said):
    svg = charts.svg(charts.histogram(said["distributions"]["question_chars"], "x"), "x").decode()
    marks = [float(m) for m in re.findall(r">([\d.]+)%<", svg)]
    steps = {round(b - a, 6) for a, b in itertools.pairwise(marks)}
    assert len(marks) > 2
    assert len(steps) == 1


def test_difficulty_and_grading_count_every_attempt(said):
    # 100 attempts a solver; those at rows that left before are not in the run.
    solvers = {line["solver"]: line["before"] for line in said["distributions"]["difficulty"]}
    assert set(solvers) == set(planted.SOLVERS)
    attempts = sum(sum(verdicts.values()) for verdicts in solvers.values())
    graded = [m for m in said["grading"] if m["of"] == "attempts"]
    assert attempts == sum(m["right"] + m["wrong"] + m["undecided"] for m in graded) > 100


def test_contamination_is_marked_and_duplicates_stand_beside_survivors(said, run):
    (stage,) = said["contamination"]
    assert stage["rows_dropped"] == run.ledger.filter(reason="in_benchmark").height == 1
    (example,) = stage["examples"]
    assert example["text"]["match"] in planted.BENCH
    assert (
        example["text"]["before"] + example["text"]["match"] + example["text"]["after"]
        == planted.MATCHES
    )
    for pair in said["duplicates"]["pairs"]:
        assert pair["question"] == pair["survivor_question"]
        assert pair["row"] != pair["survivor_row"]


@pytest.mark.parametrize(
    ("text", "span", "match"),
    [
        ("So MANY\n  geese fly", "many geese", "MANY\n  geese"),
        ("a+b (c)", "a+b (c)", "a+b (c)"),
        ("nothing of it", "other words", ""),
        ("nothing of it", "", ""),
    ],
)
def test_the_words_of_a_span_are_found_as_they_stand(text, span, match):
    assert overlap.marked(text, span)["match"] == match


def test_selected_rows_come_first_and_room_is_kept(found):
    whole = payload.pack(found, 10**9)
    assert whole.in_full == whole.rows
    floor = payload.pack(found, 0)
    assert set(floor.in_full.values()) == {0}
    some = payload.pack(found, (whole.size + floor.size) // 2)
    assert floor.size < some.size <= (whole.size + floor.size) // 2
    full = sum(some.in_full.values())
    assert 0 < full < sum(some.rows.values())
    assert some.in_full["selected"] == min(40, full) or some.in_full["dropped"] == 0


def test_one_run_gives_one_page(found):
    assert html.render(found) == html.render(found)


def test_the_page_asks_for_nothing_and_escapes_every_text(found, run):
    page = html.render(found)
    assert page.count("<script") == page.count("</script>")
    prose = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert "onerror=" not in re.sub(r">[^<]*<", "><", prose), "in no tag"
    assert "&lt;script&gt;window.fired" in prose
    assert not re.search(
        r"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//""", re.sub(r">[^<]*<", "><", prose)
    )
    assert "\u202e" not in page


def test_the_map_is_the_same_twice_and_takes_a_stratified_sample(found):
    first, again = projection.lay_out(found), projection.lay_out(found)
    assert first.points.equals(again.points)
    rows = found.rows.filter(pl.col("embedding").is_not_null())
    few = projection.sample(rows, 100)
    assert few.filter(outcome="selected").height == 40
    assert 90 <= few.height <= 100
    assert few.equals(projection.sample(rows.sort("question"), 100))


def test_points_beyond_the_landmarks_get_a_place(found, monkeypatch):
    import numpy as np

    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    places = projection.project(vectors, np.arange(60) % 2 == 0)
    assert places.shape == (60, 2)
    assert places.min() == 0
    assert places.max() == 65_535


def test_without_vectors_the_report_says_why_there_is_no_map(found, tmp_path, monkeypatch):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path))
    assert "not on this machine" in projection.lay_out(found)
    assert "not on this machine" in html.render(found)


def test_models_are_shown_as_the_manifest_has_them(found, said):
    asked = {
        "small": {
            "requests": 1200,
            "cached": 200,
            "outcomes": {"ok": 1199, "blocked": 1},
            "usd": 12.5,
            "seconds": 75.0,
        }
    }
    assert summary.models({"models": asked})[0] == {"model": "small", **asked["small"]}
    assert shown.cell(asked["small"]["outcomes"], "outcomes") == "ok 1,199, blocked 1"
    assert said["usd"] is None


@pytest.mark.parametrize(
    ("filter_", "given", "wanted"),
    [
        (shown.n, 83481, "83,481"), (shown.n, None, ""), (shown.share, 0.1234, "12.3%"),
        (shown.share, 0.0001, "<0.1%"), (shown.usd, 1234.5, "$1,234.50"), (shown.usd, 0.0123, "$0.0123"),
        (shown.seconds, 5.94, "5.9 s"), (shown.seconds, 723, "12 min 3 s"), (shown.seconds, 7500, "2 h 5 min"),
        (shown.when, "2026-11-04T09:05:00+00:00", "4 November 2026, 09:05 UTC"),
        (shown.plain, "a\u202eb\x00c\u200dd\n", "a[U+202E]b[U+0000]c\u200dd\n"),
    ],
)  # fmt: skip
def test_numbers_have_separators_and_units(filter_, given, wanted):
    assert filter_(given) == wanted


def test_charts_bring_no_colour_or_style_of_their_own(said):
    made = charts.histogram(said["distributions"]["question_chars"], "characters")
    svg = charts.for_page(made, "x", "what it shows")
    assert "style=" not in svg
    assert "<style" not in svg
    assert 'aria-label="what it shows"' in svg
    assert "var(--before)" in svg


def call(*arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(list(arguments))
    out = capsys.readouterr()
    return end.value.code, out.out, out.err


def test_the_command_writes_page_tables_json_and_pictures(run, tmp_path, capsys):
    page = tmp_path / "page.html"
    code, out, _ = call(
        "report",
        str(run.path),
        "--out",
        str(page),
        "--json",
        "--pictures",
        str(tmp_path / "p"),
        capsys=capsys,
    )
    told = json.loads(out)
    assert code == 0
    assert told["rows"]["selected"] == 40
    assert {str(page)} <= set(told["written"])
    names = {p.name for p in (tmp_path / "p").iterdir()}
    assert {
        f"{n}.{k}"
        for n in ("funnel", "domains", "question_chars", "difficulty", "map")
        for k in ("png", "svg")
    } <= names
    assert (tmp_path / "p" / "funnel.png").read_bytes()[:4] == b"\x89PNG"
    code, out, _ = call("report", str(run.path), "--out", str(page), capsys=capsys)
    assert code == 0
    for part in ("361 rows read", "drop_solved", "Attempts", "Verdicts by method", "bench"):
        assert part in out


def test_a_run_that_is_not_finished_is_one_line(run, tmp_path, capsys):
    import shutil

    half = tmp_path / "half"
    shutil.copytree(run.path, half)
    (half / "manifest.json").unlink()
    code, _, err = call("report", str(half), capsys=capsys)
    assert (code, err.count("\n")) == (1, 1)
    assert "resume it" in err
    bare = tmp_path / "bare"
    shutil.copytree(run.path, bare, ignore=shutil.ignore_patterns("stages"))
    with pytest.raises(RunError, match="needs what the stages left"):
        facts.read(Run.open(bare))


def test_a_notebook_shows_a_run_without_running_anything(run):
    shown_as = run._repr_html_()
    assert "40 selected" in shown_as
    assert all(stage in shown_as for stage in run.funnel()["stage"])
    assert "<script" not in shown_as


def test_katex_is_there_and_cannot_end_its_script_early():
    script = html.katex()
    assert "katex" in script
    assert "</script" not in script.lower()


def test_page_files_are_all_used():
    folder = Path(html.__file__).parent / "page"
    assert {p.name for p in folder.glob("*.js")} == set(html.SCRIPTS)


def test_a_run_ends_with_its_report_and_never_fails_for_it(tmp_path, capsys, monkeypatch):
    from tests import pools

    pools.lay(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("run", "small.yaml", capsys=capsys)
    page = Path("runs/small/report.html")
    assert code == 0
    assert str(page) in out
    assert "<title>small" in page.read_text(encoding="utf-8")
    stamp = page.stat().st_mtime_ns
    call("run", "small.yaml", capsys=capsys)
    assert page.stat().st_mtime_ns == stamp, "nothing changed: the page stands"
    page.unlink()
    page.mkdir()  # it cannot be written
    code, out, err = call("run", "small.yaml", capsys=capsys)
    assert code == 0
    assert str(page) not in out
    assert "its report could not be made" in err


def test_other_runs_stand_beside(run, tmp_path):
    other = planted.run(tmp_path / "other", **{"keep.n": 10})
    first, second = summary.of(facts.read(run), [other])["beside"]
    assert (first["in_both"], first["only_there"]) == (40, 0)
    assert (second["selected"], second["in_both"], second["only_here"]) == (10, 10, 30)
    page = html.render(facts.read(run), others=[other])
    assert 'id="beside"' in page
    assert "changed: keep.n" in page


@pytest.mark.parametrize(
    ("questions", "stage", "words"),
    [
        ([], "drop_duplicates", "run report"),
        ([None, " "], "drop_duplicates", "no question"),
        (["the same"] * 6, "add_embedding: {encoder: tfidf-svd, dimensions: 2}", "the same vector"),
        (["one", "two"], "add_embedding: {encoder: tfidf-svd, dimensions: 2}", "too few for a map"),
    ],
)
def test_a_run_with_next_to_nothing_in_it_has_a_report(tmp_path, questions, stage, words):
    recipe = f"name: bare\nversion: 2026.11.0\nsources: [{{name: pool}}]\nstages:\n  - {stage}\n"
    frame = pl.DataFrame({"question": questions}, schema={"question": pl.String})
    run = Pipeline.from_yaml(recipe).run(tmp_path / "run", inputs={"pool": frame})
    page = html.write(run).read_text(encoding="utf-8")
    assert words in page
    assert f"rows read</dt><dd>{len(questions)}</dd>" in page

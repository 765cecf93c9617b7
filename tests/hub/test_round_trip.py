"""What was pushed is enough: a stranger checks it, asks it and runs it again."""

import json
import re
import shutil

import polars as pl
import pytest

from s1data import digest
from s1data.hub.published_set import PublishedSet
from s1data.hub.staging import content
from s1data.verify import verify
from tests.hub.client import using

REPO = "org/round-trip"
AT = f"hf://datasets/{REPO}@2026.11.0"


@pytest.fixture(scope="module")
def pushed(user, runs, tmp_path_factory):
    """A pushed run: its folder."""
    run = shutil.copytree(runs / "shared", tmp_path_factory.mktemp("pushed") / "run")
    done = user.s1data("push", run, REPO)
    assert done.code == 0, done.err
    return run


@pytest.fixture(scope="module")
def stranger(hub, pushed, tmp_path_factory):
    """A process that has nothing but the pushed set: no run, no token, an empty folder."""
    with using(hub.url, tmp_path_factory.mktemp("stranger")) as client:
        yield client


def test_a_stranger_verifies_every_decision(stranger):
    done = stranger.s1data("verify", AT, "--json")
    assert done.code == 0, done.out + done.err
    found = json.loads(done.out)
    assert (found["reached"], found["differences"]) == ("decisions", [])
    said = " ".join(found["said"])
    assert "keep: 61 rows decided anew" in said
    assert "drop_malformed: 134 rows decided anew; 5 taken as recorded" in said


def test_a_stranger_runs_the_published_recipe_to_the_same_ids(stranger, pushed, tmp_path):
    done = stranger.s1data("run", AT, "--out", tmp_path / "again", "--quiet")
    assert done.code == 0, done.err
    ids = [
        pl.read_parquet(p / "selected.parquet")["id"].to_list()
        for p in (pushed, tmp_path / "again")
    ]
    assert ids[0] == ids[1]


def test_the_published_recipe_runs_on_another_pool(stranger, tmp_path):
    lines = [{"question": f"How many of {i} cows are brown?", "answer": "1"} for i in range(5)]
    pl.DataFrame(lines).write_ndjson(tmp_path / "mine.jsonl")
    done = stranger.s1data(
        "run", AT, "--input", f"farm={tmp_path / 'mine.jsonl'}", "--out", tmp_path / "r", "--quiet"
    )
    assert (tmp_path / "r" / "manifest.json").is_file(), done.err
    ledger = pl.read_parquet(tmp_path / "r" / "ledger.parquet")
    assert ledger.filter(source="farm").height == 5


def test_all_that_is_not_here_is_named_at_once_with_how_to_bind_it(stranger, hub, tmp_path):
    recipe = hub.repositories[REPO].files()["pipeline.yaml"].decode()
    places = {"farm.jsonl": "farm", "traces.jsonl": "traces", "solved.jsonl": "solved"}
    for file in places:
        recipe = re.sub(rf"path: \S*{file}", f"path: nowhere-{file}", recipe)
    (tmp_path / "r.yaml").write_text(recipe, encoding="utf-8")
    done = stranger.s1data("run", tmp_path / "r.yaml", "--out", tmp_path / "x", "--quiet")
    assert done.code == 2
    lines = done.err.splitlines()
    assert len(lines) == 3
    for file, name in places.items():
        (line,) = [line for line in lines if f"nowhere-{file}" in line]
        assert line.endswith(f"; if it lies elsewhere: --input {name}=PATH")


def test_why_works_on_a_pushed_set(stranger, pushed):
    ledger = pl.read_parquet(pushed / "ledger.parquet")
    for stage, word in (
        ("drop_contaminated", "kept here with --set"),
        ("drop_solved", "solved"),
        ("drop_bad_traces", "no_good_trace"),
        ("keep", "kept here with --set keep.n="),
        ("drop_malformed", "too_long"),
        (None, "selected"),
    ):
        line = ledger.filter(pl.col("stage").eq_missing(pl.lit(stage))).row(0, named=True)
        done = stranger.s1data("why", AT, "--row", line["row"])
        assert done.code == 0, done.err
        assert word in done.out
        assert (line["id"] or "") in done.out
    local = (pushed / "pipeline.yaml").parent
    shown = stranger.s1data("why", AT, line["id"]).out
    assert shown.splitlines()[0] == stranger.s1data("why", local, line["id"]).out.splitlines()[0]


def test_a_repository_that_is_none_of_ours_is_one_line(stranger):
    for arguments in (("verify", "org/nothing"), ("why", "hf://datasets/org/nothing", "abcd1234")):
        done = stranger.s1data(*arguments)
        assert (done.code, done.out) == (1, "")
        assert "no such dataset" in done.err
        assert done.err.count("\n") == 1
    done = stranger.s1data("run", "hf://datasets/org/nothing")
    assert (done.code, "no such dataset" in done.err) == (2, True)
    done = stranger.s1data("run", "hf://datasets/nothing")
    assert (done.code, "hf://datasets/ORG/NAME" in done.err) == (2, True)


def edited(folder, path, change):
    """Changes one file of a set and the manifest with it, as a careful forger would."""
    frame = change(pl.read_parquet(folder / path))
    frame.write_parquet(folder / path)
    forged(folder)


def forged(folder, whole=True):
    """Gives the manifest the hashes of the files as they are now."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    said = manifest["published"]
    for name, file in said["files"].items():
        file["sha256"] = digest.of_file(folder / name)
    if whole:
        said["content"] = content({name: file["sha256"] for name, file in said["files"].items()})
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def without_one(column):
    """Empties a list column of the first row."""

    def change(frame):
        return at(pl.lit(value=True), column, pl.lit([], frame.schema[column]))(frame)

    return change


def at(where, column, value):
    """Sets a column of the first row that fits."""

    def change(frame):
        first = frame.with_row_index("at").filter(where)["at"][0]
        cell = pl.when(pl.int_range(pl.len()) == first).then(value).otherwise(pl.col(column))
        return frame.with_columns(cell.alias(column))

    return change


LEDGER = "ledger/train-00000-of-00001.parquet"
REPLAY = "replay/train-00000-of-00001.parquet"
DATA = "data/train-00000-of-00001.parquet"
PLANTED = [
    ("a reason", LEDGER, at(pl.col("reason") == "solved", "reason", pl.lit("no_verdict")), ["drop_solved", "reason"]),
    ("evidence", LEDGER, at(pl.col("reason") == "too_long", "evidence", pl.lit('{"chars":1}')), None),
    ("evidence kept", LEDGER, at(pl.col("stage") == "drop_bad_traces", "evidence", pl.lit("{}")), ["drop_bad_traces", "evidence"]),
    ("a rank", LEDGER, at(pl.col("stage") == "keep", "evidence", pl.lit('{"rank":1}')), ["keep", "evidence"]),
    ("a length", REPLAY, at(pl.col("keep.length").is_not_null(), "keep.length", pl.lit(9e6)), ["keep", "outcome"]),
    ("a question", REPLAY, at(pl.col("row") == 7, "question", pl.lit("Why?")), ["replay", "row 7", "question"]),
    ("a question of the set", DATA, at(pl.lit(value=True), "question", pl.lit("Why?")), ["selected", "question"]),
    ("an answer of the set", DATA, at(pl.lit(value=True), "answer", pl.lit("42")), ["selected", "answer", "42"]),
    ("an id of the set", DATA, at(pl.lit(value=True), "id", pl.lit("0" * 16)), ["selected", "0" * 16]),
    ("traces of the set", DATA, without_one("traces"), ["selected", "column traces", "found []"]),
    ("a licence of the set", DATA, at(pl.lit(value=True), "licence", pl.lit("MIT")), ["selected", "licence"]),
    ("an outcome", LEDGER, at(pl.col("stage") == "drop_solved", "stage", pl.lit(None, pl.String)), ["drop_solved"]),
    ("an artefact", "artefacts/04-drop_contaminated.parquet", lambda f: f.slice(1), ["drop_contaminated", "outcome"]),
]  # fmt: skip


@pytest.mark.parametrize(("case", "path", "change", "names"), PLANTED, ids=[p[0] for p in PLANTED])
def test_one_planted_change_is_found_and_named(pushed, tmp_path, case, path, change, names):
    folder = shutil.copytree(pushed / "push", tmp_path / "set")
    assert verify(PublishedSet.open(folder)).reached == "decisions"
    edited(folder, path, change)
    found = verify(PublishedSet.open(folder))
    if names is None:  # only the withheld text could show it
        assert found.holds
        return
    assert not found.holds
    assert all(name in " ".join(found.differences) for name in names), found.differences


@pytest.mark.parametrize("path", [LEDGER, REPLAY, DATA, "pipeline.yaml", "figures/funnel.svg"])
def test_bytes_that_are_not_what_was_pushed_are_found_by_their_hash(pushed, tmp_path, path):
    folder = shutil.copytree(pushed / "push", tmp_path / "set")
    whole = (folder / path).read_bytes()
    (folder / path).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    found = verify(PublishedSet.open(folder), "hashes")
    assert found.reached is None
    assert any(path in line for line in found.differences) or any(
        "cannot be read" in d for d in found.differences
    )
    (folder / path).unlink()
    assert verify(PublishedSet.open(folder), "hashes").reached is None


def test_a_shard_that_the_manifest_does_not_list_is_named_though_all_others_are_right(
    pushed, tmp_path
):
    folder = shutil.copytree(pushed / "push", tmp_path / "set")
    (folder / "data" / "notes.parquet").write_bytes(b"no part of any config")
    assert verify(PublishedSet.open(folder), "hashes").reached == "hashes"
    shutil.copy(folder / DATA, folder / "data" / "train-00001-of-00002.parquet")
    found = verify(PublishedSet.open(folder))
    assert found.reached is None
    assert "data/train-00001-of-00002.parquet: is not in the manifest" in found.differences[0]


def test_another_recipe_than_the_manifest_has_the_hash_of_is_found(pushed, tmp_path):
    folder = shutil.copytree(pushed / "push", tmp_path / "set")
    recipe = folder / "pipeline.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(f"# a remark changes nothing\n{text}", encoding="utf-8")
    forged(folder)
    assert verify(PublishedSet.open(folder)).reached == "decisions"
    recipe.write_text(text.replace("max_chars: 400", "max_chars: 4000"), encoding="utf-8")
    forged(folder)
    found = verify(PublishedSet.open(folder))
    assert found.reached is None
    assert found.differences[0].startswith("hashes: pipeline.yaml: is not the recipe")


def test_a_stage_that_means_something_else_by_now_is_no_tampering_and_named_at_full(
    pushed, tmp_path
):
    folder = shutil.copytree(pushed / "push", tmp_path / "set")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["revisions"]["keep"] += 7
    pipeline = PublishedSet.open(folder).pipeline
    manifest["recipe"] = digest.of_value(pipeline.identity(manifest["revisions"]))
    manifest["fingerprint"] = "0" * 64  # of which the recipe's hash is a part
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = verify(PublishedSet.open(folder), "full")
    assert found.reached == "decisions"
    assert "stage keep: was of revision" in found.differences[0]
    found = verify(PublishedSet.open(folder))
    assert (found.reached, found.differences) == ("decisions", ())


def test_a_stale_digest_of_the_whole_is_found(pushed, tmp_path):
    folder = shutil.copytree(pushed / "push", tmp_path / "set")
    path = folder / LEDGER
    pl.read_parquet(path).write_parquet(path, compression="uncompressed")
    forged(folder, whole=False)
    found = verify(PublishedSet.open(folder), "hashes")
    assert (found.reached, len(found.differences)) == (None, 1)
    assert "published.content" in found.differences[0]


def test_columns_that_nothing_read_are_named_as_unchecked(pushed):
    said = " ".join(verify(PublishedSet.open(pushed / "push")).said)
    held, _, unchecked = said.partition("the set's ")[2].partition(" held against the replay; ")
    assert {"answer", "licence", "source", "traces"} <= set(held.split(", "))
    assert unchecked == "not in it: source_type, cot_type, metadata"


def test_a_run_is_verified_in_full_from_its_source_and_a_grown_source_is_named(
    pushed, runs, tmp_path
):
    from s1data.run import Run

    run = Run.open(pushed)
    assert verify(run, "full").reached == "full"
    grown = tmp_path / "farm.jsonl"
    shutil.copy(runs / "pool" / "farm.jsonl", grown)
    with grown.open("a", encoding="utf-8") as file:
        file.write('{"question": "One more?", "answer": "2"}\n')
    found = verify(run, "full", inputs={"farm": grown})
    assert found.reached == "decisions"
    assert "source farm differs" in found.differences[0]

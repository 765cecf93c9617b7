"""Pushing: one whole commit or none, never two of the same, and nothing of others is touched."""

import hashlib
import json
import re
import shutil

import polars as pl
import pytest

from s1data.hub.staging import without_texts
from s1data.recipe import Pipeline
from tests.hub import sets
from tests.hub.client import using
from tests.hub.loopback_hub import TOKEN, Fault
from tests.hub.repository import File, complaints

TAG = "2026.11.0"
PARTS = {
    "README.md", "pipeline.yaml", "manifest.json", "figures/funnel.svg",
    "data/train-00000-of-00001.parquet", "ledger/train-00000-of-00001.parquet",
    "replay/train-00000-of-00001.parquet", "artefacts/03-drop_duplicates.parquet",
    "artefacts/04-drop_contaminated.parquet", "artefacts/06-drop_solved.parquet",
    "figures/sources.svg", "figures/question_chars.svg",
    "figures/trace_tokens.svg", "figures/difficulty.svg",
}  # fmt: skip


def push(user, run, repo, *more, code=0):
    done = user.s1data("push", run, repo, *more)
    assert done.code == code, done.out + done.err
    return done


@pytest.fixture(scope="module")
def pushed(hub, user, runs, tmp_path_factory):
    """The run, pushed once; its repository."""
    run = shutil.copytree(runs / "shared", tmp_path_factory.mktemp("pushed") / "run")
    done = push(user, run, "org/pushed")
    return hub.repositories["org/pushed"], run, done


def test_one_commit_holds_all_and_is_tagged_with_the_recipe_version(pushed):
    repository, run, done = pushed
    assert repository.history() == [f"shared {TAG} (s1data)"]
    assert repository.tags == {TAG: repository.head}
    assert set(repository.files()) == {*PARTS, ".gitattributes"}
    assert repository.files()["pipeline.yaml"] == (run / "pipeline.yaml").read_bytes()
    assert "read back: rows and hashes are right" in done.out


def test_datasets_loads_every_config_with_plain_features(pushed, user):
    _, run, _ = pushed
    found = user.python(
        "from datasets import load_dataset\n"
        "sets = {c: load_dataset('org/pushed', c, split='train') for c in ('default', 'ledger', 'replay')}\n"
        "result = {c: [s.num_rows, str(s.features)] for c, s in sets.items()}\n"
        "result['ids'] = sets['default']['id']\n"
        "result['trace'] = sets['default'][0]['traces'][0]['thinking']\n"
        "result['ids'] = list(result['ids'])"
    )
    ledger = pl.read_parquet(run / "ledger.parquet")
    selected = pl.read_parquet(run / "selected.parquet")
    assert [found[c][0] for c in ("default", "ledger", "replay")] == [
        24,
        ledger.height,
        ledger.height,
    ]
    for config in ("default", "ledger", "replay"):
        assert "large" not in found[config][1].lower()
    assert "'question': Value('string')" in found["default"][1]
    assert found["ids"] == selected["id"].to_list()
    assert found["trace"] == selected["traces"][0][0]["thinking"]


def test_dropped_questions_are_shown_only_where_their_licence_allows_it(pushed):
    repository, _, _ = pushed
    replay = pl.read_parquet(repository.files()["replay/train-00000-of-00001.parquet"])
    hidden = replay.filter(~pl.col("texts"))
    assert hidden.height == 5
    assert set(hidden["source"]) == {"town"}
    assert hidden.select(pl.col("question", "answer").is_null().all()).row(0) == (True, True)
    assert replay.filter("texts")["question"].null_count() == 0
    texts = b"".join(repository.files().values())
    assert b"long 3 long 3" not in texts


def test_the_same_run_again_makes_no_commit_nor_does_its_repetition(pushed, user, runs, tmp_path):
    repository, run, _ = pushed
    before = repository.head
    assert "no commit made" in push(user, run, "org/pushed").out
    again = sets.run(runs / "pool", tmp_path / "again")  # the same, at another time
    (tmp_path / "again" / "manifest.json").write_text(
        json.dumps({**again.manifest, "finished": "2030-01-01T00:00:00+00:00"}), encoding="utf-8"
    )
    assert "no commit made" in push(user, tmp_path / "again", "org/pushed").out
    assert repository.head == before


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ("429", Fault("POST .*/commit/", 429)),
        ("503", Fault("POST .*/commit/", 503, times=2)),
        ("500 while looking", Fault("GET /api/datasets/.*/refs", 500)),
        ("409", Fault("POST .*/commit/", 409)),
        ("412", Fault("POST .*/commit/", 412)),
        ("503 at the tag", Fault("POST .*/tag/", 503)),
        (
            "429 at the upload",
            Fault("POST .*/lfs/objects/batch", 429, headers={"ratelimit": '"api";r=0;t=0'}),
        ),
        ("upload dropped", Fault("PUT /lfs/", "drop")),
        ("commit dropped", Fault("POST .*/commit/", "drop")),
        ("answer lost", Fault("POST .*/commit/", "lose")),
        ("answer to the tag lost", Fault("POST .*/tag/", "lose")),
    ],
)
def test_whatever_strikes_in_the_middle_there_is_one_whole_commit(
    hub, user, run, repo, case, fault
):
    hub.faults = [fault]
    hub.lfs.clear()
    try:
        push(user, run, repo)
    finally:
        hub.faults = []
    assert fault.times == 0, "the fault never struck"
    repository = hub.repositories[repo]
    assert len(repository.history()) == 1
    assert set(repository.files()) == {*PARTS, ".gitattributes"}
    assert repository.tags == {TAG: repository.head}


@pytest.mark.parametrize("status", [500, 403])
def test_where_the_hub_keeps_refusing_the_old_commit_stays_and_one_line_says_so(
    hub, user, run, repo, status
):
    push(user, run, repo)
    before = hub.repositories[repo].head
    hub.repositories[repo].tags.clear()  # so that the set may be pushed in another form
    hub.faults = [Fault(f"POST .*{repo}/commit/", status, times=99)]
    try:
        failed = push(user, run, repo, "--with-replies", "none", code=1)
    finally:
        tried, hub.faults = 99 - hub.faults[0].times, []
    assert tried == (6 if status == 500 else 1)
    last = failed.err.strip().splitlines()[-1]
    assert repo in last
    assert "committing" in last
    assert "Traceback" not in failed.err
    assert hub.repositories[repo].head == before


def test_a_commit_of_others_meanwhile_is_kept_and_built_upon(hub, user, run, repo):
    push(user, run, repo)
    repository = hub.repositories[repo]
    repository.tags.clear()
    hub.meanwhile[repo] = lambda: repository.edit("NOTES.md", b"mine")
    push(user, run, repo, "--with-replies", "none")
    assert repository.files()["NOTES.md"] == b"mine"
    assert repository.history()[1] == "edit NOTES.md"
    assert len(repository.history()) == 3


def test_a_pull_request_is_one_and_after_its_merge_the_next_push_only_tags(hub, user, run, repo):
    push(user, run, repo, "--with-replies", "none")
    repository = hub.repositories[repo]
    repository.tags.clear()
    before = repository.head
    first = push(user, run, repo, "--create-pr")
    assert "pull request" in first.out
    assert (repository.head, list(repository.pull_requests)) == (before, ["refs/pr/1"])
    assert repository.tags == {}
    push(user, run, repo, "--create-pr")
    assert list(repository.pull_requests) == ["refs/pr/1"]
    repository.branches["main"] = repository.pull_requests["refs/pr/1"]
    merged = push(user, run, repo)
    assert "no commit made" in merged.out
    assert repository.tags == {TAG: repository.head}


def test_a_branch_is_pushed_to_where_it_is_named_and_nowhere_else(hub, user, run, repo):
    push(user, run, repo, "--with-replies", "none")
    repository = hub.repositories[repo]
    before = repository.head
    repository.branches["next"] = before
    repository.tags.clear()
    push(user, run, repo, "--revision", "next")
    assert repository.head == before
    assert repository.branches["next"] != before
    missing = push(user, run, repo, "--revision", "nowhere", code=1)
    assert "no branch nowhere" in missing.err
    both = push(user, run, repo, "--revision", "next", "--create-pr", code=2)
    assert "against main" in both.err


def test_configs_and_splits_of_others_stay_and_are_loaded(hub, user, run, repo):
    push(user, run, repo)
    repository = hub.repositories[repo]
    repository.tags.clear()
    user.python(
        "from datasets import Dataset\n"
        f"Dataset.from_dict({{'note': ['a', 'b']}}).push_to_hub({repo!r}, config_name='notes')"
    )
    held_out = pl.read_parquet(repository.files()["data/train-00000-of-00001.parquet"]).head(3)
    # Splits of one config have the same features: those of the push below, without texts.
    without_texts(held_out).write_parquet(run / "test.parquet")
    text = repository.files()["README.md"].decode()
    text = text.replace(
        "    path: data/train-*\n",
        "    path: data/train-*\n  - split: test\n    path: data/test-*\n",
    )
    repository.branches["main"] = repository.put(
        repository.head,
        {
            "README.md": File(text.encode()),
            "data/test-00000-of-00001.parquet": File((run / "test.parquet").read_bytes()),
        },
        "a split",
    )
    push(user, run, repo, "--with-replies", "none")
    found = user.python(
        "from datasets import load_dataset\n"
        f"d, n = load_dataset({repo!r}), load_dataset({repo!r}, 'notes')\n"
        "result = [d['train'].num_rows, d['test'].num_rows, n['train']['note'][:]]"
    )
    assert found == [24, 3, ["a", "b"]]
    assert complaints(repository.files()["README.md"].decode()) == []


def test_what_a_user_wrote_into_the_card_survives_the_next_push(hub, user, run, repo):
    push(user, run, repo)
    repository = hub.repositories[repo]
    text = repository.files()["README.md"].decode()
    text = text.replace("tags:\n", "tags:\n- sheep\n").replace(
        "pretty_name: shared", "pretty_name: Sheep"
    )
    text = text.replace(
        "---\n\n<!-- Sections", "language: en\n---\n\nMy own words.\n\n<!-- Sections"
    )
    text = text.replace("## Known issues\n", "## Known issues\n\n- Too many sheep.\n")
    text = re.sub(
        r"<!-- s1data:begin contamination .*?end contamination -->\n\n", "", text, flags=re.DOTALL
    )
    text += "\nAt the end.\n"
    repository.edit("README.md", text.encode())
    repository.tags.clear()
    done = push(user, run, repo, "--with-replies", "none")
    now = repository.files()["README.md"].decode()
    for kept in (
        "- sheep",
        "pretty_name: Sheep",
        "language: en",
        "My own words.",
        "- Too many sheep.",
        "At the end.",
    ):
        assert kept in now
    assert "## Benchmarks" not in now
    assert "The texts of the traces are left out" in now  # ours is renewed
    assert "known-issues was changed by hand" in done.out
    assert complaints(now) == []


def test_files_of_an_earlier_push_that_are_no_more_are_taken_out(hub, user, run, repo):
    push(user, run, repo, "--with-replies", "all")
    repository = hub.repositories[repo]
    replies = pl.read_parquet(repository.files()["replies/train-00000-of-00001.parquet"])
    assert replies.columns == ["id", "reply_key", "thinking", "answer"]
    assert replies.height > 24
    repository.tags.clear()
    push(user, run, repo, "--with-replies", "none")
    assert set(repository.files()) == {*PARTS, ".gitattributes"}
    data = pl.read_parquet(repository.files()["data/train-00000-of-00001.parquet"])
    assert "thinking" not in [f.name for f in data.schema["traces"].inner.fields]


@pytest.mark.parametrize(
    ("case", "change", "says"),
    [
        ("rehearsal", lambda m: {**m, "rehearsal": True}, "rehearsal"),
        (
            "rehearsed replies",
            lambda m: {**m, "models": {"t": {"origins": {"rehearsal": 1}}}},
            "rehearsal",
        ),
        (
            "damaged",
            lambda m: {**m, "files": {**m["files"], "ledger.parquet": "0"}},
            "ledger.parquet",
        ),
    ],
)
def test_what_may_not_be_published_is_refused(user, hub, run, repo, case, change, says):
    manifest = run / "manifest.json"
    manifest.write_text(json.dumps(change(json.loads(manifest.read_text()))), encoding="utf-8")
    assert says in push(user, run, repo, code=1).err
    assert says in push(user, run, repo, "--dry-run", code=1).err
    assert repo not in hub.repositories


def test_another_recipe_or_other_data_under_the_same_tag_is_refused(
    hub, user, runs, run, repo, tmp_path
):
    push(user, run, repo)
    before = hub.repositories[repo].head
    other = shutil.copytree(runs / "other", tmp_path / "other")
    assert f"the tag {TAG} is another recipe" in push(user, other, repo, code=1).err
    pool = tmp_path / "grown"
    shutil.copytree(runs / "pool", pool)
    with (pool / "farm.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"question": "What is one more?", "answer": "2"}\n')
    grown = Pipeline.load(run / "pipeline.yaml").run(
        tmp_path / "g", inputs={"farm": pool / "farm.jsonl"}
    )
    assert "on other data" in push(user, grown.path, repo, code=1).err
    for more in ((), ("--dry-run",)):
        other = push(user, run, repo, "--with-replies", "none", *more, code=1)
        assert f"the tag {TAG} is this recipe with --with-replies selected, not none" in other.err
    assert hub.repositories[repo].head == before


def test_a_set_pushed_by_other_means_is_not_mixed_with_ours(hub, user, run, repo):
    user.python(
        f"from datasets import Dataset\nDataset.from_dict({{'x': [1]}}).push_to_hub({repo!r})"
    )
    before = hub.repositories[repo].head
    assert "not from s1data push" in push(user, run, repo, code=1).err
    assert hub.repositories[repo].head == before


def test_licences_that_are_not_open_need_a_word_and_are_named(hub, user, runs, repo, tmp_path):
    run = shutil.copytree(runs / "narrow", tmp_path / "run")
    refused = push(user, run, repo, code=2)
    assert "cc-by-nc-4.0" in refused.err
    assert "--accept-licence cc-by-nc-4.0" in refused.err
    assert repo not in hub.repositories
    unknown = push(user, run, repo, "--accept-licence", "cc-by-nc", code=2)
    assert "--accept-licence cc-by-nc: wanted one of: cc-by-nc-4.0; non_commercial" in unknown.err
    for spelt in ("non-commercial", "non_commercial", "CC-BY-NC-4.0"):
        push(user, run, repo, "--dry-run", "--accept-licence", spelt)
    push(user, run, repo, "--accept-licence", "cc-by-nc-4.0")
    card = hub.repositories[repo].files()["README.md"].decode()
    assert "may not be used commercially" in card
    assert "- cc-by-nc-4.0" in card.partition("\n---\n")[0]


def test_a_licence_is_not_accepted_where_all_are_open(user, run, repo):
    refused = push(user, run, repo, "--accept-licence", "unknown", "--dry-run", code=2)
    assert "every licence of the set is open" in refused.err


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(user, run, repo):
    refused = push(user, run, repo, "--dry-run", "--out", "/proc/push", code=1)
    assert refused.err.startswith("s1data: /proc/push: cannot be written to")
    assert refused.err.endswith("give another --out\n")


def test_traces_whose_kind_nobody_stated_are_called_so(pushed):
    repository, _, _ = pushed
    card = repository.files()["README.md"].decode()
    assert "| `not stated` |" in card
    assert "did not say whether they are the model's own chain of thought" in card
    assert "word for word" not in card
    manifest = json.loads(repository.files()["manifest.json"])
    assert set(manifest["selected"]["trace_kinds"]) == {"not stated"}


def test_the_card_shows_reasons_in_the_funnel_and_every_picture_that_was_pushed(pushed):
    repository, _, _ = pushed
    card = repository.files()["README.md"].decode()
    line = next(x for x in card.splitlines() if x.startswith("| `drop_solved` "))
    assert re.search(r"\| `solved` \d+ \|$", line)
    pictures = {name for name in repository.files() if name.startswith("figures/")}
    assert set(re.findall(r"\]\((figures/[^)]*)\)", card)) == pictures
    for name in pictures:
        assert b"<svg" in repository.files()[name][:2000]


def test_a_picture_drawn_otherwise_makes_no_commit(hub, user, run, repo):
    push(user, run, repo)
    repository = hub.repositories[repo]
    manifest = json.loads(repository.files()["manifest.json"])
    name, other = "figures/sources.svg", b"<svg>by another library</svg>"
    manifest["published"]["files"][name] |= {
        "sha256": hashlib.sha256(other).hexdigest(),
        "bytes": len(other),
    }
    repository.edit(name, other)
    repository.edit("manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())
    repository.tags.clear()
    before = repository.head
    assert "no commit made" in push(user, run, repo).out
    assert repository.head == before
    assert repository.files()[name] == other


def test_a_section_that_stays_as_a_user_wrote_it_is_named_with_its_old_version(
    hub, user, run, runs, repo, tmp_path
):
    push(user, run, repo)
    repository = hub.repositories[repo]
    text = repository.files()["README.md"].decode()
    repository.edit("README.md", text.replace("## Use\n", "## How I use it\n").encode())
    recipe = (runs / "pool" / "shared.yaml").read_text(encoding="utf-8")
    newer = Pipeline.from_yaml(recipe.replace(TAG, "2026.12.0")).run(tmp_path / "newer")
    done = push(user, newer.path, repo)
    told = "section use was changed by hand and is left so; it still names the version"
    assert f"{told} {TAG}, this is 2026.12.0" in done.out
    assert set(repository.tags) == {TAG, "2026.12.0"}


def test_what_a_source_states_of_itself_is_in_the_card_and_decides_nothing(
    user, runs, repo, tmp_path
):
    recipe = (runs / "pool" / "shared.yaml").read_text(encoding="utf-8")
    more = "licence: cc-by-4.0, url: 'https://example.org/farm', citation: '@misc{farm | <b>}'"
    stated = Pipeline.from_yaml(recipe.replace("licence: cc-by-4.0", more))
    assert stated.fingerprint == Pipeline.from_yaml(recipe).fingerprint
    assert Pipeline.from_yaml(stated.to_yaml()) == stated
    run = stated.run(tmp_path / "stated")
    push(user, run.path, repo, "--dry-run")
    card = (run.path / "push" / "README.md").read_text(encoding="utf-8")
    assert "[its page](https://example.org/farm)" in card
    assert "cite: \\@misc\\{farm \\| &lt;b\\>\\}" in card
    assert complaints(card) == []


def test_private_makes_a_private_one_and_says_so_where_it_is_public(hub, user, run, repo):
    push(user, run, repo, "--private")
    assert hub.repositories[repo].private
    push(user, run, repo)
    hub.repositories[repo].private = False
    assert "is public already" in push(user, run, repo, "--private", code=1).err


def test_a_dry_run_writes_the_folder_says_what_would_go_and_sends_nothing(hub, user, run, repo):
    asked = len(hub.asked)
    done = push(user, run, repo, "--dry-run")
    assert repo not in hub.repositories
    assert all(f"/api/datasets/{repo}" in path for path in hub.asked[asked:])
    for name in PARTS:
        assert (run / "push" / name).is_file()
        assert f"{(run / 'push' / name).stat().st_size:,}  {name}" in done.out
    assert "nothing was sent" in done.out


def test_a_dry_run_needs_neither_token_nor_hub(run, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with using("http://127.0.0.1:9", home) as stranger:
        done = push(stranger, run, "org/none", "--dry-run")
    assert "cannot be reached" in done.out
    assert (run / "push" / "README.md").is_file()


def test_without_a_token_one_line_says_how_to_get_one(hub, run, repo, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with using(hub.url, home) as stranger:
        refused = push(stranger, run, repo, code=1)
    assert "hf auth login" in refused.err
    assert "Traceback" not in refused.err


def test_the_token_is_in_nothing_that_is_pushed_or_written(pushed, user, tmp_path):
    repository, run, done = pushed
    planted = TOKEN.encode()
    for oid in repository.commits:
        assert all(planted not in data for data in repository.files(oid).values())
    written = [p for p in run.rglob("*") if p.is_file()]
    assert written
    assert all(planted not in p.read_bytes() for p in written)
    assert TOKEN not in done.out + done.err
    home = user.python("import os\nresult = os.environ['HF_HOME']")
    from pathlib import Path

    assert all(planted not in p.read_bytes() for p in Path(home).rglob("*") if p.is_file())


def test_hostile_questions_break_neither_metadata_nor_card(pushed):
    repository, run, _ = pushed
    card = repository.files()["README.md"].decode()
    assert complaints(card) == []
    chosen = pl.read_parquet(run / "selected.parquet")["question"].to_list()
    assert len(set(sets.HOSTILE) & set(chosen)) == 3
    body = card.partition("\n---\n")[2]
    assert body.count("<!-- s1data:begin ") == body.count("<!-- s1data:end ")
    outside = re.sub(
        r"<!-- (s1data:(begin|end)|Sections)[^>]*-->|`[^`]*`|```.*?```", "", body, flags=re.DOTALL
    )
    assert "<" not in outside
    assert all(c.isprintable() or c == "\n" for c in card)
    headings = [line for line in outside.splitlines() if line.startswith("#")]
    assert not [h for h in headings if "Heading" in h]
    table = [line for line in body.splitlines() if line.startswith("|")]
    assert table


def test_a_kill_during_the_upload_leaves_the_repository_as_it_was(hub, user, run, repo, tmp_path):
    import subprocess
    import sys

    from tests.hub.client import environment

    push(user, run, repo)
    before = hub.repositories[repo].head
    hub.repositories[repo].tags.clear()
    hub.lfs.clear()
    hub.faults = [Fault("PUT /lfs/", "drop", times=99)]
    home = tmp_path / "home"
    home.mkdir()
    child = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "from s1data.cli import main; main()",
            "push",
            run,
            repo,
            "--with-replies",
            "none",
        ],
        env=environment(hub.url, home, TOKEN),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        while hub.faults[0].times == 99:
            assert child.poll() is None, child.stderr.read()
    finally:
        child.kill()
        child.wait()
        child.stderr.close()
        hub.faults = []
    assert hub.repositories[repo].head == before
    push(user, run, repo, "--with-replies", "none")
    assert len(hub.repositories[repo].history()) == 2

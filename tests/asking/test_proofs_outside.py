"""Whole runs in a bad world: a storm of faults, dead servers, Ctrl-C, and a key that must not leak."""

import logging
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

import s1data
from s1data.emulator import Emulator, Script
from s1data.emulator.script import Fault
from s1data.emulator.words import text_id, tokens
from s1data.models import POLICIES, Outcome
from s1data.serving import Means
from s1data.store.replies import ReplyStore
from tests.asking import proving

pytestmark = pytest.mark.slow

STORM = """
name: storm
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
models:
  small: {provider: openai_compatible, model: small-8b, max_tokens: 4000}
  flash: {provider: gemini, model: gemini-2.5-flash, max_tokens: 4000,
          thinking: {budget: -1, include: true}}
stages:
  - add_attempts: {solvers: [small, flash], samples: 2}
  - add_grades: {of: attempts}
  - keep_random: {as: keep, n: 100, seed: 0}
"""
STOPPING = {Fault.QUOTA_DAY, Fault.UNAUTHORISED, Fault.NOT_FOUND}
"""Faults that end a run, as they should; a storm has all others."""
ALWAYS = {3: "drop_before", 7: "empty_body", 11: "cut_json", 13: "hang"}
"""Rows whose every request fails so, each time."""


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def storm_script(pool):
    mixed = [fault for fault in Fault if fault not in STOPPING]
    rates = {fault.value: 0.3 / len(mixed) for fault in mixed}
    planned = [
        {"fault": fault, "contains": pool["question"][row], "times": None}
        for row, fault in ALWAYS.items()
    ]
    names = ("small-8b", "gemini-2.5-flash")
    models = {name: {"role": "teacher", "skill": 0.5, "thinking_tokens": 80} for name in names}
    return Script.of(
        {"models": models, "faults": rates, "planned": planned,
         "retry_delay": 0.05, "slow_seconds": 0.05}
    )  # fmt: skip


def attempts_of(out):
    (folder,) = (out / "stages").glob("01-*")
    table = pl.read_parquet(folder / "columns.parquet", columns=["row", "attempts"])
    return table.explode("attempts").unnest("attempts")


def test_in_a_storm_each_row_ends_in_a_reply_or_a_named_class(tmp_path):
    pool = proving.rows(500)
    recipe = s1data.Pipeline.from_yaml(STORM)
    with Emulator(storm_script(pool), answers=pool) as server:
        endpoints = {"small": (server.openai_url,), "flash": (server.url,)}
        means = Means(endpoints=endpoints, no_price=True, timeout=3.0)
        done = recipe.run(tmp_path / "run", inputs={"pool": pool}, means=means)
        assert done.finished
        log = [entry for entry in server.log if entry.question]
        struck = [entry for entry in server.log if entry.fault]
    attempts = attempts_of(tmp_path / "run")
    counts = dict(attempts["finish"].value_counts().iter_rows())
    told("%s sent, %s struck; %s", len(log), len(struck), counts)
    assert attempts.height == 2000
    assert attempts["finish"].null_count() == 0
    assert set(attempts["finish"]) <= {outcome.value for outcome in Outcome}
    assert len(struck) >= 0.25 * 2000
    assert {entry.fault for entry in struck} >= {f.value for f in Fault if f not in STOPPING}
    good = [o.value for o in Outcome if POLICIES[o].answers]
    with ReplyStore(tmp_path / "cache" / "replies") as store:
        replies = store.get(attempts["reply_key"].drop_nulls().unique().to_list())
    ids = dict(enumerate(map(text_id, pool["question"])))
    models = {"small": "small-8b", "flash": "gemini-2.5-flash"}
    last = {(e.model, e.question, e.sample): e for e in server.log if e.answered}
    whole = 0
    for one in attempts.iter_rows(named=True):
        reply = replies.get(one["reply_key"])
        entry = last.get((models[one["solver"]], ids[one["row"]], one["sample"]))
        if one["row"] in ALWAYS:
            assert one["finish"] not in good
        if one["finish"] not in good:
            continue
        # A whole answer was made, and it is all there: neither empty nor cut.
        assert reply is not None
        assert reply.answer
        assert entry.finish == "stop"
        if entry.fault in {None, "slow"}:
            assert tokens(reply.answer) == entry.answer_tokens
            assert tokens(reply.thinking or "") == entry.thinking_tokens
            whole += 1
    assert whole > 1000


def told(*said):
    """Figures for whoever looks: --log-cli-level=info."""
    logging.getLogger("proofs").info(*said)


CLI = [sys.executable, "-c", "from s1data.cli import main; main()"]


def written(tmp_path, pool, recipe=proving.RECIPE):
    """The recipe and the pool as files."""
    pool.write_parquet(tmp_path / "pool.parquet")
    (tmp_path / "prices.toml").write_text(proving.PRICES, encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(recipe.replace("unused", "pool"), encoding="utf-8")


def options(urls):
    return ["run", "recipe.yaml", "--out", "out", "--store", "store", "--max-usd", "1000", "--prices", "prices.toml",
            "--model", f"small={urls}", "--model", f"teacher={urls}"]  # fmt: skip


@pytest.mark.parametrize("presses", [1, 2], ids=["Ctrl-C once", "Ctrl-C twice at once"])
def test_ctrl_c_ends_a_run_that_would_wait_and_keeps_every_finished_reply(tmp_path, presses):
    """Some rows hang for as long as anyone waits; all others are answered by then."""
    pool = proving.rows(90)
    written(tmp_path, pool)
    hanging = "".join(
        f'[[planned]]\nfault = "hang"\ncontains = "{pool["question"][row]}"\n' for row in range(9)
    )
    with proving.emulator(tmp_path, pool, hanging + proving.SCRIPT) as (_, url):
        process = subprocess.Popen(
            [*CLI, *options(url)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        log = proving.Log(tmp_path / "log", pool)
        while log.answers().total() < 30:
            assert process.poll() is None
            time.sleep(0.002)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        _, said = process.communicate(timeout=60)  # the requests would hang for 20 minutes
        told("ended after %.1f s", time.monotonic() - pressed)
        assert process.returncode == 130, said
        assert said.splitlines()[-1].startswith("s1data: interrupted; what was finished is kept")
        assert "Traceback" not in said
        answered = set(log.answers())
    kept = proving.stored(tmp_path / "store")
    journal = proving.Journal(tmp_path / "out" / "spending.jsonl")
    sent = journal.read()
    # Every reply that was read is there; what was answered in that very moment need not be.
    assert journal.settled <= kept
    assert kept <= set(sent)
    assert len(answered) - 64 <= len(kept) <= len(answered)
    with proving.emulator(tmp_path, pool) as (_, url):
        done = subprocess.run([*CLI, *options(url)], cwd=tmp_path, check=False, timeout=300)
        assert done.returncode in (0, 1)  # fewer rows than asked for is 1
        assert (tmp_path / "out/manifest.json").is_file()
        assert kept <= proving.stored(tmp_path / "store")
        asked = set(proving.used(tmp_path / "out").values())
        again = log.answers().total() - len(asked)
        assert again <= len(answered) - len(kept)


def test_a_server_that_dies_in_the_middle_leaves_its_rows_to_the_other(tmp_path):
    pool = proving.rows(300)
    written(tmp_path, pool)
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    with proving.emulator(second, pool) as (_, url), proving.emulator(first, pool) as (dying, bad):
        process = subprocess.Popen([*CLI, *options(f"{bad},{url}")], cwd=tmp_path,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        log = proving.Log(first / "log", pool)
        while log.answers().total() < 40:
            assert process.poll() is None
            time.sleep(0.002)
        dying.kill()
        _, said = process.communicate(timeout=300)
        assert process.returncode in (0, 1), said
        shares = [proving.Log(place / "log", pool).answers() for place in (first, second)]
    asked = set(proving.used(tmp_path / "out").values())
    assert set(shares[0]) | set(shares[1]) == asked
    assert sum(share.total() for share in shares) <= len(asked) + 64
    assert set(attempts_of(tmp_path / "out")["finish"]) == {"ok"}
    assert shares[1].total() > 300


def test_a_server_that_freezes_ends_the_run_in_a_line_and_another_run_goes_on(tmp_path):
    pool = proving.rows(300)
    written(tmp_path, pool)
    with proving.emulator(tmp_path, pool) as (frozen, url):
        process = subprocess.Popen(
            [*CLI, *options(url), "--timeout", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        log = proving.Log(tmp_path / "log", pool)
        while log.answers().total() < 40:
            assert process.poll() is None
            time.sleep(0.002)
        frozen.send_signal(signal.SIGSTOP)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1, said
        assert "20 requests in a row got no reply" in said
        kept = proving.stored(tmp_path / "store")
        assert len(kept) >= 1
        frozen.send_signal(signal.SIGCONT)
        done = subprocess.run([*CLI, *options(url)], cwd=tmp_path, check=False, timeout=300)
        assert done.returncode in (0, 1)
    assert proving.stored(tmp_path / "store") == set(proving.used(tmp_path / "out"))


KEY = "planted-key-5f1d7c0e9b"
LEAKY = """
name: leaky
version: 2026.11.0
sources: [{name: pool, path: pool.parquet}]
models:
  small: {provider: openai_compatible, model: small-8b, max_tokens: 400}
  flash: {provider: gemini, model: gemini-2.5-flash, max_tokens: 400}
stages:
  - add_attempts: {solvers: [small, flash]}
  - add_grades: {of: attempts}
  - keep_random: {as: keep, n: 5, seed: 0}
"""


def everything_written(folder):
    """The bytes of all files below, those of Parquet decoded too."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield path, path.read_bytes()
        if path.suffix == ".parquet":
            yield path, pl.read_parquet(path).write_json().encode()


def test_a_planted_key_is_found_in_nothing_that_is_written(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    pool = proving.rows(12)
    written(place, pool, LEAKY)
    (place / "prices.toml").write_text(
        proving.PRICES + "\n" + proving.PRICES.replace("openai_compatible", "gemini").replace(
            "small-8b", "gemini-2.5-flash").replace("big-70b", "other"),
        encoding="utf-8",
    )  # fmt: skip
    environment = {"S1DATA_CACHE": str(place / "cache")}
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "S1DATA_KEY_SMALL"):
        environment[name] = KEY
    script = Script.of(
        {"models": {"*": {"role": "solver"}}, "keys": [KEY], "faults": {"safety": 0.1}}
    )
    codes = []

    def cli(*words):
        codes.append(proving.end(proving.start(proving.command, words, place, environment)))

    money = ("--max-usd", 5, "--prices", "prices.toml")
    with Emulator(script, answers=pool) as server, Emulator(
        script.of({"keys": ["another"]}), answers=pool
    ) as closed:  # fmt: skip

        def at(small, flash):
            return ("--model", f"small={small}", "--model", f"flash={flash}")

        right = at(server.openai_url, server.url)
        cli("plan", "recipe.yaml", "--out", "out", "--pilot", 2, *right, *money)
        cli("run", "recipe.yaml", "--out", "out", "--log-file", "log.txt", *right, *money)
        cli("ask", "pool.parquet", "--model", f"openai_compatible:small-8b@{server.openai_url}",
            "--out", "asked.parquet", "--no-price", "--accept", "none")  # fmt: skip
        cli("replies", "export", "replies.parquet")
        assert codes == [0, 0, 0, 0], (place / "heard").read_text()
        codes.clear()
        wrong = at(closed.openai_url, closed.url)
        nowhere = at("http://127.0.0.1:9/v1", "http://127.0.0.1:9")
        for number, urls in enumerate((wrong, nowhere)):
            for debug in ((), ("--debug",)):
                cli(*debug, "run", "recipe.yaml", "--out", f"failed-{number}", "--log-file",
                    "log.txt", "--store", "empty", *urls, *money)  # fmt: skip
            cli("--debug", "plan", "recipe.yaml", "--out", "unplanned", "--pilot", 2, "--store",
                "empty", *urls, *money)  # fmt: skip
        assert codes == [1] * 6, "a plan whose pilot got no reply fails too"
        # Only requests with the key were let in, so it was in use.
        assert {entry.status for entry in server.log} == {200}
        assert closed.log
        assert not any(entry.answered for entry in closed.log)
    assert (place / "heard").read_text().count("Traceback") >= 2
    found = [str(path) for path, data in everything_written(place) if KEY.encode() in data]
    assert found == []
    names = {path.name for path, _ in everything_written(place)}
    assert {"heard", "log.txt", "manifest.json", "ledger.parquet", "selected.parquet",
            "spending.jsonl", "replies.parquet", "asked.parquet"} <= names  # fmt: skip

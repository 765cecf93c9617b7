"""A run that asked models: what they wrote is in the page, and what is not there is said so."""

import shutil

import polars as pl
import pytest

import s1data
from s1data.emulator import Emulator, Script
from s1data.providers import openai_client  # noqa: F401 - not within the seconds of the check
from s1data.report import facts, html
from s1data.serving import Means

RECIPE = """
name: asked
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
models:
  small: {provider: openai_compatible, model: small, max_tokens: 400}
stages:
  - add_attempts: {solvers: [small], samples: 2}
  - add_grades: {of: attempts}
  - keep_random: {as: keep, n: 3, seed: 1}
"""
POOL = pl.DataFrame({"question": [f"What is {i} + {i}?" for i in range(5)], "answer": ["7"] * 5})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("asked")


@pytest.fixture(scope="module")
def run(home):
    script = Script.of({"models": {"small": {"role": "solver", "skill": 1.0}}})
    with pytest.MonkeyPatch.context() as patch, Emulator(script, answers=POOL) as server:
        patch.setenv("S1DATA_CACHE", str(home / "cache"))
        yield s1data.Pipeline.from_yaml(RECIPE).run(
            home / "run",
            inputs={"pool": POOL},
            means=Means(endpoints={"small": (server.openai_url,)}, no_price=True),
        )


def test_attempts_of_selected_rows_bring_what_was_written(run):
    found = facts.read(run)
    told = dict(found.attempt_texts.iter_rows())
    assert sorted(told) == found.selected["row"].to_list()
    assert len(told) == 3
    for texts in told.values():
        assert len(texts) == 2
        assert all(r"\boxed{7}" in text["answer"] for text in texts)


@pytest.mark.slow
def test_an_attempt_opens_with_its_text(run, home, chromium):
    page = chromium.new_page()
    row = facts.read(run).selected["row"][0]
    page.goto(f"{html.write(run, home / 'page.html').as_uri()}#row={row}")
    attempt = page.locator("#row details", has_text="small #1")
    attempt.locator("summary").click()
    attempt.locator(".text").wait_for()
    assert "7" in attempt.locator(".text").inner_text()
    page.close()


def test_without_the_store_the_page_is_made_and_has_no_such_texts(run, home):
    shutil.move(home / "cache", home / "elsewhere")
    found = facts.read(run)
    assert found.attempt_texts.is_empty()
    assert "boxed{7}" not in html.render(found)
    assert not (home / "cache").exists(), "looking makes no store"

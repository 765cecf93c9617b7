"""The report's time and size: for the quickstart, and for the real pool's run where it is.

    python -m bench.report

Seconds of CPU in this process, and as a ratio to reading the run's rows, questions and ledger with
polars and nothing more. In the browser (where chromium is): seconds until the overview is shown and
until every text can be searched; seconds of one search.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from s1data.recipe import Pipeline
from s1data.report import facts, html, payload, projection, summary
from s1data.run import Run

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")
RECIPE = Path(__file__).parents[1] / "tests" / "real" / "longest.yaml"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        measure("quickstart", Pipeline.load("quickstart").run(home / "quickstart"), home)
        if (REAL / "pool.parquet").exists():
            inputs = {
                "pool": REAL / "pool.parquet",
                "attempts": REAL / "attempts_math.parquet",
                "benchmarks": REAL / "benchmarks",
            }
            run = Pipeline.load(RECIPE).run(home / "real", inputs=inputs)
            measure("the real pool", run, home)


def measure(name: str, run: Run, home: Path) -> None:
    base = clocked(lambda: read_only(run))
    found = facts.read(run)
    page = home / "report.html"
    print(f"{name}: {found.rows.height:,} rows, {run.selected.height:,} selected")
    for part, work in {
        "figures": lambda: summary.of(found),
        "rows packed": lambda: payload.pack(found, html.MOST_BYTES),
        "map": lambda: projection.lay_out(found),
        "all, from the run on disk": lambda: html.write(Run.open(run.path), page),
    }.items():
        took = clocked(work)
        print(f"  {part:<28} {took:7.2f} s CPU  {took / base:7.1f} x reading")
    print(f"  {'report.html':<28} {page.stat().st_size / 1e6:7.2f} MB")
    if shutil.which("chromium"):
        in_browser(page)


def read_only(run: Run) -> None:
    pl.read_parquet(run.path / "stages" / "00-read" / "rows.parquet")
    pl.read_parquet(run.path / "ledger.parquet")


def clocked(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def in_browser(page: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        shown = browser.new_page()
        start = time.perf_counter()
        shown.goto(page.as_uri(), wait_until="commit")
        shown.wait_for_selector(".funnel li")
        first = time.perf_counter() - start
        shown.wait_for_selector("html[data-ready]", timeout=120_000)
        ready = time.perf_counter() - start
        typed = []
        for text in ("t", "tr", "triangle", "triangle circle", "zzzz"):
            start = time.perf_counter()
            shown.fill("#q", text)
            shown.evaluate("new Promise(go => setTimeout(go))")
            shown.wait_for_selector("html:not([data-searching])")
            typed.append(time.perf_counter() - start)
        browser.close()
    print(f"  overview shown {first:.1f} s, all texts searchable {ready:.1f} s after opening")
    print(f"  a search {min(typed):.2f} to {max(typed):.2f} s")


if __name__ == "__main__":
    main()

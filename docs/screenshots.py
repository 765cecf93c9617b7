# ruff: noqa: INP001 - a script beside the pictures that it takes, run by its path
"""Takes a picture of every section of the quickstart's report, in Debian's chromium, into docs/.

    make screenshots        (or: python docs/screenshots.py [RUN])

Without RUN it runs the quickstart in a folder of its own. The pictures are those of `report.md`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from s1data.recipe import Pipeline
from s1data.report import html
from s1data.run import Run

PLACE: Final = Path(__file__).with_name("report")
LONGEST: Final = 1_400


def main(given: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        run = Run.open(given) if given else Pipeline.load("quickstart").run(Path(folder) / "run")
        page = html.write(run, Path(folder) / "report.html").as_uri()
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium") or "chromium", args=root
        )
        PLACE.mkdir(exist_ok=True)
        _sections(browser, page)
        _looks(browser, page)
        browser.close()


def _open(browser: Browser, page: str, width: int = 1100, *, dark: bool = False) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    shown = context.new_page()
    shown.goto(page)
    shown.wait_for_selector("html[data-ready]")
    return shown


def _sections(browser: Browser, page: str) -> None:
    shown = _open(browser, page)
    # What stays at the top of the window would lie over a long section.
    shown.evaluate("document.querySelector('.top').hidden = true")
    for name in shown.eval_on_selector_all("main > section", "all => all.map(one => one.id)"):
        box = shown.locator(f"#{name}").bounding_box()
        if box is None:
            continue
        clip = box | {"height": min(box["height"], LONGEST)}
        shown.screenshot(path=PLACE / f"{name}.png", clip=clip, full_page=True)  # type: ignore[arg-type] # a plain dict


def _looks(browser: Browser, page: str) -> None:
    _open(browser, page, dark=True).screenshot(path=PLACE / "dark.png")
    _open(browser, page, 390).screenshot(path=PLACE / "narrow.png")
    row = _open(browser, f"{page}#rows?outcome=selected")
    row.locator("#line-0").click()
    row.locator("dialog[open]").wait_for()
    row.wait_for_timeout(300)
    row.screenshot(path=PLACE / "row.png")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)

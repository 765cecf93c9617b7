import os
import shutil

import pytest

from tests.report import planted


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return planted.run(tmp_path_factory.mktemp("planted") / "run")


@pytest.fixture(scope="session")
def chromium():
    """Debian's browser, driven by Playwright; CI installs it, so there it has to be."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None and "CI" not in os.environ:
        pytest.skip("there is no chromium here: apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path or "chromium", args=arguments)
        yield browser
        browser.close()

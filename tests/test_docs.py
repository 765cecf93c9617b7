"""What the pages say holds: links lead somewhere, and code blocks run as they stand.

A page is read from top to bottom in an empty folder. A block fenced ``LANGUAGE FILENAME`` is a
file that the page tells the reader to write; ``sh`` and ``python`` blocks are run there in order;
``console`` blocks are for reading. A page with a ``<!-- slow -->`` comment takes minutes.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("[!.]*/*.md")))
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#]+)(?:#[^)]*)?\)")
RUN = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


def blocks(page):
    return [
        (language, name, code)
        for language, name, code in BLOCK.findall(page.read_text(encoding="utf-8"))
        if name or language in RUN
    ]


def runnable():
    for page in PAGES:
        if blocks(page):
            slow = "<!-- slow -->" in page.read_text(encoding="utf-8")
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    broken = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert broken == []


def test_the_index_leads_to_every_page_of_the_documentation():
    linked = set(LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= linked


@pytest.mark.parametrize("page", list(runnable()))
def test_code_blocks_run_as_they_stand(page, tmp_path):
    scripts = Path(sys.executable).parent
    env = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    for language, name, code in blocks(page):
        if name:
            (tmp_path / name).write_text(code, encoding="utf-8")
            continue
        done = subprocess.run(
            [*RUN[language], code],
            cwd=tmp_path,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"

"""The page of all stages says what the stages say now."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_stages_is_what_its_script_writes():
    spec = importlib.util.spec_from_file_location("docs_stages", DOCS / "stages.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    there = (DOCS / "stages.md").read_text(encoding="utf-8")
    assert there == script.page(), "run `python docs/stages.py`"

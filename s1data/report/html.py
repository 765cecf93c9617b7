"""The page: one HTML file that opens from disk, with nothing from outside and no script but ours.

Text of the pool stands in it in two ways: escaped by Jinja2, and in the packed blocks, from which
the page's script makes text nodes. The policy names the digests of our scripts and style, so
nothing else runs or is loaded, whatever a question holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from s1data.errors import RunError
from s1data.report import charts, facts, payload, projection, shown, summary
from s1data.run import Run

MOST_BYTES: Final = 55_000_000
"""Room for the packed rows; the page itself takes less than a megabyte beside it."""
SCRIPTS: Final = ("data.js", "text.js", "rows.js", "detail.js", "map.js", "start.js")
_FILTERS: Final = (
    shown.plain, shown.breaking, shown.n, shown.share, shown.usd, shown.seconds, shown.when,
    shown.words, shown.cell, shown.content,
)  # fmt: skip


def write(
    run: Run,
    path: Path | None = None,
    *,
    others: Sequence[Run] = (),
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Writes the report of a finished run, by default as ``RUN/report.html``; returns where.

    ``others`` are finished runs to be shown beside it.
    ``most_bytes`` is the room for the packed rows: what does not fit in full is said on the page.
    Raises RunError where the run is not finished or the file cannot be written.
    """
    place = path or run.path / "report.html"
    part = place.with_name(place.name + ".part")
    text = render(facts.read(run), most_bytes, others)
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(place)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"{place}: the report could not be written: {error.strerror}") from None
    return place


def render(found: facts.Facts, most_bytes: int = MOST_BYTES, others: Sequence[Run] = ()) -> str:
    """The page as text; the same run gives the same text."""
    said = summary.of(found, others)
    packed = payload.pack(found, most_bytes)
    layout = projection.lay_out(found)
    blocks = dict(packed.blocks)
    if isinstance(layout, projection.Layout):
        blocks["map"] = payload.coded(layout.as_columns())
    scripts = [katex(), _ours()]
    style = _page("report.css")
    context = {
        "s": said,
        "sections": _sections(said, found),
        "description": found.run.pipeline.description,
        "recipe": found.run.pipeline.to_yaml(),
        "whole": said["rows"]["read"] or 1,
        "charts": _charts(said["distributions"]),
        "held": _held(packed),
        "map": _map(layout),
        "by_solver": lambda side: [
            (line["solver"], line[side]) for line in said["distributions"].get("difficulty", [])
        ],
        "by_method": lambda: [
            (f"{line['method']} ({line['of']})", line) for line in said["grading"]
        ],
        "model_columns": shown.columns_of(said["models"]),
        "beside_columns": list(said["beside"][0])[3:] if said["beside"] else [],
        "before_in": _before_in,
        "apart": shown.apart,
        "policy": policy(scripts, style),
        "style": style,
        "scripts": scripts,
        "blocks": blocks,
    }
    return str(_template().render(context))


def policy(scripts: list[str], style: str) -> str:
    """The content security policy: these scripts and this style, and nothing from anywhere."""
    allowed = " ".join(_digest(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def katex() -> str:
    """KaTeX's script, as the package sphinxcontrib-katex carries it; empty if it is not there.

    Without it formulas are shown as they were written.
    """
    from importlib.util import find_spec

    if find_spec("sphinxcontrib") is None or find_spec("sphinxcontrib.katex") is None:
        return ""
    script = files("sphinxcontrib") / "katex.min.js"
    return script.read_text(encoding="utf-8") if script.is_file() else ""


@cache
def _ours() -> str:
    body = "\n".join(_page(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


def _page(name: str) -> str:
    return (files("s1data.report") / "page" / name).read_text(encoding="utf-8")


@cache
def _template() -> Any:  # noqa: ANN401 - Jinja2's template
    from jinja2 import Environment, PackageLoader, StrictUndefined, filters
    from markupsafe import Markup

    loader = PackageLoader("s1data.report", "page")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    made.filters |= {filter_.__name__: filter_ for filter_ in _FILTERS}
    made.filters["urlencode"] = filters.do_urlencode
    made.filters["ours"] = Markup
    made.globals["largest_share"] = shown.largest_share
    return made.get_template("report.html")


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(raw).decode()}'"


def _sections(said: Mapping[str, Any], found: facts.Facts) -> list[tuple[str, str]]:
    """The sections that this run has something to show in."""
    every = [
        ("overview", "Overview", True),
        ("removed", "Removed", True),
        ("distributions", "Before and after", True),
        ("contamination", "Contamination", said["contamination"]),
        ("duplicates", "Duplicates", said["duplicates"]),
        ("grading", "Grading", said["grading"]),
        ("models", "Models", said["models"]),
        ("beside", "Beside", said["beside"]),
        ("map", "Map", "embedding" in found.rows.columns),
        ("rows", "Rows", True),
        ("provenance", "Provenance", True),
    ]
    return [(id_, name) for id_, name, there in every if there]


def _before_in(stage: Mapping[str, Any], reason: str) -> int:
    """Rows that left the stage for the reasons before this one: where its branch begins."""
    names = list(stage["reasons"])
    return sum(stage["reasons"][name] for name in names[: names.index(reason)])


def _charts(distributions: Mapping[str, Any]) -> list[dict[str, str]]:
    made = []
    for name, (title, unit) in charts.HISTOGRAMS.items():
        if name not in distributions:
            continue
        found = distributions[name]
        after = found["median_after"]
        chosen = "no selected row has one" if after is None else f"{after:,.0f} in the selected"
        words = f"Median {found['median_before']:,.0f} {unit} before, {chosen}."
        svg = charts.for_page(charts.histogram(found, unit), name, f"{title}. {words}")
        made.append({"title": title, "svg": svg, "words": words})
    return made


def _held(packed: payload.Payload) -> str:
    """Which rows stand in the file in full, in words."""
    rest = sum(packed.rows.values()) - sum(packed.in_full.values())
    if not rest:
        every = sum(packed.rows.values())
        if every == 1:
            return "The row is in this file with its full texts."
        return f"All {every:,} rows are in this file with their full texts."
    parts = [
        f"{packed.in_full.get(o, 0):,} of {packed.rows.get(o, 0):,} {o}"
        for o in ("selected", "dropped")
    ]
    return (
        f"In full: {' and '.join(parts)} rows. Of the other {rest:,} this file holds id, stage, "
        "reason, evidence in words and the first words of the question, which search looks at."
    )


def _map(layout: projection.Layout | str) -> dict[str, Any]:
    if isinstance(layout, str):
        return {"words": layout, "points": 0, "difficulty": False}
    tried = layout.points["right"].null_count() < layout.points.height
    return {"words": layout.words, "points": layout.points.height, "difficulty": tried}

"""The report's pictures as PNG and SVG files, for cards and papers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from s1data.errors import RunError
from s1data.report import charts, facts, projection, summary
from s1data.run import Run
from s1data.side_by_side import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOMAINS = 20


def write(run: Run, folder: Path) -> list[Path]:
    """Writes each picture as ``NAME.png`` (200 dots an inch) and ``NAME.svg``; returns the files.

    Raises RunError where the folder cannot be written to.
    """
    found = facts.read(run)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, made in draw(found):
            for kind, data in (("png", charts.png(made)), ("svg", charts.svg(made, name))):
                path = folder / f"{name}.{kind}"
                path.write_bytes(data)
                written.append(path)
    except OSError as error:
        raise RunError(f"{folder}: pictures could not be written: {error.strerror}") from None
    return written


def draw(found: facts.Facts) -> Iterator[tuple[str, Figure]]:
    """Names and figures of all pictures that the run has something to show in."""
    said = summary.of(found)
    yield "funnel", _funnel(said)
    for name, title in (("domain", "domain"), ("source", "source")):
        lines = said["distributions"].get(name, [])
        if len(lines) > 1:
            yield f"{name}s", _categories(lines[:_DOMAINS], title)
    for name, (title, unit) in charts.HISTOGRAMS.items():
        if name in said["distributions"]:
            made = charts.histogram(said["distributions"][name], unit)
            made.axes[0].set_title(title, loc="left", fontsize=10)
            yield name, made
    if said["distributions"].get("difficulty"):
        yield "difficulty", _difficulty(said["distributions"]["difficulty"])
    layout = projection.lay_out(found)
    if isinstance(layout, projection.Layout):
        yield "map", _map(found, layout)


def _funnel(said: Mapping[str, Any]) -> Figure:
    stages = said["funnel"]
    made, axes = charts.figure(6.4, 0.5 + 0.34 * len(stages))
    whole = said["rows"]["read"] or 1
    places = range(len(stages))
    out = [s["rows_out"] for s in stages]
    axes.barh(places, out, color=charts.COLOURS["kept"], height=0.62)
    gone = [s["dropped"] for s in stages]
    axes.barh(places, gone, left=out, color=charts.COLOURS["lost"], alpha=0.35, height=0.62)
    for place, stage in enumerate(stages):
        lost = f"  (-{stage['dropped']:,})" if stage["dropped"] else ""
        axes.text(1.015 * whole, place, f"{stage['rows_out']:,}{lost}", va="center", fontsize=8)
    axes.set_yticks(list(places), [s["stage"] for s in stages])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.28 * whole)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return made


def _categories(lines: list[dict[str, Any]], title: str) -> Figure:
    from matplotlib.ticker import PercentFormatter

    made, axes = charts.figure(6.4, 0.8 + 0.3 * len(lines))
    for side, shift in (("before", -0.19), ("after", 0.19)):
        total = sum(line[side] for line in lines) or 1
        at = [place + shift for place in range(len(lines))]
        label = "before" if side == "before" else "selected"
        shares = [line[side] / total for line in lines]
        axes.barh(at, shares, color=charts.COLOURS[side], height=0.34, label=label)
    names = [visible(str(line["name"]), 36).replace("$", r"\$") for line in lines]
    axes.set_yticks(range(len(lines)), names)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"share of rows with a {title}")
    axes.legend(loc="lower right", frameon=False)
    return made


def _difficulty(lines: list[dict[str, Any]]) -> Figure:
    made, axes = charts.figure(6.4, 0.8 + 0.5 * len(lines))
    for side, shift in (("before", -0.2), ("after", 0.2)):
        for place, line in enumerate(lines):
            start, total = 0.0, sum(line[side].values()) or 1
            for verdict, count in line[side].items():
                share = count / total
                axes.barh(
                    place + shift, share, left=start, height=0.34,
                    color=charts.COLOURS[verdict],
                    label=verdict if place == 0 and side == "before" else None,
                )  # fmt: skip
                start += share
    names = [visible(line["solver"], 36).replace("$", r"\$") for line in lines]
    axes.set_yticks(range(len(lines)), [f"{name}\nbefore, selected" for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of attempts")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=3, frameon=False)
    return made


def _map(found: facts.Facts, layout: projection.Layout) -> Figure:
    made, axes = charts.figure(6.4, 5)
    domain = ["domain"] if "domain" in found.rows.columns else []
    points = layout.points.join(found.rows.select("row", "outcome", *domain), "row")
    top = (
        points["domain"]
        .drop_nulls()
        .value_counts()
        .sort(["count", "domain"], descending=[True, False])
        if domain
        else pl.DataFrame({"domain": []})
    )["domain"].to_list()[: len(charts.DOMAINS)]
    colour = dict(zip(top, charts.DOMAINS, strict=False))
    for chosen in (False, True):
        part = points.filter((pl.col("outcome") == "selected") == chosen)
        colours = (
            [colour.get(d, charts.COLOURS["quiet"]) for d in part["domain"]] if domain else None
        )
        axes.scatter(
            part["x"], part["y"], s=16 if chosen else 3, c=colours or charts.COLOURS["kept"],
            alpha=1 if chosen else 0.5, linewidths=0.7 if chosen else 0,
            edgecolors=charts.COLOURS["ink"] if chosen else "none", rasterized=not chosen,
        )  # fmt: skip
    for name, its in colour.items():
        axes.scatter([], [], s=16, c=its, label=visible(str(name), 30).replace("$", r"\$"))
    axes.set_axis_off()
    if colour:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return made

"""Charts by matplotlib: one drawing each, for the page (colours and font its own) and as files."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = {
    "ink": "#1c2127", "soft": "#59636e", "line": "#d9dee3", "kept": "#0072b2", "lost": "#d55e00",
    "before": "#9aa3ad", "after": "#0072b2", "right": "#009e73", "wrong": "#d55e00",
    "undecided": "#b8bfc7", "quiet": "#c3cad1",
}  # fmt: skip
"""The palette of Okabe and Ito, whose colours stay apart for the colour-blind, and greys."""
DOMAINS: Final = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a5195", "#8a7a00",
)  # fmt: skip
HISTOGRAMS: Final = {
    "question_chars": ("Length of the question", "characters"),
    "solution_chars": ("Length of the solution", "characters"),
    "trace_tokens": ("Length of the thinking", "tokens"),
    "trace_chars": ("Length of thinking whose tokens nobody counted", "characters"),
}
_STYLE: Final[Any] = {
    "font.family": "sans-serif", "font.size": 9, "svg.fonttype": "none",
    "axes.edgecolor": COLOURS["line"], "axes.labelcolor": COLOURS["soft"],
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
    "xtick.color": COLOURS["soft"], "ytick.color": COLOURS["soft"],
    "xtick.labelsize": 8, "ytick.labelsize": 8, "text.color": COLOURS["ink"],
    "legend.frameon": False, "legend.fontsize": 8, "figure.constrained_layout.use": True,
}  # fmt: skip
# Greys and blues that stand for two names: the page needs one name each.
_NAMES: Final = {"#1c2127": "ink", "#59636e": "soft", "#d9dee3": "line", "#0072b2": "kept",
                 "#d55e00": "lost", "#9aa3ad": "before", "#009e73": "right",
                 "#b8bfc7": "undecided", "#c3cad1": "quiet"}  # fmt: skip
_SVG: Final = "http://www.w3.org/2000/svg"


def figure(width: float = 4.2, height: float = 2.4) -> tuple[Figure, Axes]:
    """An empty figure in the report's style, in inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        made = Figure(figsize=(width, height))
        axes = made.subplots()
    axes.tick_params(length=0)
    return made, axes


def histogram(found: Mapping[str, Any], unit: str) -> Figure:
    """Lengths before and after, as shares of all, over bins that grow by a factor."""
    from matplotlib.ticker import (
        FuncFormatter,
        LogLocator,
        MaxNLocator,
        NullFormatter,
        PercentFormatter,
    )

    made, axes = figure()
    edges = found["edges"]
    for name, colour, filled in (("before", "before", True), ("after", "after", False)):
        total = sum(found[name]) or 1
        shares = [n / total for n in found[name]]
        label = "before" if name == "before" else "selected"
        axes.stairs(
            shares, edges, fill=filled, color=COLOURS[colour], label=label,
            linewidth=0 if filled else 1.6, alpha=0.55 if filled else 1,
        )  # fmt: skip
    axes.set_xscale("log")
    wide = edges[-1] > 300 * edges[0]  # more ticks would run into each other
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1,) if wide else (1, 2, 5), numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="both", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.grid(visible=True, color=COLOURS["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(unit)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, frameon=False)
    return made


def for_page(made: Figure, name: str, words: str) -> str:
    """The figure as SVG inside the page: its colours by name, its font, no style of its own.

    ``words`` is what a reader who cannot see it is told.
    """
    ET.register_namespace("", _SVG)
    root = ET.fromstring(svg(made, name))  # noqa: S314 - written by matplotlib just now
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _plain_style(element)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", words)
    return ET.tostring(root, encoding="unicode")


def svg(made: Figure, name: str) -> bytes:
    """The figure as an SVG file, the same bytes each time."""
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        made.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return out.getvalue()


def png(made: Figure) -> bytes:
    """The figure as a PNG file, 200 dots an inch, the same bytes each time."""
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context(_STYLE):
        made.savefig(out, format="png", dpi=200, metadata={"Software": None})
    return out.getvalue()


def _plain_style(element: ET.Element) -> None:
    """A policy that forbids inline styles lets attributes through: they say the same."""
    for part in element.attrib.pop("style", "").split(";"):
        name, _, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if name == "font":
            size = re.search(r"([\d.]+)px", value)
            element.set("font-size", size[1] if size else "9")
        elif name:
            element.set(name, value)
    for name in ("fill", "stroke"):
        colour = element.get(name, "").lower()
        if colour in _NAMES:
            element.set(name, f"var(--{_NAMES[colour]})")
        elif element.tag == f"{{{_SVG}}}text" and name == "fill" and not colour:
            element.set(name, "var(--soft)")

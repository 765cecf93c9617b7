"""The funnel as a picture: an SVG of bars, one per stage, made from the manifest alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from s1data.card.text import visible

WIDTH: Final = 760
BAR: Final = 22
LEFT: Final = 210
ROOM: Final = 430
"""The longest bar."""


def funnel(manifest: Mapping[str, Any]) -> str:
    """An SVG with the rows that go on after the reading and after each stage that drops rows."""
    stages = [
        s for s in manifest["stages"] if s["label"] == "read" or s["rows_in"] != s["rows_out"]
    ]
    most = max((s["rows_in"] for s in manifest["stages"]), default=0) or 1
    height = 44 + BAR * len(stages)
    title = f"{visible(manifest['name'], 80)}: rows that go on after each stage"
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<style>text { font: 12px sans-serif; fill: #1a1a1a }</style>",
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" style="font-size: 14px">{escape(title)}</text>',
    ]
    for i, stage in enumerate(stages):
        y = 34 + i * BAR
        whole = ROOM * stage["rows_in"] / most
        kept = ROOM * stage["rows_out"] / most
        label = escape(visible(stage["label"], 28))
        out += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{label}</text>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{whole:.1f}" height="{BAR - 6}" fill="#d8dee6"/>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{kept:.1f}" height="{BAR - 6}" fill="#2f6f9f"/>',
            f'<text x="{LEFT + ROOM + 8}" y="{y + 14}">{stage["rows_out"]:,}</text>',
        ]
    return "\n".join([*out, "</svg>", ""])

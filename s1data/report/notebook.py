"""A run as a notebook shows it: its head and its funnel, as plain HTML without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from s1data.report import shown

if TYPE_CHECKING:
    from s1data.run import Run

_BAR = Markup(
    '<svg width="160" height="10" role="img" aria-label="{out} rows go on, {gone} leave">'
    '<rect width="{kept}" height="10" fill="#0072b2"/>'
    '<rect x="{kept}" width="{lost}" height="10" fill="#d55e00" fill-opacity=".35"/></svg>'
)
_LINE = Markup(
    "<tr><th style='text-align:left'>{stage}</th><td>{bar}</td>"
    "<td style='text-align:right'>{out}</td><td style='text-align:left'>{reasons}</td></tr>"
)


def html(run: Run) -> str:
    """The run's head and funnel; of one that is not finished, the stages that are."""
    funnel = run.funnel()
    title = escape(shown.plain(run.pipeline.title))
    state = "not finished"
    if run.finished:
        rows = run.manifest["selected"]["rows"]
        kind = "rehearsal, " if run.manifest.get("rehearsal") else ""
        state = f"{kind}{rows:,} selected, {shown.when(run.manifest['finished'])}"
    whole = max(1, *funnel["rows_in"]) if funnel.height else 1
    lines = Markup("").join(
        _LINE.format(
            stage=line["stage"],
            bar=_BAR.format(
                out=f"{line['rows_out']:,}",
                gone=f"{line['dropped']:,}",
                kept=round(160 * line["rows_out"] / whole, 2),
                lost=round(160 * line["dropped"] / whole, 2),
            ),
            out=f"{line['rows_out']:,}",
            reasons=", ".join(f"{r['rows']:,} {shown.words(r['reason'])}" for r in line["reasons"]),
        )
        for line in funnel.iter_rows(named=True)
    )
    head = Markup("<tr><th>stage</th><th></th><th>rows out</th><th>left for</th></tr>")
    return Markup("<div><p><strong>{}</strong>: {}</p><table>{}{}</table></div>").format(
        title, state, head, lines
    )

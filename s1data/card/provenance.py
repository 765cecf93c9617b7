"""Sections of a card on whose work the set is: models, licences, sources, what to cite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from s1data import licences
from s1data.card import citations
from s1data.card.facts import Facts
from s1data.card.text import code, inline, table
from s1data.sources.spec import Source


def model(name: str, facts: Facts) -> str:
    """What a teacher of the recipe is by its real name."""
    spec = facts.pipeline.models.get(name)
    return name if spec is None else spec.model


def teacher(name: str, facts: Facts) -> str:
    known = model(name, facts)
    return inline(name) if known == name else f"{inline(name)} ({inline(known)})"


def models(facts: Facts) -> Iterator[str]:
    asked = facts.manifest["models"]
    if not asked and not facts.pipeline.models:
        return
    began, ended = facts.manifest["started"][:10], facts.manifest["finished"][:10]
    when = f"on {ended}" if began == ended else f"between {began} and {ended}"
    yield f"## Models\n\nAsked {when}, or before and kept.\n"
    for name in sorted({*asked, *facts.pipeline.models}):
        spec = facts.pipeline.models.get(name)
        settings = spec.model_dump(mode="json", exclude_defaults=True) if spec else {}
        yield f"- {inline(name)}: {', '.join(f'{k} {code(v)}' for k, v in settings.items())}"
        yield from _used(dict(asked.get(name, {})))
    usd = (facts.manifest.get("spent") or {}).get("usd")
    if usd is not None:
        yield f"\nSpent by this run in all: ${usd:,.2f}."


def _used(used: dict[str, Any]) -> Iterator[str]:
    """One line on requests, how they ended, tokens and dollars, as far as the manifest says."""
    said = []
    if "requests" in used:
        said.append(
            f"{used['requests']:,} requests, {used.get('cached', 0):,} of them kept from before"
        )
    if ends := used.get("outcomes"):
        said.append("ended " + ", ".join(f"{code(k)} {n:,}" for k, n in sorted(ends.items())))
    kinds = ("prompt", "thinking", "answer")
    tokens = [f"{used[f'{k}_tokens']:,} {k}" for k in kinds if f"{k}_tokens" in used]
    if tokens:
        said.append(f"tokens: {', '.join(tokens)}")
    if used.get("usd") is not None:
        said.append(f"worth ${used['usd']:,.2f}")
    if said:
        yield f"  - {'; '.join(said)}"


def rights(facts: Facts) -> Iterator[str]:
    yield "## Licences\n"
    by = facts.selected.select("source", stated=pl.col("licence").fill_null("unknown"))
    counts = (
        by.group_by("source", "stated")
        .len()
        .sort("source", "len", "stated", descending=[False, True, False])
    )
    rows = [
        (inline(source), inline(stated), licences.CLASSES[licences.read(stated).kind], n)
        for source, stated, n in counts.iter_rows()
    ]
    yield table(("source", "licence as stated", "which", "rows"), rows)
    for concern in facts.manifest["published"]["concerns"]:
        yield (
            f"\n**{inline(concern['name'])}** ({concern['rows']:,} rows of "
            f"{', '.join(map(inline, concern['sources']))}): {inline(concern['why'], 300)}."
        )
    teachers = [] if facts.traces is None else sorted(set(facts.traces["teacher"].drop_nulls()))
    asked = sorted({spec.model for spec in facts.pipeline.models.values()})
    if names := list(dict.fromkeys([*(model(t, facts) for t in teachers), *asked])):
        yield "\nTerms of the providers whose models wrote into it:\n"
        for name in names:
            yield f"- {inline(name)}: {licences.terms(name)}."
    yield "\n### Sources\n"
    for spec in facts.pipeline.sources:
        yield f"- {inline(spec.name)}: {_place(spec.name, facts.manifest)}{_about(spec)}"
    cited = list(citations.of(facts.pipeline, facts.manifest))
    if cited:
        yield "\n### Citations\n\n```bibtex"
        yield "\n\n".join(cited)
        yield "```"


def _about(spec: Source) -> str:
    page = f"; [its page]({spec.url})" if spec.url else ""
    return page + (f"; cite: {inline(spec.citation, 2000)}" if spec.citation else "")


def _place(name: str, manifest: Mapping[str, Any]) -> str:
    there = manifest["sources"].get(name, {})
    rows = f"{there.get('rows', 0):,} rows"
    if there.get("kind") == "hub":
        return f"{code(there['repo'])} at {code(there['revision'][:12])}, {rows}"
    files = ", ".join(code(f["name"]) for f in there.get("files", ())[:5])
    return f"{files or code(there.get('kind', 'unknown'))}, {rows}"

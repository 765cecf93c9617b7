"""The sections of a card, each made from the manifest, the recipe, the set and its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from s1data.card import composition, provenance
from s1data.card.composition import MOST_LINES, rest
from s1data.card.facts import Facts
from s1data.card.text import code, inline, table


def sections(facts: Facts) -> dict[str, str]:
    """Name to Markdown of every section that there is something to say in, in order."""
    makers = {
        "about": _about,
        "funnel": _funnel,
        "composition": composition.section,
        "errata": _errata,
        "reasons": _reasons,
        "contamination": _contamination,
        "traces": _traces,
        "models": provenance.models,
        "changes": _changes,
        "known-issues": _issues,
        "licences": provenance.rights,
        "use": _use,
    }
    made = {name: "\n".join(make(facts)).strip("\n") for name, make in makers.items()}
    return {name: text for name, text in made.items() if text}


def _about(facts: Facts) -> Iterator[str]:
    m = facts.manifest
    lines, rows = facts.ledger.height, m["selected"]["rows"]
    sources = ", ".join(inline(s.name) for s in facts.pipeline.sources)
    yield f"# {inline(m['title'])}\n"
    if facts.pipeline.description:
        yield f"{inline(facts.pipeline.description, 2000)}\n"
    yield (
        f"{rows:,} questions chosen from {lines:,} ({sources}) by the recipe "
        f"{inline(m['name'])}, version {m['version']}, on {m['finished'][:10]}. Every line that "
        "came in is accounted for: the config `ledger` says of each whether it was chosen and, if "
        "not, which stage dropped it, for which reason and on which evidence. `pipeline.yaml` is "
        "the recipe, `manifest.json` says what it ran on."
    )


def _funnel(facts: Facts) -> Iterator[str]:
    yield "## From the pool to the set\n"
    yield "![Rows that go on after each stage](figures/funnel.svg)\n"
    rows = [
        (
            code(s["label"]),
            s["rows_in"],
            s["rows_in"] - s["rows_out"],
            s["rows_out"],
            _main_reasons(s["reasons"]),
        )
        for s in facts.manifest["stages"]
    ]
    yield table(("stage", "rows in", "dropped", "rows out", "for"), rows)


def _main_reasons(reasons: Mapping[str, int]) -> str:
    most = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    said = [f"{code(reason)} {rows:,}" for reason, rows in most[:3]]
    return ", ".join([*said, f"{len(most) - 3} more"] if len(most) > 3 else said)


def _errata(facts: Facts) -> Iterator[str]:
    edits = facts.manifest.get("edits")
    if not edits:
        return
    yield "## Errata\n"
    yield "What the recipe's `edits` moved, in their order; the ledger says so of each row.\n"
    head = ("since", "question", "action", "reason", "left the set", "came in")
    lines = [
        (
            code(edit["date"]),
            code(edit["id"]),
            code(edit["action"]),
            inline("; ".join(filter(None, (edit["reason"], edit.get("note")))), 600),
            *(code(edit[name]) if edit.get(name) else "none" for name in ("out", "came_in")),
        )
        for edit in edits
    ]
    yield table(head, lines)


def _reasons(facts: Facts) -> Iterator[str]:
    dropped = facts.ledger.filter(pl.col("outcome") == "dropped")
    counts = (
        dropped.group_by("stage", "reason")
        .len()
        .sort("len", "stage", "reason", descending=[True, False, False])
    )
    if counts.is_empty():
        return
    yield "## Why rows left\n"
    lines = [(code(s), code(r), n) for s, r, n in counts.iter_rows()]
    yield table(("stage", "reason", "rows"), lines[:MOST_LINES])
    yield from rest(lines, "reasons")


def _contamination(facts: Facts) -> Iterator[str]:
    lines = [
        (code(stage["label"]), inline(name), inline(method), n["items"], n["rows"])
        for stage in facts.manifest["stages"]
        for name, methods in stage["figures"].get("benchmarks", {}).items()
        for method, n in methods.items()
        if isinstance(n, dict) and {"items", "rows"} <= set(n)
    ]
    yield "## Benchmarks that it was held against\n"
    if lines:
        head = ("stage", "benchmark", "method", "items matched", "rows matched")
        yield table(head, lines)
        return
    held = [s.label for s in facts.pipeline.stages if "contaminated" in s.stage_name()]
    yield (
        f"{code(held[0])} found no row that matches one."
        if held
        else "None: the recipe has no stage that looks for benchmark questions."
    )


KINDS = {
    "raw": "the model's own chain of thought, word for word",
    "summary": "a summary of the thinking that the provider wrote, not the thinking itself",
    "none": "no thinking at all, just an answer",
}


def _traces(facts: Facts) -> Iterator[str]:
    traces = facts.traces
    if traces is None or traces.is_empty():
        return
    yield "## The traces\n"
    counts = (
        traces.group_by("teacher", "trace_kind", "verdict")
        .len()
        .sort("teacher", "trace_kind", "verdict")
    )
    said = {True: "right", False: "wrong", None: "undecided"}
    rows = [
        (provenance.teacher(t, facts), code(k or "not stated"), said[v], n)
        for t, k, v, n in counts.iter_rows()
    ]
    yield table(("teacher", "kind", "answer", "traces"), rows)
    yield ""
    for kind in sorted(set(traces["trace_kind"].drop_nulls().to_list())):
        yield f"- `{kind}`: {KINDS.get(kind, 'unknown')}."
    if traces["trace_kind"].null_count():
        yield (
            "- `not stated`: whoever recorded these traces did not say whether they are the "
            "model's own chain of thought or a summary of it."
        )
    if facts.manifest["published"]["with_replies"] == "none":
        yield "- The texts of the traces are left out; keys, lengths and verdicts are here."


def _changes(facts: Facts) -> Iterator[str]:
    if facts.manifest["changed"]:
        yield "## Changed from the published recipe\n"
        for change in facts.manifest["changed"]:
            yield f"- {code(change, 400)}"


def _issues(facts: Facts) -> Iterator[str]:
    found = list(_found_issues(facts))
    yield "## Known issues\n"
    yield "\n".join(f"- {text}" for text in found) if found else "None that the run could see."


def _found_issues(facts: Facts) -> Iterator[str]:
    m, chosen = facts.manifest, facts.manifest["selected"]
    if chosen["asked_for"] and chosen["rows"] < chosen["asked_for"]:
        yield f"The recipe asks for {chosen['asked_for']:,} rows; {chosen['rows']:,} came out."
    if m["limit"]:
        yield f"Only the first {m['limit']:,} rows of each source were read."
    traces = facts.traces
    if traces is not None and traces.height:
        wrong = int(traces["verdict"].eq(other=False).sum())
        if wrong:
            yield f"{wrong:,} of {traces.height:,} traces were judged to end in a wrong answer."
        open_ = traces["verdict"].null_count()
        if open_:
            yield f"Nobody judged the answer of {open_:,} of {traces.height:,} traces."
        cut = int((traces["finish"] == "length").sum())
        if cut:
            yield f"{cut:,} traces were cut at their maximum length."
    withheld = m["published"]["replay"]["withheld"]
    if withheld:
        yield (
            f"The texts of {withheld:,} dropped questions are not in `replay`, since their licence "
            "is not known to allow it; what filters made of those texts cannot be checked anew."
        )
    if facts.selected["id"].is_duplicated().any():
        yield "Some questions stand in it more than once."


def _use(facts: Facts) -> Iterator[str]:
    tag = facts.manifest["version"]
    yield "## Use\n"
    yield "```python"
    yield "from datasets import load_dataset\n"
    yield f'chosen = load_dataset("{facts.repo}", revision="{tag}", split="train")'
    yield f'ledger = load_dataset("{facts.repo}", "ledger", revision="{tag}", split="train")'
    yield "```\n"
    yield "Where a question went, whether it all holds, and the recipe on a pool of your own:\n"
    yield "```sh"
    place = f"hf://datasets/{facts.repo}@{tag}"
    yield f"s1data why {place} ID"
    yield f"s1data verify {place}"
    bind = (
        " --input NAME=FILE"
        if any(
            s.path is None and s.hub is None and s.reasoning_gym is None
            for s in facts.pipeline.sources
        )
        else ""
    )
    yield f"s1data run {place}{bind} --out runs/again"
    yield f"s1data export {place} --format think --out train.jsonl"
    yield "```\n"
    yield f"Made with s1data {facts.manifest['versions'].get('s1data', '')}."

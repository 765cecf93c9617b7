# ruff: noqa: INP001 - a script beside the page that it writes, run by its path
"""Writes stages.md from what the stages say of themselves, with a note of ours on each.

    python docs/stages.py

The text of a stage is its docstring, its fields and its reasons: one source, three readers (this
page, ``s1data stages NAME``, the JSON schema). A note says why the stage is as it is. A test
compares the page with what this script would write.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from s1data import catalogue, stages, yamltext

PAGE: Final = Path(__file__).with_name("stages.md")

HEAD: Final = """\
# Stages

All stages that come with s1data, in the order in which a recipe mostly has them. `s1data stages`
lists them with those of other packages, `s1data stages NAME` shows one. [Concepts](concepts.md)
explains the kinds, [add a stage](add-a-stage.md) how to write one.

This page is written by `docs/stages.py`.
"""

NOTES: Final[dict[str, str]] = {
    "drop_incomplete": (
        "White space counts as nothing, and so does an empty list. It is the place to insist on "
        "an "
        "answer or a solution where a later stage needs one."
    ),
    "drop_malformed": (
        "The general rules are made to drop little that is good: words that point at a figure "
        "count only if no drawing as code is there, and charts and graphs are left out of them, "
        "since their numbers are often in the text. The rules `s1` are those of the specification"
        " "
        "to the letter and fit its sources only ([why](reproducing-s1k.md)). A row that breaks "
        "several rules is told the first, and the change that would keep it covers all."
    ),
    "drop_duplicates": (
        "Case is never folded unless asked for: `c1ccccc1` is benzene and `C1CCCCC1` cyclohexane."
        " "
        "Superscripts and fractions stay apart from plain digits, since 2⁵ is not 25. Which row "
        "survives depends on what the rows hold, never on their order, so a shuffled file gives "
        "the same set."
    ),
    "drop_near_duplicates": (
        "Of the pairs that it drops on the real pool by its defaults, some nine in ten are the "
        "same question ([measured](overlap-duplicates.md)): read `pairs.parquet` beside its "
        "record "
        "before you rely on it. A bucket of equal signatures is never compared all with all, so "
        "its cost grows with the rows."
    ),
    "drop_semantic_duplicates": (
        "Needs `add_embedding` before it. Near vectors are only candidates: words and numbers "
        "decide. Of the pairs that it drops on the real pool, less than half are the same question "
        "([measured](overlap-duplicates.md)): series of questions on one passage share most words."
    ),
    "drop_published": (
        "For a new set that must not repeat an old one. The evidence says which item it was, and "
        "by which method."
    ),
    "add_template_group": (
        "Drops nothing: other numbers are another question. The size tells how much of a pool one"
        " "
        "template makes up."
    ),
    "drop_contaminated": (
        "The verdicts are exactly those of s1's script, for `n: 8`. Hashes find candidates, words"
        " "
        "decide. It is a rule about wording: it drops a harmless question that shares a common "
        "opening with a benchmark item, and lets a paraphrase pass. `run` in the evidence is what"
        " "
        "`n` would have to exceed. `cross_source` is s1's second half and depends on the order of"
        " "
        "sources, which is why the order is a field."
    ),
    "add_recorded_attempts": (
        "Attempts stand in one list a row, by solver and sample; their texts stay in the file. "
        "Samples are numbered by what the lines say, not by where they stand, so a shuffled file "
        "gives the same pool. `attempts_by_solver.parquet` beside the record counts how many "
        "lines "
        "of each solver met a question."
    ),
    "add_verdict_columns": (
        "For a pool that has verdicts as columns, one a solver, as s1's featurized pool. A null is "
        "no attempt, which `drop_solved` counts as unknown of a solver that it names."
    ),
    "add_recorded_grades": (
        "The comparison is strict on purpose: one stated normalisation, and no guess beyond it. "
        "So it says wrong more often than a good grader would, and keeps more questions as hard."
    ),
    "add_attempts": (
        "A cut attempt says that it was cut and has no verdict: nobody knows how it would have "
        "ended. With `stop: any_right` samples are asked one after the other, so fewer are paid "
        "for and the run takes longer; a raw rate over such rows is biased, which "
        "`add_pass_rates` knows."
    ),
    "add_judge_grades": (
        "For what no grader could decide. The judge sees final answer and reference, never the "
        "attempt, and equal pairs are asked once."
    ),
    "drop_solved": (
        "`unknown` has no default: whether a question that nobody could judge is hard is a "
        "decision, and it moves the result a great deal. It comes into play only where missing "
        "verdicts could still change the outcome under the rule."
    ),
    "add_traces": (
        "`accept` is what saves the money: a teacher that returns summaries of its thinking, as "
        "hosted ones do, is noticed in the replies to the first rows. A request that was blocked "
        "or cut stays in the list with its outcome, without a text."
    ),
    "add_model_domain": (
        "What s1 did, with a list of fields that the recipe may bring itself. A reply that names "
        "no code of the list is asked again; a row that never gets one has no domain."
    ),
    "add_embedding": (
        "The column holds keys; vectors are in a cache that all runs share. A vector depends on "
        "the shape of the batch it is computed in, so batches have fixed shapes, and the same "
        "text "
        "has the same vector whatever stands beside it. `tfidf-svd` needs no download and is "
        "fast, "
        "but it is fitted on the pool, so another pool means other vectors for all its texts, and"
        " "
        "it sees words only."
    ),
    "add_contamination": (
        "For looking before dropping, and for what is no ground to drop: a question made from an "
        "item by other numbers, or one of the same subject. Stands before `drop_contaminated` "
        "where the rows that it drops are to be told of as well. `s1data overlaps RUN` counts and "
        "shows what was found."
    ),
    "add_cluster_domain": (
        "Clusters stand in for subject classes where no model is asked; "
        "[what they are not](reproducing-s1k.md#what-a-clustered-domain-is-not). The smaller "
        "`k` is, the more a selection over domains looks like one at random."
    ),
    "add_column": (
        "The way in for anything computed elsewhere: a score, a class, a length. The digest of "
        "the "
        "input is part of the stage's key, so a new file of scores runs again what reads them. "
        "Two "
        "lines for one question are an error, since either could be meant."
    ),
    "keep_s1": (
        "All rows are put in one order that does not depend on `n`, with the inclusion "
        "probabilities of the published loop, which ranks a domain anew at each draw. "
        "`length_from` has no default: the length of a summary must not pass for that of a trace."
        " "
        "The two forms differ in how domains are drawn ([details](reproducing-s1k.md))."
    ),
    "keep_random": (
        "The baseline. Two sets drawn with one seed from nearly the same pool are nearly the same."
    ),
    "keep_longest": "Length is a stand-in for difficulty, and a rough one.",
    "keep_diverse": "Small domains are used up first; then the larger ones share what is left.",
    "keep_stratified": (
        "For a set that looks like the pool (`power: 1`), or has as many of each kind as there are "
        "(`power: 0`), or something between."
    ),
    "keep_kcenter": (
        "Takes what is rare first: on a pool that was not cleaned that is noise "
        "([cost](selection.md#what-they-cost))."
    ),
    "keep_facility_location": (
        "Takes what is typical first: the middle of every crowd, the largest crowds leading. "
        "Beyond `population` rows it is an estimate from a sample of them."
    ),
    "keep_top": (
        "For scores of your own. `rank` makes columns of different units comparable; `raw` is for"
        " "
        "those who have already made them so."
    ),
    "check_contaminated": (
        "Stands last, after everything that adds rows or texts. A hit stops the run with one line"
        " "
        "that names the rows; `allow` lists those that may stay, each with its reason."
    ),
    "add_grades": (
        "Cheap graders first, each pair of reference and answer once; what none of them decides "
        "stays without a verdict, and `method` says why. Give it the attempts or the traces "
        "([grading](grading.md))."
    ),
    "add_recorded_traces": (
        "The texts stand beside the stage's record under their `reply_key`; the column carries "
        "keys, lengths and verdicts only."
    ),
    "add_trace_checks": ("Only says what is wrong; `drop_bad_traces` decides which of it matters."),
    "drop_bad_traces": (
        "Leaves traces out inside a row, and drops the row when none is left. A wrong answer is "
        "not among its defaults: OpenThoughts3 found no answer filter that beat keeping all."
    ),
    "choose_trace": (
        "Stands after the checks and the grades. The evidence names the wish that told the chosen "
        "trace from the next one."
    ),
    "add_score": (
        "Which trace a student finds likely is for `choose_trace` (`score: scores.lalp`) or "
        "`keep_top` (`scores.logprob`) to use ([what is measured]"
        "(traces.md#scores-from-a-student)). A second one replaces the column."
    ),
    "fill": (
        "Stands after a selector with a `reserve`, before `drop_unfilled`. What it adds beside "
        "`traces` is `filling`: whether a trace was accepted, and what the others lack."
    ),
    "drop_unfilled": (
        "Stands after `fill`. Its figures in the manifest say how many rows are missing of those "
        "wanted, and why ([how it works](selection.md#exactly-n-rows-with-a-trace))."
    ),
    "add_nearest_domain": (
        "For the fields of a scheme without asking a model. What it finds is near in words, which "
        "is less than what a model says ([measured](domains.md)); for maths and science side by "
        "side give each source its list."
    ),
    "add_pass_rates": (
        "Cut attempts count neither way. Where attempts stopped early the raw rate is biased, so "
        "filters use the posterior."
    ),
    "drop_outside_counts": (
        "The rule of LIMO: right at least and at most so many times out of a fixed number."
    ),
    "drop_outside": (
        "A band of the posterior of one solver, for questions that are neither solved always nor "
        "never."
    ),
    "add_consensus": ("A pseudo-label is marked as one and never takes the place of `answer`."),
    "add_doubtful_gold": (
        "Solvers of one family share their mistakes; it takes two families to call a reference "
        "wrong."
    ),
    "drop_doubtful_gold": ("Annotation comes first; dropping is a choice."),
    "add_question_flaws": (
        "Rules on the words of the question, so each flaw carries the words that show it."
    ),
    "drop_unusable": ("Names the flaws that drop a row; the others remain annotations."),
}


def page() -> str:
    """The whole page."""
    every = [catalogue.one(name) for name in stages.BUILT_IN]
    rows = [f"| [`{s['name']}`](#{s['name']}) | {s['kind']} | {_first(s)} |" for s in every]
    table = ["| stage | kind | |", "|---|---|---|", *rows]
    return "\n".join([HEAD, *table, "", *map(_section, every)])


def _first(stage: dict[str, Any]) -> str:
    return _markdown(stage["does"].split("\n", 1)[0])


def _section(stage: dict[str, Any]) -> str:
    name = stage["name"]
    out = [f"## {name}", "", f"*{stage['kind']}.* {_markdown(stage['does'])}", "", NOTES[name], ""]
    out += [_columns(stage), ""]
    if stage["fields"]:
        out += ["| field | default | |", "|---|---|---|", *map(_field, stage["fields"]), ""]
    if stage.get("reasons"):
        out += ["| reason | in words |", "|---|---|"]
        out += [f"| `{slug}` | {_cell(text)} |" for slug, text in stage["reasons"].items()] + [""]
    out += ["```yaml", yamltext.dump([stage["example"]]).rstrip(), "```", ""]
    return "\n".join(out)


def _columns(stage: dict[str, Any]) -> str:
    example = stages.get(stage["name"]).model_validate(stage["example"][stage["name"]])
    by_fields = set(example.reads()) - set(stage["reads"])
    parts = [", ".join(f"`{c}`" for c in stage["reads"])]
    parts += ["the columns that its fields name"] if by_fields else []
    adds = ", ".join(f"`{c}`" for c in stage.get("adds", ()))
    if "adds" in stage and not adds:
        adds = "the column that its fields name"
    reads = " and ".join(filter(None, parts)) or "no column but the id"
    return f"Reads {reads}." + (f" Adds {adds}." if adds else "")


def _field(field: dict[str, Any]) -> str:
    default = "needed"
    if "default" in field:
        plain = yamltext.dump({"x": field["default"]}).removeprefix("x:").strip()
        default = "" if field["default"] is None else f"`{' '.join(plain.split())}`"
        if field["default"] in ([], {}, ""):
            default = "none"
        elif isinstance(field["default"], list):
            default = f"`[{', '.join(map(str, field['default']))}]`"
    return f"| `{field['field']}` | {default} | {_cell(_markdown(field['about']))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _markdown(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

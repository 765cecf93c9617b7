"""What a licence, as a source or a row states it, lets others do with the text.

A statement is free text ("CC BY 4.0", "MIT (repo); problem text of the MAA"). It is read into the
Hub's identifiers where it names some, and put into one of five classes. Only `open` texts may be
passed on without anybody's decision; for all others a person has to decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

OPEN: Final = "open"
CLASSES: Final[dict[str, str]] = {
    OPEN: "may be passed on, changed or not",
    "non_commercial": "may not be used commercially",
    "no_derivatives": "may not be passed on in changed form",
    "conflicting": "names more than one set of terms, not all of them open",
    "unknown": "is not stated, or not a licence known by name",
}
"""The classes, and what stands for each in sentences."""

_OPEN: Final = frozenset(
    # Written as words, since a name a line would be fifty lines.
    "mit apache-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear isc zlib unlicense wtfpl cc "
    "cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 odc-by odbl pddl "
    "cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 c-uda gpl gpl-2.0 gpl-3.0 agpl-3.0 "
    "lgpl lgpl-2.1 lgpl-3.0 gfdl mpl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2 etalab-2.0 ms-pl "
    "artistic-2.0 afl-3.0 ecl-2.0 bsl-1.0 osl-3.0 ofl-1.1 ncsa postgresql lppl-1.3c".split()
)
_CLOSED: Final = frozenset(
    "cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 "
    "cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 fair-noncommercial-research-license".split()
)
HUB_NAMES: Final = _OPEN | _CLOSED
"""Identifiers that the Hub knows and that this module can class."""
_SAME: Final[dict[str, str]] = {
    "apache": "apache-2.0", "apache2": "apache-2.0", "apache-2": "apache-2.0",
    "cc0": "cc0-1.0", "public-domain": "cc0-1.0", "cc-by": "cc-by-4.0", "cc-by-sa": "cc-by-sa-4.0",
    "cc-by-nc": "cc-by-nc-4.0", "cc-by-nd": "cc-by-nd-4.0", "cc-by-nc-sa": "cc-by-nc-sa-4.0",
    "cc-by-nc-nd": "cc-by-nc-nd-4.0", "gplv3": "gpl-3.0", "gplv2": "gpl-2.0",
    "bsd-3": "bsd-3-clause", "odc-by-1.0": "odc-by", "the-unlicense": "unlicense",
}  # fmt: skip
_SHARE_ALIKE: Final = re.compile(r"cc-by-(nc-)?sa-.*|odbl|gfdl|a?gpl.*")


@dataclass(frozen=True)
class Licence:
    """A statement as it was read."""

    stated: str
    names: tuple[str, ...]
    """Identifiers of the Hub that it names."""
    kind: str
    """A key of `CLASSES`."""


def read(stated: str | None) -> Licence:
    """Reads a statement; None and blank ones are unknown."""
    text = (stated or "").strip()
    parts = [p for p in re.split(r"[;,]|\band\b|/|\bor\b", _without_asides(text)) if p.strip()]
    slugs = [_slug(part) for part in parts]
    names = tuple(dict.fromkeys(slug for slug in slugs if slug in HUB_NAMES))
    kinds = {_kind(slug) for slug in slugs}
    kind = kinds.pop() if len(kinds) == 1 else "conflicting" if kinds else "unknown"
    return Licence(text or "unknown", names, kind)


def _without_asides(text: str) -> str:
    return re.sub(r"\([^()]{2,}\)|, *(?=[Vv]ersion )", " ", text)


def _slug(text: str) -> str:
    plain = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.").replace("version-", "")
    plain = re.sub(r"^the-|-licen[cs]e$|-licen[cs]e(?=-\d)", "", plain)
    plain = re.sub(r"-international$|-deed$", "", plain)
    return _SAME.get(plain, plain)


def _kind(slug: str) -> str:
    if slug in _OPEN:
        return OPEN
    words = set(slug.split("-"))
    if "nd" in words or "noderivatives" in words or "derivatives" in words:
        return "no_derivatives"
    if words & {"nc", "noncommercial", "commercial"}:
        return "non_commercial"
    return "unknown"


def kinds(statements: pl.Series) -> pl.Series:
    """The class of each statement of a String series."""
    known = {s: read(s).kind for s in statements.unique().to_list()}
    return pl.Series("kind", [known[s] for s in statements.to_list()], dtype=pl.String)


@dataclass(frozen=True)
class Concern:
    """A licence for which somebody has to decide, and how many rows of the set it is about."""

    name: str
    """What is given to ``--accept-licence``: an identifier, the statement, unknown, conflicting."""
    kind: str
    rows: int
    sources: tuple[str, ...]
    why: str


def concerns(selected: pl.DataFrame, pool: pl.DataFrame | None = None) -> list[Concern]:
    """Licences of a set (``id``, ``source``, ``licence``) that are not simply open.

    ``pool`` has the same columns for all rows that were read: a chosen question that also stands
    there under another licence of another class is conflicting. So is a share-alike licence in
    one set with another that forbids more.
    """
    lines = selected.select("id", "source", stated=pl.col("licence").fill_null("unknown"))
    lines = lines.with_columns(kinds(lines["stated"]))
    found = []
    for (stated, kind), rows in lines.group_by("stated", "kind", maintain_order=True):
        if kind == OPEN:
            continue
        name = _named(str(stated), str(kind))
        sources = tuple(sorted(set(rows["source"].to_list())))
        found.append(Concern(name, str(kind), rows.height, sources, CLASSES[str(kind)]))
    found += _two_licences(lines, pool)
    found += _mixed(lines)
    return sorted(found, key=lambda c: (-c.rows, c.name))


def _named(stated: str, kind: str) -> str:
    names = read(stated).names
    return names[0] if len(names) == 1 and kind != "conflicting" else stated


def _two_licences(lines: pl.DataFrame, pool: pl.DataFrame | None) -> Iterable[Concern]:
    if pool is None:
        return
    others = pool.select("id", other=pl.col("licence")).drop_nulls().unique()
    both = lines.join(others, on="id").filter(pl.col("other") != pl.col("stated"))
    both = both.with_columns(kinds(both["other"]).alias("other_kind"))
    both = both.filter(pl.col("other_kind") != pl.col("kind")).unique("id")
    if both.height:
        sources = tuple(sorted(set(both["source"].to_list())))
        why = "the same question stands in the pool under another licence of another kind"
        yield Concern("conflicting", "conflicting", both.height, sources, why)


def _mixed(lines: pl.DataFrame) -> Iterable[Concern]:
    alike = lines.filter(
        pl.col("stated").map_elements(
            lambda s: any(_SHARE_ALIKE.fullmatch(n) for n in read(s).names), pl.Boolean
        )
    )
    closed = lines.filter(pl.col("kind").is_in(["non_commercial", "no_derivatives"]))
    other = closed.join(alike, on="id", how="anti")
    if alike.height and other.height:
        names = sorted({*alike["stated"].to_list(), *other["stated"].to_list()})
        sources = tuple(sorted({*alike["source"].to_list(), *other["source"].to_list()}))
        why = f"share-alike terms and narrower ones stand in one set ({', '.join(names)})"
        yield Concern("conflicting", "conflicting", alike.height + other.height, sources, why)


TERMS: Final[Mapping[str, str]] = {
    "gemini": "the additional terms of the Gemini API forbid using its output to build models that "
    "compete with it",
    "gpt": "OpenAI's terms forbid using its output to build models that compete with it",
    "o1": "OpenAI's terms forbid using its output to build models that compete with it",
    "o3": "OpenAI's terms forbid using its output to build models that compete with it",
    "o4": "OpenAI's terms forbid using its output to build models that compete with it",
    "claude": "Anthropic's terms forbid using its output to build models that compete with it",
    "deepseek": "DeepSeek's models are under the MIT licence, which allows distillation",
    "qwq": "Qwen's open models are mostly under Apache-2.0; see the model's own page",
    "qwen": "Qwen's open models are mostly under Apache-2.0; see the model's own page",
    "llama": "the Llama community licence wants models made with its output to be named after it",
    "smollm": "SmolLM is under Apache-2.0",
}
"""What is known of the terms for output, by how the model's name begins. No legal advice."""


def terms(model: str) -> str:
    """A sentence on the terms under which a model's output may be used."""
    name = model.lower().rpartition("/")[2]
    for begins, said in TERMS.items():
        if name.startswith(begins):
            return said
    return "the terms of this model's provider for its output are not known here: look them up"

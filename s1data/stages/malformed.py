"""Questions that cannot be used as they stand, found by their own text alone.

`DropIncomplete` drops rows that lack a value. `DropMalformed` has two rule sets: ``general`` for
any pool, every rule with its own setting, and ``s1``, exactly the rules with which s1 cleaned its
own sources (and of use on those only). A dropped row's evidence holds what *every* rule measured,
so that `keeps_if` names a change that really keeps it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, TypeAlias

import polars as pl
from pydantic import Field, model_validator

from s1data.stage import Evidence, Filter


class DropIncomplete(Filter):
    """Drops rows in which a needed text is missing: null, empty or white space."""

    of: tuple[str, ...] = Field(
        alias="needs",
        min_length=1,
        description="Columns that must have a value; a text of white space is none.",
    )

    reasons: ClassVar = {"missing_value": "It has no value in {missing}."}
    evidence: ClassVar = {"missing": pl.List(pl.String)}
    example: ClassVar = {"needs": ["question", "answer"]}

    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.of))

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        missing = pl.concat_list(
            pl.when(_lacks(name, rows.schema[name])).then(pl.lit(name)) for name in self.reads()
        ).list.drop_nulls()
        bad = missing.list.len() > 0
        return rows.select(
            pl.when(bad).then(pl.lit("missing_value")).alias("reason"),
            pl.when(bad).then(pl.struct(missing=missing)).alias("evidence"),
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        rest = tuple(name for name in self.of if name not in evidence["missing"])
        return {"needs": rest} if rest else None


def _lacks(name: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if dtype == pl.String:
        return value.is_null() | (value.str.strip_chars() == "")
    if isinstance(dtype, pl.List):
        return value.is_null() | (value.list.len() == 0)
    return value.is_null() | value.is_nan() if dtype.is_float() else value.is_null()


Script: TypeAlias = Literal[
    "arabic", "bengali", "cyrillic", "devanagari", "greek", "han", "hangul", "hebrew", "hiragana",
    "katakana", "latin", "tamil", "telugu", "thai",
]  # fmt: skip
Rule: TypeAlias = Literal["too_long", "missing_figure", "mojibake", "unwanted_script"]

IMAGE: Final = r"!\[[^\]\n]*\](?:\([^)\n]*\)|\[[^\]\n]*\])?|\\includegraphics\b|<img\b|<image>"
"""A figure that was left behind: a Markdown, LaTeX or HTML image, or its placeholder."""
DRAWING: Final = r"\[asy\]|\\begin\{(?:asy|picture|tikzpicture)\}|<svg\b"
"""A figure that is there, as code that can be read."""
_FIGURE: Final = r"(?:figure|diagram|picture|image|drawing|illustration|sketch)s?"
_SHOWN: Final = r"(?:shown|drawn|depicted|illustrated|pictured|displayed|indicated|sketched)"
MENTION: Final = (
    rf"(?i)\b(?:{_SHOWN}\s+(?:in|by)\s+(?:the|this)\s+(?:\w+\s+)?{_FIGURE}"
    rf"|{_FIGURE}\s+(?:shown\s+|given\s+)?(?:below|above)"
    rf"|(?:below|above|accompanying|adjoining|attached)\s+{_FIGURE})\b"
)
"""Words that point at a figure. Charts, graphs and maps are left out: they are often in the text
as numbers, and 'the following graph' is mostly one of vertices and edges."""

_TAIL: Final = "[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"  # noqa: RUF001 - cp1252 on purpose
GARBLED: Final = (
    f"\ufffd|[ÂÃ]{_TAIL}|â{_TAIL}{{2}}|[ÎÏÐÑ]{_TAIL}|ï»¿|ï¿½|[\u0080-\u0084\u0086-\u009f]"
)
"""Replacement characters, C1 controls, and UTF-8 read as Latin-1 or Windows-1252 (``Ã©``)."""

FOUND_CHARS: Final = 80
"""How much of what was found goes into the evidence."""

_S1_RULES: Final[dict[str, str]] = {
    "image_link": r"!\[Image\]",
    # "p1." to "p999." anywhere, inside words too, as s1 tests for substrings.
    "numbered_part": r"p[1-9][0-9]{0,2}\.",
    # s1 has \*\*(?=.*\d)[^\s\]]*\*\*. Without look-ahead, which takes quadratic time: the digit
    # stands in the bold run itself, or after it on the same line. Python's \s has U+001C to
    # U+001F, which the one here has not.
    "bold_number": (
        r"\*\*[^\s\x1c-\x1f\]]*(?:\d[^\s\x1c-\x1f\]]*\*\*|\*\*[^\n]*\d)"
    ),
}  # fmt: skip
_S1_REASON_ORDER: Final = ("drawing_code", "image_link", "numbered_part", "bold_number")


_GENERAL: Final = ("max_chars", "max_garbled", "scripts", "min_script_share", "off")
"""Fields of the general rules alone."""


class DropMalformed(Filter):
    """Drops questions that are empty, too long, garbled, or speak of a figure that is not there."""

    rules: Literal["general", "s1"] = Field(
        default="general",
        description="Rule set: general, or exactly s1's own (s1 paper, section 2.2; its sources).",
    )
    max_chars: int = Field(default=20_000, gt=0, description="Longest question, in characters.")
    max_garbled: float = Field(
        default=0.01, ge=0, le=1, description="Largest share of characters that are mojibake."
    )
    scripts: tuple[Script, ...] = Field(
        default=(),
        description="Scripts that questions may be written in; any if empty. A script is not a "
        "language: latin lets French pass. Japanese takes han, hiragana and katakana.",
    )
    min_script_share: float = Field(
        default=0.7, ge=0, le=1, description="Least share of letters in the wanted scripts."
    )
    off: tuple[Rule, ...] = Field(default=(), description="General rules that are not applied.")

    revision: ClassVar[int] = 2
    needs: ClassVar = ("question",)
    uses: ClassVar = ("source_type",)
    reasons: ClassVar = {
        "empty_question": "The question has no text.",
        "too_long": "It has {chars} characters; at most {max_chars} are kept.",
        "missing_figure": "It speaks of a figure that is not in the text: {found}",
        "mojibake": "{garbled:.2%} of its characters are garbled; {max_garbled:.2%} may be.",
        "unwanted_script": (
            "{script_share:.2%} of its letters are in {scripts}; {min_script_share:.2%} must be."
        ),
        "drawing_code": "It has a drawing as code ([asy]) and is no AIME question.",
        "image_link": "It has an image that is not in the text: {found}",
        "numbered_part": "It has the mark of a numbered part: {found}",
        "bold_number": "It has bold text without spaces and a digit on the line: {found}",
    }
    evidence: ClassVar = {
        "chars": pl.UInt32,
        "garbled": pl.Float64,
        "script_share": pl.Float64,
        "missing_figure": pl.Boolean,
        "found": pl.String,
    }
    example: ClassVar = {"scripts": ["latin"]}

    @model_validator(mode="after")
    def _s1_has_no_settings(self) -> DropMalformed:
        if self.rules == "s1":
            for name in _GENERAL:
                if getattr(self, name) != type(self).model_fields[name].default:
                    msg = f"{name} belongs to the general rules; leave it out with rules: s1"
                    raise ValueError(msg)
        return self

    def reads(self) -> tuple[str, ...]:
        return (*self.needs, *self.uses) if self.rules == "s1" else self.needs

    def verdicts(self, rows: pl.DataFrame) -> pl.DataFrame:
        judged = self._s1(rows) if self.rules == "s1" else self._general(rows)
        values = pl.struct(pl.col(name).cast(dtype) for name, dtype in self.evidence.items())
        return judged.select(
            "reason", pl.when(pl.col("reason").is_not_null()).then(values).alias("evidence")
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        if evidence.reason == "empty_question":
            # s1 has no rule against it, and takes no setting of the general rules.
            fields = type(self).model_fields
            moved = (n for n in _GENERAL if getattr(self, n) != fields[n].default)
            return {"rules": "s1", **{name: fields[name].default for name in moved}}
        change: dict[str, Any] = {"rules": "general"} if self.rules == "s1" else {}
        if "too_long" not in self.off and evidence["chars"] > self.max_chars:
            change["max_chars"] = evidence["chars"]
        if "mojibake" not in self.off and evidence["garbled"] > self.max_garbled:
            change["max_garbled"] = evidence["garbled"]
        share = evidence.values.get("script_share")
        if "unwanted_script" not in self.off and share is not None:
            change |= {"min_script_share": share} if share < self.min_script_share else {}
        if "missing_figure" not in self.off and evidence["missing_figure"]:
            change["off"] = (*self.off, "missing_figure")
        return change

    def _general(self, rows: pl.DataFrame) -> pl.DataFrame:
        question = pl.col("question")
        measured = rows.select(
            empty=question.is_null() | (question.str.strip_chars() == ""),
            chars=question.str.len_chars(),
            garbled=_share_of(question, GARBLED),
            script_share=self._script_share(question),
            found=_figure(question),
        ).with_columns(missing_figure=pl.col("found").is_not_null())
        broken = {
            "empty_question": pl.col("empty"),
            "too_long": pl.col("chars") > self.max_chars,
            "missing_figure": pl.col("missing_figure"),
            "mojibake": pl.col("garbled") > self.max_garbled,
            "unwanted_script": pl.col("script_share") < self.min_script_share,
        }
        return measured.with_columns(
            reason=pl.coalesce(
                pl.when(when).then(pl.lit(name))
                for name, when in broken.items()
                if name not in self.off
            )
        )

    def _script_share(self, question: pl.Expr) -> pl.Expr:
        if not self.scripts:
            return pl.lit(None, dtype=pl.Float64)
        wanted = "".join(rf"\p{{{script.capitalize()}}}" for script in self.scripts)
        # Letters of no script (the mathematical alphabets, ª) count for neither side.
        letters = question.str.count_matches(r"[\p{L}--\p{Common}]")
        share = question.str.count_matches(rf"[\p{{L}}&&[{wanted}]]") / letters
        return pl.when(letters > 0).then(share)

    def _s1(self, rows: pl.DataFrame) -> pl.DataFrame:
        question = pl.col("question").fill_null("")
        drawing = question.str.contains("[asy]", literal=True)
        aime = pl.col("source_type").str.contains("AIME", literal=True).fill_null(False)
        marks = {name: question.str.extract(f"({rule})") for name, rule in _S1_RULES.items()}
        found = rows.select(
            pl.when(drawing & ~aime).then(pl.lit("[asy]")).alias("drawing_code"),
            *(pl.when(~drawing).then(mark).alias(name) for name, mark in marks.items()),
            chars=question.str.len_chars(),
            garbled=_share_of(question, GARBLED),
            script_share=pl.lit(None),
            missing_figure=_figure(question).is_not_null(),
        )
        return found.with_columns(
            reason=pl.coalesce(
                pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in _S1_REASON_ORDER
            ),
            found=pl.coalesce(_S1_REASON_ORDER).str.slice(0, FOUND_CHARS),
        )


def _figure(question: pl.Expr) -> pl.Expr:
    """The image, or the words that point at a figure, where none is drawn; else null."""
    drawing = question.str.contains(DRAWING)
    mention = question.str.extract(f"({MENTION})")
    return pl.coalesce(
        question.str.extract(f"({IMAGE})").str.slice(0, FOUND_CHARS),
        pl.when(~drawing).then(mention),
    )


def _share_of(text: pl.Expr, pattern: str) -> pl.Expr:
    """Share of the characters of ``text`` inside matches of ``pattern``; few texts have any."""
    return (
        pl.when(text.str.contains(pattern))
        .then(text.str.extract_all(pattern).list.join("").str.len_chars() / text.str.len_chars())
        .when(text.is_not_null())
        .then(0.0)
    )

r"""Normalisation for comparison: texts that are written differently and say the same become equal.

What it makes is compared and thrown away; the stored question never changes. It is a list of steps
in a fixed order, each of which `Normalisation` can switch off and `steps` can show. Numbers are
always kept (lengths in layout commands are none), and so are forms that mean something: ``2⁵``
becomes ``2^{5}``, never 25.

Most steps are polars expressions over the whole column. Three characters of the private use area
stand for what is under way: the end of a LaTeX command, a run of exponents, and a form kept apart,
which stays marked where it has no other way to be written (①).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, TypeAlias

import polars as pl
from pydantic import Field

from s1data.frozen import Frozen

Step: TypeAlias = Callable[[pl.Expr], pl.Expr]

MEANT: Final = frozenset({"<super>", "<sub>", "<fraction>", "<circle>"})
"""Compatibility forms that mean something in a question: 2⁵ is not 25, ① not 1."""
MARK: Final = "\ue000"
END: Final = "\ue001"
RUN: Final = "\ue002"
ARGUMENT: Final = "[0-9A-Za-zα-ωΑ-Ω∞]"
"""What TeX takes for an argument without braces."""
BRACED: Final = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
"""An argument in braces, with two levels of others in it."""
ZERO_WIDTH: Final = (
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0e\ufe0f\ufeff]"
)
LOOK_ALIKES: Final = (
    dict(zip("АВЕКМНОРСТХаеорсухіјѕЅІЈ", "ABEKMHOPCTXaeopcyxijsSIJ", strict=True))
    | dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True))
    | dict.fromkeys("‘’‚‛′`´ʹʼ", "'")
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‐‑‒–—―−﹣", "-")
    | dict.fromkeys("⋅•∙", "·")
    | {"∕": "/", "⁄": "/", "∶": ":", "∣": "|", "⩽": "≤", "⩾": "≥", "…": "...", "''": '"'}
)
"""Characters that look like another; Cyrillic and Greek letters that look like Latin ones."""

SYNONYMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), r"\frac"),
    **dict.fromkeys(("dbinom", "tbinom"), r"\binom"),
    **dict.fromkeys(("le", "leq", "leqslant"), "≤"),
    **dict.fromkeys(("ge", "geq", "geqslant"), "≥"),
    **dict.fromkeys(("ne", "neq"), "≠"),
    **dict.fromkeys(("lt",), "<"),
    **dict.fromkeys(("gt",), ">"),
    **dict.fromkeys(("ldots", "dots", "cdots", "dotsc", "dotsb"), "..."),
    **dict.fromkeys(("to", "rightarrow", "longrightarrow"), "→"),
    **dict.fromkeys(("implies", "Rightarrow"), "⇒"),
    **dict.fromkeys(("iff", "Leftrightarrow"), "⇔"),
    **dict.fromkeys(("mid", "vert", "lvert", "rvert"), "|"),
    **dict.fromkeys(("left", "right", "bigl", "bigr", "Bigl", "Bigr", "big", "Big"), ""),
    **dict.fromkeys(("displaystyle", "textstyle", "limits", "nolimits"), ""),
    **dict.fromkeys(("varepsilon", "epsilon"), "ε"),
    **dict.fromkeys(("varphi", "phi"), "φ"),
    **dict.fromkeys(("emptyset", "varnothing"), "∅"),
    **dict.fromkeys(("lbrace",), "{"),
    **dict.fromkeys(("rbrace",), "}"),
    **dict.fromkeys(("lbrack",), "["),
    **dict.fromkeys(("rbrack",), "]"),
    **dict.fromkeys(("degree", "textdegree"), "°"),
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "mp": "∓", "approx": "≈", "equiv": "≡",
    "infty": "∞", "in": "∈", "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪",
    "cap": "∩", "angle": "∠", "triangle": "△", "perp": "⊥", "parallel": "∥", "cong": "≅",
    "sim": "∼", "forall": "∀", "exists": "∃", "sum": "∑", "prod": "∏", "int": "∫",
    "partial": "∂", "nabla": "∇", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ",
    "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
"""LaTeX commands (without backslash) to the one form that stands for them and their like."""
WRAPPERS: Final = (
    "text|textbf|textit|textrm|textsf|texttt|textup|textnormal|emph|underline|mbox|hbox|mathrm"
    "|mathbf|mathit|mathsf|mathtt|mathbb|mathcal|mathnormal|boldsymbol|bm|operatorname|operatorname\\*"
)
DELIMITER: Final = (
    r"\${1,2}|\\[()\[\]]|\\(?:begin|end)\{(?:math|displaymath|equation|align|gather)\*?\}"
)
ONES: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS: Final = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS: Final[Mapping[str, str]] = {
    **{word: str(number) for number, word in enumerate((*ONES[1:], *TEENS), 2)},
    **{word: str(10 * number) for number, word in enumerate(TENS, 2)},
    **{
        f"{tens}-{ones}": str(10 * ten + one)
        for ten, tens in enumerate(TENS, 2)
        for one, ones in enumerate(ONES, 1)
    },
}
"""Numbers in words that stand for one number wherever they are. "One" is mostly a pronoun; "two
hundred" and "twenty five" may be two numbers (two hundred-dollar bills), so they are no entries."""
TIGHT: Final = "-+=<>^_{}()\\[\\]|/*&×·÷±≤≥≠≈≡∈→⇒⇔°"
"""Beside these a space says nothing. A comma is not among them: {1, 234} is not {1,234}."""
SPACE: Final = "[\\s\x1c-\x1f]+"
"""What ``str.split`` takes for white space."""


class Normalisation(Frozen):
    """Which steps of the normalisation are taken. Numbers are kept whatever is switched."""

    zero_width: bool = Field(
        default=True, description="Whether zero-width and direction characters are removed."
    )
    unicode: bool = Field(
        default=True,
        description="Whether NFKC is applied; superscripts, subscripts, fractions and circled "
        "characters stay apart from plain ones.",
    )
    look_alikes: bool = Field(
        default=True,
        description="Whether quotes, dashes and letters that look alike become one.",
    )
    latex_spacing: bool = Field(
        default=True,
        description="Whether spacing commands become spaces, and spaces beside operators and "
        "brackets are removed.",
    )
    latex_synonyms: bool = Field(
        default=True,
        description=r"Whether \dfrac is \frac, \le is ≤, x² is x^2, x^2 is x^{2} and the like.",
    )
    text_wrappers: bool = Field(
        default=True, description=r"Whether \text{a}, \mathrm{a} and the like become a."
    )
    math_delimiters: bool = Field(
        default=True,
        description=r"Whether $…$, $$…$$, \(…\) and \[…\] are removed; a dollar sign goes as well.",
    )
    case: bool = Field(
        default=False,
        description="Whether case is lost; it makes benzene (c1ccccc1) and cyclohexane one.",
    )
    number_words: bool = Field(
        default=False,
        description="Whether two to ninety-nine in words become digits: twenty-five is 25.",
    )
    white_space: bool = Field(
        default=True, description="Whether runs of white space become one space, none at the ends."
    )


def normalised(texts: pl.Series, how: Normalisation) -> pl.Series:
    """Each text after all steps of ``how``; null where it is null. Keeps name and length."""
    frame = texts.rename("text").to_frame()
    ascii_only = pl.col("text").str.len_bytes() == pl.col("text").str.len_chars()
    plain = frame.with_columns(plain=ascii_only.fill_null(True)).with_row_index("at")
    parts = []
    for is_plain in (True, False):
        out = pl.col("text")
        for name, step in _STEPS:
            if getattr(how, name) and not (is_plain and name in _NOT_FOR_ASCII):
                out = step(out)
        parts.append(plain.filter(plain=is_plain).select("at", out))
    return pl.concat(parts).sort("at").get_column("text").rename(texts.name)


def steps(text: str, how: Normalisation) -> list[tuple[str, str]]:
    """The text after each step that ``how`` switches on, beside the name of its field.

    ``latex_spacing`` has two steps: one for commands, and one for spaces beside operators.
    """
    shown = []
    for name, step in _STEPS:
        if getattr(how, name):
            text = pl.select(step(pl.lit(text))).item()
            shown.append((name, text))
    return shown


def _zero_width(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(ZERO_WIDTH, "")


def _unicode(text: pl.Expr) -> pl.Expr:
    apart = _kept_apart()
    return text.str.replace_many(list(apart), list(apart.values())).str.normalize("NFKC")


@cache
def _kept_apart() -> dict[str, str]:
    """Each such character behind `MARK` and the name of its form, which NFKC leaves alone."""
    found: dict[str, str] = {}
    for code in range(0x80, 0x20000):  # no later plane has any
        form, _, _ = unicodedata.decomposition(chr(code)).partition(" ")
        if form in MEANT:
            found[chr(code)] = f"{MARK}{form}{chr(code)}"
    return found


def _look_alikes(text: pl.Expr) -> pl.Expr:
    return text.str.replace_many(list(LOOK_ALIKES), list(LOOK_ALIKES.values()))


def _latex_spacing(text: pl.Expr) -> pl.Expr:
    return (
        # The end of a line in a table goes first: its second half is no spacing command.
        text.str.replace_all(r"\\\\(?:\[\s*[0-9.]+\s*[a-z]{2}\s*\])?", " ")
        .str.replace_all(r"\\(?:[,;:>! ~]|(?:q?quad|enspace|thinspace|hfill|newline)\b)", " ")
        .str.replace_all(r"~|\\[hv]space\*?\s*\{[^{}]*\}", " ")
        .str.replace_all(r"([0-9])\{,\}([0-9])", "$1,$2")
    )


def _tight(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(rf"\s*([{TIGHT}])\s*", "$1")


def _latex_synonyms(text: pl.Expr) -> pl.Expr:
    commands = [f"\\{name}{END}" for name in SYNONYMS]
    marked = text.str.replace_all(r"\\([A-Za-z]+)\s*", f"\\${{1}}{END}")
    second = rf"(\\(?:frac|binom){END}{BRACED})\s*({ARGUMENT}){END}?"
    return (
        marked.str.replace_many(commands, [f"{to}{END}" for to in SYNONYMS.values()])
        .str.replace_all(rf"\^\{{?\\circ{END}\}}?|\^\{{?°{END}?\}}?", "°")
        # TeX takes one token where there are no braces.
        .str.replace_all(rf"\\(frac|binom){END}({ARGUMENT}){END}?\s*", f"\\${{1}}{END}{{$2}}")
        .str.replace_all(second, "${1}{$2}")
        .str.replace_all(second, "${1}{$2}")  # a fraction in a fraction
        .str.replace_all(
            rf"\\sqrt{END}(\[[^\[\]]*\])?({ARGUMENT}){END}?", f"\\sqrt{END}${{1}}{{$2}}"
        )
        .str.replace_all(
            rf"(^|[^_^}}{END}])\{{\\(rm|bf|it|sf|tt){END}([^{{}}\\]*)\}}", r"$1\math$2{$3}"
        )
        .str.replace_all(rf"\{{\\(rm|bf|it|sf|tt){END}([^{{}}\\]*)\}}", r"{\math$1{$2}}")
        # What a command's name ends before stays apart from it; anything else needs no space.
        .str.replace_all(rf"([A-Za-z]){END}([A-Za-z0-9])", "$1 $2")
        .str.replace_all(END, "")
        .str.replace_all(r"\{\s*\}", "")
        # ²³ is one exponent; what is written in braces is not touched: {1}^{23} is not {12}^{3}.
        .str.replace_all(rf"{MARK}<super>(.)", f"^{{{RUN}$1{RUN}}}")
        .str.replace_all(rf"{MARK}<sub>(.)", f"_{{{END}$1{END}}}")
        .str.replace_all(rf"{RUN}\}}\^\{{{RUN}|{END}\}}_\{{{END}", "")
        .str.replace_all(f"[{RUN}{END}]", "")
        .str.replace_all(rf"{MARK}<fraction>([0-9]+)[/⁄]([0-9]+)", r"\frac{$1}{$2}")
        .str.replace_all(r"([_^])([0-9]+|[A-Za-zα-ωΑ-Ω∞])", "$1{$2}")
        .str.replace_all(r"\\([{}%$&#])", "$1")
    )


def _text_wrappers(text: pl.Expr) -> pl.Expr:
    for _ in range(3):  # they stand inside each other
        text = text.str.replace_all(rf"\\(?:{WRAPPERS})\s*\{{([^{{}}]*)\}}", "$1")
    return text


def _math_delimiters(text: pl.Expr) -> pl.Expr:
    for _ in range(2):  # numbers must not grow together: 2$3$4
        text = text.str.replace_all(rf"([0-9A-Za-z])(?:{DELIMITER})([0-9A-Za-z])", "$1 $2")
    return text.str.replace_all(DELIMITER, "")


def _case(text: pl.Expr) -> pl.Expr:
    return text.str.to_uppercase().str.to_lowercase()  # both: ß is then ss, as SS is


def _number_words(text: pl.Expr) -> pl.Expr:
    tens, ones = "|".join(TENS), "|".join(ONES)
    alone = "|".join((*ONES[1:], *TEENS, *TENS))
    # Boundaries are those of ASCII, since others are slow; no command and no name has one inside.
    words = rf"(?i)(^|[^\\0-9A-Za-z_])((?:{tens})-(?:{ones})|{alone})(?-u:\b)"
    marked = text.str.replace_all(words, f"${{1}}{MARK}${{2}}{END}")
    return marked.str.replace_many(
        [f"{MARK}{word}{END}" for word in NUMBER_WORDS],
        list(NUMBER_WORDS.values()),
        ascii_case_insensitive=True,
    )


def _white_space(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(SPACE, " ").str.strip_chars(" ")


_STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("zero_width", _zero_width),
    ("unicode", _unicode),
    ("look_alikes", _look_alikes),
    ("latex_spacing", _latex_spacing),
    ("latex_synonyms", _latex_synonyms),
    ("text_wrappers", _text_wrappers),
    ("math_delimiters", _math_delimiters),
    ("latex_spacing", _tight),  # again: what stands beside a space is only known by now
    ("case", _case),
    ("number_words", _number_words),
    ("white_space", _white_space),
)
_NOT_FOR_ASCII: Final = frozenset({"zero_width", "unicode"})

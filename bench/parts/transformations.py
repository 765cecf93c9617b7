"""Planted transformations of questions: what a copy looks like when someone has worked on it.

Each takes a question and a seeded generator and gives another text, or None where there is nothing
in the question for it to change. `CHANGES_THE_QUESTION` names those after which the answer is
another one, so that finding the original is no merit but a false positive.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

Transformation: TypeAlias = Callable[[str, random.Random], str | None]

SYNONYMS: Final = {
    "find": "determine", "compute": "calculate", "calculate": "work out", "determine": "find",
    "what is": "what would be", "how many": "what number of", "suppose": "assume", "let": "let now",
    "given": "provided", "big": "large", "largest": "greatest", "smallest": "least", "total": "sum",
    "show": "prove", "prove": "show", "each": "every", "such that": "so that", "begin": "start",
    "contains": "holds", "value": "amount", "integer": "whole number", "number": "figure",
    "positive": "greater-than-zero", "buys": "purchases", "gives": "hands", "following": "next",
}  # fmt: skip
NAMES: Final = (
    "Amira",
    "Bogdan",
    "Chiara",
    "Deepak",
    "Ewa",
    "Farid",
    "Greta",
    "Hiro",
    "Ines",
    "Jamal",
)
STORIES: Final = (
    ("While tidying her attic, Oksana finds an old exercise book. On its last page stands: ",
     " She wonders about it all evening. Can you help her?"),
    ("A teacher on a long train ride puts this to the passengers opposite: ",
     " Nobody answers before the next station."),
    ("At the village fair one stall gives a prize to whoever can solve this. ",
     " The prize is a jar of honey."),
)  # fmt: skip
UNITS: Final = (
    (r"(\d+(?:\.\d+)?) ?(?:km|kilomet(?:er|re)s?)\b", 1000, "m"),
    (r"(\d+(?:\.\d+)?) ?(?:m|met(?:er|re)s?)\b", 100, "cm"),
    (r"(\d+(?:\.\d+)?) ?(?:cm|centimet(?:er|re)s?)\b", 10, "mm"),
    (r"(\d+(?:\.\d+)?) ?(?:kg|kilograms?)\b", 1000, "g"),
    (r"(\d+(?:\.\d+)?) ?(?:hours?|hrs?)\b", 60, "minutes"),
    (r"(\d+(?:\.\d+)?) ?minutes?\b", 60, "seconds"),
    (r"(\d+(?:\.\d+)?) ?(?:feet|foot|ft)\b", 12, "inches"),
)
NOT_NAMES: Final = frozenset(
    re.findall(
        r"\w+",
        "A An The In On If Let Find What How Which When Where Who Why Given Suppose For Each Every "
        "All Consider Assume Compute Determine Calculate Is Are Does Do There This That These Two "
        "Three Show Prove He She It They His Her At As From To By Of And Or But Write Express",
    )
)


def retyped_latex(text: str, rng: random.Random) -> str | None:
    r"""Other delimiters, \dfrac for \frac, spacing commands, ^{2} for ^2, \leq for \le."""
    if not re.search(r"[$\\^]", text):
        return None
    out = text.replace("\\frac", "\\dfrac").replace("\\leq ", "\\le ").replace("\\geq ", "\\ge ")
    out = re.sub(r"\^([0-9a-z])(?![0-9])", r"^{\1}", out)
    out = re.sub(r"(?<!\\)\$\$([^$]+)\$\$", r"\\[\1\\]", out)
    out = re.sub(r"(?<!\\)\$([^$]+)\$", r"\\(\1\\)", out)
    out = re.sub(r" ?([=+<>]) ?", rf" \1{rng.choice([' ', '  ', ''])}", out)
    return _if_changed(text, out.replace("\\cdot ", "\\cdot\\,"))


def case_and_spacing(text: str, rng: random.Random) -> str | None:
    """Capitals at the start of words, or all small; double spaces and new lines."""
    cased = text.lower() if rng.random() < 0.5 else re.sub(r"\b[a-z]", _upper, text)
    return _if_changed(text, re.sub(" ", lambda _: rng.choice((" ", " ", "  ", "\n")), cased))


def synonyms(text: str, rng: random.Random) -> str | None:
    """Up to four words replaced by others that mean the same."""
    found = [word for word in SYNONYMS if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    for word in rng.sample(found, min(4, len(found))):
        text = re.sub(rf"\b{word}\b", SYNONYMS[word], text, count=1, flags=re.IGNORECASE)
    return text if found else None


def sentences_reordered(text: str, rng: random.Random) -> str | None:
    """Two sentences or more in another order."""
    parts = re.split(r"(?<=[.?!])\s+", text.strip())
    if len(parts) < 2:
        return None
    order = parts[:]
    while order == parts and len(set(parts)) > 1:
        rng.shuffle(order)
    return _if_changed(text, " ".join(order))


def numbers_changed(text: str, rng: random.Random) -> str | None:
    """Every number another one of as many digits."""

    def other(found: re.Match[str]) -> str:
        digits = len(found[0])
        return str(rng.randrange(10 ** (digits - 1), 10**digits)) if digits < 16 else found[0]

    return _if_changed(text, re.sub(r"\d+", other, text))


def names_changed(text: str, rng: random.Random) -> str | None:
    """Words with a capital that do not begin a sentence, and are no usual beginning of one."""
    found = set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", text))
    found |= set(re.findall(r"\b[A-Z][a-z]{2,}(?= (?:has|is|buys|gives|wants|had))", text))
    found -= NOT_NAMES
    for name, new in zip(sorted(found), rng.sample(NAMES, len(NAMES)), strict=False):
        text = re.sub(rf"\b{name}\b", new, text)
    return text if found else None


def truncated(text: str, rng: random.Random) -> str | None:
    """The last fifth to third of the words is gone."""
    words = text.split(" ")
    kept = int(len(words) * rng.uniform(0.67, 0.8))
    return " ".join(words[:kept]) if len(words) >= 10 else None


def wrapped_in_a_story(text: str, rng: random.Random) -> str | None:
    """A frame of two sentences around it."""
    before, after = rng.choice(STORIES)
    return f"{before}{text}{after}"


def units_translated(text: str, rng: random.Random) -> str | None:  # noqa: ARG001 - called as the others
    """Metres to centimetres and the like: other numbers, the same question."""
    for pattern, factor, unit in UNITS:
        out = re.sub(pattern, lambda m, f=factor, u=unit: f"{float(m[1]) * f:g} {u}", text)
        if out != text:
            return out
    return None


def typographical_noise(text: str, rng: random.Random) -> str | None:
    """Letters swapped, doubled or left out in some 4% of the words, at least in one."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if word.isalpha() and len(word) > 3]
    for i in rng.sample(long, min(len(long), max(1, len(words) // 25))):
        word, at = words[i], rng.randrange(1, len(words[i]) - 2)
        words[i] = rng.choice((
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 :],
        ))  # fmt: skip
    return _if_changed(text, " ".join(words))


TRANSFORMATIONS: Final[dict[str, Transformation]] = {
    f.__name__: f
    for f in (
        retyped_latex, case_and_spacing, synonyms, sentences_reordered, numbers_changed,
        names_changed, truncated, wrapped_in_a_story, units_translated, typographical_noise,
    )
}  # fmt: skip
CHANGES_THE_QUESTION: Final = frozenset({"numbers_changed"})


def planted(questions: list[tuple[str, str]], seed: int = 0) -> Iterator[tuple[str, str, str]]:
    """(transformation, id, new text) for every (id, question) that a transformation can change.

    What becomes of a question depends on seed, id and transformation, not on the others.
    """
    for name, change in TRANSFORMATIONS.items():
        for question_id, question in questions:
            out = change(question, random.Random(f"{seed}/{name}/{question_id}"))
            if out is not None:
                yield name, question_id, out


def _upper(found: re.Match[str]) -> str:
    return found[0].upper()


def _if_changed(before: str, after: str) -> str | None:
    return after if after != before else None

"""Text that looks like reasoning: as long as wanted, made from a hash, the same every time.

Sentences are few, their numbers many, so that a reply is neither empty words repeated nor the
same as another's.
"""

from __future__ import annotations

import math
import random
from functools import cache
from statistics import NormalDist
from typing import Final

from s1data.emulator.words import draw

_STEPS: Final = (
    "Let me write {a} for the unknown and see what {b} of the conditions say about it.",
    "If the first term were {a}, the sum would come to {b}, which is too much.",
    "Wait, that counts case {a} twice; taking it out leaves {b}.",
    "A quick check with {a} in place of {b} gives the same remainder.",
    "So the two sides differ by {a}, and dividing by {b} does not remove it.",
    "Suppose instead that there are {a} of them, each worth {b}.",
    "Going back to the condition, {a} is allowed and {b} is not.",
    "The bound from above is {a}, the one from below {b}.",
    "Hmm, the sign of the term with {a} was wrong, so {b} has to be taken away.",
    "Symmetry lets us look at {a} cases and multiply by {b}.",
    "Trying the small case {a} first: it works out to {b}.",
    "That agrees with what step {a} found, apart from the factor {b}.",
    "Let me compute it again in another way: {a} times {b}, then the rest.",
    "Nothing in the question rules out {a}, but {b} would break the last condition.",
    "Collecting terms, the coefficient is {a} and the constant {b}.",
    "This is the same as choosing {a} places out of {b}.",
)
_PROSE_CHARACTERS: Final = 262_144


def length(median: int, *parts: object, most: int = 40_000) -> int:
    """A log-normal length in tokens, by hash: half of all are under the median, few far over."""
    z = NormalDist().inv_cdf(min(max(draw("length", *parts), 1e-6), 1 - 1e-6))
    return max(4, min(most, round(median * math.exp(0.7 * z))))


def prose(token_count: int, *parts: object) -> str:
    """Whole sentences, so many tokens at most where one sentence is not more."""
    base = _base()
    wanted = token_count * 4
    start = base.index(". ", int(draw("prose", *parts) * (len(base) - 1_000))) + 2
    text = base[start : start + wanted]
    while len(text) < wanted:
        text += " " + base[: wanted - len(text)]
    return text[: text.rfind(".") + 1] or base[start : base.index(".", start) + 1]


@cache
def _base() -> str:
    chosen = random.Random(20261124)  # noqa: S311 - filler text
    parts: list[str] = []
    size = 0
    while size < _PROSE_CHARACTERS:
        step = chosen.choice(_STEPS).format(
            a=chosen.randrange(2, 10_000), b=chosen.randrange(2, 10_000)
        )
        parts.append(step)
        size += len(step) + 1
    return " ".join(parts)

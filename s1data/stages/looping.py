"""Whether a text goes round in circles: copies of lines and paragraphs, loops at the end, n-grams.

Copies are told with numbers masked, and count as copies where every number stays the same or but
one of them goes up by one: "step 1 …, step 2 …" is the same step, "f(1) = 2, f(2) = 5" is work.
What a text may well say again is none: code, the question's own words, the refrain of a song.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

LINE_CHARS, LINE_TIMES, LINE_SHARE, COPIES_SHARE = 12, 4, 0.25, 0.7
COUNTED_TIMES, COUNTED_WORDS = 6, 4
PARAGRAPH_TIMES, PARAGRAPH_WORDS = 3, 25
LOOP_TIMES, LOOP_WORDS = 4, 40
NGRAM, NGRAM_TIMES = 20, 8

_CODE: Final = re.compile(r"^[ \t]*```.*?^[ \t]*```", re.MULTILINE | re.DOTALL)
_CODE_LINE: Final = re.compile(
    r"(?:return|break|continue|pass|raise|else|elif|if|for|while|end|def|import|print)\b[^.]*$"
    r"|[^.]*[;{}]$|[\w.\[\]]+ [-+*/]?= |\W+$"
)
_VERSE: Final = re.compile(
    r"\b(?:songs?|poems?|lyrics?|chorus|refrain|verses?|ballad|villanelle|hymn|lullaby|rap)\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\d+")
_SIGNS: Final = re.compile(r"(\S{2,60}?)\1{19,}\s*$")


def repeated(text: str, question: str = "") -> str | None:
    """What a text says over and over, and how often; None where it does not.

    Lines of 12 characters and more: 4 copies in a row that are a quarter of the text, or copies
    anywhere that are 70% of it. Copies that count up: 6 of 4 words. A paragraph of prose of 25
    words: 3 copies. A loop at the very end: 4 rounds of 40 words together. A 20-gram of words: 8
    places of its own, unless it quotes the question, as long traces do.
    """
    prose = _CODE.sub("", text)
    asked = question.split()
    half = NGRAM // 2
    quoted = {tuple(asked[i : i + half]) for i in range(len(asked) - half + 1)}
    found = None if _VERSE.search(question) else _lines(prose, quoted) or _paragraphs(prose, quoted)
    return found or _loop(text.split(), quoted) or _signs(text) or _ngrams(prose.split(), quoted)


def _lines(prose: str, quoted: set[tuple[str, ...]]) -> str | None:
    lines = [s for line in prose.split("\n") if (s := line.strip())]
    whole = sum(map(len, lines))
    groups: dict[str, list[str]] = {}
    in_a_row, longest = 0, (0, "")
    for at, line in enumerate(lines):
        if len(line) < LINE_CHARS or _CODE_LINE.match(line):
            in_a_row = 0
            continue
        groups.setdefault(_NUMBER.sub("#", line), []).append(line)
        in_a_row = in_a_row + 1 if at and lines[at - 1] == line else 1
        longest = max(longest, (in_a_row, line), key=lambda run: run[0] * len(run[1]))
    if longest[0] >= LINE_TIMES and longest[0] * len(longest[1]) >= LINE_SHARE * whole:
        return f"line {longest[0]} times: {longest[1][:80]}"
    copies = {mask: _copies(mask, group) for mask, group in groups.items()}
    copies = {
        mask: 1 if n > 1 and _quotes(tuple(groups[mask][0].split()), quoted) else n
        for mask, n in copies.items()
    }
    again = sum((n - 1) * len(groups[mask][0]) for mask, n in copies.items())
    if not copies or again < COPIES_SHARE * whole:
        return None
    mask = max(copies, key=lambda mask: (copies[mask] * len(mask), mask))
    return f"line {copies[mask]} times: {groups[mask][0][:80]}"


def _copies(mask: str, lines: list[str]) -> int:
    """Copies among lines that differ in numbers only; 1 where they are too few or no copies."""
    (_, most) = Counter(lines).most_common(1)[0]
    enough = len(lines) >= COUNTED_TIMES and len(re.findall(r"[^\W\d_]+", mask)) >= COUNTED_WORDS
    if enough and len(lines) > most and _counts_up([_NUMBER.findall(line) for line in lines]):
        return len(lines)
    return most if most >= LINE_TIMES else 1


def _counts_up(rounds: Sequence[Sequence[str]]) -> bool:
    """Whether one number goes up by one from round to round, and the others stay."""
    counters = 0
    for values in zip(*rounds, strict=True):
        steps = {int(b) - int(a) for a, b in pairwise(v[-9:] for v in values)}
        if steps == {1}:
            counters += 1
        elif steps != {0}:
            return False
    return counters == 1


def _paragraphs(prose: str, quoted: set[tuple[str, ...]]) -> str | None:
    paragraphs: Counter[tuple[str, ...]] = Counter()
    for paragraph in re.split(r"\n\s*\n", prose):
        words = tuple(paragraph.split())
        verse = paragraph.strip().count("\n") >= 2 and len(words) < 12 * len(paragraph.splitlines())
        if len(words) >= PARAGRAPH_WORDS and not verse and re.search(r"[.!?]", paragraph):
            paragraphs[words] += 1
    for words, times in paragraphs.items():
        if times >= PARAGRAPH_TIMES and not _quotes(words, quoted):
            return f"paragraph {times} times: {' '.join(words)[:80]}"
    return None


def _ngrams(words: list[str], quoted: set[tuple[str, ...]]) -> str | None:
    places: dict[tuple[str, ...], tuple[int, int]] = {}
    for at in range(len(words) - NGRAM + 1):
        gram = tuple(words[at : at + NGRAM])
        times, last = places.get(gram, (0, -NGRAM))
        if at >= last + NGRAM:
            places[gram] = (times + 1, at)
            if times + 1 >= NGRAM_TIMES and not _quotes(gram, quoted):
                return f"{NGRAM_TIMES} times: {' '.join(gram)[:80]}"
    return None


def _quotes(words: tuple[str, ...], quoted: set[tuple[str, ...]]) -> bool:
    half = NGRAM // 2
    return any(words[i : i + half] in quoted for i in range(len(words) - half + 1))


def _signs(text: str) -> str | None:
    """Signs without spaces in 20 rounds or more at the very end, with letters among them."""
    tail = text[-1_500:]
    if tail.count(" ") * 20 > len(tail) or len(tail) < 100:
        return None
    found = _SIGNS.search(tail)
    if found is None or not any(sign.isalpha() for sign in found.group(1)):
        return None
    return f"loop of {len(found.group(1))} signs: {found.group(1)}"


def _loop(words: list[str], quoted: set[tuple[str, ...]]) -> str | None:
    """Rounds at the very end, word by word the same, but for one number that counts up."""
    tail = words[-400:]
    masked = [_NUMBER.sub("#", word) for word in tail]
    for period in range(1, len(tail) // LOOP_TIMES + 1):
        matched = 0
        while (
            matched + period < len(tail) and masked[-1 - matched] == masked[-1 - matched - period]
        ):
            matched += 1
        whole = matched + period
        # Numbers alone are rows of a matrix more often than a loop.
        least = LOOP_WORDS if any(map(str.isalpha, "".join(tail[-period:]))) else len(tail)
        if whole < max(LOOP_TIMES * period, least, LOOP_WORDS):
            continue
        rounds = [
            tail[len(tail) - (n + 1) * period : len(tail) - n * period]
            for n in reversed(range(whole // period))
        ]
        counted = [_NUMBER.findall(" ".join(words)) for words in rounds]
        same = all(words == rounds[0] for words in rounds)
        counts = period >= COUNTED_WORDS and _counts_up(counted)
        if same or (counts and not _quotes(tuple(rounds[-1] * 2), quoted)):
            return f"loop of {period} words: {' '.join(rounds[-1])[:80]}"
    return None

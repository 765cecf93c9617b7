"""Which script and, roughly, which language a text is in: counts of letters and small words.

Enough to see a trace that leaves the question's language; no language identifier. Greek letters
are never foreign, since formulae are full of them.
"""

from __future__ import annotations

import re
from typing import Final

_SCRIPTS: Final = {
    "han": re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]"),
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "hangul": re.compile(r"[\uac00-\ud7af]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]"),
    "arabic": re.compile(r"[\u0600-\u06ff]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
    "thai": re.compile(r"[\u0e00-\u0e7f]"),
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
}
_SMALL_WORDS: Final = {
    "english": "the and of is to that it with for this are be was not have from which we so",
    "french": "le les des et est une que dans pour pas sur avec nous vous qui sont du ce donc",
    "german": "der die das und ist nicht ein eine mit für auf dass wir wenn sind zu den von also",
    "spanish": "el los las y es una que por para con del como pero son más está entonces hay se",
    "portuguese": "o os as e é uma que não para com do da como mas são mais está então em",
    "italian": "il gli le e è una che non per con di del come ma sono più quindi della si",
}
_WORDS: Final = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}
LEAST_WORDS: Final = 20
LEAST_SMALL: Final = 3
"""Different small words that a language shows; one heading over and over is none."""
LEAST_FOREIGN: Final = 3
_FORMULA: Final = re.compile(
    r"\\[A-Za-z]+|\$[^$\n]*\$|^[ \t]*```.*?^[ \t]*```|`[^`\n]*`"
    r"|^[ \t]*\|[^\n]*$|^[^\n|]* \| [^\n]*$",
    re.MULTILINE | re.DOTALL,
)
"""Commands (``\\le`` is French), maths, code, rows of tables: names in them are no words."""


def scripts(text: str) -> dict[str, int]:
    """Letters of each script in the text, those with none left out."""
    counted = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    return {name: n for name, n in counted.items() if n}


def main_script(text: str) -> str | None:
    """The script of most letters, None without letters."""
    counted = scripts(text)
    return max(counted, key=lambda name: counted[name]) if counted else None


def foreign_script(question: str, text: str) -> str | None:
    """Runs of a script that neither the question nor most of the text is in; None if none.

    One run of 2 letters or more, and 3 letters in all, is a slip into another language; a lone
    sign is mostly a symbol. Where the question's script is not latin, latin is never foreign.
    """
    usual = {*scripts(question), "latin", main_script(text)}
    for name, letter in _SCRIPTS.items():
        if name in usual:
            continue
        found = re.findall(rf"(?:{letter.pattern}){{2,}}", text)
        if found and len(letter.findall(text)) >= LEAST_FOREIGN:
            return f"{name}: {' '.join(found[:8])}"
    return None


def language(text: str) -> str | None:
    """A language of small words, or the script of most letters; None where it is not clear."""
    script = main_script(text)
    if script is None or script != "latin":
        return script
    # Ends of a long text say as much as all of it.
    ends = _FORMULA.sub(" ", text[:4_000] + " " + text[-4_000:])
    words = [w for w in re.findall(r"[^\W\d_]+", ends.lower()) if len(w) > 1]
    if len(words) < LEAST_WORDS:
        return None
    share = {
        name: sum(w in small for w in words) / len(words) * (len(small & {*words}) >= LEAST_SMALL)
        for name, small in _WORDS.items()
    }
    best, second = sorted(share, key=lambda name: -share[name])[:2]
    clear = share[best] >= 0.1 and share[best] >= 1.5 * share[second]
    return best if clear else None

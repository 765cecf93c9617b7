r"""The final answer of a reply, and the rule that found it.

Only what stands after the end of the thinking counts. Rules are tried from the most explicit to
the least: the field ``"answer"`` of JSON, or the phrase "the final answer is …", after the last
box; the last ``\boxed{…}`` (braces may nest; boxes side by side are one answer);
``<answer>…</answer>``; ``#### …``; "Answer: …" and "the answer is …"; a choice named in words or
alone on the last line; maths at the end of the last line; a reply that is nothing but an answer;
the last number. The answer is given as it was written: what it means is for graders to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_ANSWER: Final = 2_000
"""Characters of an answer; a longer box is no final answer but a whole solution."""

LOOKED_AT: Final = 20_000
"""Last characters that are looked at: a reply that loops slows no others."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was found, as written and trimmed, and by which rule; ``answer`` is None for none."""

    answer: str | None
    rule: str


RULES: Final = (
    "json_field",
    "final_answer_is",
    "boxed",
    "answer_tag",
    "hashes",
    "answer_is",
    "choice",
    "last_maths",
    "whole",
    "last_number",
    "none",
    "thinking_not_ended",
)
"""Every rule that `final_answer` names; the last two come without an answer."""

_THINKING_ENDS: Final = re.compile(
    r"</think(?:ing)?>|</thought>|</reasoning>|<\|im_start\|>answer|<\|end_of_thought\|>"
    r"|<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)
_THINKING_BEGINS: Final = re.compile(
    r"\s*(?:<think(?:ing)?>|<thought>|<reasoning>|<\|im_start\|>think|<\|begin_of_thought\|>)",
    re.IGNORECASE,
)
_TURN_ENDS: Final = re.compile(r"<\|(?:im_end|im_start|endoftext|eot_id|end)\|>|</s>")
_BOX: Final = re.compile(r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])\s*")
_BARE_BOX: Final = re.compile(r"[^\s{}$,.;]+")
_BETWEEN_BOXES: Final = re.compile(
    r"(?:[\s$,;&]|[A-Za-z](?:_\w)?\s?=|\\[,;! ()\[\]]|\\text\{\s*(?:and|or)\s*\}|and|or)*"
)
_TAG: Final = re.compile(r"<(/?)answer>", re.IGNORECASE)
_FIELD: Final = re.compile(
    r'"(?:final_?)?answer"\s*:\s*(?:"(?P<text>[^"\n]+)"|(?P<number>-?[\d.]+(?:e[-+]?\d+)?))',
    re.IGNORECASE,
)
_HASHES: Final = re.compile(
    r"^[ \t]{0,8}####[ \t]++(?::[ \t]*+)?"
    # a heading names no answer
    r"(?!(?:Explanation|Reasoning|Solution|Steps?|Conclusion|Notes?|Verification|Summary|Analysis)\b)"
    r"(?P<tail>[^\n#*\s:][^\n]*)$",
    re.MULTILINE,
)
_FINAL: Final = re.compile(
    r"final\s+(?:answer|result|solution)\b"
    r"(?:[*_\s]{0,6}(?:is|are|=|[:\uff1a])[:\uff1a]?|[*_ ]{0,6}\n)[*_\s]{0,6}",
    re.IGNORECASE,
)
_ANSWER: Final = re.compile(
    r"(?:\banswer[*_]{0,3}(?:\s+(?:to|of|for)\s[^.:\n]{1,80}?)?[*_\s]{0,6}"
    r"(?:is|are|=|should be|[:\uff1a])"
    r"|^\s{0,8}\**(?:A|Ans|ANS)\.?\**\s?[:\uff1a]|答案[是为:\uff1a]{1,2})[:\uff1a]?[*_\s]{0,6}",
    re.IGNORECASE | re.MULTILINE,
)
_CHOICE: Final = re.compile(
    r"\b(?:option|choice|choose|select|pick|alternative|statement)\s*(?:is\s|the\s|option\s){0,2}[:\s]{0,2}"
    r"[*_$\"']{0,4}(?P<one>\(?[A-J]\)?)(?![A-Za-z0-9'\u2019])"
    # "option D is wrong" names what the answer is not
    r"(?![*_$\"']{0,4}\s+(?:is|was|can|cannot|does|has|would)(?:n't|\s+not|\s+be){0,2}\s*"
    r"(?:false|incorrect|wrong|invalid|eliminated|excluded|ruled|n't|not)\b)"
    r"|(?:^|[.,;:]\s|\b(?i:so|hence|thus|therefore|that)\s)"
    r"(?:(?i:option|choice|alternative|statement|answer)\s)?[*_$]{0,4}(?P<said>\(?[A-J]\)?)[*_$]{0,4}\s"
    r"(?:is|must be)\s(?:the\s)?(?:only\s|best\s|most\s){0,2}(?:correct|right|answer)\b"
    r"|^[\s*_>$-]{0,8}(?P<line>\(?(?:\\(?:text|mathrm|mathbf|textbf)\{)?\(?[A-J]\)?\}?[).]?)[\s*_$.]{0,6}\Z"
    r"|^[\s*_>-]{0,8}(?P<text>(?:\([A-J]\)|[A-J][).:])\s[^\n]{1,200})\Z",
    re.MULTILINE,
)
_MATHS: Final = re.compile(
    r"\$\$(.+?)\$\$|\$([^$\n]+?)\$|\\\((.{1,1000}?)\\\)|\\\[(.{1,1000}?)\\\]", re.DOTALL
)
_NUMBER: Final = re.compile(
    r"(?<![\w.])[-\u2212+]?[$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?<=\d)(?:e[-+]?\d+)?"
    r"(?:\s?/\s?\d+(?![\d.]))?(?:\s?\\?%)?",
    re.IGNORECASE,
)
_LETTER_FIRST: Final = re.compile(
    r"(?P<letter>\([A-J]\)|[A-J](?=[*_.,;:]))[*_.,;:]*(?:\s+(?:because|since|as|for|which|is)\b|[*_]*$)"
)
_SAYS_SO: Final = re.compile(r"\s+(?:is|are) (?:the|our|my) (?:\w+ )?(?:solution|answer)s?\W*")
_LATEX: Final = re.compile(r"[\\${}^_=(]|,\s")
_SENTENCE_ENDS: Final = re.compile(
    r"(?<!\bSt)(?<!\bDr)(?<!\bMr)(?<!\bMt)(?<!\bMrs)[.。](?=\s|$)(?!(?<=\bNo\.)\s\d)"
    r"|(?<=\S)\s+I hope it is correct",
    re.IGNORECASE,
)
_AN_ANSWER: Final = re.compile(
    r"[*$\s]*(?:[-+\u2212]?[\d\\(\[{$.\u20ac\u00a3]|[A-Pa-z]\b(?!\s+[a-z])|[\w()]+\s?=)"
)
"""How an answer begins that takes back a box: not as a sentence about it does."""
_AFTERTHOUGHT: Final = re.compile(r",?\s(?:which|because|since)\b", re.IGNORECASE)
_IS: Final = re.compile(r".*(?:\bis\b|\bare\b|\bequals\b|[:\uff1a])\s*(?=\S)", re.IGNORECASE)
_TRIM: Final = " \t\r\n*_`"


def after_thinking(text: str) -> str | None:
    """What a reply says after the end of its thinking; all of it if it does not think.

    None where thinking begins and never ends: there is no final answer then.
    """
    ends = None
    for ends in _THINKING_ENDS.finditer(text):  # noqa: B007 - the last one
        pass
    if ends is not None:
        return text[ends.end() :]
    return None if _THINKING_BEGINS.match(text) else text


def final_answer(text: str) -> Extracted:
    """The final answer of a reply; see `RULES` for the names of the rules."""
    said = after_thinking(text)
    if said is None:
        return Extracted(None, "thinking_not_ended")
    if turn := _TURN_ENDS.search(said, 1):
        said = said[: turn.start()]
    said = said[-LOOKED_AT:]
    for rule, answer in _found(said):
        if answer and len(answer) <= LONGEST_ANSWER:
            return Extracted(answer, rule)
    return Extracted(None, "none")


def _found(text: str) -> Iterator[tuple[str, str]]:
    boxes = list(_boxes(text))
    last_box = boxes[-1][1] if boxes else 0
    if field := _last(_FIELD, text, last_box):
        yield "json_field", (field["text"] or field["number"]).replace("\\\\", "\\").strip()
    final = _last(_FINAL, text, last_box)
    said = _said(text, final.end()) if final else ""
    if said and (not boxes or _AN_ANSWER.match(said)):
        yield "final_answer_is", said
    if boxes:
        yield "boxed", _joined(text, boxes)
    if tagged := _tagged(text):
        yield "answer_tag", tagged
    if hashes := _last(_HASHES, text):
        yield "hashes", hashes["tail"].strip(_TRIM)
    if phrase := _last(_ANSWER, text):
        yield "answer_is", _said(text, phrase.end())
    if choice := _last(_CHOICE, text):
        yield (
            "choice",
            (choice["one"] or choice["said"] or choice["line"] or choice["text"]).strip(_TRIM),
        )
    yield from _at_the_end(text)


def _tagged(text: str) -> str:
    """What stands in the last pair of answer tags."""
    opened, found = None, ""
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag.end()
        elif opened is not None:
            opened, found = None, text[opened : tag.start()].strip()
    return found


def _at_the_end(text: str) -> Iterator[tuple[str, str]]:
    bare = text.strip()
    last_line = bare.rpartition("\n")[2]
    if spans := list(_MATHS.finditer(last_line)):
        span = spans[-1]
        rest = last_line[span.end() :]
        if not re.search(r"[\w%°]", rest) or _SAYS_SO.fullmatch(rest):
            yield "last_maths", next(group for group in span.groups() if group is not None).strip()
    if "\n" not in bare and len(bare) <= 100 and _few_words(bare):
        yield "whole", bare
    if number := _last(_NUMBER, bare):
        yield "last_number", number.group().strip()


def _few_words(text: str) -> bool:
    # A sentence with a number in it is not an answer as it stands; the number may be.
    words = len(re.findall(r"[^\W\d_]{2,}", text))
    tokens = len(text.split())
    return words <= 2 or (tokens <= 8 and (bool(_LATEX.search(text)) or not re.search(r"\d", text)))


def _last(pattern: re.Pattern[str], text: str, start: int = 0) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text, start):  # noqa: B007 - the last one
        pass
    return found


def _said(text: str, start: int) -> str:
    """The answer that follows a phrase: on its line, or on the next one that says something."""
    lines = text[start : start + LONGEST_ANSWER].lstrip(" \t\r\n*_").split("\n")
    line = lines[0].strip()
    if line in ("$$", r"\[", r"\(", "$") or line.startswith("```"):
        line = next((other.strip() for other in lines[1:] if other.strip()), "")
    if maths := _MATHS.match(line):
        rest = line[maths.end() :]
        if not re.match(r"\s*[\w(%\\°]", rest) or _SENTENCE_ENDS.match(rest.lstrip()):
            return maths.group().strip()
    if ends := _SENTENCE_ENDS.search(line):
        line = line[: ends.start()]
    if letter := _LETTER_FIRST.match(line):
        return letter["letter"]
    line = _AFTERTHOUGHT.split(line, 1)[0]
    if len(line.split()) > 4 and (named := _IS.match(line)):
        line = line[named.end() :]
    return line.strip(_TRIM)


def _boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of every box that is closed; a box within a box is its content."""
    at = 0
    while found := _BOX.search(text, at):
        at = found.end()
        if text[at : at + 1] == "{":
            if end := _closing(text, at):
                inner = list(_boxes(text[at + 1 : end]))
                content = inner[-1][2] if inner else text[at + 1 : end].strip()
                yield found.start(), end + 1, content
                at = end + 1
        elif bare := _BARE_BOX.match(text, at):
            yield found.start(), bare.end(), bare.group()
            at = bare.end()


def _closing(text: str, opening: int) -> int | None:
    """Where the brace at ``opening`` closes; escaped braces are letters."""
    depth, at = 0, opening
    while at < min(len(text), opening + LONGEST_ANSWER):
        match text[at]:
            case "\\":
                at += 1
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return at
        at += 1
    return None


def _joined(text: str, boxes: list[tuple[int, int, str]]) -> str:
    """The last box, with those that stand side by side with it."""
    together = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        gap = text[box[1] : together[0][0]]
        if len(gap) > 40 or "\n\n" in gap or not _BETWEEN_BOXES.fullmatch(gap):
            break
        together.insert(0, box)
    contents = list(dict.fromkeys(box[2] for box in together))
    return ", ".join(contents)

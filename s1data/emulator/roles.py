"""The models behind the server: solver, teacher, judge and classifier, each of settable skill.

Whether a reply is right is decided by a hash of seed, model, question and sample, and by nothing
else: not by arrival, not by what was asked before. A sample is told by the request's ``seed``, by
the header X-S1Data-Sample, or by its place among several choices of one request.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from s1data.emulator import grading
from s1data.emulator.prose import length, prose
from s1data.emulator.questions import Questions
from s1data.emulator.script import SKILLS, Persona, Role, Script
from s1data.emulator.words import Asked, Said, draw, text_id, tokens

_NUMBER: Final = re.compile(r"-?\d{1,12}")
_CHOICE: Final = re.compile(r"\(?[A-J]\)?")


class Knowledge:
    """Questions with their answers and, if known, domains: what the skilled models know."""

    def __init__(self, answers: pl.DataFrame | None) -> None:
        frame = answers if answers is not None else pl.DataFrame({"question": [], "answer": []})
        questions: list[str] = frame["question"].to_list()
        self._questions = questions
        self._answers: list[str | None] = frame["answer"].to_list()
        self._domains: list[str | None] = (
            frame["domain"].to_list() if "domain" in frame.columns else [None] * frame.height
        )
        self._index = Questions(questions)

    def look(self, prompt: str) -> tuple[str, str | None, str | None] | None:
        """Question, answer and domain of the question that stands in a prompt."""
        place = self._index.find(prompt)
        if place is None:
            return None
        return self._questions[place], self._answers[place], self._domains[place]


def reply(asked: Asked, script: Script, knowledge: Knowledge) -> Said:
    """What the asked model says, before faults and limits."""
    persona = script.persona(asked.model)
    known = knowledge.look(asked.prompt)
    question = known[0].strip() if known else asked.prompt
    around = f"{asked.system}\n{asked.prompt.replace(question, '') if known else asked.prompt}"
    words = grading.verdict_words(around)
    codes = grading.choices_in(around)
    role: Role = persona.role or ("classifier" if codes else "judge" if words else "teacher")
    by = (script.seed, asked.model, text_id(question), asked.sample, asked.seed)
    skill = SKILLS[role] if persona.skill is None else persona.skill
    able = draw("skill", *by) < skill
    if role == "judge":
        answer = _judge(asked.prompt, known[1] if known else None, words, able=able)
    elif role == "classifier":
        answer = _classify(codes, known[2] if known else None, by, able=able)
    else:
        return _solve(persona, role, question, known[1] if known else None, by, able=able)
    return Said(
        role=role,
        question=text_id(known[0] if known else asked.prompt),
        thinking="",
        answer=answer,
        trace="none",
        thinking_tokens=0,
        answer_tokens=tokens(answer),
    )


def _solve(
    persona: Persona, role: str, question: str, truth: str | None, by: tuple[object, ...], *,
    able: bool,
) -> Said:  # fmt: skip
    thinks = role == "teacher"
    thinking = ""
    if thinks:
        head = " ".join(question.split()[:12])
        thinking = f"The question is about this: {head}. " + prose(
            length(persona.thinking_tokens, "thinking", *by), "thinking", *by
        )
    final = _final(question, truth, by, able=able)
    answer = prose(length(persona.answer_tokens, "answer", *by), "answer", *by) + "\n\n" + final
    return Said(
        role=role,
        question=text_id(question),
        thinking=thinking,
        answer=answer,
        trace=persona.trace if thinks else "none",
        thinking_tokens=tokens(thinking),
        answer_tokens=tokens(answer),
    )


def _final(question: str, truth: str | None, by: tuple[object, ...], *, able: bool) -> str:
    right = truth if truth is not None else str(int(draw("truth", text_id(question)) * 1000))
    answer = right if able else _wrong(right, by)
    if "\n" in answer or answer.count("{") != answer.count("}"):
        return f"<answer>{answer}</answer>"
    return f"The final answer is \\boxed{{{answer}}}."


def _wrong(right: str, by: tuple[object, ...]) -> str:
    shift = 1 + int(draw("wrong", *by) * 9)
    if _NUMBER.fullmatch(right.strip()):
        return str(int(right) + shift)
    if _CHOICE.fullmatch(right.strip()):
        letter = right.strip().strip("()")
        others = [other for other in "ABCD" if other != letter]
        return right.replace(letter, others[shift % len(others)])
    return str(shift + 1_000)


def _judge(prompt: str, truth: str | None, words: tuple[str, str] | None, *, able: bool) -> str:
    good, bad = words or ("Yes", "No")
    reference = truth if truth is not None else grading.reference_in(prompt)
    got = grading.final_in(grading.attempt_in(prompt))
    right = reference is not None and grading.plain(got) == grading.plain(reference)
    return f"The attempt comes to {got[:200]}.\n{good if right == able else bad}"


def _classify(codes: list[str], truth: str | None, by: tuple[object, ...], *, able: bool) -> str:
    if not codes:
        return "No list of domains was given."
    # A domain that nobody told is the question's own, whoever classifies it.
    own = codes[int(draw("domain", by[2]) * len(codes))]
    right = truth if truth in codes else own
    others = [code for code in codes if code != right]
    return right if able or not others else others[int(draw("domain", *by) * len(others))]

"""Generated questions on which every stage has something to do.

Every column of `pool.COLUMNS` and three of a user's own, with nulls in all that may have them;
planted copies, near copies, malformed questions, attempts of several solvers, and the questions of
the inputs a stage reads, word for word and inside longer ones.
"""

from __future__ import annotations

import random

import polars as pl

from s1data import pool

COLUMNS = pool.COLUMNS | {
    "score": pl.Float64(),
    "question_tokens": pl.Int64(),
    "solved_by_small": pl.Boolean(),
}
TOPICS = {
    "motion": "A {thing} leaves {place} at {a} kilometres an hour and another follows {b} minutes later at {c} kilometres an hour. When do they meet?",
    "algebra": "Let f be a polynomial of degree {a} with integer coefficients and f({b}) = {c}. Find the remainder of f modulo {b}.",
    "geometry": "A triangle has sides {a}, {b} and {c} metres. A circle touches all of its sides. What is the radius of the circle?",
    "chemistry": "How many grams of {thing} oxide form when {a} moles of the metal burn in {b} litres of oxygen at {c} kelvin?",
    "counting": "In how many ways can {a} people from {place} sit in {b} chairs if {c} of the chairs must stay empty?",
    "logic": "Every {thing} in {place} either always lies or never does. {a} of them say that {b} of the others lie. How many do, if {c} are asked?",
}
THINGS = ("train", "cyclist", "zinc", "copper", "guard", "magnesium")
PLACES = ("Aachen", "Bergamo", "Cádiz", "Dundee", "Espoo")
SOLVERS = ("small", "large", "Org/Third-7B")
MALFORMED = (
    None,
    "",
    " \t ",
    "How long is it? " * 2_000,
    "Find the shaded area, as shown in the figure below.",
    "![Image] What is the angle at B?",
    "![](plot.png) What is the slope of the line?",
    "[asy] draw((0,0)--(1,1)); [/asy] How long is the segment?",
    "Solve p12. of the last sheet.",
    "What is **x=4** squared?",
    "Le cafÃ© coÃ»te 3 € et le thÃ© 2 €. Combien pour les deux ?",
    "What is 5 \ufffd 6 \ufffd 7?",
    "甲乙两人同时从两地出发, 相向而行, 几小时后相遇?",
    "Сколько существует простых чисел, меньших ста?",
    "日本で一番高い山は何メートルですか。",
)


def generated(planted=(), count=300, seed=5):
    """A pool of some ``count`` rows; every text of ``planted`` is among its questions."""
    rng = random.Random(seed)
    questions = [_question(rng) for _ in range(count - 60)]
    copies = [questions[i] for i in range(0, 40, 4)]
    near = [_nearly(text, rng) for text in questions[1:61:4]]
    inside = [f"{questions[5]} {text} Give a whole number." for text in planted if text]
    texts = [*questions, *copies, *near, *planted, *inside, *MALFORMED]
    texts += ["What is 2 + 2?", "Name a prime above 100."]
    rng.shuffle(texts)
    rows = [_row(place, text, rng) for place, text in enumerate(texts)]
    frame = pl.DataFrame(rows, schema=COLUMNS)
    return frame.with_columns(pool.question_ids(frame["question"]))


def _question(rng):
    topic = rng.choice(list(TOPICS.values()))
    numbers = {name: rng.randint(2, 97) for name in "abc"}
    return topic.format(thing=rng.choice(THINGS), place=rng.choice(PLACES), **numbers)


def _nearly(text, rng):
    change = rng.choice(
        (
            str.upper,
            str.title,
            lambda t: f"  {t.replace(' ', '  ')} ",
            lambda t: t.replace(".", ","),
        )
    )
    return change(text)


def _row(place, text, rng):
    def some(value, share=0.8):
        return value if rng.random() < share else None

    return {
        "row": place,
        "id": "",
        "source": rng.choice(("first", "second")),
        "priority": rng.choice((0, 1)),
        "question": text,
        "solution": some(f"Step {rng.randint(1, 9)}. " * rng.randint(1, 60)),
        "answer": some(rng.choice(("4", " 4 ", "5", "", "7/2")), 0.9),
        "source_type": some(rng.choice(("made/AIME_1999", "made/algebra", "science", "contest"))),
        "cot_type": rng.choice(("math", "science")),
        "metadata": some('{"level": 5}'),
        "licence": rng.choice(("MIT", "cc-by-4.0")),
        "attempts": (attempts := _attempts(rng)),
        "traces": (traces := _traces(rng)),
        "scores": None,
        "selection": _selection(place, rng),
        "filling": _filling(rng),
        "trace_flaws": _trace_flaws(traces or (), rng),
        "pass_rates": _pass_rates(attempts or ()),
        "consensus": None,
        "doubtful_gold": _doubtful(rng),
        "question_flaws": _question_flaws(rng),
        "embedding": None,
        "domain": some(rng.choice(list(TOPICS)), 0.9),
        "domain_score": some(rng.random()),
        "score": some(round(rng.random(), 2)),
        "question_tokens": some(rng.randint(5, 400)),
        "solved_by_small": (None, True, False)[place % 3],
    }


def _selection(place, rng):
    if rng.random() < 0.2:
        return None
    groups = [{"group": f"part {rng.choice('ab')}", "least": 30, "most": 200}]
    return {"place": place + 1, "reserve": place > 150, "wanted": 130, "groups": groups}


def _filling(rng):
    accepted = rng.choice((True, True, False, None))
    return {"accepted": accepted, "why_not": ["safety"] if accepted is False else []}


def _attempts(rng):
    if rng.random() < 0.15:
        return rng.choice((None, []))
    return [
        {
            "solver": solver,
            "sample": sample,
            "reply_key": None,
            "finish": rng.choice(("stop", "length", None)),
            "tokens": rng.choice((None, 10, 500)),
            "extracted": rng.choice((None, "4", "5", " 4", "")),
            "verdict": (verdict := rng.choice((True, False, False, None))),
            "method": "recorded" if verdict is not None else None,
        }
        for solver in SOLVERS
        if rng.random() < 0.8
        for sample in range(rng.randint(1, 2))
    ]


def _traces(rng):
    if rng.random() < 0.15:
        return rng.choice((None, []))
    return [
        {
            "teacher": teacher,
            "sample": 0,
            "reply_key": None,
            "trace_kind": rng.choice(("raw", "summary", "none")),
            "finish": rng.choice(("stop", "length", None)),
            "thinking_tokens": rng.choice((None, 40, 9_000)),
            "answer_tokens": rng.choice((None, 5)),
            "verdict": rng.choice((True, False, None)),
            "method": None,
        }
        for teacher in SOLVERS
        if rng.random() < 0.6
    ]


def _trace_flaws(traces, rng):
    if not traces and rng.random() < 0.5:
        return None
    return [
        {"teacher": t["teacher"], "sample": t["sample"], "flaw": flaw, "found": "here"}
        for t in traces
        for flaw in ("cut", "empty", "repeated")
        if rng.random() < 0.3
    ]


def _pass_rates(attempts):
    rates = []
    for solver in sorted({a["solver"] for a in attempts}):
        verdicts = [a["verdict"] for a in attempts if a["solver"] == solver]
        right, counted = sum(v is True for v in verdicts), sum(v is not None for v in verdicts)
        mean = (right + 1) / (counted + 2)
        rates.append(
            {
                "solver": solver,
                "successes": right,
                "attempts": counted,
                "uncounted": len(verdicts) - counted,
                "stopping": "fixed",
                "posterior_mean": mean,
                "posterior_low": mean / 2,
                "posterior_high": (1 + mean) / 2,
            }
        )
    return rates


def _doubtful(rng):
    status = rng.choice((None, None, "doubtful", "wrong"))
    if status is None:
        return None
    families = ["qwen", "llama"][: 1 if status == "doubtful" else 2]
    return {"status": status, "answer": "6", "votes": 3, "voters": 3, "families": families}


def _question_flaws(rng):
    flaws = (
        "proof_only",
        "no_real_answer",
        "several_questions",
        "answer_in_question",
        "missing_part",
    )
    return [{"flaw": flaw, "found": "here"} for flaw in flaws if rng.random() < 0.12]

"""Generated pools for the published recipes: texts of our own, enough for N, work for every filter.

Each function writes files into a folder and returns what is bound to the recipe's names. A recipe
in ``pipelines/`` without one here fails its test.
"""

import random

import polars as pl

SUBJECTS = ["sheep", "apples", "ducks", "coins", "tiles", "lamps", "boats", "letters"]
VERBS = ["gains", "loses", "doubles", "shares", "hides", "counts", "paints", "sorts"]
QWEN = ["Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"]


def questions(rows, seed=5):
    """Rows of a pool; among them doubles, gaps, broken ones and some that a benchmark holds."""
    draw = random.Random(seed)
    made = []
    for i in range(rows):
        thing, verb = SUBJECTS[i % 8], VERBS[(i // 8) % 8]
        text = f"Problem {i}: Ada has {draw.randrange(9999)} {thing} and {verb} {i} of them. How many {thing} is that?"
        made.append(
            {
                "question": text,
                "answer": str(draw.randrange(999)),
                "solution": f"We work with the {thing}. " * draw.randrange(1, 40),
                "source_type": "plain",
            }
        )
    for i in range(0, rows, 17):
        made[i]["answer"] = None
    for i in range(1, rows, 19):
        made[i]["question"] = made[i]["question"].replace(" and ", "\ufffd\ufffd\ufffd\ufffd ")
    for i in range(2, rows - 1, 23):
        made[i]["question"] = made[i - 1]["question"] = f"Twin question {i}: what is {i} times 3?"
    return made


def quickstart(folder):
    rows = questions(600)
    pl.DataFrame(rows).drop("source_type").write_ndjson(folder / "questions.jsonl")
    return {"": folder / "questions.jsonl"}


def _attempts(rows, folder, share):
    lines = [
        {
            "question": row["question"],
            "model": model,
            "final_answer": row["answer"] if i % share == j else "no idea",
            "is_correct": None,
        }
        for i, row in enumerate(rows)
        for j, model in enumerate(QWEN)
        if i % 13
    ]
    pl.DataFrame(lines, infer_schema_length=None).with_columns(
        pl.col("is_correct").cast(pl.Boolean)
    ).write_parquet(folder / "attempts.parquet")
    return folder / "attempts.parquet"


def _benchmarks(rows, folder):
    home = folder / "benchmarks"
    home.mkdir()
    held = [row["question"] for row in rows[4::29]]
    pl.DataFrame({"question": held[::2]}).write_parquet(home / "even.parquet")
    pl.DataFrame({"question": held[1::2]}).write_parquet(home / "odd.parquet")
    return home


def recorded_attempts(folder):
    rows = questions(3000)
    pl.DataFrame(rows).write_parquet(folder / "pool.parquet")
    return {
        "pool": folder / "pool.parquet",
        "attempts": _attempts(rows, folder, 5),
        "benchmarks": _benchmarks(rows, folder),
    }


def s1k_recorded(folder):
    rows = questions(3000)
    draw = random.Random(6)
    kinds = ["qfq/openaimath/Algebra", "qq8933/AIME_1983_2024", "Idavidrein/gpqa", "other", "other"]
    for i, row in enumerate(rows):
        row["source_type"] = kinds[i % 5]
        if i % 31 == 7:
            row["question"] += " ![Image](x.png)"
    benchmarks = _benchmarks(rows, folder)
    for row in rows[::3]:  # the gate reads solutions, which nothing before it does
        row["solution"] += f" Compare: {rows[4]['question']}"
    pl.DataFrame(rows).write_parquet(folder / "pool.parquet")
    pl.DataFrame(
        [
            {
                "question": row["question"],
                "domain": f"{draw.randrange(30):02d}",
                "thinking_tokens": draw.randrange(200, 9000),
                "teacher_right": draw.random() < 0.2,
            }
            for row in {row["question"]: row for row in rows}.values()
        ]
    ).write_parquet(folder / "features.parquet")
    return {
        "pool": folder / "pool.parquet",
        "attempts": _attempts(rows, folder, 5),
        "features": folder / "features.parquet",
        "benchmarks": benchmarks,
    }


def _baseline(folder):
    given = s1k_recorded(folder)
    del given["attempts"]
    return given


s1k_paper = s1k_recorded
globals().update(dict.fromkeys(("1k_random", "1k_diverse", "1k_longest", "59k_full"), _baseline))


def s1k(folder):
    """Fewer rows than the recipe is made for: its models are asked over HTTP, one by one."""
    rows = questions(500)
    kinds = ["qfq/openaimath/Algebra", "qq8933/AIME_1983_2024", "Idavidrein/gpqa", "other", "other"]
    for i, row in enumerate(rows):
        row["source_type"] = kinds[i % 5]
        if i % 31 == 7:
            row["question"] += " ![Image](x.png)"
    benchmarks = _benchmarks(rows, folder)
    pl.DataFrame(rows).write_parquet(folder / "pool.parquet")
    return {"pool": folder / "pool.parquet", "benchmarks": benchmarks}


def s1k_1_1(folder):
    rows = questions(220)
    pl.DataFrame(rows).write_parquet(folder / "set.parquet")
    return {"set": folder / "set.parquet"}


CHANGED = {"s1k": {"keep.n": 60}}
"""What is set differently, so that a fixture is done in seconds."""
SCRIPT = {
    "seed": 1,
    "models": {
        "Qwen/*": {"role": "solver", "skill": 0.2},
        "gemini-2.5-flash": {"trace": "summary"},
        "deepseek-ai/*": {"role": "teacher"},
    },
    "faults": {"cut_thinking": 0.03, "recitation": 0.02},
}
"""Models of a rehearsal: solvers that leave enough unsolved, and what a teacher may run into."""


def s1k_replay(folder):
    """Columns as in s1's published intermediates, with rows for each filter; texts of our own."""
    rows = questions(3000)
    draw = random.Random(8)
    kinds = ["qfq/openaimath/Algebra", "qq8933/AIME_1983_2024", "Idavidrein/gpqa", "other", "other"]
    for i, row in enumerate({row["question"]: row for row in rows}.values()):
        del row["answer"]
        row |= {"source_type": kinds[i % 5], "cot_type": "math", "metadata": "{}", "cot": None}
        row["solution"] = None if i % 13 == 0 else row["solution"]
        judged = row["solution"] is not None
        row["domain"] = None if i % 97 == 5 else f"Class {draw.randrange(51)}"
        for name, share in (
            ("isqwen7bcorrect", 0.15),
            ("isqwen32bcorrect", 0.2),
            ("isgeminicorrect", 0.3),
        ):
            row[name] = draw.random() < share if judged else None
        row["gemini_length"] = None if i % 101 == 3 else draw.randrange(200, 9000)
        if i % 31 == 7:
            row["question"] += " ![Image](x.png)"
    unique = [row for row in rows if "cot" in row]
    pl.DataFrame(unique, infer_schema_length=None).write_parquet(folder / "featurized.parquet")
    left = [r for r in unique if r["isqwen7bcorrect"] is False and r["isqwen32bcorrect"] is False]
    pl.DataFrame(
        [
            {
                "question": row["question"],
                "solution": row["solution"],
                "cot_type": "math",
                "source_type": row["source_type"],
                "metadata": "{}",
                "cot": None,
                "thinking_trajectories": [f"First we look at it. {row['question']} So it is 4."],
                "attempt": "The answer is 4.",
            }
            for row in left
        ]
    ).write_parquet(folder / "hardfiltered.parquet")
    return {"pool": folder / "featurized.parquet", "traces": folder / "hardfiltered.parquet"}

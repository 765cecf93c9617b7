"""Who solved what, and what missing verdicts leave open: a table, then a plain second opinion."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s1data import apply, pool
from s1data.errors import StageError
from s1data.stages.attempts import AddRecordedAttempts
from s1data.stages.difficulty import DropSolved
from s1data.stages.grades import AddRecordedGrades

EMPTY = dict.fromkeys(field.name for field in pool.ATTEMPT.fields)
RIGHT, WRONG, OPEN = True, False, None


def pool_of(rows):
    """A row is a mapping of solver to the verdicts of its attempts, or None."""
    lists = [
        row
        if row is None
        else [
            EMPTY | {"solver": solver, "sample": i, "verdict": verdict}
            for solver, verdicts in row.items()
            for i, verdict in enumerate(verdicts)
        ]
        for row in rows
    ]
    return pl.DataFrame({"question": [f"q{i}" for i in range(len(rows))]}).with_columns(
        attempts=pl.Series(lists, dtype=pool.COLUMNS["attempts"])
    )


def reasons(rows, **fields):
    """Of rows beside one that every named solver tried."""
    tried = {solver: [WRONG] for solver in fields.get("solvers", ())}
    given = pool_of([*rows, tried])
    said = dict(apply(DropSolved(**fields), given).dropped.select("row", "reason").iter_rows())
    return [said.get(row) for row in range(len(rows))]


@pytest.mark.parametrize("solvers", [("qwen_7b",), ("qwen-7b", "qwen_32b")])
def test_a_named_solver_that_no_row_has_is_an_error_that_names_those_there_are(solvers):
    rows = pool_of([{"qwen-7b": [RIGHT]}, {"qwen-32b": [WRONG]}, None])
    wrong = solvers[-1]
    said = f"solver {wrong}, which no row has; .* of qwen-32b, qwen-7b; nearest: "
    with pytest.raises(StageError, match=said + wrong.replace("_", "-")):
        apply(DropSolved(solvers=solvers, unknown="keep"), rows)


def test_rows_without_any_attempts_are_undecided_whoever_is_named():
    rows = pool_of([None, {}])
    assert apply(DropSolved(solvers=("a",), unknown="keep"), rows).dropped.is_empty()


S, N = "solved", "no_verdict"


@pytest.mark.parametrize(
    ("rule", "row", "reason"),
    [
        ("any", {"a": [RIGHT], "b": [WRONG]}, S),
        ("any", {"a": [WRONG, RIGHT], "b": [WRONG]}, S),
        ("any", {"a": [RIGHT, OPEN], "b": [OPEN]}, S),
        ("any", {"a": [WRONG], "b": [WRONG]}, None),
        ("any", {"a": [WRONG, OPEN], "b": [WRONG]}, N),
        ("any", {"a": [WRONG]}, N),
        ("any", {"c": [RIGHT]}, N),
        ("any", {"c": [RIGHT], "a": [WRONG], "b": [WRONG]}, None),
        ("any", {}, N),
        ("any", None, N),
        ("all", {"a": [RIGHT], "b": [RIGHT]}, S),
        ("all", {"a": [RIGHT], "b": [WRONG]}, None),
        ("all", {"a": [RIGHT], "b": [OPEN]}, N),
        ("all", {"a": [RIGHT]}, N),
        ("all", {"a": [WRONG]}, None),  # whatever b does, not all solved it
        ("all", {"a": [WRONG], "b": [OPEN]}, None),
        (2, {"a": [RIGHT], "b": [RIGHT]}, S),
        (2, {"a": [RIGHT], "b": [OPEN]}, N),
        (1, {"a": [RIGHT], "b": [WRONG]}, S),
    ],
)
def test_two_named_solvers(rule, row, reason):
    assert reasons([row], solvers=["a", "b"], rule=rule, unknown="drop") == [reason]
    kept = None if reason == N else reason
    assert reasons([row], solvers=["a", "b"], rule=rule, unknown="keep") == [kept]


@pytest.mark.parametrize(
    ("rule", "row", "reason"),
    [
        ("any", {"a": [WRONG], "b": [RIGHT]}, S),
        ("any", {"a": [WRONG]}, None),
        ("all", {"a": [RIGHT]}, S),
        ("all", {"a": [RIGHT], "b": [WRONG]}, None),
        ("all", {}, N),
        ("all", None, N),
        (2, {"a": [RIGHT]}, None),
        (2, {}, N),
    ],
)
def test_without_names_those_with_attempts_count(rule, row, reason):
    assert reasons([row], rule=rule, unknown="drop") == [reason]


def test_the_evidence_names_who_solved_it_and_who_is_unknown():
    frame = pool_of([{"b": [RIGHT], "a": [RIGHT], "c": [OPEN]}])
    (evidence,) = apply(DropSolved(unknown="keep"), frame).dropped["evidence"]
    assert json.loads(evidence) == {
        "solved_by": ["a", "b"],
        "unknown_of": ["c"],
        "solvers_counted": 3,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"unknown": "maybe"},
        {"unknown": "keep", "rule": 0},
        {"unknown": "keep", "rule": "most"},
        {"unknown": "keep", "rule": 3, "solvers": ["a", "b"]},
        {"unknown": "keep", "solvers": ["a", "a"]},
    ],
)
def test_settings_that_could_never_mean_anything_are_refused(fields):
    with pytest.raises(ValidationError):
        DropSolved.model_validate(fields)


VERDICTS = st.lists(st.sampled_from([RIGHT, WRONG, OPEN]), min_size=1, max_size=3)
ROWS = st.lists(
    st.none() | st.dictionaries(st.sampled_from("abcd"), VERDICTS, max_size=4), max_size=15
)


@given(
    ROWS, st.sampled_from([(), ("a",), ("b", "a", "c")]), st.sampled_from(["any", "all", 1, 2, 3])
)
def test_every_way_the_missing_verdicts_may_fall_decides_what_is_open(rows, solvers, rule):
    """Open means: some outcome of what is missing drops the row and some outcome keeps it."""
    if isinstance(rule, int) and solvers and rule > len(solvers):
        return
    assert reasons(rows, solvers=solvers, rule=rule, unknown="drop") == [
        second_opinion(row or {}, solvers, rule) for row in rows
    ]


def second_opinion(row, named, rule):
    counted = named or tuple(row)
    if not counted:
        return N
    need = {"any": 1, "all": len(counted)}.get(rule, rule)
    # At best every solver with a missing verdict turns out right, at worst none does.
    best = sum(any(v is not False for v in row.get(s, [OPEN])) for s in counted)
    worst = sum(any(v is True for v in row.get(s, [])) for s in counted)
    return S if worst >= need else N if best >= need else None


@pytest.mark.real
def test_the_721_hard_questions_of_s1s_own_pair_of_solvers(real_data):
    pair = ["Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"]
    columns = ["question", "model", "final_answer", "is_correct"]
    given_ = pl.read_parquet(real_data / "attempts_math.parquet", columns=columns)
    questions = pl.read_parquet(real_data / "pool.parquet", columns=["question", "answer"])
    recorded = AddRecordedAttempts.model_validate({"from": "attempts", "solvers": pair})
    rows = apply(recorded, questions, {"attempts": given_}).kept

    def after(rule, **grades):
        graded = apply(AddRecordedGrades(**grades), rows).kept.drop("id", "row")
        stage = DropSolved(solvers=pair, rule=rule, unknown="drop")
        return dict(apply(stage, graded).dropped["reason"].value_counts().iter_rows())

    without = rows.height - 721
    assert after("all") == {"solved": 304, "no_verdict": without}
    assert after("any") == {"solved": 304 + 186, "no_verdict": without}  # 231 are left
    # Of those 231, 18 have an attempt without a final answer.
    assert after("any", no_answer="none") == {"solved": 490, "no_verdict": without + 18}

"""Licences: what a statement is read as, and which need somebody's decision."""

import polars as pl
import pytest

from s1data import licences
from s1data.recipe import Pipeline


@pytest.mark.parametrize(
    ("stated", "names", "kind"),
    [
        ("MIT", ("mit",), "open"),
        ("MIT License", ("mit",), "open"),
        ("Apache License, Version 2.0", ("apache-2.0",), "open"),
        ("Apache-2.0 (repo); MIT (dataset)", ("apache-2.0", "mit"), "open"),
        ("CC BY 4.0", ("cc-by-4.0",), "open"),
        ("cc-by-sa-4.0", ("cc-by-sa-4.0",), "open"),
        ("CC0", ("cc0-1.0",), "open"),
        ("CC BY-NC 4.0", ("cc-by-nc-4.0",), "non_commercial"),
        ("CC BY-NC-ND 4.0 International", ("cc-by-nc-nd-4.0",), "no_derivatives"),
        ("for non-commercial use", (), "non_commercial"),
        ("MIT (repo); problem text of its site", ("mit",), "conflicting"),
        ("MIT or CC BY-NC 4.0", ("mit", "cc-by-nc-4.0"), "conflicting"),
        ("all rights reserved", (), "unknown"),
        ("  ", (), "unknown"),
        (None, (), "unknown"),
    ],
)
def test_a_statement_is_read_into_names_and_a_class(stated, names, kind):
    read = licences.read(stated)
    assert (read.names, read.kind) == (names, kind)


def rows(*lines):
    return pl.DataFrame(lines, schema=["id", "source", "licence"], orient="row")


def named(selected, pool=None):
    return [(c.name, c.kind, c.rows, c.sources) for c in licences.concerns(selected, pool)]


def test_open_licences_concern_nobody():
    assert named(rows(("1", "a", "mit"), ("2", "b", "CC BY-SA 4.0"))) == []


def test_what_is_not_open_is_counted_by_licence_with_its_sources():
    selected = rows(
        ("1", "a", None), ("2", "b", None), ("3", "b", "CC BY-NC 4.0"), ("4", "c", "mit")
    )
    assert named(selected) == [
        ("unknown", "unknown", 2, ("a", "b")),
        ("cc-by-nc-4.0", "non_commercial", 1, ("b",)),
    ]


def test_a_question_that_stands_elsewhere_under_another_kind_of_licence_conflicts():
    selected = rows(("1", "a", "mit"), ("2", "a", "mit"))
    pool = rows(("1", "a", "mit"), ("1", "z", "CC BY-NC 4.0"), ("2", "z", "apache-2.0"))
    assert named(selected, pool) == [("conflicting", "conflicting", 1, ("a",))]


def test_share_alike_and_narrower_terms_in_one_set_conflict():
    found = named(rows(("1", "a", "cc-by-sa-4.0"), ("2", "b", "cc-by-nc-4.0")))
    assert ("conflicting", "conflicting", 2, ("a", "b")) in found


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("gemini-2.0-flash-thinking-exp", "Gemini API"),
        ("deepseek-ai/DeepSeek-R1-0528", "MIT"),
        ("Qwen/Qwen3-8B", "Apache-2.0"),
        ("somebody/new-model", "look them up"),
    ],
)
def test_the_terms_of_a_teachers_provider_are_said(model, says):
    assert says in licences.terms(model)


def test_the_plan_names_what_publishing_would_need_a_decision_about(tmp_path):
    from s1data.planning import plan
    from tests.hub import sets

    recipe = sets.lay(tmp_path / "pool", town_licence="CC BY-NC 4.0")
    pipeline = Pipeline.load(recipe)
    before = plan(pipeline, tmp_path / "run").licences
    assert before == ("licence of source town: by row; counted once it is read",)
    pipeline.run(tmp_path / "run")
    assert plan(pipeline, tmp_path / "run").licences == (
        "licence cc-by-nc-4.0, 40 rows of town: may not be used commercially",
        "licence unknown, 5 rows of town: is not stated, or not a licence known by name",
    )
    unsaid = pipeline.model_copy(
        update={
            "sources": tuple(
                s.model_copy(update={"licence": "all rights reserved"}) for s in pipeline.sources
            )
        }
    )
    assert (
        "licence of source farm: all rights reserved"
        in plan(unsaid, tmp_path / "other").licences[0]
    )

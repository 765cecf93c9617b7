"""Every registered stage, ours or another package's, keeps every law; nobody lists it here."""

from functools import cache

import pytest

from s1data import stages
from s1data.acting import shown_columns
from s1data.stage import Asker
from tests.laws import laws
from tests.laws.asked import OF_AN_ASKER
from tests.laws.variants import settings, with_changes

NAMES = stages.names()
QUOTA = {"source": {"first": {"min": 4}}, "cot_type": {"others": {"max": 5}}}
FURTHER = {
    "drop_contaminated": {"cross_source": ["second", "first"]},
    "drop_solved": {"solvers": ["large", "small"], "rule": "all"},
    "add_recorded_attempts": {"solvers": ["small"]},
    **{
        name: {"quota": QUOTA, "n": 9} for name in NAMES if "quota" in stages.get(name).model_fields
    },
}
"""Fields that are names of rows' own, which no type leads to: one more instance each."""

STOPS = {("check_contaminated", "report_only=False")}
"""Instances that are there to stop a run on the generated rows: their own tests say so."""


def law_of(function):
    return function.__name__


@cache
def case(name, variant=None):
    stage = laws.example(stages.get(name))
    return laws.Case(dict(_variants(name, stage))[variant] if variant else stage)


def _variants(name, example):
    yield from settings(example)
    if name in FURTHER:
        yield "further", with_changes(example, FURTHER[name])


def _cases():
    """The example of each stage, and that example with one setting changed."""
    for name in NAMES:
        yield pytest.param(name, None, id=name)
        for variant, stage in _variants(name, laws.example(stages.get(name))):
            if laws.problems(stage) or (name, variant) in STOPS:
                continue  # a run would refuse it before anything is done
            yield pytest.param(name, variant, id=f"{name}[{variant}]")


CASES = list(_cases())


def test_the_name_leads_to_the_class_and_back():
    assert [stages.get(name).stage_name() for name in NAMES] == list(NAMES)
    assert len({stages.get(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("law", laws.OF_A_CLASS, ids=law_of)
@pytest.mark.parametrize("name", NAMES)
def test_class(name, law):
    law(stages.get(name))


@pytest.mark.parametrize("law", laws.OF_A_VALUE, ids=law_of)
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_value(name, variant, law):
    law(case(name, variant).stage)


@pytest.mark.parametrize("law", laws.OF_THE_EXAMPLE, ids=law_of)
@pytest.mark.parametrize("name", NAMES)
def test_example(name, law):
    law(case(name))


@pytest.mark.parametrize("law", laws.OF_ITS_WORK, ids=law_of)
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_work(name, variant, law):
    law(case(name, variant))


ASKERS = [place for place in CASES if issubclass(stages.get(place.values[0]), Asker)]


@pytest.mark.parametrize("law", OF_AN_ASKER, ids=law_of)
@pytest.mark.parametrize(("name", "variant"), ASKERS)
def test_asker(name, variant, law):
    one = case(name, variant)
    law(one.stage, one.rows.select(shown_columns(one.stage)))


@pytest.mark.parametrize("name", stages.BUILT_IN)
def test_every_reason_of_ours_is_given_to_some_generated_row(name):
    given = set()
    for place in CASES:
        if place.values[0] == name:
            given.update(evidence.reason for _, evidence in case(*place.values).dropped)
    assert given == set(getattr(stages.get(name), "reasons", ()))

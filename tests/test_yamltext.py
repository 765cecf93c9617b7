"""YAML 1.2 core as values with places; everything that reads differently elsewhere is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data import yamltext
from s1data.errors import RecipeError

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_is_dumped_is_read_back(value):
    text = yamltext.dump(value)
    assert yamltext.parse(text, "t").value == value
    assert yamltext.dump(yamltext.parse(text, "t").value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("2026.11.0", "2026.11.0"),
        ("2026-11-24", "2026-11-24"),
        ("12:30", "12:30"),
        (".inf", ".inf"),
        ("'12'", "12"),
        ('"null"', "null"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    got = yamltext.parse(f"k: {text}", "t").value["k"]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a: &x 1\nb: *x", "t:1:4", "anchor"),
        ("a: !!str 3", "t:1:4", "tag"),
        ("a: !python/object:os.system 3", "t:1:4", "tag"),
        ("a: 1\na: 2", "t:2:1", "second time"),
        ("a: {b: 1, b: 2}", "t:1:11", "second time"),
        ("a: 1\n---\nb: 2", "t:2:1", "document"),
        ("a: [1", "t:1:6", "not valid YAML"),
        ("\ta: 1", "t:1:1", "not valid YAML"),
        ("a: \x07", "t", "not valid YAML"),
        ("? [1]\n: 2", "t:1:3", "plain text as key"),
        ("a: " + "[" * 60 + "]" * 60, "t:1:44", "nesting"),
    ],
)
def test_what_is_not_plain_data_is_refused_in_one_line_with_its_place(text, place, says):
    with pytest.raises(RecipeError) as error:
        yamltext.parse(text, "t")
    assert str(error.value).startswith(f"{place}: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_every_value_has_the_place_of_its_key():
    document = yamltext.parse("a:\n  - b: 1\n    c: {d: 2}\n", "t")
    assert document.at(("a", 0, "b")) == "t:2:5"
    assert document.at(("a", 0, "c", "d")) == "t:3:9"
    assert document.at(("a", 0, "c", "gone")) == "t:3:5"


def test_numbers_stay_the_numbers_they_are():
    for number in (1.0, -0.0, 1e300, 5e-324, 0.1, 10**30):
        back = yamltext.parse(yamltext.dump({"k": number}), "t").value["k"]
        assert back == number
        assert math.copysign(1, back) == math.copysign(1, number)

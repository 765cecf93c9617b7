"""What a recipe may say of a source: values that go to JSON and back, and refusals."""

import pytest
from pydantic import ValidationError

from s1data.sources import Family, Input, ReasoningGym, Source

GOOD = [
    Source(name="a", path="pool/*.parquet", columns={"question": "problem", "mine": "x"}, cap=3),
    Source(name="a", hub="org/name", config="c", split="test", revision="v1", licence="mit"),
    Source(name="a", priority=0),
    Source(
        name="a",
        reasoning_gym=ReasoningGym(
            families={
                "gcd": 3,
                "lcm": {"size": 2, "config": {"max_value": 9, "f": [1.5, True, "x"]}},
            }
        ),
    ),
    Input(path="x.csv", columns=["question", "answer"]),
    Input(columns={"question": "problem"}),
    Input(),
]


@pytest.mark.parametrize("value", GOOD)
def test_a_value_is_the_same_after_json(value):
    plain = value.model_dump(mode="json")
    again = type(value).model_validate(plain)
    assert again == value
    assert hash(again) == hash(value)
    assert type(value).model_validate_json(value.model_dump_json()) == value


def test_names_alone_are_columns_of_the_same_name():
    assert Input(columns=["b", "a"]) == Input(columns={"a": "a", "b": "b"})


def test_a_family_may_be_a_size_or_have_settings():
    gym = ReasoningGym(families={"gcd": 3, "lcm": {"size": 2}})
    assert dict(gym.families) == {"gcd": 3, "lcm": Family(size=2)}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "No Slug"}, "pattern"),
        ({"path": "x", "hub": "a/b"}, "a source has one place"),
        ({"hub": "just-a-name"}, "pattern"),
        ({"path": "x", "revision": "v1"}, "revision belongs to a Hub dataset"),
        ({"config": "c"}, "config belongs to a Hub dataset"),
        ({"cap": 0}, "greater than 0"),
        ({"priority": -1}, "greater than or equal to 0"),
        ({"columns": {"id": "uid"}}, "take yours under another name"),
        ({"columns": {"row": "n"}}, "take yours under another name"),
        ({"reasoning_gym": {"families": {}}}, "at least 1"),
        ({"reasoning_gym": {"families": {"gcd": 0}}}, "greater than 0"),
        ({"nonsense": 1}, "Extra inputs"),
        ({"cap": "3"}, "valid integer"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, says):
    with pytest.raises(ValidationError, match=says):
        Source(**{"name": "a", **fields})

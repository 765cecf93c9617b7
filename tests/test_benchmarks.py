"""The catalogue of benchmarks: what is in it, by which names, and what a recipe gets from it."""

import pytest

from s1data import benchmarks
from s1data.errors import RecipeError

USUAL = (
    "aime24", "aime25", "aime26", "math500", "gpqa_diamond", "gsm8k", "olympiadbench",
    "livecodebench", "humaneval", "mmlu_pro", "minerva", "scibench", "chembench",
)  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_benchmarks_are_known_with_version_place_and_licence(name):
    found = benchmarks.known(name.upper())
    assert found is not None
    assert all((found.version, found.licence, found.split, found.column))
    assert found.hub.count("/") == 1
    for other in found.other_names:
        assert benchmarks.known(other) == found
    if found.nested:
        with pytest.raises(RecipeError, match="write its questions to a file"):
            benchmarks.recipe_input(name)
    else:
        assert benchmarks.recipe_input(name)["columns"] == {"question": found.column}


def test_only_what_asks_for_it_is_kept_out_of_plain_text():
    hidden = {name for name in benchmarks.BENCHMARKS if not benchmarks.in_plain_text(name)}
    assert hidden == {"gpqa_diamond"}
    assert benchmarks.in_plain_text("any_other")
    assert benchmarks.in_plain_text("math500.csv")


@pytest.mark.parametrize(
    "name",
    [
        "GPQA Diamond",
        "gpqa_diamond_test",
        "Idavidrein/gpqa",
        "gpqa_diamond.csv",
        "my-GPQA.v2",
        "gpqa",
    ],
)
def test_gpqa_is_kept_out_of_plain_text_however_it_is_written(name):
    assert not benchmarks.in_plain_text(name)


def test_an_unknown_benchmark_is_said_with_the_nearest_name():
    with pytest.raises(RecipeError, match="nearest: humaneval"):
        benchmarks.recipe_input("humanevl")

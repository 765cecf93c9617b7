"""Published recipes are found by name; that a wheel's are is shown by `make wheel-smoke`."""

from pathlib import Path

from s1data.published import published

ROOT = Path(__file__).parents[1]


def test_every_recipe_of_the_repository_is_published_under_its_file_name():
    files = {path.stem: path.read_bytes() for path in (ROOT / "pipelines").glob("*.yaml")}
    assert {name: path.read_bytes() for name, path in published().items()} == files


def test_names_come_in_alphabetical_order():
    assert list(published()) == sorted(published())

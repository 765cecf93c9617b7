"""One Hub, one user's process and a few finished runs for all tests of publishing."""

import shutil

import pytest

from tests.hub import sets
from tests.hub.client import using
from tests.hub.loopback_hub import TOKEN, hosting


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with finished runs: never written to."""
    home = tmp_path_factory.mktemp("runs")
    sets.run(home / "pool", home / "shared")
    sets.run(home / "pool-other", home / "other", n=20)
    sets.run(home / "pool-nc", home / "narrow", town_licence="CC BY-NC 4.0")
    return home


@pytest.fixture
def run(runs, tmp_path):
    """A run of one's own to push."""
    return shutil.copytree(runs / "shared", tmp_path / "run")


@pytest.fixture(scope="session")
def hub():
    with hosting() as server:
        yield server


@pytest.fixture(scope="session")
def user(hub, tmp_path_factory):
    """A process that is logged in."""
    with using(hub.url, tmp_path_factory.mktemp("home"), token=TOKEN) as client:
        yield client


@pytest.fixture
def repo(request):
    """The name of a repository that no other test uses."""
    return "org/" + "".join(c if c.isalnum() else "-" for c in request.node.name)[:80].strip("-")

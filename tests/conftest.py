"""What every test stands on: no network, the real questions where they are, plain laws.

Set before anything imports a library that reads them at import; child processes inherit them.
"""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads and a fork do not go together

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("S1DATA_REAL") or ROOT.parent / "shared" / "data")

# No deadline: how long an example takes says nothing on a shared machine. CI draws the same
# examples each time, so that a change is judged by what it did; elsewhere new ones are looked for.
settings.register_profile(
    "s1data",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("s1data")


def pytest_collection_modifyitems(items):
    if (REAL / "pool.parquet").exists():
        return
    absent = pytest.mark.skip(
        reason="the real questions are not here: put them in ../shared/data or set S1DATA_REAL"
    )
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(absent)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Vectors of earlier sessions, or of the user's own runs, must not decide a test."""
    os.environ["S1DATA_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real questions, for tests marked `real`."""
    return REAL


@pytest.fixture(scope="session")
def real_all() -> bool:
    """Whether every real question is to be embedded by the encoder, as `make real` does."""
    return os.environ.get("S1DATA_REAL_ALL") == "1"

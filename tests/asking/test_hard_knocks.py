"""What new users ran into: servers that are none, sums that are none, a directory that was paid for."""

from __future__ import annotations

import math
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from s1data.asking import Price
from s1data.emulator import Emulator
from s1data.errors import BudgetError, RecipeError, RunError, RunStopped
from s1data.models import ModelError, Outcome, Reply
from s1data.models.named import named
from s1data.store import Spending
from tests.asking.test_runs import POOL, RECIPE, SCRIPT, means, run


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def elsewhere():
    """A server that answers everything with 200 and JSON that is no reply."""
    posts = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            posts.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST  # noqa: N815 - as the base class wants it

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", posts
        server.shutdown()


def test_a_server_of_something_else_gets_no_row_and_leaves_nothing_in_the_store(
    tmp_path, elsewhere
):
    url, posts = elsewhere
    with pytest.raises(
        ModelError, match=r"is no reply.*see that the URL is that of a model server"
    ):
        run(tmp_path / "run", means=means(url))
    assert len([path for path in posts if path.endswith("completions")]) <= 4, "tiny ones only"
    with Emulator(SCRIPT, answers=POOL) as server:
        done = run(tmp_path / "run", means=means(server))
    assert done.manifest["models"]["small"]["outcomes"] == {"ok": 60}


@pytest.mark.parametrize("cap", [math.nan, math.inf, -1.0])
def test_a_cap_is_a_sum_of_money(tmp_path, cap):
    with pytest.raises(BudgetError, match="a cap of 0 dollars or more was wanted"):
        Spending(tmp_path / "spending", cap)


def test_a_reply_cut_in_its_thinking_has_a_price():
    price = Price(provider="p", model="m", prompt=1.0, output=10.0, date="d", source="s")
    cut = Reply(
        key="k",
        provider="p",
        model="m",
        outcome=Outcome.CUT_THINKING,
        prompt_tokens=100,
        thinking_tokens=1000,
    )
    assert price.of(cut) == pytest.approx((100 * 1.0 + 1000 * 10.0) / 1e6)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8411", "localhost/v1", "ftp://host/v1", "host:80", ""]
)
def test_an_address_without_its_scheme_is_no_part_of_a_name(address):
    with pytest.raises(RecipeError, match="begins with http"):
        named(f"openai_compatible:big@{address}")


def test_a_name_may_have_an_at_sign():
    assert named("gemini:big@001") == ("gemini", "big@001", ())


def test_a_rehearsal_takes_no_place_of_what_was_paid_for(tmp_path):
    with Emulator(SCRIPT, answers=POOL) as server:
        run(tmp_path / "run", means=means(server))
    with pytest.raises(RunError, match="holds a run that asked real models"):
        run(tmp_path / "run", rehearse=True)
    assert run(tmp_path / "run").manifest["rehearsal"] is False


PRICED = """
[[price]]
provider = "openai_compatible"
model = "small-8b"
prompt = 1.0
output = 10.0
date = "2026-11"
source = "a test"
"""


def test_a_budget_without_room_for_a_row_pays_for_no_check_either(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICED + PRICED.replace("small-8b", "big-70b"))
    with Emulator(SCRIPT, answers=POOL) as server:
        given = means(server, no_price=False, prices=[prices], max_usd=0.001)
        for _ in range(2):
            with pytest.raises(RunStopped, match=r"would pass the cap of 0\.001: nothing was sent"):
                run(tmp_path / "run", means=given)
        assert [entry for entry in server.log if entry.model] == []


def test_a_reply_that_an_earlier_stage_paid_for_counts_as_there_already(tmp_path):
    twice = RECIPE.replace(
        "  - keep_random",
        "  - add_traces: {as: again, teachers: [teacher], ladder: [0.5]}\n  - keep_random",
    )
    with Emulator(SCRIPT, answers=POOL) as server:
        done = run(tmp_path / "run", recipe=twice, means=means(server))
    told = done.manifest["models"]["teacher"]
    assert told["requests"] == told["sent"] + told["cached"]
    assert told["cached"] == told["sent"] > 0

"""What was read and classed of trace flaws and doubtful references still is what the stages say."""

from pathlib import Path

import polars as pl
import pytest

from bench import doubtful_gold, traces

pytestmark = pytest.mark.real
HERE = Path(__file__).parent
CLASSES = {"rightly flagged", "wrongly flagged", "ambiguous"}


def test_every_trace_that_was_read_is_flagged_for_that_reason():
    read = pl.read_csv(HERE / "traces.csv")
    assert set(read["class"]) <= CLASSES
    rows, _ = traces.judged()
    place = ["row", "teacher", "sample"]
    each = rows.select("row", "traces").explode("traces").drop_nulls().unnest("traces")
    flaws = rows.select("row", "trace_flaws").explode("trace_flaws").drop_nulls()
    flagged = flaws.unnest("trace_flaws").join(each, on=place).unique(["reply_key", "flaw"])
    keys = ["sha256", "reason"]
    found = flagged.select(sha256="reply_key", reason="flaw")
    assert read.join(found, on=keys, how="anti").is_empty()
    # 20 of each reason and more, or all there are.
    there = dict(found.group_by("reason").len().iter_rows())
    counts = dict(read.group_by("reason").len().iter_rows())
    assert {name for name, n in there.items() if counts.get(name, 0) < min(20, n)} == set()


def test_every_doubtful_reference_was_read(real_data):
    read = pl.read_csv(HERE / "doubtful_gold.csv")
    assert set(read["class"]) <= CLASSES
    rows = doubtful_gold.doubtful(doubtful_gold.attempted(real_data))
    found = rows.select("id", reason=pl.col("doubtful_gold").struct.field("status"))
    assert sorted(found.rows()) == sorted(read.select("id", "reason").rows())

"""What was found of benchmarks, counted, in order for reading, and as a file."""

import polars as pl
from polars.testing import assert_frame_equal

from s1data import apply
from s1data.overlaps import Overlaps
from s1data.stages.contamination import DropContaminated

ITEM = "How many legs have three spiders and one blackbird together in the old barn?"
POOL = pl.DataFrame({"question": [ITEM, f"Say: {ITEM} Now take a walk, and then think of home."]})


def overlaps() -> Overlaps:
    stage = DropContaminated(against=("test",), methods=("ngram8", "normalised"))
    return Overlaps(apply(stage, POOL, {"test": pl.DataFrame({"question": [ITEM]})}).artefact)


def test_counts_say_what_only_one_method_found():
    assert overlaps().counts().rows() == [
        ("test", "ngram8", 1, 2, 1),
        ("test", "normalised", 1, 1, 0),
    ]


def test_pairs_are_in_order_and_name_what_matched():
    pairs = overlaps().pairs()
    assert pairs.select("method", "row").rows() == [("ngram8", 0), ("ngram8", 1), ("normalised", 0)]
    assert pairs["span"].null_count() == 0
    assert overlaps().borderline(1).select("method", "row").rows() == [
        ("ngram8", 0),
        ("normalised", 0),
    ]


def test_the_export_holds_all_pairs(tmp_path):
    overlaps().export(tmp_path / "pairs.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "pairs.parquet"), overlaps().pairs())

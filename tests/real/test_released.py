"""The released s1K beside what the specification draws, over the real pool."""

import numpy as np
import polars as pl
import pytest

from bench import released

SEEDS = 200


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("form", ["notebook", "paper"])
def test_a_draw_has_as_much_of_the_released_set_as_the_rule_to_the_letter(form):
    keys = released.stand_ins().sort("id", "row").with_columns(preselected=pl.lit(value=False))
    stage = released.selector(form, 0)
    ours, _ = released.over_seeds(keys, stage, SEEDS, released.ours)
    letter, _ = released.over_seeds(keys, stage, SEEDS, released.literal)
    there = np.unique(ours)
    assert len(there) > 1  # the seed matters
    error = np.sqrt((ours.var() + letter.var()) / SEEDS)
    assert abs(ours.mean() - letter.mean()) < 4 * error
    # The released set is not what a draw has: far from all of it comes out under any seed.
    assert ours.max() < 1000


def test_both_ways_draw_alike_where_every_probability_is_small(tmp_path):
    rng = np.random.default_rng(3)
    rows = 400
    keys = pl.DataFrame(
        {
            "id": [f"{i:016x}" for i in range(rows)],
            "row": np.arange(rows, dtype=np.uint32),
            "domain": [f"d{k}" for k in rng.integers(0, 9, rows)],
            "length": rng.integers(1, 10**6, rows).astype(float),
            "group": [None] * rows,
            "preselected": rng.random(rows) < 0.05,
        },
        schema_overrides={"group": pl.String},
    )
    stage = released.selector("paper", 0).model_copy(update={"n": 60})
    chosen = {
        draw: np.array(
            [
                np.isin(np.arange(rows), list(draw(keys, stage.model_copy(update={"seed": s}))))
                for s in range(300)
            ]
        )
        for draw in (released.ours, released.literal)
    }
    ours, letter = (c.mean(axis=0) for c in chosen.values())
    error = np.sqrt((ours * (1 - ours) + letter * (1 - letter)) / 300 + 1e-9)
    z = (ours - letter) / error
    assert np.abs(z[(ours > 0) & (ours < 1)]).max() < 4.5
    assert (ours[keys["preselected"].to_numpy()] == 1).all()

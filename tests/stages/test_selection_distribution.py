"""The draws against exact probabilities, enumerated from the published rule on small pools.

`exact` follows the rule literally: pick a domain, rank what is left in it, weigh by 2^-rank. Each
seed gives one order; the set of its first n ids is one sample of the distribution over sets. Seeds
are fixed, so a test either always passes or never; with a threshold of 1e-4 for each comparison a
right sampler fails some of the 19 comparisons in one choice of seeds out of 500.
"""

from collections import Counter
from fractions import Fraction
from functools import cache

import polars as pl
import pytest
from scipy.stats import chi2

from s1data.stages import get
from s1data.stages.preselection import preselected

SEEDS = range(2000)
SMALLEST_P = 1e-4


def exact(rows, n, *, weigh, hand_over=None, mix=None):
    """Probability of each set of n ids; rows are (id, domain, length, preselected), ids in order."""
    by_domain = {}
    for name, domain, length, _ in sorted(rows, key=lambda r: (-r[2], r[0])):
        by_domain.setdefault(domain, []).append((name, length))
    pool = tuple(
        (d, tuple(name for name, _ in members)) for d, members in sorted(by_domain.items())
    )
    preselected = frozenset(name for name, *_, chosen in rows if chosen)

    @cache
    def sets(left, chosen):
        if len(chosen) == n:
            return {chosen: Fraction(1)}
        alive = dict(left)
        odds = {d: Fraction(1) for d in alive}
        if hand_over is not None and len(chosen) >= hand_over:
            odds = {d: Fraction(w) for d, w in mix.items() if d in alive} or odds
        found = Counter()
        for domain, odd in odds.items():
            members = alive[domain]
            weights = [weigh(rank) for rank in range(len(members))]
            for rank, name in enumerate(members):
                rest = members[:rank] + members[rank + 1 :]
                then = tuple(
                    (d, rest if d == domain else m) for d, m in left if d != domain or rest
                )
                share = odd / sum(odds.values()) * weights[rank] / sum(weights)
                for outcome, p in sets(then, chosen | {name}).items():
                    found[outcome] += share * p
        return found

    return sets(pool, preselected)


def p_value(samples, expected):
    """Of the chi-square statistic over sets; sets too rare to be tested singly are put together."""
    assert set(samples) <= set(expected), "a set came out that the rule cannot give"
    total = samples.total()
    rare = [s for s, p in expected.items() if p * total < 8]
    cells = [(samples[s], float(p * total)) for s, p in expected.items() if s not in rare]
    if rare:
        cells.append((sum(samples[s] for s in rare), float(sum(expected[s] for s in rare) * total)))
    statistic = sum((got - want) ** 2 / want for got, want in cells if want)
    return chi2.sf(statistic, len(cells) - 1)


def halving(rank):
    return Fraction(1, 2**rank)


def frame(rows):
    return pl.DataFrame(
        [
            {"id": name, "domain": d, "tokens": length, "right": chosen, "source_type": name[:1]}
            for name, d, length, chosen in rows
        ]
    ).with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))


def orders(stage, rows):
    """The ids in order, for each seed."""
    keys = stage.keys(frame(rows).select("id", "row", *stage.reads()).sort("id", "row"))
    keys = keys.with_columns(preselected(stage.preselect, keys, None))
    names = keys.get_column("id").to_list()
    for seed in SEEDS:
        line = stage.model_copy(update={"seed": seed}).line(keys, None, [])
        yield [names[i] for i in (*line.chosen, *line.beyond)]


# (id, domain, length, preselected); an id starts with the letter of its source
SKEWED = [
    ("o1", "big", 90, False), ("o2", "big", 70, False), ("o3", "big", 50, False),
    ("o4", "big", 30, False), ("o5", "mid", 20, False), ("o6", "mid", 10, False),
    ("o7", "one", 5, False),
]  # fmt: skip
PRESELECTED = [(name, d, length, name in {"o2", "o6"}) for name, d, length, _ in SKEWED]
TIED = [(name, d, 7 if d == "big" else length, p) for name, d, length, p in SKEWED]
# Of source a: x 2, y 1; of g: y 1, z 3, each scaled to int(count * 0.5 * 3 / 4): y 0, z 1.
BENCHMARKS = [
    ("a1", "x", 9, True), ("a2", "x", 8, False), ("a3", "y", 7, False), ("g1", "y", 9, False),
    ("g2", "z", 6, False), ("g3", "z", 5, True), ("g4", "z", 4, False),
    ("o1", "other", 9, False), ("o2", "other", 3, False),
]  # fmt: skip
MIX = {"x": 2, "y": 1, "z": 1}
# The same counted from other rows: u is in g alone and comes to int(1 * 0.5 * 2 / 2) = 0.
SCALED_AWAY = [
    ("a1", "x", 9, False), ("a2", "x", 8, False), ("g1", "u", 7, False), ("g2", "x", 6, False),
    ("o1", "w", 5, False), ("o2", "w", 4, False),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        pytest.param(SKEWED, [1, 2, 3, 5], id="domains that empty"),
        pytest.param(PRESELECTED, [3, 4, 5], id="preselected rows that stay in the draw"),
        pytest.param(TIED, [1, 3, 4], id="equal lengths by id"),
    ],
)
def test_the_papers_form_gives_every_set_its_exact_probability(rows, sizes):
    stage = get("keep_s1")(n=3, length_from="tokens", preselect=[{"right": "right"}])
    drawn = list(orders(stage, rows))
    for n in sizes:
        samples = Counter(frozenset(order[:n]) for order in drawn)
        assert p_value(samples, exact(rows, n, weigh=halving)) > SMALLEST_P, n


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "mix", "hand_over", "sizes"),
    [
        pytest.param(BENCHMARKS, MIX, 4, [3, 5, 6], id="preselected ones count to the hand-over"),
        pytest.param(BENCHMARKS, MIX, 0, [3, 5], id="handed over before the first draw"),
        # x is all the mix and has 3 rows: from the fifth row on the draw is uniform again.
        pytest.param(SCALED_AWAY, {"x": 2}, 1, [2, 3, 4, 5], id="a domain at 0; a mix that ends"),
    ],
)
def test_the_notebooks_form_gives_every_set_its_exact_probability(rows, mix, hand_over, sizes):
    stage = get("keep_s1")(
        n=3,
        length_from="tokens",
        form="notebook",
        preselect=[{"right": "right"}],
        mix={"hand_over": hand_over, "as_counted": ["a"], "scaled": ["g"]},
    )
    drawn = list(orders(stage, rows))
    for n in sizes:
        samples = Counter(frozenset(order[:n]) for order in drawn)
        expected = exact(rows, n, weigh=halving, hand_over=hand_over, mix=mix)
        assert p_value(samples, expected) > SMALLEST_P, n


def test_keep_diverse_draws_domains_uniformly_then_rows_uniformly():
    def level(_):
        return Fraction(1)

    drawn = list(orders(get("keep_diverse")(n=3), SKEWED))
    for n in (1, 3):
        samples = Counter(frozenset(order[:n]) for order in drawn)
        assert p_value(samples, exact(SKEWED, n, weigh=level)) > SMALLEST_P, n


def test_keep_random_gives_every_set_of_rows_the_same_probability():
    one_domain = [(name, "d", length, False) for name, _, length, _ in SKEWED]
    drawn = list(orders(get("keep_random")(n=3), one_domain))
    samples = Counter(frozenset(order[:3]) for order in drawn)
    expected = exact(one_domain, 3, weigh=lambda _: Fraction(1))
    assert len(expected) == 35
    assert p_value(samples, expected) > SMALLEST_P

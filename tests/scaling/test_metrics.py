"""Control, Scaling and Performance: the paper's Table 3 out of its appendix tables, and more."""

from math import floor

import pytest

from s1data.errors import PoolError
from s1data.scaling import Run, control, linear_scaling, performance, scaling
from s1data.scaling.metrics import difference, interval

LIMITS = (1024, 2048, 4096, 8192, 16384)
STEPS = tuple(100 * steps for steps in (16, 32, 64, 128, 256))


def runs(tokens, accuracy, most):
    return [
        Run(tokens=t, accuracy=a, most=m) for t, a, m in zip(tokens, accuracy, most, strict=True)
    ]


# arXiv:2501.19393v2, appendix D.1, Tables 11 to 13, AIME24; v3 numbers them 12 to 14.
TCC = runs((7939, 7158, 8263, 7108, 7500), (26.7, 30.0, 33.3, 33.3, 40.0), LIMITS)
TCC_BF = runs((1024, 2048, 4031, 5664, 6330), (3.3, 30.0, 33.3, 33.3, 40.0), LIMITS)
SCC = runs((7252, 6277, 5396, 5552, 7551), (33.3, 23.3, 33.3, 36.7, 33.3), STEPS)
SCC_BF = runs((1517, 2963, 4636, 5409, 7551), (23.3, 23.3, 33.3, 36.7, 33.3), STEPS)
# A short and a long prompt; the default thinks for 6,109 tokens.
CCC = [
    Run(tokens=8033, accuracy=30.0, most=6109),
    Run(tokens=9651, accuracy=36.7, least=6109),
]


@pytest.mark.parametrize(
    ("method", "controlled", "printed", "best"),
    [
        pytest.param(TCC, 40, -24, 40.0, id="TCC"),
        pytest.param(TCC_BF, 100, 13, 40.0, id="TCC+BF"),
        pytest.param(SCC, 60, 3, 36.7, id="SCC"),
        pytest.param(SCC_BF, 100, 6, 36.7, id="SCC+BF"),
        pytest.param(CCC, 50, 25, 36.7, id="CCC"),
    ],
)
def test_the_appendix_tables_give_the_papers_table_3(method, controlled, printed, best):
    assert control(method) == controlled
    assert floor(scaling(method)) == printed  # -23.4 is printed as -24
    assert performance(method) == best


def test_minus_24_is_within_the_rounding_of_the_printed_token_counts():
    # Two of its runs are 50 tokens apart, so that half a token moves the mean slope by a third.
    moved = [Run(tokens=t - 0.5 * (t == 7158), accuracy=r.accuracy) for r in TCC if (t := r.tokens)]
    assert round(scaling(TCC)) == -23
    assert round(scaling(moved)) == -24


def test_the_equation_as_it_reads_gives_other_figures_than_the_table():
    two = [Run(tokens=1000, accuracy=40), Run(tokens=4000, accuracy=50)]
    assert scaling(two) == pytest.approx(5)
    assert linear_scaling(two) == pytest.approx(10 / 3)
    assert round(linear_scaling(TCC_BF)) == 7


def test_order_does_not_matter_and_equal_runs_have_no_slope_between_them():
    assert scaling(TCC[::-1]) == scaling(TCC)
    assert scaling([*CCC, CCC[0]]) == pytest.approx(scaling(CCC))
    with pytest.raises(PoolError, match="the same in all"):
        scaling([CCC[0], CCC[0]])
    with pytest.raises(PoolError, match="wanted 2 runs"):
        scaling(CCC[:1])
    with pytest.raises(PoolError, match="0 thinking tokens"):
        scaling([Run(tokens=0, accuracy=1), *CCC])


def test_two_budgets_that_cannot_be_told_apart_at_n_30_are_said_to_be_so():
    # 15 and 17 of 30 right, as 50% and 57% on AIME24.
    first = {str(i): float(i < 15) for i in range(30)}
    second = {str(i): float(2 <= i < 19) for i in range(30)}
    near = difference(first, second)
    assert near.points == pytest.approx(100 * 2 / 30)
    assert not near.told_apart
    assert "n = 30: the two cannot be told apart" in str(near)
    far = difference(dict.fromkeys(first, 0.0), second)
    assert far.told_apart
    assert "told apart" not in str(far)


def test_an_interval_holds_the_mean_and_narrows_with_more_questions():
    low, high = interval([1.0] * 15 + [0.0] * 15)
    assert low < 50 < high
    few = high - low
    low, high = interval([1.0] * 150 + [0.0] * 150)
    assert high - low == pytest.approx(few / 10**0.5, rel=0.15)
    assert interval([1.0] * 5) == (100, 100)

"""A column of lists is the one that polars makes of the same values, a row at a time."""

import polars as pl
import pytest

from s1data import pool
from s1data.stages.lists import list_column

TRACE = {field.name: None for field in pool.COLUMNS["traces"].inner.fields} | {"teacher": "big"}


@pytest.mark.parametrize(
    "lists",
    [
        pytest.param([], id="no rows"),
        pytest.param([[]], id="a row without any"),
        pytest.param([None], id="a row that is null"),
        pytest.param([[TRACE], [TRACE | {"teacher": "é"}]], id="one each"),
        pytest.param([[], [TRACE, TRACE | {"sample": 1}], None, [TRACE], []], id="a mixture"),
    ],
)
def test_a_list_column_is_what_polars_makes_of_the_values(lists):
    schema = {"traces": pool.COLUMNS["traces"]}
    made, wanted = list_column("traces", lists), pl.DataFrame({"traces": lists}, schema=schema)
    assert made.schema == wanted.schema
    assert made.to_dicts() == wanted.to_dicts()

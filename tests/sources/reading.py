"""What the tests of sources share: opening one, and the law that no line is lost."""

from s1data.sources import Source, open_source


def source(bound=None, base=None, **fields):
    args = [] if base is None else [base]
    return open_source(Source(name="src", **fields), bound, *args)


def read(bound, limit=None, **fields):
    """Rows and dropped lines; each place from 0 must be in one of them, and only once."""
    got = source(bound, **fields).read(limit)
    places = sorted(got.rows["position"].to_list() + got.dropped["position"].to_list())
    assert places == list(range(len(places)))
    return got


def reasons(got):
    return dict(got.dropped.select("position", "reason").iter_rows())

"""Filters and selectors run again from what was published of their columns, and nothing else.

`building` writes, per row that was read, the columns that filters and selectors read as they stood
then; `rerunning` decides anew from them and holds the outcome against the ledger.
"""

from s1data.replay.building import Layout, Lines, build
from s1data.replay.rerunning import Difference, Rerun, rerun

__all__ = ["Difference", "Layout", "Lines", "Rerun", "build", "rerun"]

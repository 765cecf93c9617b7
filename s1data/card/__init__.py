"""The dataset card of a published set: made from its manifest, kept apart from a user's edits."""

from s1data.card.facts import Facts
from s1data.card.merging import Merged, fresh, merge
from s1data.card.metadata import ours
from s1data.card.sections import sections

__all__ = ["Facts", "Merged", "fresh", "merge", "ours", "sections"]

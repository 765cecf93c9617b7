"""Licences that are not open need a word from whoever publishes, one that fits."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from s1data.errors import RecipeError, nearest
from s1data.licences import Concern


def refuse_unaccepted(concerns: Sequence[Concern], accepted: Collection[str]) -> list[str]:
    """Notes on what was accepted; RecipeError for what was not, and for a word that fits none."""
    there = {_word(name) for c in concerns for name in (c.name, c.kind)}
    if strange := [word for word in accepted if _word(word) not in there]:
        names = sorted({name for c in concerns for name in (c.name, c.kind)})
        wanted = f"wanted one of: {'; '.join(map(_quoted, names))}{nearest(strange[0], names)}"
        empty = "every licence of the set is open; leave it out"
        raise RecipeError(f"--accept-licence {strange[0]}: {wanted if names else empty}")
    taken = {_word(word) for word in accepted}
    left = [c for c in concerns if not {_word(c.name), _word(c.kind)} & taken]
    if left:
        lines = [
            f"licence {c.name} ({c.rows:,} rows of {', '.join(c.sources)}): {c.why}; to publish "
            f"them all the same: --accept-licence {_quoted(c.name)}"
            for c in left
        ]
        raise RecipeError("\n".join(lines))
    return [f"licence {c.name}, {c.rows:,} rows: published as you decided" for c in concerns]


def _word(name: str) -> str:
    """A name as it is compared: non-commercial and non_commercial are one."""
    return name.strip().lower().replace("_", "-")


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"

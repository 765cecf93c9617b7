"""A model written in one word: ``gemini:gemini-2.5-flash``, ``openai_compatible:NAME@URL,URL``."""

from __future__ import annotations

import re
from typing import Final, Literal

from s1data.errors import RecipeError

FORM: Final = "gemini:MODEL or openai_compatible:MODEL[@URL,URL]"
_NAMED: Final = re.compile(r"(\w+):(.+?)(?:@(https?://.+))?")

_ADDRESS: Final = re.compile(r"(\w+://.*|localhost.*|[\w.-]+:\d+.*|\d+(\.\d+){3}.*|)")
"""What looks like an address though it begins as none."""

Provider = Literal["gemini", "openai_compatible"]


def named(text: str) -> tuple[Provider, str, tuple[str, ...]]:
    """Provider, the server's name for the model, and the base URLs; RecipeError for another form.

    What stands behind the last ``@`` is an address only if it begins as one; a name may have any.
    """
    match = _NAMED.fullmatch(text.strip())
    provider = match[1] if match else ""
    if match is None or provider not in {"gemini", "openai_compatible"}:
        raise RecipeError(f"model {text!r}: wanted {FORM}")
    behind = match[2].rpartition("@")[2] if "@" in match[2] else None
    if behind is not None and _ADDRESS.fullmatch(behind):
        raise RecipeError(
            f"model {text!r}: wanted an address that begins with http:// or https://, "
            f"got {behind!r}"
        )
    urls = tuple(url.strip() for url in (match[3] or "").split(",") if url.strip())
    return ("gemini" if provider == "gemini" else "openai_compatible"), match[2], urls

"""A model written in one word: ``gemini:gemini-2.5-flash``, ``openai_compatible:NAME@URL,URL``."""

from __future__ import annotations

import re
from typing import Final, Literal

from s1data.errors import RecipeError

FORM: Final = "gemini:MODEL or openai_compatible:MODEL[@URL,URL]"
_NAMED: Final = re.compile(r"(\w+):(.+?)(?:@(https?://.+))?")

Provider = Literal["gemini", "openai_compatible"]


def named(text: str) -> tuple[Provider, str, tuple[str, ...]]:
    """Provider, the server's name for the model, and the base URLs; RecipeError for another form.

    What stands behind the last ``@`` is an address only if it begins as one; a name may have any.
    """
    match = _NAMED.fullmatch(text.strip())
    provider = match[1] if match else ""
    if match is None or provider not in {"gemini", "openai_compatible"}:
        raise RecipeError(f"model {text!r}: wanted {FORM}")
    urls = tuple(url.strip() for url in (match[3] or "").split(",") if url.strip())
    return ("gemini" if provider == "gemini" else "openai_compatible"), match[2], urls

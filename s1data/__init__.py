"""From a large pool of questions to a small reasoning set, every row accounted for.

The names below are the library; each is loaded when first used, so that importing s1data costs
next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s1data.acting import Outcome, apply
    from s1data.errors import PoolError, RecipeError, RunError, S1DataError, StageError
    from s1data.recipe import Pipeline
    from s1data.run import Run
    from s1data.sources.spec import Input, Source
    from s1data.stage import (
        Enricher,
        Evidence,
        Filter,
        GlobalEnricher,
        GlobalFilter,
        Selector,
    )

__version__ = "0.1.0"

_HOMES = {
    "Pipeline": "recipe",
    "Run": "run",
    "Source": "sources.spec",
    "Input": "sources.spec",
    "apply": "acting",
    "Outcome": "acting",
    "Enricher": "stage",
    "Filter": "stage",
    "Evidence": "stage",
    "GlobalEnricher": "stage",
    "GlobalFilter": "stage",
    "Selector": "stage",
    "S1DataError": "errors",
    "RecipeError": "errors",
    "PoolError": "errors",
    "StageError": "errors",
    "RunError": "errors",
}

__all__ = [
    "Enricher",
    "Evidence",
    "Filter",
    "GlobalEnricher",
    "GlobalFilter",
    "Input",
    "Outcome",
    "Pipeline",
    "PoolError",
    "RecipeError",
    "Run",
    "RunError",
    "S1DataError",
    "Selector",
    "Source",
    "StageError",
    "__version__",
    "apply",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names' own types are declared above
    if name in _HOMES:
        return getattr(import_module(f"s1data.{_HOMES[name]}"), name)
    msg = f"module 's1data' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__

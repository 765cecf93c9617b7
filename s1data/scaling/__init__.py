"""Test-time scaling: budgets forced on a model that thinks, and what came of them in numbers.

`force` is the loop of budget forcing (s1 paper, section 3.1) over any `Engine`; `metrics` has
Control, Scaling and Performance (section 3.2). Nothing here serves or trains a model.
"""

from __future__ import annotations

from s1data.scaling.forcing import Budget, Call, Engine, Forced, Generated, Piece, force
from s1data.scaling.marks import MARKS, Marks
from s1data.scaling.metrics import Run, control, linear_scaling, performance, scaling

__all__ = [
    "MARKS",
    "Budget",
    "Call",
    "Engine",
    "Forced",
    "Generated",
    "Marks",
    "Piece",
    "Run",
    "control",
    "force",
    "linear_scaling",
    "performance",
    "scaling",
]

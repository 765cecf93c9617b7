"""What was paid for: the replies of models, and the money that they cost.

`ReplyStore` keeps every settled reply by the key of its request, shared by all runs and processes;
`Spending` journals what a run reserves and spends. Both are durable when a call returns.
"""

from __future__ import annotations

from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending

__all__ = ["ReplyStore", "Spending"]

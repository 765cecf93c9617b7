"""Token lengths of what was exported, and how much of it a block size cuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

EDGES: Final = (512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768)
BAR: Final = 40


@dataclass(frozen=True)
class Lengths:
    """Lengths in tokens, counted by ``by``."""

    values: Sequence[int]
    by: str

    def cut(self, block_size: int) -> float:
        """Share of samples that are longer than a block."""
        return sum(v > block_size for v in self.values) / max(len(self.values), 1)

    def histogram(self) -> list[tuple[str, int]]:
        """Ranges of tokens and how many samples are in each; empty ends are left out."""
        edges = (0, *EDGES)
        bins = [
            (f"{low + 1:,} to {high:,}", sum(low < v <= high for v in self.values))
            for low, high in zip(edges, EDGES, strict=False)
        ]
        bins.append((f"over {EDGES[-1]:,}", sum(v > EDGES[-1] for v in self.values)))
        filled = [i for i, (_, n) in enumerate(bins) if n]
        return bins[filled[0] : filled[-1] + 1] if filled else []

    def lines(self, block_size: int | None) -> Iterator[str]:
        """For a terminal."""
        yield f"tokens by {self.by}:"
        bins = self.histogram()
        most = max((n for _, n in bins), default=1)
        for name, n in bins:
            yield f"{name:>18}  {n:>7,}  {'#' * round(BAR * n / most)}"
        blocks = [block_size] if block_size else [b for b in EDGES if b >= 4_096]
        for block in blocks:
            yield f"cut at a block size of {block:,}: {self.cut(block):.1%}"

    def as_dict(self, block_size: int | None) -> dict[str, Any]:
        """Plain values, for JSON."""
        blocks = [block_size] if block_size else [b for b in EDGES if b >= 4_096]
        return {
            "by": self.by,
            "samples": len(self.values),
            "most": max(self.values, default=0),
            "histogram": dict(self.histogram()),
            "cut": {str(b): self.cut(b) for b in blocks},
        }

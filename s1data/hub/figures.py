"""The pictures of a published set: the funnel by hand, the others as the report draws them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from s1data import digest
from s1data.card import figure
from s1data.run import Run


def write(run: Run, folder: Path) -> list[str]:
    """Writes ``figures/NAME.svg`` under ``folder``, the same bytes each time; returns the names."""
    (folder / "figures").mkdir(exist_ok=True)
    drawn = {"funnel": figure.funnel(run.manifest).encode(), **_others(_Drawn(run.path))}
    for name, data in drawn.items():
        (folder / "figures" / f"{name}.svg").write_bytes(data)
    return [f"figures/{name}.svg" for name in sorted(drawn)]


class _Drawn:
    """A run that equals another of the same manifest, so that a second push draws nothing anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sha256 = digest.of_file(path / "manifest.json")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Drawn) and self._sha256 == other._sha256

    def __hash__(self) -> int:
        return hash(self._sha256)


@lru_cache(maxsize=4)
def _others(drawn: _Drawn) -> dict[str, bytes]:
    from s1data.report import charts, facts, pictures

    # A run of its own, since the cache would keep the frames of the one that was given.
    made = pictures.draw(facts.read(Run.open(drawn.path)))
    return {name: charts.svg(figure, name) for name, figure in made if name != "funnel"}

"""The recipes that come with s1data, by name.

They stand in ``pipelines/`` at the top of the repository and are shipped inside the package, as
``s1data/pipelines/``. An installed wheel has the second folder, a checkout the first.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def published() -> dict[str, Path]:
    """Name to file of every published recipe, in alphabetical order."""
    shipped = _PACKAGE / "pipelines"
    folder = shipped if shipped.is_dir() else _PACKAGE.parent / "pipelines"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}

"""What a folder of samples was made with, so that nothing else is put among them.

``settings.json`` is written before the first question is asked. The same call goes on, and so does
one with more budgets or more rows; another file, model, prompt or grader wants another folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError
from s1data.scaling.curves import whole

FORMAT: Final = 1
FILE: Final = "settings.json"


def hold(out: Path, frame: pl.DataFrame, settings: Mapping[str, Any]) -> None:
    """Writes the settings of a new folder; PoolError where ``out`` was made with others.

    ``settings`` are plain values. Rows may be added, but none changed or left out.
    """
    told = json.loads(json.dumps(settings))
    rows = digests(frame)
    known = read(out / FILE)
    if known is None:
        if any((out / "samples").glob("*.parquet")):
            raise _other(out, f"holds samples without {FILE}, which says how they were made")
    else:
        _check(out, known, told, rows)
    value = {"format": FORMAT, "settings": told, "rows": rows}
    if value != known:
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        whole(out / FILE, lambda path: path.write_text(text, "utf-8"))


def digests(frame: pl.DataFrame) -> dict[str, str]:
    """By id, what tells one question and answer from another."""
    return {id_: _digest(question, answer) for id_, question, answer in frame.iter_rows()}


def _check(
    out: Path, known: Mapping[str, Any], told: Mapping[str, Any], rows: Mapping[str, str]
) -> None:
    before = known["settings"]
    for name in dict.fromkeys((*before, *told)):
        if before.get(name) != told.get(name):
            raise _other(
                out,
                f"holds samples with {name} {_shown(before.get(name))}, this call has "
                f"{_shown(told.get(name))}",
            )
    gone = [id_ for id_ in known["rows"] if id_ not in rows]
    changed = [id_ for id_, digest in known["rows"].items() if rows.get(id_, digest) != digest]
    if changed:
        raise _other(out, f"holds samples of another question or answer with the id {changed[0]}")
    if gone:
        raise _other(
            out,
            f"holds samples of {len(known['rows']):,} questions, of which {len(gone):,} are not in "
            f"this call (the first is {gone[0]})",
        )


def _other(out: Path, what: str) -> PoolError:
    return PoolError(f"{out}: {what}; name another --out (what was asked before is not paid again)")


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:60]} …"


def _digest(question: str, answer: str) -> str:
    return sha256(json.dumps([question, answer]).encode()).hexdigest()[:16]


def read(file: Path) -> dict[str, Any] | None:
    """What the file says; None where there is none, PoolError where it cannot be read."""
    if not file.is_file():
        return None
    try:
        told = json.loads(file.read_text("utf-8"))
        sound = isinstance(told["settings"], dict) and isinstance(told["rows"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise _other(file.parent, f"its {FILE} cannot be read")
    return dict(told)

"""The metadata block of a card: what we say in it, and what is kept of a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from s1data import licences
from s1data.card.text import metadata as one_line

_SIZES: Final = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)  # fmt: skip


def ours(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that this version writes, from a published manifest."""
    rows = manifest["selected"]["rows"]
    size = next((name for most, name in _SIZES if rows < most), "10M<n<100M")
    configs = [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{folder}/train-*"}]}
        for name, folder in manifest["published"]["configs"].items()
    ]
    configs[0]["default"] = True
    return {
        "pretty_name": one_line(manifest["title"]),
        **_licence(manifest["selected"]["licences"]),
        "size_categories": [size],
        "tags": ["reasoning", "s1data"],
        "configs": configs,
    }


def _licence(stated: Mapping[str, int]) -> dict[str, Any]:
    read = [licences.read(None if s == "unknown" else s) for s in stated]
    names = sorted({name for licence in read for name in licence.names})
    if read and all(len(licence.names) > 0 and licence.kind != "conflicting" for licence in read):
        return {"license": names[0] if len(names) == 1 else names}
    name = one_line(read[0].stated, 60) if len(read) == 1 else "mixed; see the section on licences"
    return {"license": "other", "license_name": name, "license_link": "README.md#licences"}


def merged(
    new: Mapping[str, Any], old: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The block for a repository whose card has ``old``, ``before`` being what we wrote last.

    A value that is not the one we wrote is the user's and stays, but for our own configs; configs
    and splits of others stay.
    """
    out = dict(old)
    for key, value in new.items():
        if key == "configs":
            out[key] = _configs(value, old.get(key) or [])
        elif key == "tags":
            theirs = [t for t in old.get(key) or [] if t not in (before.get(key) or [])]
            out[key] = list(dict.fromkeys([*value, *theirs]))
        elif key not in old or old[key] == before.get(key):
            out[key] = value
    for key in before:
        if key not in new and old.get(key) == before[key]:
            out.pop(key, None)
    return out


def _configs(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    mine = {config["config_name"]: config for config in new}
    theirs = {c["config_name"]: c for c in old if isinstance(c, dict) and "config_name" in c}
    out = []
    for name, config in mine.items():
        splits = theirs.get(name, {}).get("data_files")
        kept = (
            [s for s in splits if isinstance(s, dict) and s.get("split") != "train"]
            if isinstance(splits, list)
            else []
        )
        out.append({**config, "data_files": [*config["data_files"], *kept]})
    others = [c for name, c in theirs.items() if name not in mine]
    if any(c.get("default") for c in others):
        # There is one default: theirs was there first.
        out = [{k: v for k, v in c.items() if k != "default"} for c in out]
    return [*out, *others]

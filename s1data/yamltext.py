"""YAML text to plain values and the place of each, for messages that say file:line:column.

YAML 1.2 core types only (``yes`` is text, ``0o10`` is eight, a date is text). Duplicate keys,
anchors, aliases, tags and a second document are refused: a recipe is data that reads the same
everywhere. ruamel.yaml scans; the values are built here from its events.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from s1data.errors import RecipeError

Path = tuple[str | int, ...]
DEEPEST: Final = 40

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_YAML_1_1 = re.compile(r"(?i:y|n|yes|no|on|off)|[0-9][0-9_:.-]*")
_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


@dataclass(frozen=True)
class Document:
    """A parsed text: its plain value, and line:column (from 1) of every path in it."""

    value: Any
    name: str
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def at(self, path: Path) -> str:
        """``name:line:column`` of a path, or of its nearest ancestor that stands in the text."""
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return f"{self.name}:{line}:{column}"


def parse(text: str, name: str) -> Document:
    """Parses one YAML document; `RecipeError` with the place if it is not plain YAML 1.2."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    document = Document(value=None, name=name)
    try:
        events = YAML(typ="safe", pure=True).parse(io.StringIO(text))
        value = _Builder(document, iter(events)).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise RecipeError(f"{where}: not valid YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise RecipeError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from None
    return Document(value=value, name=name, places=document.places)


def scalar(text: str) -> Any:  # noqa: ANN401 - any core type
    """The value of a plain scalar by the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Builder:
    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self._document = document
        self._events = events

    def document(self) -> Any:  # noqa: ANN401
        from ruamel.yaml import events as kinds

        value: Any = None
        seen = 0
        for event in self._events:
            if isinstance(event, kinds.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    self._refuse(event, "a second document", "one document")
            elif not isinstance(
                event, kinds.StreamStartEvent | kinds.StreamEndEvent | kinds.DocumentEndEvent
            ):
                value = self._value(event, ())
        return value

    def _refuse(self, event: Any, got: str, wanted: str) -> None:  # noqa: ANN401
        mark = event.start_mark
        where = f"{self._document.name}:{mark.line + 1}:{mark.column + 1}"
        raise RecipeError(f"{where}: wanted {wanted}, got {got}")

    def _value(self, event: Any, path: Path) -> Any:  # noqa: ANN401
        from ruamel.yaml import events as kinds

        mark = event.start_mark
        self._document.places.setdefault(path, (mark.line + 1, mark.column + 1))
        if isinstance(event, kinds.AliasEvent) or event.anchor is not None:
            self._refuse(event, f"the anchor or alias {event.anchor!r}", "the value written out")
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag}", "a plain value")
        if len(path) > DEEPEST:
            self._refuse(event, "deeper nesting", f"at most {DEEPEST} levels")
        if isinstance(event, kinds.ScalarEvent):
            return scalar(event.value) if event.style is None else event.value
        if isinstance(event, kinds.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Path) -> list[Any]:
        from ruamel.yaml.events import SequenceEndEvent

        values: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        from ruamel.yaml.events import MappingEndEvent, ScalarEvent

        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent) or event.anchor or event.tag:
                self._refuse(event, "a key that is no plain text", "plain text as key")
            key = str(event.value)
            if key in values:
                self._refuse(event, f"the key {key!r} a second time", "every key once")
            mark = event.start_mark
            self._document.places[*path, key] = (mark.line + 1, mark.column + 1)
            values[key] = self._value(next(self._events), (*path, key))
        return values


def dump(value: Any) -> str:  # noqa: ANN401
    """Canonical YAML of plain values: block style, keys in the order given, one form per value."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import SafeRepresenter

    class Representer(SafeRepresenter):
        """Quotes what older readers of YAML 1.1 would take for something else than text."""

        def represent_str(self, data: str) -> Any:  # noqa: ANN401
            ambiguous = _YAML_1_1.fullmatch(data) or not isinstance(scalar(data), str)
            style = '"' if ambiguous or not data.isprintable() else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Representer.add_representer(str, Representer.represent_str)
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = Representer
    # ruamel declares the second by its first value, None.
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 1_000_000
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()

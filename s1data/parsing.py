"""From a parsed document to recipe objects, gathering every problem with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from s1data import stages, yamltext
from s1data.edits import Edit
from s1data.errors import RecipeError, nearest
from s1data.frozen import Frozen
from s1data.models import ModelSpec
from s1data.recipe import Head, Pipeline, misfits
from s1data.sources.spec import Input, Source
from s1data.stage import Stage

PARTS: Final[dict[str, type[Frozen]]] = {
    "sources": Source,
    "inputs": Input,
    "models": ModelSpec,
    "edits": Edit,
}
"""What a recipe has lists or mappings of, beside stages."""


class _Problems(list[str]):
    def __init__(self, document: yamltext.Document) -> None:
        super().__init__()
        self.document = document

    def add(self, path: yamltext.Path, text: str) -> None:
        self.append(f"{self.document.at(path)}: {text}")

    def add_validation(
        self, error: ValidationError, path: yamltext.Path, who: str, model: type[Frozen]
    ) -> None:
        """One line for each place that is wrong, however many readings of it were tried."""
        by_place: dict[yamltext.Path, list[Any]] = {}
        for detail in error.errors(include_url=False, include_context=True):
            by_place.setdefault(self._field(path, detail, model), []).append(detail)
        for inner, details in by_place.items():
            wanted = list(dict.fromkeys(said(d, inner, model) for d in details))
            self.add((*path, *inner), who + _either(wanted))

    def _field(self, path: yamltext.Path, detail: Any, model: type[Frozen]) -> yamltext.Path:  # noqa: ANN401
        # Beside fields and indices a location names the branch of a union or the place in sorted
        # pairs; those are ours, not the reader's. What stands in the text is the reader's.
        kept: yamltext.Path = ()
        left = list(detail["loc"])
        while left:
            part = left.pop(0)
            here = _at(self.document.value, (*path, *kept))
            if isinstance(part, int) and isinstance(here, dict) and left[:1] in ([0], [1]):
                names = sorted(here, key=str)
                part = names[part] if part < len(names) else part
                left.pop(0)
            mine = not kept and part in _names(model)
            if mine or (*path, *kept, part) in self.document.places:
                kept = (*kept, part)
            elif isinstance(here, dict) and left[1:2] in ([0], [1]):
                break  # a mapping that the reader need not write: its places are none of the text's
        return kept or tuple(p for p in detail["loc"][:1] if not str(p).startswith("function-"))


def _at(value: object, path: yamltext.Path) -> object:
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) else None
    return value


def _names(model: type[Frozen]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _either(texts: Sequence[str]) -> str:
    """``"field n: wanted a or b, got c"`` of several that differ in what is wanted."""
    parts = [re.fullmatch(r"(field .*?: wanted )(.*)(, got .*)", text, re.DOTALL) for text in texts]
    same = {(p[1], p[3]) for p in parts if p is not None}
    if len(texts) > 1 and None not in parts and len(same) == 1:
        ((head, tail),) = same
        return f"{head}{' or '.join(p[2] for p in parts if p is not None)}{tail}"
    return texts[0]


def build(document: yamltext.Document) -> Pipeline:
    """A pipeline from a document; RecipeError with one line per problem."""
    problems = _Problems(document)
    value = document.value
    if not isinstance(value, dict):
        wanted = "a mapping with name, version, sources and stages"
        raise RecipeError(f"{document.at(())}: wanted {wanted}, got {_kind(value)}")
    parts = _parts(value, problems)
    try:
        if not problems:
            return Pipeline.model_validate(parts)
    except ValidationError as error:
        problems.add_validation(error, (), "", Pipeline)
    raise RecipeError("\n".join(problems))


def _parts(value: dict[str, Any], problems: _Problems) -> dict[str, Any]:
    """Sources, inputs and stages as objects, the rest as it stands; every problem noted."""
    parts = {k: v for k, v in value.items() if k in Pipeline.model_fields}
    for key in value.keys() - parts.keys():
        problems.add((key,), f"unknown key {key!r}{nearest(key, Pipeline.model_fields)}")
    for key, model in PARTS.items():
        if key in parts:
            parts[key] = _models(parts[key], model, key, problems)
    places_are_sound = not problems
    if "stages" in parts:
        parts["stages"] = _stages(parts["stages"], problems)
    published: Any = ()
    try:
        head = Head.model_validate({k: v for k, v in parts.items() if k in Head.model_fields})
        published = head.expected
    except ValidationError as error:
        problems.add_validation(error, (), "", Head)
    if places_are_sound:
        # With unsound sources or inputs every name would seem to be missing.
        empty: dict[str, Any] = {
            "inputs": {},
            "models": {},
            "sources": (),
            "stages": (),
            "edits": (),
        }
        draft = Pipeline.model_construct(**(empty | parts | {"expected": published}))
        for path, text in misfits(draft):
            problems.add(path, text)
    return parts


def _models(value: Any, model: type[Frozen], key: str, problems: _Problems) -> Any:  # noqa: ANN401
    wanted = list if key in ("sources", "edits") else dict
    if not isinstance(value, wanted):
        problems.add((key,), f"{key}: wanted {_kind(wanted())}, got {_kind(value)}")
        return value
    items = enumerate(value) if isinstance(value, list) else value.items()
    made: dict[Any, Any] = {}
    for place, fields in items:
        try:
            made[place] = model.model_validate({} if fields is None else fields)
        except ValidationError as error:
            named = "id" if model is Edit else "name"
            name = fields.get(named, place) if isinstance(fields, dict) else place
            problems.add_validation(error, (key, place), f"{key[:-1]} {name}: ", model)
    return tuple(made.values()) if isinstance(value, list) else made


def _stages(value: Any, problems: _Problems) -> tuple[Stage, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        problems.add(("stages",), f"stages: wanted a list of stages, got {_kind(value)}")
        return ()
    made = []
    for i, item in enumerate(value):
        path: yamltext.Path = ("stages", i)
        fields: Any = {item: None} if isinstance(item, str) else item
        if not isinstance(fields, dict) or len(fields) != 1:
            got = _kind(item) if not isinstance(item, dict) else f"{len(item)} keys"
            problems.add(path, f"stages: wanted one `stage_name: {{fields}}`, got {got}")
            continue
        ((name, settings),) = fields.items()
        stage = _stage(name, settings, (*path, name), problems)
        if stage is not None:
            made.append(stage)
    return tuple(made)


def _stage(name: str, settings: Any, path: yamltext.Path, problems: _Problems) -> Stage | None:  # noqa: ANN401
    try:
        kind = stages.get(name)
    except KeyError:
        known = stages.names()
        hint = nearest(name, known) or "; `s1data stages` lists them"
        problems.add(path, f"unknown stage {name!r}{hint}")
        return None
    if settings is not None and not isinstance(settings, dict):
        problems.add(path, f"stage {name}: wanted its fields as a mapping, got {_kind(settings)}")
        return None
    label = settings.get("as", name) if settings else name
    try:
        return kind.model_validate(settings or {})
    except ValidationError as error:
        problems.add_validation(error, path, f"stage {label}: ", kind)
        return None


_WANTED: Final = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "text, at least {min_length} characters",
    "string_too_long": "text, at most {max_length} characters",
    "model_attributes_type": "a mapping of fields",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping of fields",
    "missing": "a value, since it has no default",
    "greater_than": "a number over {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number under {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "string_pattern_mismatch": "text like {pattern}",
    "finite_number": "a finite number",
    "none_required": "nothing",
}


def said(detail: Any, inner: Sequence[Any], model: type[Frozen]) -> str:  # noqa: ANN401
    """One pydantic error as field, wanted, got, nearest."""
    field = ".".join(str(p) for p in inner)
    context = {k: v for k, v in (detail.get("ctx") or {}).items() if k != "error"}
    if detail["type"] == "extra_forbidden":
        known = [f.alias or n for n, f in model.model_fields.items()] if len(inner) == 1 else []
        hint = nearest(str(inner[-1]), known)
        listed = f"; it has {', '.join(k for k in known if k != 'as')}" if known else ""
        return f"unknown field {field!r}{hint or listed}"
    if detail["type"] in ("value_error", "assertion_error"):
        text = detail["msg"].partition(", ")[2]
        return f"field {field}: {text}" if field else text
    kind = detail["type"]
    if kind == "tuple_type" and _is_mapping(model, field):
        kind = "dict_type"
    wanted = _WANTED.get(kind, detail["msg"].removeprefix("Input should be "))
    got = "nothing" if detail["type"] == "missing" else _short(detail["input"])
    text = f"field {field}: wanted {wanted.format(**context)}, got {got}"
    if kind == "string_type" and isinstance(detail["input"], int | float):
        text += ", which YAML reads as no text; put it in quotes"
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        text += nearest(detail["input"], re.findall(r"'([^']*)'", str(context["expected"])))
    return text


def _is_mapping(model: type[Frozen], field: str) -> bool:
    schema = model.model_json_schema(by_alias=True)["properties"].get(
        field.split(".", maxsplit=1)[0], {}
    )
    return "object" in schema.get("type", ())


def _short(value: object) -> str:
    if value is None or isinstance(value, list | tuple | dict):
        return _kind(value)
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, dict) else _short(value)

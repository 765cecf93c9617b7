"""The stages as a reader meets them: what each does, its fields, reasons, columns, an example."""

from __future__ import annotations

import inspect
from typing import Any

from s1data import digest, stages, yamltext
from s1data.errors import RecipeError, nearest
from s1data.stage import Asker, Enricher, Filter, GlobalEnricher, GlobalFilter, Selector, Stage


def every() -> list[dict[str, Any]]:
    """Name, kind and first line of every stage."""
    return [
        {"name": name, "kind": stages.kind_of(kind).__name__, "does": _first_line(kind)}
        for name in stages.names()
        for kind in [stages.get(name)]
    ]


def one(name: str) -> dict[str, Any]:
    """All there is to know of one stage; RecipeError if there is none by that name."""
    try:
        kind = stages.get(name)
    except KeyError:
        known = stages.names()
        hint = nearest(name, known) or "; `s1data stages` lists them"
        raise RecipeError(f"unknown stage {name!r}{hint}") from None
    about: dict[str, Any] = {
        "name": name,
        "kind": stages.kind_of(kind).__name__,
        "does": inspect.cleandoc(kind.__doc__ or ""),
        "reads": list(kind.model_validate(dict(kind.example)).reads()),
        "fields": _fields(kind),
        "example": {name: dict(kind.example)},
    }
    if issubclass(kind, Filter | GlobalFilter | Selector):
        about["reasons"] = dict(kind.reasons)
    if issubclass(kind, Enricher | GlobalEnricher | Asker):
        about["adds"] = list(kind.model_validate(dict(kind.example)).adds())
    return about


def _first_line(kind: type[Stage]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").split("\n", 1)[0]


def _fields(kind: type[Stage]) -> list[dict[str, Any]]:
    schema = kind.model_json_schema(by_alias=True)
    fields = []
    for name, field in schema["properties"].items():
        if name == "as":
            continue
        required = name in schema.get("required", ())
        default = {} if required else {"default": field.get("default")}
        about = field.get("description", "")
        fields.append({"field": name, "type": _type(field), **default, "about": about})
    return fields


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(str(v) for v in field["enum"])
    if "const" in field:
        return str(field["const"])
    if "anyOf" in field:
        return " | ".join(_type(f) for f in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[1])
    own = field.get("type", "any")
    own = own if isinstance(own, str) else " or ".join(own)
    return {"null": "nothing", "array": "list", "object": "mapping", "string": "text"}.get(own, own)


def as_text(lines: list[dict[str, Any]]) -> str:
    """The list for a terminal."""
    return "\n".join(f"{s['name']:<24} {s['kind']:<14} {s['does']}" for s in lines)


def one_as_text(about: dict[str, Any]) -> str:
    """One stage for a terminal."""
    out = [f"{about['name']} ({about['kind']})", "", about["does"], ""]
    out.append(f"reads (in the example): {', '.join(about['reads']) or 'ids only'}")
    if about.get("adds"):
        out.append(f"adds (in the example): {', '.join(about['adds'])}")
    if about["fields"]:
        out += ["", "fields:"]
    for field in about["fields"]:
        default = ", required"
        if "default" in field:
            default = f", default {digest.canonical_json(field['default'])}"
        out.append(f"  {field['field']} ({field['type']}{default})")
        if field["about"]:
            out.append(f"      {field['about']}")
    if about.get("reasons"):
        out += ["", "reasons:"]
        out += [f"  {name}: {text}" for name, text in about["reasons"].items()]
    out += ["", "example:", *(f"  {line}" for line in _example(about["example"]))]
    return "\n".join(out)


def _example(example: dict[str, Any]) -> list[str]:
    return yamltext.dump([example]).splitlines()

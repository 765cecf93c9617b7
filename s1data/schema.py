"""The JSON schema of a recipe, for editors: every installed stage with its fields."""

from __future__ import annotations

from typing import Any

from s1data import stages
from s1data.recipe import Pipeline


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a recipe, with every stage that is installed here."""
    whole = Pipeline.model_json_schema()
    shared: dict[str, Any] = whole.setdefault("$defs", {})
    choices: list[dict[str, Any]] = []
    for name in stages.names():
        kind = stages.get(name)
        own = kind.model_json_schema(by_alias=True)
        shared.update(own.pop("$defs", {}))
        own["description"] = (kind.__doc__ or "").strip()
        shared[name] = own
        fields = {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}
        choices.append(
            {
                "type": "object",
                "properties": {name: fields},
                "required": [name],
                "additionalProperties": False,
            }
        )
        if not own.get("required"):
            choices.append({"const": name})
    shared.pop("Stage", None)
    whole["properties"]["stages"]["items"] = {"oneOf": choices}
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    whole["title"] = "s1data recipe"
    return whole

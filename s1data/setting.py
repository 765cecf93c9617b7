"""``--set label.field=value``: a recipe with one field changed, and marked so."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from s1data import digest, yamltext
from s1data.errors import RecipeError, nearest
from s1data.parsing import said
from s1data.recipe import Pipeline
from s1data.stage import LABEL


def parse_set(text: str) -> tuple[str, Any]:
    """``"label.field=value"`` with the value as YAML: ``("label.field", value)``."""
    where, equals, value = text.partition("=")
    if not equals or not where:
        raise RecipeError(f"--set {text}: wanted label.field=value, as in keep.n=500")
    return where.strip(), yamltext.parse(value, f"--set {where}").value


def with_one_set(pipeline: Pipeline, where: str, value: Any) -> Pipeline:  # noqa: ANN401
    """The pipeline with ``label.field`` set to ``value``; itself if that changes nothing."""
    label, _, field = where.partition(".")
    labels = [s.label for s in pipeline.stages]
    if label not in labels or not LABEL.fullmatch(label):
        raise RecipeError(
            f"--set {where}: no stage is labelled {label!r}{nearest(label, labels)}; "
            f"stages are {', '.join(labels)}"
        )
    stage = pipeline.stages[labels.index(label)]
    fields = stage.model_dump(mode="json", by_alias=True)
    path = field.split(".")
    holder = fields
    for part in path[:-1]:
        holder = holder.get(part, {}) if isinstance(holder, dict) else {}
    if not field or not isinstance(holder, dict) or (len(path) == 1 and field not in fields):
        known = [name for name in fields if name != "as"]
        raise RecipeError(
            f"--set {where}: stage {label} has no field {field!r}{nearest(field, known)}; "
            f"it has {', '.join(known)}"
        )
    old = holder.get(path[-1])
    holder[path[-1]] = value
    try:
        changed = type(stage).model_validate(fields)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise RecipeError(
            f"--set {where}: stage {label}: {said(detail, detail['loc'], type(stage))}"
        ) from None
    if changed == stage:
        return pipeline
    mark = f"{where}={digest.canonical_json(value)} (was {digest.canonical_json(old)})"
    kept = tuple(c for c in pipeline.changed if not c.startswith(f"{where}="))
    stages_ = tuple(changed if s is stage else s for s in pipeline.stages)
    return pipeline.model_copy(update={"stages": stages_, "changed": (*kept, mark)})

"""Other values for a stage's fields, found from their types: a change of each field, by itself."""

from __future__ import annotations

import types
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from s1data.frozen import Frozen

VALUES_OF_A_FIELD = 2
ONCE = ("reserve",)
"""Fields that the contract itself reads, and no stage: one more value says as much as two."""


def as_written(stage):
    """The fields as a recipe says them."""
    return stage.model_dump(mode="json", by_alias=True)


def with_changes(stage, changes):
    """The stage with fields changed as a recipe's author would, checked again."""
    return type(stage).model_validate(as_written(stage) | changes)


def named(kind):
    """Field names as in the class, to names as in a recipe; the label is no field of a result."""
    return {name: info.alias or name for name, info in kind.model_fields.items() if name != "as_"}


def changed(stage, name):
    """Valid copies of ``stage`` that differ in the field ``name``.

    Where no value is valid by itself (a form and its table go together), one other field goes back
    to its default with it.
    """
    kind, fields = type(stage), named(type(stage))
    current = as_written(stage)[fields[name]]
    resets = [
        {other: kind.model_fields[key].get_default(call_default_factory=True)}
        for key, other in fields.items()
        if key != name and not kind.model_fields[key].is_required()
    ]
    for value in candidates(kind.model_fields[name].annotation, current):
        for reset in ({}, *resets):
            try:
                other = with_changes(stage, {fields[name]: value} | reset)
            except ValidationError:
                continue
            if getattr(other, name) != getattr(stage, name):
                yield other
            break


def settings(stage):
    """Variants in fields that name no column, input, solver or text: numbers, choices, switches."""
    for name in named(type(stage)):
        if not _is_free_text(type(stage).model_fields[name].annotation):
            seen = []
            most = 1 if name in ONCE else VALUES_OF_A_FIELD
            for other in changed(stage, name):
                if getattr(other, name) not in seen and len(seen) < most:
                    seen.append(getattr(other, name))
                    yield f"{name}={getattr(other, name)}", other


def candidates(annotation, current):
    """Values that the annotation may allow, near the current one first."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from candidates(args[0], current)
    elif origin in (Union, types.UnionType):
        for arg in args:
            yield from candidates(arg, current if arg is not type(None) else None)
    elif origin is Literal:
        yield from args
    elif origin is tuple:
        yield from _tuples(args[0], current) if args[-1] is Ellipsis else _items(args, current)
    elif annotation in _PLAIN:
        yield from _PLAIN[annotation](current)
    elif isinstance(annotation, type) and issubclass(annotation, Frozen):
        yield from _models(annotation, current)


def _items(args, current):
    items = list(current) if isinstance(current, list | tuple) else [None] * len(args)
    for place, arg in enumerate(args):
        for value in candidates(arg, items[place]):
            yield [*items[:place], value, *items[place + 1 :]]


def _tuples(item, current):
    if isinstance(current, dict):  # Pairs: held as sorted pairs, written as a mapping
        for value in candidates(get_args(item)[1], next(iter(current.values()), None)):
            yield {**current, **dict.fromkeys(list(current)[:1], value)}
            yield {**current, "other": value}
        return
    items = list(current) if isinstance(current, list | tuple) else []
    for value in candidates(item, items[-1] if items else None):
        yield [*items, value]
        yield [value]
    yield items[:-1]


def _models(kind, current):
    held = current if isinstance(current, dict) else {}
    for name, info in kind.model_fields.items():
        field = info.alias or name
        for value in candidates(info.annotation, held.get(field)):
            yield {**held, field: value}


def _integers(current):
    now = current if isinstance(current, int) else 0
    yield from (value for value in (now + 1, now - 1, 1, 2, 3, 5) if value != current)


def _floats(current):
    now = current if isinstance(current, int | float) else 0.5
    yield from (now / 2, now + (1 - now) / 2, now * 2, 0.5, 0.25, 1.0, 2.0)


def _texts(current):
    yield from (f"{current or ''}x", f"{current or ''}1", "answer", "solution", "other")


_PLAIN = {
    bool: lambda current: (not current,),
    int: _integers,
    float: _floats,
    str: _texts,
    type(None): lambda current: (None,),
}


def _is_free_text(annotation):
    args = get_args(annotation)
    if get_origin(annotation) is Literal:
        return False
    return annotation is str or any(_is_free_text(arg) for arg in args if arg is not Ellipsis)

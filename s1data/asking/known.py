"""What an Asker is shown: the recipe's models by name, and the replies that there are so far."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

import polars as pl
from pydantic import ValidationError

from s1data.errors import StageError, nearest
from s1data.models import ModelSpec, Reply, Request

Texts: TypeAlias = Callable[[pl.Series], pl.Series]
"""Keys of replies to their texts, null where unknown."""


def _unknown(keys: pl.Series) -> pl.Series:
    return pl.Series("text", [None], dtype=pl.String).new_from_index(0, len(keys))


class Replies:
    """`s1data.stage.Known` over a dictionary; remembers which model each request went to."""

    def __init__(self, specs: Mapping[str, ModelSpec], texts: Texts | None = None) -> None:
        self._texts = texts or _unknown
        self._settings = {
            name: {field: getattr(spec, field) for field in spec.model_fields_set}
            for name, spec in specs.items()
        }
        self._replies: dict[str, Reply] = {}
        self._requests: dict[Hashable, Request] = {}
        self.names: dict[str, str] = {}
        """Key of a request: the recipe's name of its model."""

    def request(self, model: str, prompt: str, **settings: Any) -> Request:  # noqa: ANN401 - any field
        """See `s1data.stage.Known`; StageError for a name that the recipe has not, or no prompt."""
        # An Asker makes the same request anew in every round, and for its columns.
        made = (model, prompt, *sorted(settings.items()))
        try:
            if request := self._requests.get(made):
                return request
        except TypeError:  # a setting that is a list or a mapping
            return self._made(model, prompt, settings)
        request = self._requests[made] = self._made(model, prompt, settings)
        return request

    def _made(self, model: str, prompt: str, settings: Mapping[str, Any]) -> Request:
        if model not in self._settings:
            known = self._settings
            msg = f"no model {model} among the recipe's models{nearest(model, known)}; add it there"
            raise StageError(msg)
        try:
            request = Request(**(self._settings[model] | dict(settings)), prompt=prompt)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            at = ".".join(map(str, first["loc"]))
            raise StageError(f"a request to model {model}: {at}: {first['msg']}") from error
        self.names[request.key] = model
        return request

    def texts(self, keys: pl.Series) -> pl.Series:
        """See `s1data.stage.Known`."""
        return self._texts(keys)

    def reply(self, request: Request) -> Reply | None:
        """See `s1data.stage.Known`."""
        return self._replies.get(request.key)

    def __contains__(self, key: str) -> bool:
        return key in self._replies

    def add(self, replies: Mapping[str, Reply]) -> None:
        """Takes in replies by key."""
        self._replies.update(replies)

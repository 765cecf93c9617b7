"""The services that models are asked through, one file each behind the protocol `Model`.

A provider sends one request, once, and says how that ended: a `Reply` where the service answered
(blocked, cut and refused replies too, since they are final), a `ModelError` where the request is
still open. It never repeats a request and keeps no limit; whoever calls it does. The package of a
service is imported by its own provider only, when a model is opened, and its exceptions end there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from s1data.errors import RecipeError
from s1data.models import Batches, Model, ModelSpec

DEFAULT_TIMEOUT: Final = 1200.0
"""Seconds: 32,768 tokens at 30 a second take 1,092."""


def open_model(
    spec: ModelSpec,
    endpoints: Sequence[str] = (),
    key: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    *,
    name: str | None = None,
) -> Model:
    """A model ready to be asked; nothing is sent yet.

    ``endpoints`` are base URLs, in place of the service's own; ``timeout`` is in seconds for a
    whole request. The key is ``key``, or else that of the environment: ``S1DATA_KEY_<NAME>``
    (``name`` is the recipe's name for the model), then the service's own variables. Raises
    RecipeError where spec or endpoints cannot work, ModelError (auth) where a key is missing.
    """
    if spec.provider == "gemini":
        from s1data.providers.gemini import Gemini

        return Gemini(spec, endpoints, key, timeout, name=name)
    if spec.provider == "transformers" and not endpoints:
        from s1data.providers.transformers_local import TransformersLocal

        return TransformersLocal(spec, name=name)
    from s1data.providers.openai_compatible import OpenAICompatible

    return OpenAICompatible(spec, endpoints, key, timeout, name=name)


def has_batches(spec: ModelSpec) -> bool:
    """Whether a model's service has a batch mode."""
    return spec.provider == "gemini"


def open_batches(spec: ModelSpec, model: Model) -> Batches:
    """The batch mode of an open model, whose connection it uses; RecipeError where it has none."""
    if has_batches(spec):
        from s1data.providers.gemini import Gemini
        from s1data.providers.gemini_batch import GeminiBatches

        if isinstance(model, Gemini):
            return GeminiBatches(model)
    raise RecipeError(
        f"model {spec.model}: batch mode is there for gemini only, got {spec.provider}; ask it "
        "without --batch"
    )


__all__ = ["DEFAULT_TIMEOUT", "has_batches", "open_batches", "open_model"]

"""A causal language model of transformers in this process, which scores given texts and no more.

One text at a time: a padded batch would make a score depend on its neighbours. Long texts are read
in chunks with the keys and values of what came before, so that the logits of a chunk are all that
is in memory at once.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final

from s1data.models import ModelSpec, Outcome, Reply, Request, Scored
from s1data.providers.failures import failure
from s1data.providers.replies import Sending

CHUNK: Final = 1024
"""Tokens read at once; over a vocabulary of 152,000 their logits are 0.6 GB."""


class TransformersLocal:
    """Weights loaded when they are first needed. Implements `s1data.models.Model`.

    A folder or the name of a repository; ``revision`` is that of the repository.
    """

    def __init__(self, spec: ModelSpec, *, name: str | None = None) -> None:
        self._spec = spec
        self._who = f"model {name or spec.model} in this process"
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    async def ask(self, request: Request) -> Reply:
        sending = Sending(request)
        if request.score is not None:
            return await sending.scored(self.score)
        got = "asked for a reply, and transformers is there for scores only"
        cure = "serve the model and ask it as openai_compatible"
        return sending.refused(failure(self._who, Outcome.BAD_REQUEST, got, cure))

    async def score(self, request: Request) -> Scored:
        return await asyncio.to_thread(self._score, request)

    async def check(self) -> None:
        await asyncio.to_thread(self._open)

    def tiny(self) -> tuple[Request, ...]:
        return ()

    async def close(self) -> None:
        self._loaded = None

    def _open(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        name, at = self._spec.model, {"revision": self._spec.revision or "main"}
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, **at)
            model: Any = AutoModelForCausalLM.from_pretrained(name, dtype="auto", **at)
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            cure = "name a folder or a repository with weights and a tokenizer"
            raise failure(self._who, Outcome.NOT_FOUND, said, cure) from None
        if not tokenizer.is_fast:
            got = "its tokenizer does not say where tokens stand in the text"
            raise failure(self._who, Outcome.NOT_FOUND, got, "serve the model instead")
        model.train(mode=False)
        return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer

    def _score(self, request: Request) -> Scored:
        model, tokenizer = self._open()
        whole = request.prompt + (request.score or "")
        made = tokenizer(whole, return_offsets_mapping=True)
        ids: list[int] = made["input_ids"]
        holds = getattr(model.config, "max_position_embeddings", None)
        if holds is not None and len(ids) > holds:
            got = f"a text of {len(ids):,} tokens, and the model holds {holds:,}"
            raise failure(self._who, Outcome.BAD_REQUEST, got)
        with self._lock:
            values = _logprobs(model, ids)
        found = [
            (whole[start:end], value)
            for (start, end), value in zip(made["offset_mapping"], values, strict=True)
            # A token over the end of the prompt counts to the text, as with a server.
            if value is not None and end > max(start, len(request.prompt))
        ]
        return Scored(tuple(t for t, _ in found), tuple(v for _, v in found), len(ids))


def _logprobs(model: Any, ids: list[int]) -> list[float | None]:  # noqa: ANN401 - of transformers
    """Of each token given those before it; None for the first."""
    import torch

    values: list[float | None] = [None] if ids else []
    cache = None
    with torch.inference_mode():
        for start in range(0, len(ids) - 1, CHUNK):
            given = torch.tensor([ids[start : min(start + CHUNK, len(ids) - 1)]])
            out = model(given.to(model.device), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            next_ = torch.tensor(ids[start + 1 : start + 1 + given.shape[1]])
            chances = torch.log_softmax(out.logits[0].float(), dim=-1).cpu()
            values += chances.gather(1, next_.unsqueeze(1)).squeeze(1).tolist()
    return values

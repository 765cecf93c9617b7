"""The engine on a model of transformers in this process: exact counts of generated ids."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from s1data.scaling.forcing import Call, Generated


class Local:
    """A causal language model and its tokenizer, as transformers loads them.

    Greedy unless ``temperature`` is given. One call at a time: a padded batch would make a reply
    depend on its neighbours.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - transformers' classes are made at run time
        tokenizer: Any,  # noqa: ANN401 - as above
        *,
        temperature: float | None = None,
        seed: int = 0,
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        )
        self._seed = seed

    def generate(self, calls: Sequence[Call]) -> list[Generated]:
        """As `Engine.generate`."""
        return [self._one(call) for call in calls]

    def most_tokens(self, text: str) -> int:
        """Tokens of the text by itself."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _one(self, call: Call) -> Generated:
        import torch

        # Keyed by what is asked: a seed for all would draw alike for every question.
        key = f"{self._seed}|{call.id}|{call.sample}|{call.prompt}".encode()
        torch.manual_seed(int.from_bytes(sha256(key).digest()[:8], "big"))
        given = self._tokenizer(call.prompt, return_tensors="pt", add_special_tokens=False)
        given = given.to(self._model.device)
        with torch.inference_mode():
            whole = self._model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                max_new_tokens=call.max_tokens,
                # As text, over as many tokens as it takes.
                stop_strings=list(call.stop) or None,
                tokenizer=self._tokenizer,
                pad_token_id=self._tokenizer.eos_token_id,
                **self._sampling,
            )
        asked, ids = (
            given["input_ids"][0].tolist(),
            whole[0, given["input_ids"].shape[1] :].tolist(),
        )
        ended = bool(ids) and ids[-1] in self._ends()
        said = ids[:-1] if ended else ids
        text = self._text(asked, said)
        places = [place for stop in call.stop if (place := text.find(stop)) >= 0]
        hit = len(ids) >= call.max_tokens and not ended and not places
        ending = len(ids) - len(said)
        if places:
            ending = len(ids) - self._reaching(asked, said, text[: min(places)])
        return Generated(text=text, tokens=len(ids), hit_limit=hit, ending=ending)

    def _text(self, asked: list[int], said: list[int]) -> str:
        """What was said, as it goes on from what was asked.

        By itself the first token of SentencePiece loses its space: a decoder takes it for the
        beginning of a text.
        """
        before, whole = self._decoded(asked), self._decoded(asked + said)
        return whole.removeprefix(before) if whole.startswith(before) else self._decoded(said)

    def _decoded(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _reaching(self, asked: list[int], said: list[int], text: str) -> int:
        """The fewest tokens of what was said that hold all of a text at its beginning."""
        count = len(said)
        while count and self._text(asked, said[: count - 1]).startswith(text):
            count -= 1
        return count

    def _ends(self) -> set[int]:
        told = self._model.generation_config.eos_token_id
        own = self._tokenizer.eos_token_id
        listed = told if isinstance(told, list) else [told]
        return {one for one in [*listed, own] if one is not None}

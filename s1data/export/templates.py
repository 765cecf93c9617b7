"""A tokenizer and its chat template: texts as a trainer will see them, and what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from s1data.errors import RecipeError

Messages = Sequence[Mapping[str, Any]]
_MARK: Final = "zqxjkv"
"""A word that no template says of its own."""


class Template:
    """A tokenizer with its chat template. No code of a repository is run."""

    def __init__(self, tokenizer: Any, name: str) -> None:  # noqa: ANN401 - transformers' own class
        self.tokenizer = tokenizer
        self.name = name
        if not getattr(tokenizer, "chat_template", None):
            raise RecipeError(
                f"tokenizer {name}: has no chat template; take that of the instruct model"
            )
        self.end = self._end()

    @classmethod
    def load(cls, name: str) -> Template:
        """A tokenizer of the Hub, or in a folder; RecipeError where there is none."""
        from transformers import AutoTokenizer

        try:
            return cls(AutoTokenizer.from_pretrained(name, trust_remote_code=False), name)
        except (OSError, ValueError, KeyError) as error:
            said = (str(error).strip().splitlines() or [""])[0]
            raise RecipeError(f"tokenizer {name}: cannot be loaded: {said}") from error

    def text(self, messages: Messages) -> str:
        """The whole conversation as text."""
        return str(self._render(messages, generate=False))

    def prompt(self, messages: Messages) -> str:
        """The conversation up to where the assistant begins."""
        return str(self._render(messages, generate=True))

    def _render(self, messages: Messages, *, generate: bool) -> object:
        from jinja2.exceptions import TemplateError

        try:
            return self.tokenizer.apply_chat_template(
                [dict(m) for m in messages], tokenize=False, add_generation_prompt=generate
            )
        except TemplateError as error:
            raise RecipeError(
                f"tokenizer {self.name}: its chat template refuses these messages: {error}"
            ) from error

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without tokens that the tokenizer would put around it."""
        found = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [len(ids) for ids in found]

    def _end(self) -> str:
        """The token that ends an assistant's turn in this template."""
        said = self.text(
            [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
        )
        after = said.rpartition(_MARK)[2].strip()
        special = [t for t in self.tokenizer.all_special_tokens if t and after.startswith(t)]
        return max(special, key=len, default=str(self.tokenizer.eos_token or ""))

    def own_system(self) -> str:
        """What the template writes before a question where no system message is given."""
        return self.prompt([{"role": "user", "content": _MARK}]).partition(_MARK)[0]

    def adds_a_system_prompt(self) -> bool:
        """Whether it writes one of its own where none is given."""
        bare = self.own_system()
        empty = [{"role": "system", "content": ""}, {"role": "user", "content": _MARK}]
        try:
            return len(bare) > len(self.prompt(empty).partition(_MARK)[0])
        except RecipeError:
            return False

    def loses_thinking(self, messages: Messages) -> bool:
        """Whether a conversation's thinking, which is `_MARK` in ``messages``, is not rendered."""
        return _MARK not in self.text(messages)


def marked() -> str:
    """The thinking to put into messages for `Template.loses_thinking`."""
    return _MARK

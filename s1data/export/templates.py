"""A tokenizer and its chat template: texts as a trainer will see them, and what is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from s1data.errors import RecipeError
from s1data.published import UNREACHABLE, in_words, quiet

Messages = Sequence[Mapping[str, Any]]
_MARK: Final = "zqxjkv"
"""A word that no template says of its own."""


class Template:
    """A tokenizer with its chat template. No code of a repository is run."""

    def __init__(self, tokenizer: Any, name: str) -> None:  # noqa: ANN401 - transformers' own class
        self.tokenizer = tokenizer
        self.name = name
        self.chat = bool(getattr(tokenizer, "chat_template", None))
        """Whether it has a chat template; without one it only counts tokens."""
        self.end = self._end() if self.chat else str(tokenizer.eos_token or "")

    @classmethod
    def load(cls, name: str, *, chat: bool = True) -> Template:
        """A tokenizer of the Hub, or in a folder; RecipeError where there is none.

        ``chat`` says whether one without a chat template is refused.
        """
        local = Path(name).is_dir() or _only_cached(name)
        from transformers import AutoTokenizer

        try:
            with quiet():
                found = AutoTokenizer.from_pretrained(
                    name, trust_remote_code=False, local_files_only=local
                )
        except (OSError, ValueError, KeyError) as error:
            said = (str(error).strip().splitlines() or [""])[0]
            raise RecipeError(f"tokenizer {name}: cannot be loaded: {said}") from error
        made = cls(found, name)
        if chat and not made.chat:
            raise made.without_chat()
        return made

    def without_chat(self) -> RecipeError:
        """What to say where a chat template is needed and there is none."""
        return RecipeError(
            f"tokenizer {self.name}: has no chat template; take that of the instruct model"
        )

    def text(self, messages: Messages) -> str:
        """The whole conversation as text."""
        return str(self._render(messages, generate=False))

    def prompt(self, messages: Messages) -> str:
        """The conversation up to where the assistant begins."""
        return str(self._render(messages, generate=True))

    def _render(self, messages: Messages, *, generate: bool) -> object:
        from jinja2.exceptions import TemplateError

        if not self.chat:
            raise self.without_chat()

        try:
            return self.tokenizer.apply_chat_template(
                [dict(m) for m in messages], tokenize=False, add_generation_prompt=generate
            )
        except TemplateError as error:
            raise RecipeError(
                f"tokenizer {self.name}: its chat template refuses these messages: {error}"
            ) from error

    def special(self) -> list[str]:
        """Tokens that are more to this tokenizer than their letters."""
        return [str(token) for token in self.tokenizer.all_special_tokens]

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


def opens_thinking(prompt: str) -> bool:
    """Whether a prompt ends in a think tag, so that a model cannot but think."""
    return prompt.rstrip().endswith("<think>")


def _only_cached(name: str) -> bool:
    """Whether the Hub cannot be asked, but its cache has the tokenizer.

    Raises RecipeError where there is no such tokenizer, before anything is tried several times.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache

    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise RecipeError(f"tokenizer {name}: cannot be loaded: there is no such folder")
    try:
        HfApi(library_name="s1data").model_info(name, timeout=10)
    except Exception as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        if "GatedRepoError" in names or names & UNREACHABLE:
            for file in ("tokenizer_config.json", "tokenizer.json"):
                if isinstance(try_to_load_from_cache(name, file), str):
                    return True
        said = "no such model" if "RepositoryNotFoundError" in names else in_words(error)
        raise RecipeError(
            f"tokenizer {name}: cannot be loaded: there is no such folder, and on the Hub: {said}"
        ) from error
    return False

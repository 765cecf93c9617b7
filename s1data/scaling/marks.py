"""What stands around the thinking of a model, and the prompt that it was trained on."""

from __future__ import annotations

from typing import Final

from s1data.frozen import Frozen

_CHATML: Final = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


class Marks(Frozen):
    """Texts that open and close thinking; what a model writes when it wants to end is in `ends`.

    All are matched as text, so that a mark of several tokens is a mark all the same.
    """

    template: str = _CHATML
    """The raw prompt; ``{question}`` stands for the question."""
    opens: str
    """Appended to the prompt: thinking begins."""
    ends: tuple[str, ...]
    """Texts that end thinking where the model writes one."""
    closes: str
    """Appended when thinking is over: what ends it and begins the answer."""
    answer_ends: tuple[str, ...] = ("<|im_end|>",)

    def prompt(self, question: str) -> str:
        """The prompt up to the first token of thinking."""
        return self.template.replace("{question}", question) + self.opens


MARKS: Final = {
    "s1": Marks(
        template=(
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            f"assistant.<|im_end|>\n{_CHATML}"
        ),
        opens="<|im_start|>think\n",
        ends=("<|im_start|>", "<|im_end|>"),
        closes="\n<|im_start|>answer\n",
    ),
    "think": Marks(opens="<think>\n", ends=("</think>", "<|im_end|>"), closes="\n</think>\n\n"),
}
"""By name: those of s1-32B (paper, appendix D), and tags as of Qwen3 and R1's distillates."""

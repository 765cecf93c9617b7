"""The shapes that trainers read: each a function from a sample to one line.

A format is one entry of `FORMATS`. Those with ``messages`` are rendered by the trainer with the
chat template of its tokenizer; ``s1`` and, where a tokenizer is given, ``prompt-completion`` are
text already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from s1data.export.samples import Sample
from s1data.export.templates import Template, opens_thinking

Line = dict[str, Any]
QWEN_SYSTEM: Final = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
"""What Qwen2.5's template says where no system prompt is given; it is in every text of s1."""


@dataclass(frozen=True)
class Format:
    """One shape."""

    about: str
    line: Callable[[Sample, str | None, Template | None], Line]
    """``system`` is None where no system message is to be written."""
    messages: Callable[[Sample, str | None], list[Line]] | None = None
    """What a trainer hands to the chat template; None where it gets text."""


def thinking_in_tags(sample: Sample) -> str:
    """``<think>`` … ``</think>``, an empty line, the answer: as DeepSeek-R1 writes."""
    return f"<think>\n{sample.thinking}\n</think>\n\n{sample.answer}"


def s1_content(sample: Sample) -> str:
    """The assistant's part of s1's text, with its own delimiters (s1, data/tokenization.py)."""
    answer = sample.answer if "Answer:" in sample.answer else f"Answer: {sample.answer}"
    return f"<|im_start|>think\n{sample.thinking}\n<|im_start|>answer\n{answer}"


def _asked(sample: Sample, system: str | None) -> list[Line]:
    head = [] if system is None else [{"role": "system", "content": system}]
    return [*head, {"role": "user", "content": sample.question}]


def _s1_messages(sample: Sample, system: str | None) -> list[Line]:
    return [*_asked(sample, system), {"role": "assistant", "content": s1_content(sample)}]


def _s1(sample: Sample, system: str | None, template: Template | None) -> Line:
    if template is not None:
        return {"id": sample.id, "text": template.text(_s1_messages(sample, system))}
    said = QWEN_SYSTEM if system is None else system
    head = f"<|im_start|>system\n{said}<|im_end|>\n" if said else ""
    asked = f"<|im_start|>user\n{sample.question}<|im_end|>\n"
    return {
        "id": sample.id,
        "text": f"{head}{asked}<|im_start|>assistant\n{s1_content(sample)}<|im_end|>\n",
    }


def _think_messages(sample: Sample, system: str | None) -> list[Line]:
    return [*_asked(sample, system), {"role": "assistant", "content": thinking_in_tags(sample)}]


def _think(sample: Sample, system: str | None, _: Template | None) -> Line:
    return {"id": sample.id, "messages": _think_messages(sample, system)}


def _prompt_completion(sample: Sample, system: str | None, template: Template | None) -> Line:
    asked = _asked(sample, system)
    if template is None:
        said = [{"role": "assistant", "content": thinking_in_tags(sample)}]
        return {"id": sample.id, "prompt": asked, "completion": said}
    prompt = template.prompt(asked)
    completion = thinking_in_tags(sample)
    if opens_thinking(prompt):
        completion = completion.removeprefix("<think>\n")
    return {"id": sample.id, "prompt": prompt, "completion": completion + template.end}


def _reasoning_messages(sample: Sample, system: str | None) -> list[Line]:
    said = {"role": "assistant", "content": sample.answer, "reasoning_content": sample.thinking}
    return [*_asked(sample, system), said]


def _reasoning(sample: Sample, system: str | None, _: Template | None) -> Line:
    return {"id": sample.id, "messages": _reasoning_messages(sample, system)}


def _sharegpt(sample: Sample, system: str | None, _: Template | None) -> Line:
    said = [
        {"from": "human", "value": sample.question},
        {"from": "gpt", "value": thinking_in_tags(sample)},
    ]
    return {"id": sample.id, "conversations": said, "system": system or ""}


FORMATS: Final[Mapping[str, Format]] = {
    "s1": Format("s1's text: Qwen's chat template, its own think and answer delimiters", _s1),
    "think": Format("messages with the thinking in <think> tags", _think, _think_messages),
    "prompt-completion": Format(
        "prompt and completion for TRL: messages, or with a tokenizer text with one end token",
        _prompt_completion,
    ),
    "reasoning-content": Format(
        "messages with the thinking in reasoning_content", _reasoning, _reasoning_messages
    ),
    "sharegpt": Format("ShareGPT conversations for LLaMA-Factory", _sharegpt, _think_messages),
}

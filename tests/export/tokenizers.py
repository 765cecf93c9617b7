"""Tiny tokenizers made on the spot, with chat templates that behave as known ones do.

The templates are our own text; what they imitate is said with each.
"""

from functools import cache

END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
    "<|im_start|>system\nYou are a default.<|im_end|>\n{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As Qwen2.5: a system prompt of its own, content as it is, reasoning_content unknown."""

KEEPS = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.reasoning_content is string %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As Qwen3: reasoning_content becomes think tags; no system prompt of its own."""

CUTS = (
    "{% for m in messages %}{% set said = m.content.split('</think>')[-1] if '</think>' in m.content else m.content %}"
    "{{ '<|im_start|>' + m.role + '\n' + said + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""As R1-distill: what stands before the closing tag is cut off, and the prompt opens the tag."""

TRIMS = (
    "<s>{% for m in messages %}"
    "{{ '<|im_start|>' + m.role + '\n\n' + m.content | trim + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n\n' }}{% endif %}"
)
"""As Llama 3: a mark of its own at the beginning, contents trimmed, no break behind a turn."""

TEMPLATES = {"chatml": CHATML, "keeps": KEEPS, "cuts": CUTS, "trims": TRIMS}


@cache
def _trained():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["Let me count the sheep again, slowly. So the answer is 4."] * 5, trainer
    )
    return tokenizer.to_str()


def make(folder, kind, eos=END):
    """Writes a tokenizer with that template; its folder."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained()),
        eos_token=eos,
        pad_token=PAD,
        additional_special_tokens=[START, END],
    )
    made.chat_template = TEMPLATES[kind]
    made.save_pretrained(folder)
    return folder

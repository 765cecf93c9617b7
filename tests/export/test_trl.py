"""TRL reads what was exported: the loss is on thinking, answer and one end token, and nothing else."""

import json

import pytest

from s1data.export import Options, export
from tests.export import tokenizers
from tests.export.test_export import FRAME

pytestmark = pytest.mark.slow  # importing TRL and making a model takes most of it


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What TRL collates from an export: input ids and labels of every sample, and the tokenizer."""
    from datasets import load_dataset
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
    from trl import SFTConfig, SFTTrainer

    def collated(kind, form, **settings):
        home = tmp_path_factory.mktemp("trl")
        name = str(tokenizers.make(home / "tokenizer", kind))
        tokenizer = AutoTokenizer.from_pretrained(name)
        with_tokenizer = form in ("s1", "prompt-completion")
        export(FRAME, home / "train.jsonl", Options(form, name if with_tokenizer else None))
        data = load_dataset(
            "json", data_files=str(home / "train.jsonl"), split="train", cache_dir=str(home)
        )
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=1024,
            )
        )  # fmt: skip
        config = SFTConfig(
            output_dir=str(home / "out"), use_cpu=True, bf16=False, report_to=[], max_length=None,
            dataset_num_proc=None, activation_checkpointing=False, **settings,
        )  # fmt: skip
        trainer = SFTTrainer(model, config, train_dataset=data, processing_class=tokenizer)
        batch = trainer.data_collator([trainer.train_dataset[i] for i in range(2)])
        lines = [
            json.loads(x) for x in (home / "train.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        return batch, tokenizer, lines

    return collated


def learnt(batch, tokenizer, sample):
    """The text under the loss, and how many end tokens are in it."""
    labels = [int(t) for t in batch["labels"][sample] if t != -100]
    return tokenizer.decode(labels), labels.count(tokenizer.eos_token_id)


@pytest.mark.parametrize("kind", tokenizers.TEMPLATES)
def test_the_loss_of_prompt_completion_is_on_thinking_answer_and_one_end_token(trained, kind):
    batch, tokenizer, lines = trained(kind, "prompt-completion")
    opened = "" if kind == "cuts" else "<think>\n"
    for i, (thinking, answer) in enumerate([("Two and two.", "4"), ("right one", "Answer: 7")]):
        text, ends = learnt(batch, tokenizer, i)
        assert text == f"{opened}{thinking}\n</think>\n\n{answer}{tokenizers.END}"
        assert ends == 1
        whole = tokenizer.decode([t for t in batch["input_ids"][i] if t != tokenizer.pad_token_id])
        assert whole == lines[i]["prompt"] + lines[i]["completion"]


def test_s1_text_is_trained_on_as_it_stands_with_no_end_token_added_behind_its_own(trained):
    batch, tokenizer, lines = trained("chatml", "s1", dataset_text_field="text")
    text = tokenizer.decode([t for t in batch["input_ids"][0] if t != tokenizer.pad_token_id])
    assert text.startswith(lines[0]["text"].rstrip("\n"))
    assert text.count(tokenizers.END) - lines[0]["text"].count(tokenizers.END) in (0, 1)


@pytest.mark.parametrize(
    ("kind", "form", "sees"),
    [
        ("keeps", "reasoning-content", True),
        ("chatml", "think", True),
        ("chatml", "reasoning-content", False),
        ("cuts", "think", False),
    ],
)
def test_messages_reach_the_model_with_their_thinking_just_where_no_warning_was_given(
    trained, kind, form, sees, tmp_path
):
    batch, tokenizer, _ = trained(kind, form)
    text = tokenizer.decode(batch["input_ids"][0])
    assert ("Two and two." in text) is sees
    name = str(tokenizers.make(tmp_path / "t", kind))
    warned = export(FRAME, tmp_path / "o.jsonl", Options(form, name)).warnings
    assert (warned == ()) is sees

"""The whole loop on two cores in minutes: curate, export, fine-tune, force budgets, draw the curve.

``make loop``. The teacher is emulated and the model is a tiny one made here, so what this shows is
the mechanism, by the same code as in earnest. Its accuracy means nothing.
"""

import shutil
import sys
from pathlib import Path

import polars as pl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    set_seed,
)

from s1data import rehearsing
from s1data.cli.scaling import show
from s1data.emulator import Script
from s1data.export import Options, export
from s1data.export.samples import samples
from s1data.recipe import Pipeline
from s1data.run import Run
from s1data.scaling import Budget, prompting, sweep
from s1data.scaling.local import Local
from s1data.scaling.training import Settings, train

HERE = Path(__file__).parent
TEACHER = {"*": {"role": "teacher", "skill": 1.0, "thinking_tokens": 60, "answer_tokens": 20}}
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SETTINGS = Settings(epochs=5, rate=4e-3, per_device=16, block_size=1_024, cpu=True)
"""s1's but for what a model from scratch needs: more epochs and a higher rate."""
BUDGETS = (
    Budget(maximum=16, answer=48),
    Budget(maximum=64, answer=48),
    Budget(maximum=320, waits=1, answer=48),
    Budget(maximum=320, waits=2, answer=48),
)
QUESTIONS = 16


def base(run: Run, home: Path) -> Path:
    """A tokenizer made on the set and a model that knows nothing, as a folder like any other."""
    found, _ = samples(run.selected, "best")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1_024, special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    inner.train_from_iterator(
        (text for one in found for text in (one.question, one.thinking, one.answer)), trainer
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=SPECIAL[0], pad_token=SPECIAL[0],
        additional_special_tokens=list(SPECIAL[1:]),
    )  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    set_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=192, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1_024,
        bos_token_id=None, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(home)
    tokenizer.save_pretrained(home)
    return home


def main(home: Path) -> None:
    """Leaves ``run``, ``train.jsonl``, ``base``, ``model`` and ``curve`` in ``home``."""
    print("A demonstration of the mechanism, not of accuracy: teacher and model are toys.")
    run = rehearsing.run(
        Pipeline.load(str(HERE / "loop.yaml")), home / "run", script=Script.of({"models": TEACHER})
    )
    # Trained anew each time, and asked anew.
    for made in ("model", "curve"):
        shutil.rmtree(home / made, ignore_errors=True)
    start = str(base(run, home / "base"))
    written = export(run, home / "train.jsonl", Options("prompt-completion", start))
    print(f"curated and exported: {sum(written.files.values())} rows")
    record = train(str(home / "train.jsonl"), start, home / "model", SETTINGS, say=print)
    first, *_, last = (one["loss"] for one in record["losses"])
    print(f"fine-tuned from scratch: loss {first:.2f} to {last:.2f} in {record['seconds']:.0f} s")
    tokenizer = AutoTokenizer.from_pretrained(home / "model")
    # Sampled, by a seed: greedy, a toy repeats itself and comes to no end.
    engine = Local(
        AutoModelForCausalLM.from_pretrained(home / "model"), tokenizer, temperature=1.0, seed=0
    )
    # By the prompt that its record says it was trained with.
    _, prompt = prompting.load(str(home / "model"), None, None)
    chosen = run.selected.select("id", "question", pl.col("answer").cast(pl.String))
    points = sweep.run(chosen.head(QUESTIONS), BUDGETS, prompt.marks, engine, home / "curve")
    show(points, home / "curve")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/loop"))

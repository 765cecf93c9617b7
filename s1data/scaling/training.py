"""The training run: TRL's trainer with s1's settings, and the traps around it closed.

No training loop of our own. What is ours is the rows that reach it, the settings that it is given
in full (its own default would cut answers at 1,024 tokens), and the check of what it will learn.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from s1data.errors import RecipeError, RunError
from s1data.export.templates import Template
from s1data.frozen import Frozen
from s1data.scaling import labels, lessons, prompting, record
from s1data.scaling.prompting import RECORD

_CHECKED: Final = 8
"""Rows that are collated at once for the check of labels."""
_ADAPTER: Final = "adapter_config.json"
_OF_A_MODEL: Final = (
    RECORD, "config.json", _ADAPTER, "*.safetensors", "pytorch_model*.bin", "tokenizer.json",
    "tokenizer_config.json",
)  # fmt: skip
"""Files that training would overwrite."""


Beta: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class Settings(Frozen):
    """How a model is trained; the defaults are s1's (appendix D, and its train/sft.sh)."""

    epochs: float = Field(default=5, gt=0, allow_inf_nan=False)
    batch: int = Field(default=16, ge=1)
    """Rows of one step, over all GPUs."""
    per_device: int = Field(default=1, ge=1)
    """Rows that a GPU takes at once; gradients are summed up to ``batch``."""
    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Learning rate; None: 1e-5, and 1e-4 with LoRA, which s1 did not use."""
    schedule: Literal["cosine", "constant_with_warmup"] = "cosine"
    warm_up: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps."""
    weight_decay: float = Field(default=1e-4, ge=0, allow_inf_nan=False)
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    block_size: int = Field(default=32_768, ge=1)
    most_cut: float = Field(default=0.0, ge=0, lt=1)
    """Share of rows longer than a block that may be left out."""
    layout: Literal["s1", "think"] = "s1"
    """How the rows of a run are written; an exported file has its own."""
    lora: bool = False
    cpu: bool = False
    """On the processor, in 32 bits: for tests."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """No larger: NumPy's generator, which is seeded too, takes none."""

    @property
    def learning_rate(self) -> float:
        """The rate that is used."""
        return self.rate or (1e-4 if self.lora else 1e-5)


def train(
    target: str,
    model: str,
    out: Path,
    settings: Settings,
    *,
    tokenizer: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Trains ``model`` (folder or Hub id) on a set; the folder ``out`` gets it, and its record.

    ``tokenizer`` names where tokenizer and chat template are from, where not from the model.
    Raises PoolError for a set that cannot be learnt as it stands, RecipeError for a call that is
    wrong, RunError where labels are not what they should be.
    """
    if (Path(model) / _ADAPTER).is_file():
        raise _adapter(model)
    _check_out(out, (model, tokenizer))
    peft = _lora() if settings.lora else None
    template = Template.load(tokenizer or model)
    args = _arguments(out, settings, template.end)
    lost: dict[str, int] = {}
    rows = labels.label(
        lessons.read(target, settings.layout, template, lost),
        template.tokenizer, template.end, settings.block_size, settings.most_cut,
    )  # fmt: skip
    _check_steps(settings, len(rows.lessons))
    trainer = _trainer(model, args, rows, template, peft)
    _hold(trainer, rows, template)
    main = trainer.is_world_process_zero()
    tell = say if main else lambda _: None
    tell(
        f"{len(rows.lessons):,} rows, {rows.tokens:,} tokens, {rows.learnt:,} of them with a loss: "
        f"thinking, answer and one {template.end} in every row"
    )
    for reason, count in lost.items():
        tell(f"{reason}: {count:,}, left out")
    if rows.cut:
        tell(f"{len(rows.cut):,} rows longer than {settings.block_size:,} tokens are left out")
    prompt = prompting.trained([(one.prompt, one.completion) for one in rows.lessons], template)
    tell(_prompt_in_words(prompt, template, out))
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    # The trainer turns it off, and would save it so: generation from there would be slow.
    trainer.model.config.use_cache = True
    trainer.save_model(str(out))
    told = record.of(target, model, settings, rows, template, trainer, seconds) | {
        "lost": lost,
        "prompt": None if prompt is None else prompt.record(),
    }
    if main:
        if peft is not None:
            # peft saves none, and the one beneath may end with another token than was taught.
            trainer.model.generation_config.save_pretrained(out)
        record.write(out / RECORD, told)
    return told


def _check_out(out: Path, sources: Iterable[str | None]) -> None:
    """Before hours of training: RunError where there is a model, RecipeError where none can be.

    Makes nothing, so that a call which is refused later leaves nothing.
    """
    if any(name and out.exists() and Path(name).resolve() == out.resolve() for name in sources):
        raise RecipeError(
            f"--out {out}: is where the model or its tokenizer is read from, and would be "
            "overwritten; name another folder"
        )
    held = next((name for name in _OF_A_MODEL if any(out.glob(name))), None)
    if held is not None:
        raise RunError(
            f"{out}: holds {'a trained model' if held == RECORD else f'a model ({held})'}; name "
            "another folder with --out"
        )
    try:
        there = next(one for one in (out, *out.absolute().parents) if one.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise RecipeError(
            f"--out {out}: wanted a folder that can be written to: {error.strerror}"
        ) from error


def _adapter(model: str) -> RecipeError:
    return RecipeError(
        f"model {model}: is an adapter (LoRA), not a whole model; merge it into its base first "
        "(peft's merge_and_unload), and train what that saves"
    )


def _check_steps(settings: Settings, rows: int) -> None:
    """RecipeError where no step has a learning rate above 0: the first of a warm-up has none."""
    batches = math.ceil(rows / settings.batch)
    steps = math.ceil(settings.epochs * batches)
    warm_up = math.ceil(settings.warm_up * steps)
    if steps <= 1 and warm_up:
        raise RecipeError(
            f"{rows:,} rows in batches of {settings.batch:,}, {settings.epochs:g} epochs: {steps} "
            f"step, of which {warm_up} warm-up with a learning rate of 0, would teach nothing; "
            "raise --epochs, lower --batch, or take --warm-up 0"
        )


def _prompt_in_words(prompt: prompting.Prompt | None, template: Template, out: Path) -> str:
    if prompt is None:
        return (
            f"prompts: not all by one prompt of the chat template of {template.name}; budgets "
            "are forced on it with --template, by hand"
        )
    if prompt.system is not None:
        system = f"the system prompt {prompt.system!r}"
    else:
        system = "no system message" + (
            ", the template writes its own" if template.adds_a_system_prompt() else ""
        )
    return (
        f"prompts: by the chat template, {system}; s1data scale --tokenizer {out} asks by the same"
    )


def _arguments(out: Path, settings: Settings, end: str) -> Any:  # noqa: ANN401 - TRL's, when there
    try:
        from trl.trainer.sft_config import SFTConfig
    except ImportError as error:
        raise RecipeError(
            f"training needs {error.name}, which is not installed: pip install 's1data[train]'"
        ) from error
    import torch

    if not settings.cpu and not torch.cuda.is_available():
        raise RecipeError("no GPU is here: train where there is one, or a tiny model with --cpu")
    world = int(os.environ.get("WORLD_SIZE", "1"))
    steps, odd = divmod(settings.batch, settings.per_device * world)
    if odd or not steps:
        raise RecipeError(
            f"a batch of {settings.batch} is not made up of {world} GPUs with "
            f"{settings.per_device} rows each; set --batch or --per-device"
        )
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return SFTConfig(
        output_dir=str(out),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.per_device,
        gradient_accumulation_steps=steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warm_up,
        weight_decay=settings.weight_decay,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        bf16=not settings.cpu,
        use_cpu=settings.cpu,
        max_length=settings.block_size,
        eos_token=end,
        # FSDP does its own, by its configuration.
        activation_checkpointing=not settings.cpu and not sharded,
        seed=settings.seed,
        logging_steps=1,
        logging_first_step=True,
        save_strategy="no",
        report_to=[],
        dataset_num_proc=None,
    )


def _trainer(
    model: str,
    args: Any,  # noqa: ANN401 - TRL's
    rows: labels.Labelled,
    template: Template,
    peft: Any,  # noqa: ANN401 - peft's configuration, or None
) -> Any:  # noqa: ANN401 - TRL's trainer, which is there when it is
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_trainer import SFTTrainer

    # Steps of 1e-5 are lost on weights of 16 bits: they are computed with in bf16, not kept.
    kept = torch.bfloat16 if peft is not None and args.bf16 else torch.float32
    try:
        network = AutoModelForCausalLM.from_pretrained(model, dtype=kept, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        said = (str(error).strip().splitlines() or [""])[0]
        raise RecipeError(f"model {model}: cannot be loaded: {said}") from error
    if getattr(network, "_hf_peft_config_loaded", False):
        raise _adapter(model)  # of the Hub: transformers puts it on its base by itself
    known = network.config.get_text_config().vocab_size
    if len(template.tokenizer) > known:
        raise RecipeError(
            f"model {model}: knows {known:,} tokens, the tokenizer {template.name} "
            f"{len(template.tokenizer):,}; take the model's own"
        )
    return SFTTrainer(
        network,
        args,
        train_dataset=rows.dataset(),
        processing_class=template.tokenizer,
        peft_config=peft,
    )


def _lora() -> Any:  # noqa: ANN401 - peft's own
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise RecipeError("--lora needs peft: pip install 's1data[train]'") from error
    return LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def _hold(trainer: Any, rows: labels.Labelled, template: Template) -> None:  # noqa: ANN401 - TRL's
    """Every row as the trainer's collator hands it to the model: nothing cut, nothing added."""
    data = trainer.train_dataset
    if len(data) != len(rows.lessons):
        raise RunError(f"the trainer took {len(data):,} rows of {len(rows.lessons):,}")
    for start in range(0, len(data), _CHECKED):
        places = range(start, min(start + _CHECKED, len(data)))
        batch = trainer.data_collator([data[i] for i in places])
        labels.hold(
            [rows.lessons[i] for i in places],
            batch["labels"].tolist(),
            template.tokenizer,
            template.end,
        )

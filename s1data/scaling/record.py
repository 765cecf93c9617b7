"""What a training run leaves of itself: `training.json`, written last."""

from __future__ import annotations

import json
import math
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from s1data.durable import sync_folder
from s1data.errors import RunError
from s1data.export.templates import Template
from s1data.scaling import labels

if TYPE_CHECKING:
    from s1data.scaling.training import Settings

FORMAT: Final = 1
_VERSIONS: Final = ("accelerate", "s1data", "torch", "transformers", "trl")


def of(
    target: str,
    model: str,
    settings: Settings,
    rows: labels.Labelled,
    template: Template,
    trainer: Any,  # noqa: ANN401 - TRL ships no types
    seconds: float,
) -> dict[str, Any]:
    """The record of a training run that came to its end; RunError where its loss is no number."""
    import torch

    losses = [
        {"step": said["step"], "epoch": said["epoch"], "loss": float(said["loss"])}
        for said in trainer.state.log_history
        if "loss" in said
    ]
    if not all(math.isfinite(one["loss"]) for one in losses):
        raise RunError("the loss is no number any more; lower the learning rate")
    world = trainer.args.world_size
    gpu = None if settings.cpu else torch.cuda.get_device_name()
    return {
        "format": FORMAT,
        "set": target,
        "model": model,
        "parameters": trainer.model.num_parameters(),
        "end_token": template.end,
        "rows": len(rows.lessons),
        "left_out": dict(rows.cut),
        "tokens": rows.tokens,
        "learnt_tokens": rows.learnt,
        "settings": {**settings.model_dump(mode="json"), "rate": settings.learning_rate},
        "seconds": round(seconds, 3),
        "processes": world,
        "gpu": gpu,
        "gpu_hours": None if gpu is None else round(seconds * world / 3600, 6),
        "losses": losses,
        "versions": {name: metadata.version(name) for name in _VERSIONS},
    }


def write(path: Path, record: dict[str, Any]) -> None:
    """Writes it so that its name stands for the whole."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
    sync_folder(path.parent)

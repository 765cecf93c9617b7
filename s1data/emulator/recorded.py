"""Replies that were recorded elsewhere, served as if a model gave them now.

A recorded model is asked by the name that the file has for it (or its last part), or by a name
whose persona says ``recorded_as``. What was not recorded is refused, never made up.
"""

from __future__ import annotations

import polars as pl

from s1data.emulator.questions import Questions
from s1data.emulator.script import Script
from s1data.emulator.words import Asked, Refused, Said, text_id, tokens

_Reply = tuple[str | None, str | None, str | None]


class Recorded:
    """Recorded replies by model and question; samples in the file's order, or by ``sample``."""

    def __init__(self, replay: pl.DataFrame | None) -> None:
        self._replies: dict[tuple[str, str], list[_Reply]] = {}
        self._names: dict[str, str] = {}
        if replay is None:
            self._index = Questions(())
            return
        have = set(replay.columns)
        if "sample" in have:
            replay = replay.sort("sample", maintain_order=True, nulls_last=True)
        columns = [
            replay[name].to_list() if name in have else [None] * replay.height
            for name in ("model", "question", "thinking", "answer", "finish")
        ]
        for model, question, thinking, answer, finish in zip(*columns, strict=True):
            if model is not None:
                held = self._replies.setdefault((model, question.strip()), [])
                held.append((thinking, answer, finish))
        for model in dict.fromkeys(model for model, _ in self._replies):
            for name in (model.rpartition("/")[2].casefold(), model.casefold(), model):
                self._names.setdefault(name, model)
        self._texts = list(dict.fromkeys(question for _, question in self._replies))
        self._index = Questions(self._texts)

    @property
    def models(self) -> list[str]:
        """Names of the recorded models."""
        return list(dict.fromkeys(self._names.values()))

    def reply(self, asked: Asked, script: Script) -> Said | None:
        """The recorded reply; None for a model that was not recorded, Refused for a question."""
        name = script.persona(asked.model).recorded_as or asked.model
        model = self._names.get(name) or self._names.get(name.casefold())
        if model is None:
            if script.persona(asked.model).recorded_as:
                raise Refused(404, "NOT_FOUND", f"replay: no model {name} is recorded")
            return None
        place = self._index.find(asked.prompt)
        replies = [] if place is None else self._replies.get((model, self._texts[place]), [])
        if place is None or not replies:
            raise Refused(
                400, "INVALID_ARGUMENT", f"replay: nothing of {model} is recorded for this question"
            )
        # A client that numbers its samples moves the seed as well: counting both skips every other.
        which = asked.sample if asked.numbered else asked.sample + asked.seed
        thinking, answer, finish = replies[which % len(replies)]
        return Said(
            role="recorded",
            question=text_id(self._texts[place]),
            thinking=thinking or "",
            answer=answer or "",
            finish="length" if (finish or "").lower() in {"length", "max_tokens"} else "stop",
            trace=script.persona(asked.model).trace if thinking else "none",
            source="replay",
            thinking_tokens=tokens(thinking or ""),
            answer_tokens=tokens(answer or ""),
        )

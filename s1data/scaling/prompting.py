"""The prompt that a chat template writes: one string in training and where budgets are forced.

`written` makes the marks of a prompt from a template, `trained` finds which of them a set's rows
have, and a training record keeps it; `load` takes either for an evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from s1data.errors import PoolError, RecipeError
from s1data.export.templates import Template, marked, opens_thinking
from s1data.scaling.marks import MARKS, Marks

Layout: TypeAlias = Literal["s1", "think"]
RECORD: Final = "training.json"
"""Written last into the folder of a trained model."""
_SYSTEM: Final = "vkjxqz"
"""A system prompt that no template has of its own."""
_PLACE: Final = "{question}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """How a question is put to a model, and what stands around its thinking."""

    layout: Layout
    system: str | None
    """None: no system message is given, and the template may write its own."""
    marks: Marks

    def record(self) -> dict[str, Any]:
        """As a training record keeps it."""
        return {"marks": self.layout, "system": self.system, "template": self.marks.template}


def written(template: Template, layout: Layout, system: str | None = None) -> Prompt:
    """The prompt of a chat template; thinking is opened unless the template does it itself.

    RecipeError for a template that has no place for the question once, or none for the layout.
    """
    text = template.prompt(_turns(marked(), system))
    before, _, after = text.partition(marked())
    if text.count(marked()) != 1 or _PLACE in before + after:
        raise RecipeError(
            f"tokenizer {template.name}: its chat template with this system prompt has not one "
            "place for the question; write the prompt yourself with --template"
        )
    known = MARKS[layout]
    opened = opens_thinking(text)
    if opened and layout == "s1":
        raise _no_place(template.name)
    marks = known.model_copy(
        update={
            "template": f"{before}{_PLACE}{after}",
            "opens": "" if opened else known.opens,
            "ends": tuple(dict.fromkeys((known.ends[0], template.end))),
            "answer_ends": (template.end,),
        }
    )
    return Prompt(layout=layout, system=system, marks=marks)


def check_place(template: Template, layout: Layout) -> None:
    """RecipeError where s1's delimiters would stand behind an opened think tag."""
    if layout == "s1" and opens_thinking(template.prompt(_turns(marked(), None))):
        raise _no_place(template.name)


def _no_place(name: str) -> RecipeError:
    return RecipeError(
        f"tokenizer {name}: its chat template opens <think> itself, so that s1's delimiters would "
        "be a second opening; take the layout think (a file: export it in another format than s1)"
    )


def trained(pairs: Sequence[tuple[str, str]], template: Template) -> Prompt | None:
    """The one prompt by which all rows, as (prompt, completion), were asked.

    None where they differ in layout or system prompt, or are none that the template writes. Every
    row is rendered again from its question and held against its text.
    """
    layouts: set[Layout] = {
        "s1" if said.startswith(MARKS["s1"].opens) else "think" for _, said in pairs
    }
    if len(layouts) != 1:
        return None
    (layout,) = layouts
    for system in dict.fromkeys((None, _system_in(pairs[0][0], template))):
        try:
            prompt = written(template, layout, system)
        except RecipeError:
            continue
        if all(_asks(prompt, text, template) for text, _ in pairs):
            return prompt
    return None


def _asks(prompt: Prompt, text: str, template: Template) -> bool:
    before, _, after = prompt.marks.template.partition(_PLACE)
    around = len(before) + len(after)
    if not (text.startswith(before) and text.endswith(after) and len(text) > around):
        return False
    question = text[len(before) : len(text) - len(after)]
    return template.prompt(_turns(question, prompt.system)) == text


def _system_in(text: str, template: Template) -> str | None:
    """The system prompt in a rendered prompt; None where it has no place for one."""
    try:
        shape = template.prompt(_turns(marked(), _SYSTEM))
    except RecipeError:
        return None
    before, found, rest = shape.partition(_SYSTEM)
    between, _, _ = rest.partition(marked())
    said = text.removeprefix(before)
    if not found or not between or said == text or between not in said:
        return None
    return said.partition(between)[0]


def load(name: str, layout: Layout | None, system: str | None) -> tuple[Template, Prompt]:
    """The prompt of a tokenizer, by name or folder, for an evaluation.

    A folder of `s1data.scaling.train` says layout and system prompt itself; RecipeError where
    another is asked for, or its rows were asked by no prompt that its template writes.
    """
    template = Template.load(name)
    record = _recorded(Path(name))
    if record is None:
        return template, written(template, layout or "s1", system)
    told, said = record["marks"], record["system"]
    if layout not in (None, told):
        raise RecipeError(f"{name}: was trained with the marks {told}, got {layout}; leave it out")
    if system not in (None, said):
        shown = "no system prompt given" if said is None else f"the system prompt {said!r}"
        raise RecipeError(f"{name}: was trained with {shown}, got {system!r}; leave it out")
    prompt = written(template, told, said)
    # A template may write today's date: the string of the training stands.
    marks = prompt.marks.model_copy(update={"template": record["template"]})
    return template, Prompt(layout=told, system=said, marks=marks)


def _recorded(folder: Path) -> dict[str, Any] | None:
    """What a training record says of its prompt; None where there is none."""
    file = folder / RECORD
    if not file.is_file():
        return None
    try:
        told = json.loads(file.read_text(encoding="utf-8"))["prompt"]
        found = told and {key: told[key] for key in ("marks", "system", "template")}
        known = told is None or found["marks"] in MARKS
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise RecipeError(
            f"{file}: does not say by which prompt the model was trained; move it away, and say "
            "--marks and --system yourself"
        )
    if told is None:
        raise RecipeError(
            f"{folder}: its rows were asked by no one prompt that its chat template writes; write "
            "the prompt with --template, and say --marks"
        )
    return dict(found)


def held(
    questions: Sequence[tuple[str, str]], template: Template, prompt: Prompt
) -> dict[str, str]:
    """Questions by id, from (id, question), as the template writes them into the prompt.

    PoolError where it changes one otherwise than by trimming it: what is asked would not be the
    string that training gave.
    """
    found = {}
    now = written(template, prompt.layout, prompt.system).marks
    for id_, question in questions:
        wanted = template.prompt(_turns(question, prompt.system)) + now.opens
        fits = (q for q in (question, question.strip()) if now.prompt(q) == wanted)
        kept = next(fits, None)
        if kept is None:
            raise PoolError(
                f"{id_}: the chat template of {template.name} changes the question; mend or drop "
                "the row"
            )
        found[id_] = kept
    return found


def _turns(question: str, system: str | None) -> list[dict[str, str]]:
    head = [] if system is None else [{"role": "system", "content": system}]
    return [*head, {"role": "user", "content": question}]

"""What is asked when budgets are forced is the string that was trained, in every layout."""

import json

import pytest

from s1data.errors import PoolError, RecipeError
from s1data.export import FORMATS, Options, export
from s1data.export.templates import Template
from s1data.scaling import Budget, Generated, force, lessons, prompting
from tests.export import tokenizers
from tests.scaling.test_labels import ODD, answer, frame, thinking

ROWS = 10


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = {}

    def of(kind):
        if kind not in made:
            made[kind] = tokenizers.make(tmp_path_factory.mktemp(kind), kind)
        return Template.load(str(made[kind]))

    return of


def taught(path, template):
    return list(lessons.read(str(path), "s1", template))


def found(some, template):
    return prompting.trained([(one.prompt, one.completion) for one in some], template)


class Taught:
    """A model that says what it was taught, and writes down what it was asked."""

    def __init__(self, turns):
        self.turns = iter(turns)
        self.asked = []

    def most_tokens(self, text):
        return len(text)

    def generate(self, calls):
        self.asked += [call.prompt for call in calls]
        return [Generated(text=next(self.turns), tokens=3, hit_limit=False) for _ in calls]


CASES = [
    (form, kind, rendered, system)
    for form in FORMATS
    for kind in tokenizers.TEMPLATES
    for rendered in (True, False)
    for system in ("default", "none", "Be brief. {x}")
    # A template that opens a think tag itself has no place for s1's delimiters.
    if (form, kind) != ("s1", "cuts")
]


@pytest.mark.parametrize(("form", "kind", "rendered", "system"), CASES)
def test_the_whole_text_that_is_forced_is_that_of_training(
    template, tmp_path, form, kind, rendered, system
):
    made = template(kind)
    export(frame(ROWS), tmp_path / "t.jsonl", Options(form, made if rendered else None, system))
    some = taught(tmp_path / "t.jsonl", made)
    prompt = found(some, made)
    # s1's own text is ChatML, with a system prompt or none: not every template can write it.
    own = form == "s1" and not rendered
    if own and (kind == "trims" or (kind, system) == ("chatml", "none")):
        assert prompt is None
        return
    assert prompt.layout == ("s1" if form == "s1" else "think")
    rows = frame(ROWS).select("id", "question").rows()
    asked = prompting.held(rows, made, prompt)
    assert asked == dict(rows)
    for i, lesson in enumerate(some):
        # The model ends its thought with the line break that stands before the mark.
        inner = thinking(i) + "\n"
        said = answer(i) if form != "s1" or i % 2 else f"Answer: {answer(i)}"
        engine = Taught([inner, said])
        (one,) = force({(lesson.id, 0): asked[lesson.id]}, Budget(), prompt.marks, engine)
        whole = lesson.prompt + lesson.completion
        assert engine.asked[-1] + one.text("answer") == whole
        assert engine.asked[0] + inner == whole[: len(engine.asked[0]) + len(inner)]


def test_every_lesson_of_a_run_is_asked_by_the_string_of_its_layout(template):
    for kind, layout in (("chatml", "s1"), ("chatml", "think"), ("keeps", "think"), ("cuts", "think")):  # fmt: skip
        made = template(kind)
        some = list(lessons.of_rows(frame(ROWS), layout, made, {}))
        prompt = found(some, made)
        assert (prompt.layout, prompt.system) == (layout, None)
        for lesson, question in zip(some, frame(ROWS)["question"], strict=True):
            opened = "" if kind == "cuts" else prompt.marks.opens
            assert prompt.marks.prompt(question) == lesson.prompt + opened
            assert lesson.completion.startswith(opened)
        # What stands around is what the record keeps, and a JSON file gives back.
        told = json.loads(json.dumps(prompt.record()))
        assert told == {"marks": layout, "system": None, "template": prompt.marks.template}


def test_s1_has_no_place_behind_a_template_that_opens_a_think_tag(template, tmp_path):
    made = template("cuts")
    with pytest.raises(RecipeError, match="opens <think> itself"):
        list(lessons.of_rows(frame(3), "s1", made, {}))
    told = export(frame(3), tmp_path / "t.jsonl", Options("s1", made))
    assert any("opens <think> itself" in one for one in told.warnings)
    with pytest.raises(RecipeError, match="take the layout think"):
        taught(tmp_path / "t.jsonl", made)
    with pytest.raises(RecipeError, match="opens <think> itself"):
        prompting.written(made, "s1")


def test_rows_asked_in_several_ways_have_no_one_prompt(template, tmp_path):
    made = template("chatml")
    one, other = (lessons.of_rows(frame(3), layout, made, {}) for layout in ("s1", "think"))
    assert found([*one, *other], made) is None
    export(frame(3), tmp_path / "a.jsonl", Options("think", system="Be brief."))
    mixed = [*taught(tmp_path / "a.jsonl", made), *lessons.of_rows(frame(3), "think", made, {})]
    assert found(mixed, made) is None
    foreign = [lessons.Lesson("a", "Question: why?\n", "<think>\nT\n</think>\n\nA")]
    assert found(foreign, made) is None


def test_a_question_that_the_template_changes_is_named(template):
    made = template("cuts")
    prompt = prompting.written(made, "think")
    with pytest.raises(PoolError, match=r"^b: the chat template of .* changes the question"):
        prompting.held([("a", "Why?"), ("b", "a</think>b")], made, prompt)
    # One that trims is asked as it would be trained: trimmed.
    made = template("trims")
    prompt = prompting.written(made, "think")
    assert prompting.held([("a", f" {ODD[2]}\n")], made, prompt) == {"a": ODD[2]}


def test_a_system_prompt_is_the_templates_turn(template):
    marks = prompting.written(template("chatml"), "think", "Be brief.").marks
    assert marks.prompt("Why?") == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n"
    )
    with pytest.raises(RecipeError, match="not one place for the question"):
        prompting.written(template("chatml"), "think", "About {question}")

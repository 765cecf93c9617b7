"""Recipes: YAML and objects are two forms of one thing, and what is wrong is said before a run."""

import json
import pickle

import polars as pl
import pytest

import s1data
from s1data import published, schema, stages
from s1data.errors import RecipeError
from s1data.recipe import Pipeline
from s1data.setting import parse_set
from s1data.stages.asked_traces import AddTraces

RECIPE = """\
name: small
version: 2026.11.0
sources:
  - {name: maths, path: maths.jsonl, columns: {question: problem}, licence: cc-by-4.0}
inputs:
  bench: {path: bench.jsonl, columns: [question]}
stages:
  - drop_incomplete: {needs: [question, answer]}
  - drop_malformed: {as: shape, rules: general, max_chars: 500}
  - drop_contaminated: {against: [bench]}
  - keep_random: {as: keep, n: 10, seed: 3}
"""


def refused(text):
    with pytest.raises(s1data.RecipeError) as error:
        Pipeline.from_yaml(text, "r.yaml")
    return str(error.value).splitlines()


def test_yaml_to_objects_to_yaml_is_stable():
    pipeline = Pipeline.from_yaml(RECIPE)
    again = Pipeline.from_yaml(pipeline.to_yaml())
    assert again == pipeline
    assert again.to_yaml() == pipeline.to_yaml()
    assert again.fingerprint == pipeline.fingerprint


def test_objects_to_yaml_to_objects_is_the_same_pipeline():
    pipeline = Pipeline.from_yaml(RECIPE)
    built = Pipeline(
        name="small",
        version="2026.11.0",
        sources=pipeline.sources,
        inputs={"bench": s1data.Input(path="bench.jsonl", columns=["question"])},
        stages=tuple(
            stages.get(s.stage_name())(**s.model_dump(by_alias=True)) for s in pipeline.stages
        ),
    )
    assert built == pipeline
    assert Pipeline.from_yaml(built.to_yaml()) == pipeline


@pytest.mark.parametrize("name", sorted(published.published()))
def test_every_published_recipe_is_stable_both_ways(name):
    pipeline = Pipeline.load(name)
    assert pipeline.name == name
    assert pipeline.description
    assert Pipeline.from_yaml(pipeline.to_yaml()) == pipeline


def test_a_pipeline_does_not_change():
    pipeline = Pipeline.from_yaml(RECIPE)
    with pytest.raises(ValueError, match="frozen"):
        pipeline.name = "other"
    with pytest.raises(TypeError):
        pipeline.inputs["more"] = s1data.Input()
    with pytest.raises(ValueError, match="frozen"):
        pipeline.stages[-1].n = 3


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("n: 10", "n: many", "r.yaml:11:29", ["stage keep", "field n", "a whole number", "'many'"]),
        ("n: 10", "n: 0", "r.yaml:11:29", ["stage keep", "field n", "a number over 0", "got 0"]),
        ("n: 10, ", "", "r.yaml:11:5", ["stage keep", "field n", "no default", "got nothing"]),
        ("seed", "sed", "r.yaml:11:36", ["stage keep", "'sed'", "nearest: seed"]),
        ("rules: general", "rules: generl", "r.yaml:9:33", ["shape", "rules", "nearest: general"]),
        ("max_chars: 500", "max_chars: '500'", "r.yaml:9:49", ["max_chars", "whole number"]),
        ("keep_random", "keep_randon", "r.yaml:11:5", ["keep_randon", "nearest: keep_random"]),
        ("as: keep", "as: shape", "r.yaml:11:5", ["shape", "twice", "`as:`"]),
        ("as: keep", "as: read", "r.yaml:11:5", ["read", "`as:`"]),
        ("[bench]", "[bensh]", "r.yaml:10:5", ["'bensh'", "nearest: bench"]),
        ("[bench]", "[bench], cross_source: [math]", "r.yaml:10:5", ["'math'", "nearest: maths"]),
        ("name: maths", "nam: maths", "r.yaml:4:6", ["'nam'", "nearest: name"]),
        ("licence:", "license:", "r.yaml:4:68", ["'license'", "nearest: licence"]),
        ("stages:", "stage:", "r.yaml:7:1", ["'stage'", "nearest: stages"]),
        ("version: 2026.11.0", "version: 1", "r.yaml:2:1", ["version"]),
        ("- drop_incomplete: {needs: [question, answer]}", "- [1]", "r.yaml:8:5", ["stage_name"]),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_place_label_field_wanted_and_got(old, new, place, says):
    assert old in RECIPE
    lines = refused(RECIPE.replace(old, new))
    mine = [line for line in lines if line.startswith(f"{place}: ")]
    assert mine, lines
    for word in says:
        assert word in mine[0]
    assert all(len(line) < 400 for line in lines)


def test_a_similarity_threshold_of_95_is_an_error():
    with pytest.raises(ValueError, match="less than or equal to 1"):
        stages.get("drop_malformed")(rules="general", min_script_share=95)


def test_all_mistakes_are_said_at_once():
    text = RECIPE.replace("n: 10", "n: 0").replace("rules: general", "rules: x")
    assert len(refused(text)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "wanted a mapping"), ("- 1", "wanted a mapping"), ("name: x", "version"), ("3", "got 3")],
)
def test_what_is_no_recipe_is_refused(text, says):
    assert any(says in line for line in refused(text))


def test_set_changes_one_field_and_marks_the_name():
    pipeline = Pipeline.from_yaml(RECIPE)
    changed = pipeline.with_set({"keep.n": 5})
    assert changed.stages[-1].n == 5
    assert changed.stages[:-1] == pipeline.stages[:-1]
    assert "keep.n=5 (was 10)" in changed.title
    assert Pipeline.from_yaml(changed.to_yaml()) == changed
    assert pipeline.with_set({"keep.n": 10}) == pipeline


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kep.n=5", "nearest: keep"),
        ("keep.m=5", "no field 'm'"),
        ("keep.n=0", "a number over 0"),
        ("keep=5", "no field ''"),
        ("keep.n", "label.field=value"),
    ],
)
def test_a_wrong_set_is_one_line(text, says):
    with pytest.raises(s1data.RecipeError) as error:
        Pipeline.from_yaml(RECIPE).with_set(dict([parse_set(text)]))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_fingerprint_moves_with_what_decides_and_only_with_that():
    base = Pipeline.from_yaml(RECIPE)
    for old, new in [("seed: 3", "seed: 4"), ("cc-by-4.0", "mit"), ("[question]", "[answer]")]:
        assert Pipeline.from_yaml(RECIPE.replace(old, new)).fingerprint != base.fingerprint
    for old, new in [("2026.11.0", "2026.12.0"), ("name: small", "name: other")]:
        assert Pipeline.from_yaml(RECIPE.replace(old, new)).fingerprint == base.fingerprint


def test_a_field_that_a_later_version_adds_moves_no_fingerprint_until_it_is_set():
    def drop(**added):
        fields = {"__annotations__": dict.fromkeys(added, int), "__module__": __name__, **added}
        return type("DropOdd", (s1data.Filter,), fields)

    def recipe(stage):
        head = {"name": "odd", "version": "2026.11.0", "sources": ({"name": "pool"},)}
        return Pipeline(**head, stages=(stage,)).fingerprint

    before, after = drop(least=2), drop(least=2, most=9)
    assert recipe(after()) == recipe(before())
    assert recipe(after(most=8)) != recipe(before())
    assert recipe(after(least=3)) == recipe(before(least=3)) != recipe(before())


def test_errors_and_recipes_survive_pickling():
    error = s1data.RecipeError("r.yaml:1:1: wanted x")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(error, ValueError)


def test_the_schema_is_valid_and_knows_every_stage():
    whole = schema.schema()
    text = json.dumps(whole)
    for name in stages.names():
        assert f'"#/$defs/{name}"' in text
        assert name in whole["$defs"]
        for field in whole["$defs"][name]["properties"].values():
            assert field.get("description"), f"{name}: a field without a description"


def test_the_schema_accepts_the_recipes_and_refuses_what_loading_refuses():
    import jsonschema

    from s1data import yamltext

    check = jsonschema.Draft202012Validator(schema.schema())
    assert list(check.iter_errors(yamltext.parse(RECIPE, "r").value)) == []
    for path in published.published().values():
        assert list(check.iter_errors(yamltext.parse(path.read_text(), "r").value)) == []
    for old, new in [("n: 10", "n: 0"), ("seed", "sed"), ("keep_random", "keep_randon")]:
        assert list(check.iter_errors(yamltext.parse(RECIPE.replace(old, new), "r").value))


MODELS = """\
models:
  teacher: {provider: gemini, model: a-model, temperature: 0.7, thinking: {budget: 100}}
  small: {provider: openai_compatible, model: org/small, extra: {top_k: 20, nested: {a: [1, 2]}}}
"""
WITH_MODELS = RECIPE.replace("stages:\n", MODELS + "stages:\n")


def test_models_go_both_ways_and_a_model_alone_moves_the_fingerprint():
    pipeline = Pipeline.from_yaml(WITH_MODELS)
    assert list(pipeline.models) == ["small", "teacher"]
    assert Pipeline.from_yaml(pipeline.to_yaml()) == pipeline
    prints = {
        Pipeline.from_yaml(text).fingerprint
        for text in (
            RECIPE,
            WITH_MODELS,
            WITH_MODELS.replace("temperature: 0.7", "temperature: 0.8"),
            WITH_MODELS.replace("budget: 100", "budget: 101"),
            WITH_MODELS.replace("top_k: 20", "top_k: 21"),
        )
    }
    assert len(prints) == 5
    swapped = WITH_MODELS.splitlines(keepends=True)
    at = next(i for i, line in enumerate(swapped) if "teacher:" in line)
    swapped[at : at + 2] = reversed(swapped[at : at + 2])
    assert Pipeline.from_yaml("".join(swapped)).fingerprint == pipeline.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("provider: gemini", "provider: gemnii", "field provider: wanted one of"),
        ("model: a-model, ", "", "field model: wanted a value"),
        ("temperature: 0.7", "temperature: 7", "field temperature: wanted at most 2"),
        ("budget: 100", "buget: 100", "unknown field 'thinking.buget'"),
        ("  teacher: {provider: gemini, ", "  teacher: [{provider: gemini}]\n  x: {", "a mapping"),
    ],
)
def test_a_mistake_in_a_model_is_said_in_its_place(old, new, says):
    assert old in WITH_MODELS
    lines = refused(WITH_MODELS.replace(old, new))
    assert says in lines[0]
    assert lines[0].startswith("r.yaml:")


def test_a_stage_that_asks_a_model_the_recipe_has_not_is_named():
    pipeline = Pipeline.from_yaml(WITH_MODELS)
    asker = AddTraces(teachers=("teachr",))
    with pytest.raises(ValueError, match=r"stage add_traces: asks the model 'teachr'.*teacher"):
        Pipeline.model_validate(
            {name: getattr(pipeline, name) for name in type(pipeline).model_fields}
            | {"stages": (*pipeline.stages, asker)}
        )


def test_published_counts_stand_beside_what_was_found(tmp_path):
    recipe = """
name: counted
version: 2026.11.0
sources: [{name: pool, path: pool.jsonl}]
stages: [drop_duplicates]
expected: {paper: {read: 3, drop_duplicates: 3}}
"""
    pipeline = Pipeline.from_yaml(recipe)
    assert Pipeline.from_yaml(pipeline.to_yaml()) == pipeline
    without = Pipeline.from_yaml(recipe.replace("expected:", "# "))
    assert without.fingerprint == pipeline.fingerprint, "what others counted decides nothing"
    rows = pl.DataFrame({"question": ["What is 2 + 2?", "Why?", "What is 2 + 2?"]})
    run = pipeline.run(tmp_path / "run", inputs={"pool": rows})
    assert run.manifest["expected"] == {
        "paper": {
            "read": {"expected": 3, "found": 3},
            "drop_duplicates": {"expected": 3, "found": 2},
        }
    }
    with pytest.raises(RecipeError, match=r"recipe:6:.*'reed' is the label of no stage"):
        Pipeline.from_yaml(recipe.replace("{read:", "{reed:"))

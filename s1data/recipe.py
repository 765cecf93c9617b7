"""A recipe: the named, dated way from sources to a curated set, as data and as Python objects.

`Pipeline` is the object, YAML its other form; each gives the other back unchanged. Loading checks
everything that can be known without opening a source, and says every problem at once, a line each:
where it stands, which stage and field, what was wanted, what was got, the nearest names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, PrivateAttr, SerializeAsAny, field_validator, model_validator

from s1data import digest, published, yamltext
from s1data.edits import Edit, contradictions
from s1data.errors import RecipeError, nearest
from s1data.frozen import Frozen, Pairs
from s1data.models import ModelSpec
from s1data.sources.spec import Input, Source
from s1data.stage import Asker, Selector, Stage

if TYPE_CHECKING:
    from s1data.run import Run

RESERVED_LABELS: Final = ("read",)
_NAME: Final = r"^[a-z0-9][a-z0-9._-]*$"


class Head(Frozen):
    """What a recipe says of itself."""

    name: str = Field(pattern=_NAME, max_length=80, description="Name of the set that comes out.")
    version: str = Field(
        pattern=r"^\d{4}\.\d{1,2}\.\d+$", description="Year.month.number of the recipe itself."
    )
    description: str = Field(default="", description="What it is for, in a line or a paragraph.")
    rehearsal: bool = Field(
        default=False,
        description="Whether its models are emulated ones unless others are given at run time.",
    )
    expected: Pairs[Pairs[int]] = Field(
        default=(),
        description="Counts that were published: by who says so, the rows after each stage. A run "
        "compares them with what it found.",
    )
    changed: tuple[str, ...] = Field(
        default=(), description="What was set differently from the published recipe."
    )


class Pipeline(Head):
    """A name, a dated version, sources, named inputs and a tuple of stages."""

    sources: tuple[Source, ...] = Field(min_length=1, description="Where questions come from.")
    inputs: Mapping[str, Input] = Field(default={}, description="Further files stages read.")
    models: Mapping[str, ModelSpec] = Field(
        default={}, description="Models that stages ask, by the names the stages use."
    )
    stages: tuple[SerializeAsAny[Stage], ...] = Field(min_length=1, description="In order.")
    edits: tuple[Edit, ...] = Field(
        default=(),
        description="Errata: rows that leave, come or stay in what the last selector chose. Each "
        "moves one row, within the selector's quotas.",
    )

    _document: yamltext.Document | None = PrivateAttr(default=None)

    @field_validator("inputs", "models", mode="after")
    @classmethod
    def _mappings_are_frozen(cls, given: Mapping[str, Frozen]) -> Mapping[str, Frozen]:
        return FrozenMap(sorted(given.items()))

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Pipeline:
        problems = [text for _, text in misfits(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def __eq__(self, other: object) -> bool:
        # Where a recipe was read from is no part of it.
        return isinstance(other, Pipeline) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def at(self, path: yamltext.Path) -> str:
        """``file:line:column`` of a part, where the recipe was read from a text; else its name."""
        return self.name if self._document is None else self._document.at(path)

    @property
    def title(self) -> str:
        """The name, marked with what was changed."""
        return self.name + ("" if not self.changed else f" (changed: {'; '.join(self.changed)})")

    def identity(self, revisions: Mapping[str, int] | None = None) -> dict[str, Any]:
        """What decides the result beside the data itself, JSON-able.

        Fields at their default are left out, so a field that a later version adds moves nothing.
        ``revisions`` by label are those of another version of s1data.
        """
        return {
            "sources": [_place_of(source) for source in self.sources],
            "inputs": {name: _given(spec) for name, spec in self.inputs.items()},
            # Left out where there are none, so that recipes that ask nobody keep their fingerprint.
            **({"models": self.asked()} if self.models else {}),
            "stages": [_decides(stage) | _revised(stage, revisions) for stage in self.stages],
            **({"edits": [edit.written() for edit in self.edits]} if self.edits else {}),
        }

    def edits_of(self, stage: Stage) -> tuple[Edit, ...]:
        """The edits that are applied to what this stage chose: all, if it is the last selector."""
        last = [s.label for s in self.stages if isinstance(s, Selector)][-1:]
        return self.edits if [stage.label] == last else ()

    def asked(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """What decides the replies of the named models (all unless given), JSON-able."""
        wanted = self.models if names is None else names
        return {
            name: self.models[name].model_dump(mode="json", exclude_defaults=True)
            for name in sorted(wanted)
        }

    @property
    def fingerprint(self) -> str:
        """Hex digest of `identity`."""
        return digest.of_value(self.identity())

    @classmethod
    def load(cls, recipe: str | Path) -> Pipeline:
        """Loads a recipe by path, by the name of one that comes with s1data, or from the Hub.

        A recipe on the Hub is ``hf://datasets/ORG/NAME`` or ``…@REVISION``. Raises RecipeError,
        one line per problem. No key or model is needed, and no network but for the Hub's.
        """
        name = str(recipe)
        known = published.published()
        if isinstance(recipe, str) and name in known:
            return cls.from_yaml(known[name].read_text(encoding="utf-8"), f"{name}.yaml")
        if name.startswith(published.SCHEME):
            repo = published.Repo.parse(name)
            return cls.from_yaml(published.fetch(repo, "pipeline.yaml").read_text("utf-8"), name)
        path = Path(recipe)
        if not path.is_file():
            beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
            wanted = "a recipe file or the name of a published recipe (s1data recipes lists them)"
            got = "a folder" if path.is_dir() else "nothing by that name"
            raise RecipeError(
                f"{name}: wanted {wanted}, got {got}{nearest(path.name, [*known, *beside])}"
            )
        try:
            return cls.from_yaml(path.read_text(encoding="utf-8-sig"), name)
        except UnicodeDecodeError as error:
            raise RecipeError(
                f"{name}: wanted UTF-8 text, got bad bytes at {error.start}"
            ) from None

    @classmethod
    def from_yaml(cls, text: str, name: str = "recipe") -> Pipeline:
        """Reads a recipe from YAML text; ``name`` stands in messages."""
        from s1data.parsing import build

        document = yamltext.parse(text, name)
        pipeline = build(document)
        pipeline._document = document  # noqa: SLF001 - its own
        return pipeline

    def to_yaml(self) -> str:
        """Canonical YAML: every field of a stage stands there, so a later default changes none."""
        left = {"stages", "inputs", "models", "sources", "edits"}
        plain = self.model_dump(mode="json", exclude=left)
        said = ("name", "version", "description", "rehearsal")
        head = {k: plain[k] for k in said if plain[k]}
        body: dict[str, Any] = {"changed": plain["changed"]} if self.changed else {}
        body["sources"] = [_given(s) for s in self.sources]
        if self.inputs:
            body["inputs"] = {name: _given(spec) for name, spec in self.inputs.items()}
        if self.models:
            body["models"] = {name: _given(spec) for name, spec in self.models.items()}
        body["stages"] = [
            {s.stage_name(): _without_none(s.model_dump(mode="json", by_alias=True))}
            for s in self.stages
        ]
        if self.expected:
            body["expected"] = {who: dict(counts) for who, counts in self.expected}
        if self.edits:
            body["edits"] = [edit.written() for edit in self.edits]
        return yamltext.dump(head | body)

    def with_set(self, changes: Mapping[str, Any]) -> Pipeline:
        """A copy with ``{"label.field": value}`` set, marked as changed in name and manifest."""
        from s1data.setting import with_one_set

        pipeline = self
        for where, value in changes.items():
            pipeline = with_one_set(pipeline, where, value)
        return pipeline

    def run(self, out: str | Path | None = None, **options: Any) -> Run:  # noqa: ANN401
        """Runs, resumes or rehearses; see `s1data.rehearsing.run` for the options."""
        from s1data.rehearsing import run

        return run(self, out, **options)


class FrozenMap(dict[str, Any]):
    """A mapping that refuses to change."""

    def _refuse(self, *_: object, **__: object) -> None:
        msg = "a recipe's mappings do not change; make a new object"
        raise TypeError(msg)

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse  # type: ignore[assignment]

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


def _given(place: Frozen) -> dict[str, Any]:
    return place.model_dump(mode="json", exclude_defaults=True)


def _place_of(source: Source) -> dict[str, Any]:
    about = {"url", "citation"}  # whom to thank decides nothing
    return source.model_dump(mode="json", exclude_defaults=True, exclude=about)


def _revised(stage: Stage, revisions: Mapping[str, int] | None) -> dict[str, int]:
    return {} if revisions is None else {"revision": revisions.get(stage.label, stage.revision)}


def _decides(stage: Stage) -> dict[str, Any]:
    fields = stage.model_dump(mode="json", by_alias=True, exclude={"as_"}, exclude_defaults=True)
    return {"label": stage.label, **stage.identity(), "fields": fields}


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if v is not None}


def misfits(pipeline: Pipeline) -> Iterator[tuple[yamltext.Path, str]]:
    """What only shows when the parts stand together, with the path of each."""
    labels = [stage.label for stage in pipeline.stages]
    sources = [source.name for source in pipeline.sources]
    yield from _doubles("sources", sources, "")
    yield from _doubles("stages", labels, "; give one of them a label with `as:`")
    for i, label in enumerate(labels):
        if label in RESERVED_LABELS:
            yield ("stages", i), f"the label {label} is the reading's own; give another with `as:`"
    yield from ((("edits", place), text) for place, text in contradictions(pipeline.edits))
    if pipeline.edits and not any(isinstance(s, Selector) for s in pipeline.stages):
        yield ("edits",), "edits: they change what a selector chose; wanted one, got none"
    yield from _counted_nowhere(pipeline, labels)
    for name in pipeline.inputs:
        if name in sources:
            yield ("inputs", name), f"input {name}: a source has that name; wanted another one"
    yield from _ask_in_vain(pipeline)
    for i, stage in enumerate(pipeline.stages):
        for named, does, key, known in (
            (stage.sources(), "names the source", "sources", sources),
            (stage.inputs(), "reads the input", "inputs", list(pipeline.inputs)),
            (models_of(stage), "asks the model", "models", list(pipeline.models)),
        ):
            for name in named:
                if name not in known:
                    text = f"{does} {name!r}, but `{key}:` has {', '.join(known) or 'none'}"
                    place = ("stages", i, stage.stage_name())
                    yield place, f"stage {stage.label}: {text}{nearest(name, known)}"


def _ask_in_vain(pipeline: Pipeline) -> Iterator[tuple[yamltext.Path, str]]:
    """Models that are asked for what their provider does not give."""
    for i, stage in enumerate(pipeline.stages):
        for name in models_of(stage):
            provider = pipeline.models[name].provider if name in pipeline.models else ""
            scores = isinstance(stage, Asker) and stage.scores
            if provider == ("gemini" if scores else "transformers"):
                gives = "log-probabilities of no given text" if scores else "scores, no replies"
                said = f"{provider} gives {gives}; name a model of another provider"
                place = ("stages", i, stage.stage_name())
                yield place, f"stage {stage.label}: model {name}: {said}"


def _counted_nowhere(pipeline: Pipeline, labels: list[str]) -> Iterator[tuple[yamltext.Path, str]]:
    known = [*RESERVED_LABELS, *labels]
    for who, counts in pipeline.expected:
        for label, _ in counts:
            if label not in known:
                text = f"{label!r} is the label of no stage ({', '.join(known)})"
                yield ("expected", who, label), f"expected {who}: {text}{nearest(label, labels)}"


def _doubles(kind: str, names: list[str], hint: str) -> Iterator[tuple[yamltext.Path, str]]:
    for i, name in enumerate(names):
        if name in names[:i]:
            yield (kind, i), f"the name {name} stands twice; wanted every name once{hint}"


def models_of(stage: Stage) -> tuple[str, ...]:
    """Names of the recipe's models that a stage asks; none unless it is an Asker."""
    return stage.models() if isinstance(stage, Asker) else ()


def asked_models(pipeline: Pipeline) -> list[str]:
    """Names of the recipe's models that its stages ask, in the order of asking."""
    return list(dict.fromkeys(name for stage in pipeline.stages for name in models_of(stage)))


def asked_for(pipeline: Pipeline) -> int | None:
    """How many rows the last selector promises; None where the recipe has none."""
    sizes = [s.n for s in pipeline.stages if isinstance(s, Selector)]
    return sizes[-1] if sizes else None

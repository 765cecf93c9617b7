"""The registry of stages: one name, one class, one kind.

Our own stages are listed here; others come by the entry-point group ``s1data.stages``, each entry
a class under any name (its stage name is derived from the class).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from s1data.errors import RecipeError
from s1data.stage import (
    Asker,
    Enricher,
    Filter,
    GlobalEnricher,
    GlobalFilter,
    Selector,
    Stage,
    snake_case,
)

GROUP: Final = "s1data.stages"
KINDS: Final = (Enricher, Filter, GlobalEnricher, GlobalFilter, Selector, Asker)

BUILT_IN: Final[dict[str, str]] = {
    "drop_incomplete": "malformed:DropIncomplete",
    "drop_malformed": "malformed:DropMalformed",
    "drop_duplicates": "duplicates:DropDuplicates",
    "drop_near_duplicates": "near_duplicates:DropNearDuplicates",
    "drop_semantic_duplicates": "semantic_duplicates:DropSemanticDuplicates",
    "drop_published": "published:DropPublished",
    "add_template_group": "templates:AddTemplateGroup",
    "drop_contaminated": "contamination:DropContaminated",
    "add_recorded_attempts": "attempts:AddRecordedAttempts",
    "add_verdict_columns": "verdict_columns:AddVerdictColumns",
    "add_recorded_grades": "grades:AddRecordedGrades",
    "add_attempts": "asked_attempts:AddAttempts",
    "add_judge_grades": "asked_grades:AddJudgeGrades",
    "add_grades": "grading:AddGrades",
    "drop_solved": "difficulty:DropSolved",
    "add_traces": "asked_traces:AddTraces",
    "add_recorded_traces": "traces:AddRecordedTraces",
    "add_trace_checks": "traces:AddTraceChecks",
    "drop_bad_traces": "traces:DropBadTraces",
    "fill": "filling:Fill",
    "drop_unfilled": "filling:DropUnfilled",
    "add_score": "scoring:AddScore",
    "choose_trace": "trace_choice:ChooseTrace",
    "add_pass_rates": "pass_rates:AddPassRates",
    "drop_outside_counts": "pass_rates:DropOutsideCounts",
    "drop_outside": "pass_rates:DropOutside",
    "add_consensus": "doubtful:AddConsensus",
    "add_doubtful_gold": "doubtful:AddDoubtfulGold",
    "drop_doubtful_gold": "doubtful:DropDoubtfulGold",
    "add_question_flaws": "question_flaws:AddQuestionFlaws",
    "drop_unusable": "question_flaws:DropUnusable",
    "add_embedding": "vectors:AddEmbedding",
    "add_contamination": "annotating:AddContamination",
    "add_cluster_domain": "domains:AddClusterDomain",
    "add_nearest_domain": "nearest_domains:AddNearestDomain",
    "add_model_domain": "asked_domains:AddModelDomain",
    "add_column": "columns:AddColumn",
    "keep_s1": "s1_selection:KeepS1",
    "keep_random": "selection:KeepRandom",
    "keep_longest": "selection:KeepLongest",
    "keep_diverse": "selection:KeepDiverse",
    "keep_stratified": "stratified:KeepStratified",
    "keep_top": "selection:KeepTop",
    "keep_kcenter": "coverage:KeepKCenter",
    "keep_facility_location": "coverage:KeepFacilityLocation",
    "check_contaminated": "last_gate:CheckContaminated",
}
"""Stage name to ``module:Class`` in this package: a stage's module is imported when first used."""


@cache
def _third_party() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.value):
        name = snake_case(point.value.rpartition(":")[2])
        if name in BUILT_IN or name in found:
            rival = found[name].value if name in found else f"s1data.stages.{BUILT_IN[name]}"
            msg = (
                f"stage {name}: two classes claim the name, {rival} and {point.value} "
                f"(of {point.dist.name if point.dist else 'an unknown package'}); "
                "rename the class of one, or uninstall its package"
            )
            raise RecipeError(msg)
        found[name] = point
    return found


def names() -> tuple[str, ...]:
    """Every stage name that a recipe may use."""
    return (*BUILT_IN, *_third_party())


@cache
def get(name: str) -> type[Stage]:
    """The class behind a stage name; KeyError if there is none."""
    if name in BUILT_IN:
        module, _, class_name = BUILT_IN[name].partition(":")
        return _checked(getattr(import_module(f"{__name__}.{module}"), class_name), name)
    return _checked(_third_party()[name].load(), name)


def _checked(found: object, name: str) -> type[Stage]:
    kinds = [k for k in KINDS if isinstance(found, type) and issubclass(found, k)]
    if len(kinds) != 1 or not isinstance(found, type) or not issubclass(found, Stage):
        wanted = ", ".join(k.__name__ for k in KINDS)
        msg = f"stage {name}: {found!r} must be a subclass of exactly one of {wanted}"
        raise RecipeError(msg)
    return found


def kind_of(stage: type[Stage]) -> type[Stage]:
    """The one kind that a stage class is of."""
    return next(kind for kind in KINDS if issubclass(stage, kind))


def __getattr__(name: str) -> type[Stage]:
    """``from s1data.stages import KeepS1``: a built-in class, its module loaded when first used."""
    for stage_name, place in BUILT_IN.items():
        if place.rpartition(":")[2] == name:
            return get(stage_name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)

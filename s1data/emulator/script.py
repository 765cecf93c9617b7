"""What the emulator is told to be: its models, their skill, their faults, its batch jobs.

All of it is data: a `Script` is built in Python or read from a TOML file of the same shape. Faults
by rate hit requests by a hash; planned faults hit the requests that they describe, so many times.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from s1data.errors import RecipeError, nearest
from s1data.frozen import Frozen, Pairs


class ScriptError(RecipeError):
    """A script, an answers file or a replay file of the emulator cannot be used as given."""


class Fault(StrEnum):
    """One way to fail; each is what a real service was seen to do."""

    # The request gets no reply. Drawn anew for every try of the same request.
    QUOTA_MINUTE = "quota_minute"
    """429 with QuotaFailure and RetryInfo, or with a Retry-After header."""
    QUOTA_BARE = "quota_bare"
    """429 that says nothing more."""
    QUOTA_DAY = "quota_day"
    """429 whose quota is per day, or whose credit is used up."""
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    OVERLOADED_HTML = "overloaded_html"
    """503 whose body is a page of HTML."""
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    DROP_BEFORE = "drop_before"
    """The connection is closed before any answer."""
    RESET = "reset"
    """The connection is reset (RST) before any answer."""
    HANG = "hang"
    """Nothing comes for as long as the client waits."""
    # The reply is made, and billed, and does not arrive as it should. Drawn anew for every try.
    SLOW = "slow"
    DROP_BODY = "drop_body"
    """The connection is closed in the middle of the body."""
    CUT_JSON = "cut_json"
    """A whole HTTP response whose JSON ends in the middle."""
    EMPTY_BODY = "empty_body"
    # The reply itself. The same for every try of the same request.
    SAFETY = "safety"
    RECITATION = "recitation"
    PROHIBITED = "prohibited"
    BLOCKED_PROMPT = "blocked_prompt"
    CUT_THINKING = "cut_thinking"
    CUT_ANSWERING = "cut_answering"
    NO_CANDIDATES = "no_candidates"
    EMPTY_ANSWER = "empty_answer"
    NO_THOUGHTS = "no_thoughts"
    SUMMARY = "summary"
    LEAKED_THOUGHTS = "leaked_thoughts"


UNANSWERED: Final = frozenset(
    {
        Fault.QUOTA_MINUTE, Fault.QUOTA_BARE, Fault.QUOTA_DAY, Fault.SERVER_ERROR,
        Fault.OVERLOADED, Fault.OVERLOADED_HTML, Fault.UNAUTHORISED, Fault.NOT_FOUND,
        Fault.BAD_REQUEST, Fault.DROP_BEFORE, Fault.RESET, Fault.HANG,
    }
)  # fmt: skip
"""Faults without a reply; only `HANG` is billed, as a service may go on when a client gave up."""
DELIVERY: Final = frozenset({Fault.SLOW, Fault.DROP_BODY, Fault.CUT_JSON, Fault.EMPTY_BODY})
"""Faults of a reply's way to the client."""
CONTENT: Final = frozenset(Fault) - UNANSWERED - DELIVERY
"""Faults of the reply itself."""

Role = Literal["solver", "teacher", "judge", "classifier"]
SKILLS: Final[dict[Role, float]] = {
    "solver": 0.5,
    "teacher": 0.8,
    "judge": 0.95,
    "classifier": 0.95,
}
"""Share of right replies of a model of which nothing else was said."""
JobFate = Literal["succeeds", "partial", "expires", "fails", "stuck"]


class Persona(Frozen):
    """How one model behaves."""

    role: Role | None = Field(
        default=None,
        description="None: a judge or classifier where the prompt asks for one, else a teacher.",
    )
    skill: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of its replies that is right; None: `SKILLS` of its role.",
    )
    trace: Literal["raw", "summary", "none", "leaked"] = Field(
        default="raw", description="What a teacher shows of its thinking."
    )
    reasoning: Literal["reasoning_content", "reasoning", "think"] = Field(
        default="reasoning_content", description="Where the OpenAI protocol carries the thinking."
    )
    thinking_tokens: int = Field(default=300, ge=1, description="Median; spread log-normally.")
    answer_tokens: int = Field(default=60, ge=1, description="Median; spread log-normally.")
    context: int | None = Field(
        default=None, gt=0, description="Tokens served; a request for more is refused with 400."
    )
    latency: float = Field(default=0.0, ge=0, description="Seconds before a reply.")
    tokens_per_second: float | None = Field(
        default=None, gt=0, description="Adds to the latency what so many tokens take."
    )
    requests_per_minute: int | None = Field(default=None, gt=0)
    requests_per_day: int | None = Field(default=None, gt=0)
    price: tuple[float, float] | None = Field(
        default=None, description="USD per million prompt and output tokens, for the bill."
    )
    recorded_as: str | None = Field(
        default=None, description="The name under which the replay file holds this model's replies."
    )


class Planned(Frozen):
    """A fault for certain requests: the first ``times`` tries of each, or every one."""

    fault: Fault = Field(strict=False, description="By its name.")
    model: str = Field(default="*", description="Pattern of the model's name.")
    contains: str = Field(default="", description="Text that the prompt holds.")
    times: int | None = Field(default=1, ge=1, description="Tries of one request; None: every one.")

    def hits(self, model: str, prompt: str, tries: int) -> bool:
        """Whether it strikes try number ``tries`` (from 0) of this request."""
        return (
            (self.times is None or tries < self.times)
            and self.contains in prompt
            and fnmatchcase(model, self.model)
        )


class Script(Frozen):
    """Everything that decides what the emulator says."""

    seed: int = 0
    models: Pairs[Persona] = Field(
        default=(), description="Personas by model name or pattern; the longest that fits counts."
    )
    served: tuple[str, ...] = Field(
        default=(), description="The only models there are; none given: every name is served."
    )
    keys: tuple[str, ...] = Field(
        default=(), description="The only API keys accepted; none given: any, and none as well."
    )
    faults: Pairs[float] = Field(default=(), description="Rates by fault, as {safety: 0.05}.")
    planned: tuple[Planned, ...] = Field(default=(), description="Before faults by rate.")
    retry_delay: float = Field(default=1.0, ge=0, description="Seconds that a 429 asks to wait.")
    slow_seconds: float = Field(default=1.0, ge=0, description="What `slow` adds.")
    jobs: tuple[JobFate, ...] = Field(
        default=(), description="Fates of the first batch jobs; those after them succeed."
    )
    job_seconds: float = Field(default=0.0, ge=0, description="How long a batch job takes.")
    job_answer_seconds: float = Field(
        default=0.0, ge=0, description="How late an upload's start and a job's making are answered."
    )

    @model_validator(mode="after")
    def _faults_are_known_shares(self) -> Script:
        for name, rate in self.faults:
            if name not in set(Fault):
                raise ValueError(f"faults: {name} is no fault{nearest(name, Fault)}")
            if not 0 <= rate <= 1:
                raise ValueError(f"faults: {name}: wanted a rate from 0 to 1, got {rate}")
        # Content faults are drawn for themselves: each of the two draws is one throw.
        for kind in (CONTENT, DELIVERY | UNANSWERED):
            if sum(rate for name, rate in self.faults if name in kind) > 1 + 1e-9:
                raise ValueError(f"faults: the rates of {', '.join(sorted(kind))} pass 1 together")
        return self

    def persona(self, model: str) -> Persona:
        """The persona of a model: by its name, else by the longest pattern that fits."""
        fitting = [pattern for pattern, _ in self.models if fnmatchcase(model, pattern)]
        best = max(fitting, key=lambda pattern: (pattern == model, len(pattern)), default=None)
        return next((one for pattern, one in self.models if pattern == best), _DEFAULT)

    def with_models(self, role: Role, skills: dict[str, float]) -> Script:
        """The script with these models in this role, so skilled; else as they were."""
        told = dict(self.models)
        for name, skill in skills.items():
            told[name] = self.persona(name).model_copy(update={"role": role, "skill": skill})
        return self.of(self.model_dump(mode="json") | {"models": _plain(told)})

    def with_faults(self, rates: dict[str, float]) -> Script:
        """The script with these rates in place of its own for the same faults."""
        return self.of(self.model_dump(mode="json") | {"faults": dict(self.faults) | rates})

    @classmethod
    def load(cls, path: Path) -> Script:
        """Reads a TOML file; ScriptError names the file, the field, what was wanted and got."""
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ScriptError(f"{path}: wanted a script in TOML: {error}") from None
        return cls.of(given, str(path))

    @classmethod
    def of(cls, given: dict[str, Any], who: str = "script") -> Script:
        """A script from plain values; ScriptError in one line where they do not fit."""
        try:
            return cls.model_validate_json(_json(given), strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(_places(given, first["loc"]))
            raise ScriptError(f"{who}: {place + ': ' if place else ''}{first['msg']}") from None


def _places(given: dict[str, Any], loc: tuple[int | str, ...]) -> list[str]:
    """Where an error is, as it stands in the file: a mapping's entries by their names."""
    match loc:
        case ("models" as field, int(place), _, *rest):
            return [field, sorted(given[field])[place], *map(str, rest)]
    return [str(part) for part in loc]


def _plain(personas: dict[str, Persona]) -> dict[str, Any]:
    return {name: persona.model_dump(mode="json") for name, persona in personas.items()}


def _json(given: dict[str, Any]) -> bytes:
    import orjson

    # By way of JSON: a fault's name is text there, which strict Python values would not take.
    return orjson.dumps(given)


_DEFAULT: Final = Persona()

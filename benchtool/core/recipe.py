"""A recipe: YAML that says how a method is trained on a dataset, stage after stage (design, section 4).

A stage is complete: nothing comes from the stage before. `defaults` are put under each stage, one level deep: a mapping
a stage gives (its `optimizer`) replaces the default's whole. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown
from benchtool.core.manifest import ROLES
from benchtool.core.recipe_text import find, parse

Fraction = Annotated[float, Field(gt=0, lt=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
FORMS = ("tensor", "diagonal")


class Section(BaseModel):
    """A mapping of the YAML; a key that is not known is an error naming the nearest one that is."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in value if isinstance(value, Mapping) else ():
            if key not in known:
                raise ValueError(str(unknown("key", str(key), known)))
        return value


class Optimizer(Section):
    """`adam` and `adamw` take betas, `sgd` takes momentum."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: PositiveFloat = 1e-4
    betas: tuple[Decay, Decay] | None = None
    momentum: Decay | None = None
    weight_decay: float = Field(0.0, ge=0)
    fused: bool = False

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {**({"momentum": 0.0} if value.get("name") == "sgd" else {"betas": (0.9, 0.999)}), **value}

    @model_validator(mode="after")
    def _own_settings(self) -> Optimizer:
        if (self.betas if self.name == "sgd" else self.momentum) is not None:
            raise ValueError(f"{self.name} takes no {'betas' if self.name == 'sgd' else 'momentum'}")
        return self


class Schedule(Section):
    """Learning rate over a stage: constant, times `gamma` at each fraction `at` of its steps, or half a cosine down to 0."""

    kind: Literal["constant", "milestones", "cosine"] = "constant"
    at: list[Fraction] = []
    gamma: PositiveFloat | None = None

    @model_validator(mode="after")
    def _fits_kind(self) -> Schedule:
        if self.kind == "milestones" and (not self.at or self.gamma is None):
            raise ValueError("milestones need `at` (fractions of the stage) and `gamma`")
        if self.kind != "milestones" and (self.at or self.gamma is not None):
            raise ValueError(f"{self.kind} takes neither `at` nor `gamma`")
        return self


class Regularise(Section):
    """ENC's parameter regularisation (Sec. 3.3): `weight` is lambda, `form` one of the readings in training/regularise.py."""

    kind: Literal["importance"] = "importance"
    weight: PositiveFloat = 0.7
    form: Literal[FORMS] = "tensor"


class Player(Section):
    """How a player of a stage differs from the stage.

    Attributes:
        optimizer: keys here win over those of the stage's optimizer.
        before: the player it moves before in each step; the method's order where None.
        from_epoch: the first epoch it moves in, counted from 1.
        start: checkpoint its own parameters come from.
    """

    optimizer: Optimizer
    before: str | None = None
    from_epoch: PositiveInt = 1
    start: str | None = None


class StageRecipe(Section):
    """One stage.

    Attributes:
        start, teacher: `STAGE.best` or `STAGE.last` of an earlier stage, or `RUN_DIR:STAGE.best`; random weights and no teacher where None.
        epochs, steps: length, one of the two, in passes or in optimiser steps.
        validate_every: with `steps`, optimiser steps between validations; once an epoch where None.
        patch: side of the square crops, None for whole images.
        crops: of each sample in an epoch: as many steps in a row share the samples they decode, each with crops of its own.
        batch: samples a process and backward pass; an optimiser step sees batch x accumulate x processes.
        target: role, None for the dataset's default.
        exposures: inputs trained on: all, a list of EVs or of subsets, or `worst`, the exposure group that `start` validates worst on.
        worst: what `worst` came to; written into recipe.resolved.yaml by training.
        augment: each with probability 1/2.
        losses: weight of each loss of the method.
        players: players that move besides the method's first, and how they differ.
        freeze: patterns (`enc.*`) of parameter names that keep their values.
        ema: decay of the moving average of the weights that is validated and kept.
        clip: largest norm of the gradient.
    """

    name: str = Field(pattern=r"^[\w-]+$")
    start: str | None = None
    teacher: str | None = None
    epochs: PositiveInt | None = None
    steps: PositiveInt | None = None
    validate_every: PositiveInt | None = None
    patch: PositiveInt | None = None
    crops: PositiveInt = 1
    batch: PositiveInt = 1
    accumulate: PositiveInt = 1
    target: str | None = None
    exposures: str | list[float | str] = "all"
    worst: list[float | str] | None = None
    optimizer: Optimizer = Optimizer(betas=(0.9, 0.999))
    schedule: Schedule = Schedule()
    clip: PositiveFloat | None = None
    ema: Fraction | None = None
    augment: list[Literal["hflip", "vflip", "rot180", "rot90"]] = []
    losses: dict[str, float] = Field(min_length=1)
    players: dict[str, Player] = {}
    freeze: list[str] = []
    regularise: Regularise | None = None

    @model_validator(mode="before")
    @classmethod
    def _players_optimizers(cls, value: Any) -> Any:
        """A player's optimizer is the stage's, with its own keys on top."""
        if not isinstance(value, Mapping) or not isinstance(value.get("players"), Mapping):
            return value
        common = value.get("optimizer") or {}
        players = {name: player or {} for name, player in value["players"].items()}
        return {**value, "players": {name: {**p, "optimizer": {**common, **(p.get("optimizer") or {})}} for name, p in players.items()}}

    @field_validator("target")
    @classmethod
    def _known_role(cls, role: str | None) -> str | None:
        if role is not None and role not in ROLES:
            raise ValueError(str(unknown("target role", role, ROLES)))
        return role

    @field_validator("exposures", mode="plain")
    @classmethod
    def _exposures(cls, value: Any) -> str | list[float | str]:
        if value in ("all", "worst"):
            return value
        if isinstance(value, list) and value and all(type(one) in (int, float, str) for one in value):
            return [one if isinstance(one, str) else float(one) for one in value]
        raise ValueError(f"must be all, worst, or a list of EVs, [-1.5, -1], or of subsets, [over], not {value!r}")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> StageRecipe:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.validate_every and not self.steps:
            raise ValueError("validate_every goes with steps; a stage of epochs is validated after each")
        for key, wanted in (("exposures: worst", self.exposures == "worst"), ("regularise", self.regularise)):
            if wanted and not self.start:
                raise ValueError(f"{key} needs a checkpoint to start from (start: STAGE.best)")
        return self


@dataclass(frozen=True)
class Reference:
    """A checkpoint a recipe names: of this run (`run` None) or of another run's folder."""

    run: str | None
    stage: str
    which: str


def reference(text: str) -> Reference:
    """Parse `STAGE.best`, `STAGE.last` or `RUN_DIR:STAGE.best`; ValueError where it is none of them."""
    run, colon, rest = text.rpartition(":")
    stage, _, which = rest.rpartition(".")
    if not stage or which not in ("last", "best") or (colon and not run):
        raise ValueError(f"'{text}' is no checkpoint; write STAGE.best, STAGE.last or RUN_DIR:STAGE.best")
    return Reference(run or None, stage, which)


class Recipe(Section):
    """A whole recipe.

    Attributes:
        name: its file's name without dataset and suffix.
        validation: metric variant that chooses the best weights, by its mean over the validation split; None for the last ones.
        channels_last: memory layout of weights and images.
        amp: mixed precision of the whole run (Accelerate fixes it for a process).
        smoke: shortened by --smoke.
        plugin: where third-party method code came from.
    """

    name: str
    method: str
    options: dict[str, Any] = {}
    dataset: str
    seed: int = 0
    validation: Annotated[str | None, BeforeValidator(lambda v: None if v == "none" else v)] = Field("psnr:rgb-u8", alias="validate")
    channels_last: bool = False
    amp: Annotated[Literal["off", "bf16", "fp16"], BeforeValidator(lambda v: "off" if v is False else v)] = "off"  # YAML's off is false
    smoke: bool = False
    plugin: dict[str, str] | None = None
    stages: list[StageRecipe] = Field(min_length=1)

    @model_validator(mode="after")
    def _stages_fit_together(self) -> Recipe:
        earlier: list[str] = []
        for number, stage in enumerate(self.stages):
            where = f"stages.{number}"
            if stage.name in earlier:
                raise ValueError(f"{where}: the name '{stage.name}' stands twice")
            if stage.exposures == "worst" and self.validation is None:
                raise ValueError(f"{where}: exposures: worst needs a metric to validate with")
            starts = {f"players.{name}.start": player.start for name, player in stage.players.items()}
            for key, text in {"start": stage.start, "teacher": stage.teacher, **starts}.items():
                if text and (wanted := reference(text)).run is None and wanted.stage not in earlier:
                    raise ValueError(f"{where}.{key}: '{text}': {unknown('earlier stage', wanted.stage, earlier)}")
            earlier.append(stage.name)
        return self

    def resolved(self) -> dict[str, Any]:
        """Plain values of everything, as `recipe.resolved.yaml` holds them; itself a recipe."""
        return self.model_dump(mode="json", by_alias=True)


def load_recipe(source: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe NAME, NAME:DATASET or FILE.yaml, with `-s` overrides such as `stages.0.epochs=1`.

    NAME:DATASET is NAME.DATASET.yaml where there is one, else NAME.yaml on another dataset with that dataset's default target.

    Raises:
        UserError: no such recipe, a key that is not known, a value that does not fit; the message leads to the key.
    """
    path, dataset = find(source)
    raw = parse(path, dataset, overrides)
    try:
        return build(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def build(raw: Mapping[str, Any]) -> Recipe:
    """The recipe of plain values, checked against its method's facts.

    Raises:
        ValidationError, UserError: something does not fit.
    """
    recipe = Recipe.model_validate(raw)
    entry, spec = catalog.entry("methods", recipe.method), catalog.facts("methods", recipe.method)
    if not spec.players:
        raise UserError(f"method: '{recipe.method}' is a classical algorithm: it is not trained")
    for number, stage in enumerate(recipe.stages):
        for name, player in stage.players.items():
            for wanted in (name, player.before):
                if wanted is not None and wanted not in spec.players:
                    raise UserError(f"stages.{number}.players: {unknown(f'player of {recipe.method}', wanted, spec.players)}")
    return recipe.model_copy(update={"plugin": entry.origin})


def _first(error: ValidationError) -> str:
    """The first thing wrong on one line: where and what."""
    problems = error.errors(include_url=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] not in ("value_error", "missing"):
        text += f", not {first['input']!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {text}{more}" if place else f"{text}{more}"

"""A stage of a recipe and its sections: the keys of the YAML, their defaults, and what does not fit (design, section 4).

What a stage needs of the stages before it, and of its method, is `recipe`'s to check. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from benchtool.core.errors import unknown
from benchtool.core.manifest import ROLES

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
    """ENC's parameter regularisation (Sec. 3.3).

    Attributes:
        weight: lambda.
        form: one of the readings in training/regularise.py.
        losses: weights of the losses that importance is measured with, of the method's first player; the stage's where None.
    """

    kind: Literal["importance"] = "importance"
    weight: PositiveFloat = 0.7
    form: Literal[FORMS] = "tensor"
    losses: dict[str, float] | None = Field(None, min_length=1)


class Reject(Section):
    """Crops that are drawn again, up to 200 times: those of targets (of inputs, without) in [0, 1] that show too little (MSEC).

    Attributes:
        dark, bright: a mean under the one or over the other.
        flat: a mean of grey's gradient (Sobel's) under this.
    """

    dark: float = Field(0.0, ge=0, le=1)
    bright: float = Field(1.0, ge=0, le=1)
    flat: float = Field(0.0, ge=0)


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
        resize: whole images are brought to this size before they are cropped: a square's side, or `multiple-of-4`; as stored where None.
        patch: side of the square crops, None for whole images.
        reject: which crops are drawn again; none where None.
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
    resize: int | str | None = None
    patch: PositiveInt | None = None
    reject: Reject | None = None
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

    @field_validator("resize", mode="plain")
    @classmethod
    def _resize(cls, value: Any) -> int | str | None:
        if value in (None, "multiple-of-4") or (type(value) is int and value > 0):
            return value
        raise ValueError(f"must be the side of a square in pixels, 512, or multiple-of-4, not {value!r}")

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
        if self.reject and not self.patch:
            raise ValueError("reject is of crops; give their patch")
        if self.validate_every and not self.steps:
            raise ValueError("validate_every goes with steps; a stage of epochs is validated after each")
        for key, wanted in (("exposures: worst", self.exposures == "worst"), ("regularise", self.regularise)):
            if wanted and not self.start:
                raise ValueError(f"{key} needs a checkpoint to start from (start: STAGE.best)")
        return self

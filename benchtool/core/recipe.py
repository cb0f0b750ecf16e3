"""A recipe: YAML that says how a method is trained on a dataset, stage after stage (design, section 4).

A stage is complete: nothing comes from the stage before. `defaults` are put under each stage, one level deep: a mapping
a stage gives (its `optimizer`) replaces the default's whole. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown
from benchtool.core.recipe_stage import Section, StageRecipe
from benchtool.core.recipe_text import find, parse


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
        for name in (*stage.losses, *(stage.regularise and stage.regularise.losses or ())):
            if name in spec.taught and not stage.teacher:
                raise UserError(f"stages.{number}: the loss '{name}' needs a network to learn from; name its weights (teacher: STAGE.best)")
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

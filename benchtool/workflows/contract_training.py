"""The points of a method's contract about its training: gradients, losses that fall, losses that its recipes weigh."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from benchtool.core.recipe import Optimizer, Player, StageRecipe, load_recipe
from benchtool.methods.base import Method, Stage
from benchtool.training import players
from benchtool.training.optimise import build_optimizer
from benchtool.training.trainee import Trainee
from benchtool.workflows.contract_subject import Skip, Subject, example_batch, require
from benchtool.workflows.method_facts import recipes_of

STEPS = 10  # within which a fixed batch's loss has to fall
UNTRAINED = Optimizer(betas=(0.9, 0.999))  # Adam at 1e-4, for a method that no recipe trains


def gradient_reaches_all(subject: Subject) -> str:
    """The losses of each player reach every parameter that its optimiser gets, in one stage or another."""
    seen = 0
    for player in _players(subject):
        method = subject.build().train()
        for weights in _weights(subject):
            _total(method, subject, player, weights).backward()
        for name, parameter in method.trainable(player):
            require(parameter.grad is not None and bool(parameter.grad.any()), f"{player}: no gradient reaches {name}")
            seen += 1
    return f"{seen} tensors"


def loss_falls(subject: Subject) -> str:
    """In each stage that differs for a player, its weighted losses on one fixed batch fall within a few of the recipe's steps."""
    notes, tried = [], []
    for player in _players(subject):
        for stage in _stages(subject):
            way = (player, _settings(stage, player), stage.losses, stage.freeze, stage.clip, bool(stage.teacher))
            if player not in players.moving_order(subject.spec, stage) or way in tried:
                continue
            tried.append(way)
            first, last = _descend(subject, stage, player)
            where, rate = f"{player} in {stage.name}", _settings(stage, player).lr
            require(last < first, f"{where}: {first:.6g} before, {last:.6g} after {STEPS} steps at a rate of {rate:g}")
            notes.append(f"{where} {first:.4g} → {last:.4g}")
    return ", ".join(notes)


def _settings(stage: StageRecipe, player: str) -> Optimizer:
    return stage.players[player].optimizer if player in stage.players else stage.optimizer


def _descend(subject: Subject, stage: StageRecipe, player: str) -> tuple[float, float]:
    """The player's weighted loss before and after STEPS steps as the stage takes them."""
    method = subject.build().train()
    teacher = copy.deepcopy(method).eval().requires_grad_(False) if stage.teacher else None
    players.freeze(method, stage.freeze, stage.name)
    parameters = players.trained(method, player, stage.name)
    optimizer, trainee = build_optimizer(_settings(stage, player), parameters), Trainee(method)
    batch, context = example_batch(subject.spec), Stage(stage.name, stage.losses, teacher)

    def total() -> Tensor:
        torch.manual_seed(2)
        return trainee(batch, context, player)[0]

    start = loss = total()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss.backward()
        if stage.clip:
            torch.nn.utils.clip_grad_norm_(parameters.values(), stage.clip)
        optimizer.step()
        loss = total()
    return float(start.detach()), float(loss.detach())


def _stages(subject: Subject) -> list[StageRecipe]:
    """Those of the recipe of its name, else of its first; where no recipe trains it, one that weighs every loss with 1."""
    recipes = recipes_of(subject.name)
    if recipes:
        return load_recipe(subject.name if subject.name in recipes else next(iter(recipes))).stages
    method, names = subject.build(), {}
    for player in subject.spec.players:
        names |= dict.fromkeys(method.losses(example_batch(subject.spec), Stage("check"), player), 1.0)
    require(bool(names), "`losses` gives nothing")
    others = {player: Player(optimizer=UNTRAINED) for player in subject.spec.players[1:]}
    return [StageRecipe(name="check", steps=STEPS, optimizer=UNTRAINED, losses=names, players=others)]


def recipes_name_its_losses(subject: Subject) -> str:
    """Each loss that a stage of its recipes weighs is one that the method gives there, a scalar and finite."""
    stages = _recipe_stages(subject)
    if not stages:
        raise Skip("no recipe trains it")
    method = subject.build()
    teacher = copy.deepcopy(method).requires_grad_(False)
    for recipe, stage in stages:
        context = Stage(stage.name, stage.losses, teacher if stage.teacher else None)
        given = {}
        for player in subject.spec.players:
            given |= method.losses(example_batch(subject.spec), context, player)
        for name in context.losses:
            require(name in given, f"recipe {recipe}, stage {context.name}: weighs '{name}', the method gives {', '.join(given)}")
            require(given[name].shape == () and bool(torch.isfinite(given[name])), f"loss '{name}' is not a finite scalar")
    return ", ".join(dict.fromkeys(recipe for recipe, _ in stages))


def _recipe_stages(subject: Subject) -> list[tuple[str, StageRecipe]]:
    """(recipe, stage) of every recipe that trains the method."""
    return [(name, stage) for name in recipes_of(subject.name) for stage in load_recipe(name).stages]


def _players(subject: Subject) -> tuple[str, ...]:
    if not subject.spec.players:
        raise Skip("not trained")
    return subject.spec.players


def _weights(subject: Subject) -> list[Mapping[str, float]]:
    """What its stages without a teacher weigh; one that names no loss where all have one."""
    return [stage.losses for stage in _stages(subject) if not stage.teacher] or [{}]


def _total(method: Method, subject: Subject, player: str, weights: Mapping[str, float]) -> Tensor:
    """All losses of a player on the fixed batch, each of weight 1, in a stage that weighs these."""
    torch.manual_seed(2)
    losses = method.losses(example_batch(subject.spec), Stage("check", weights), player)
    require(bool(losses), f"{player}: `losses` gives nothing")
    return torch.stack(list(losses.values())).sum()

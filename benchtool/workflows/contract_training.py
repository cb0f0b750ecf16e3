"""The points of a method's contract about its training: gradients, losses that fall, losses that its recipes weigh."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from benchtool.core.recipe import load_recipe
from benchtool.core.recipe_stage import Optimizer, Player, StageRecipe
from benchtool.methods.base import Batch, Method, Stage
from benchtool.training import players
from benchtool.training.optimise import build_optimizer
from benchtool.training.trainee import Trainee
from benchtool.workflows.contract_subject import Skip, Subject, example_batch, require
from benchtool.workflows.method_facts import recipes_of

STEPS = 10  # within which a fixed batch's loss has to fall
SIZES = ((32, 48), (33, 47), (47, 33), (129, 131))  # rows, columns of the batches whose gradients are looked at, in turn
ROUNDS = 16  # of such batches, before an entry counts as never reached
LIFT = 0.5  # of biases, at most
UNTRAINED = Optimizer(betas=(0.9, 0.999))  # Adam at 1e-4, for a method that no recipe trains


def gradient_reaches_all(subject: Subject) -> str:
    """The losses of each player reach every entry of the parameters that its optimiser gets, but for those that SPEC.dead declares."""
    seen, dead = {}, {}
    for player in _players(subject):
        for name, missed in _missed(subject, player).items():
            seen[name], count = missed.numel(), int(missed.sum())
            if count:
                dead[name] = count
            if count and not _declared(subject, name):
                entries = name if count == missed.numel() else f"{count:,} of {missed.numel():,} entries of {name}"
                require(False, f"{player}: no gradient reaches {entries}, in {ROUNDS} builds and batches; SPEC.dead does not say so")
    for pattern in subject.spec.dead:
        require(any(fnmatchcase(name, pattern) for name in seen), f"SPEC.dead: '{pattern}' matches no trainable parameter")
    for name in filter(lambda name: _declared(subject, name) and name not in dead, seen):
        require(False, f"SPEC.dead declares {name}, but a gradient reaches all of it")
    counts = f"; dead as declared: {sum(dead.values()):,} of {sum(seen.values()):,} entries, in {len(dead)} tensors" if dead else ""
    return f"{len(seen)} tensors{counts}"


def _declared(subject: Subject, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in subject.spec.dead)


def _missed(subject: Subject, player: str) -> dict[str, Tensor]:
    """Of each parameter of a player, where no gradient came in builds of other weights, each with a batch of its own.

    A ReLU that happens to be off hides what is before it, so most of the builds have their biases lifted.
    """
    weighed, missed = _weights(subject), {}
    for seed in range(ROUNDS):
        method = subject.build(seed).train()
        if seed:
            _lift(method)
        batch = example_batch(subject.spec, *SIZES[seed % len(SIZES)], seed=1 + seed)
        for weights in weighed:
            _total(method, batch, player, weights).backward()
        for name, parameter in method.trainable(player):
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            require(seed > 0 or bool(gradient.isfinite().all()), f"{player}: the gradient of {name} is not finite")
            missed[name] = ((gradient == 0) | ~gradient.isfinite()) & missed.get(name, torch.tensor(True))
        left = [name for name, zero in missed.items() if zero.any()]
        if not left or seed + 1 >= len(SIZES) and all(_declared(subject, name) for name in left):
            break
    return missed


@torch.no_grad()
def _lift(method: Method) -> None:
    for parameter in method.parameters():
        if parameter.ndim == 1:
            parameter += LIFT * torch.rand_like(parameter)


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
    """What its stages without a teacher weigh, each once; one that names no loss where all have one."""
    given = [stage.losses for stage in _stages(subject) if not stage.teacher]
    return [losses for k, losses in enumerate(given) if losses not in given[:k]] or [{}]


def _total(method: Method, batch: Batch, player: str, weights: Mapping[str, float]) -> Tensor:
    """All losses of a player on a batch, each of weight 1, in a stage that weighs these."""
    torch.manual_seed(2)
    losses = method.losses(batch, Stage("check", weights), player)
    require(bool(losses), f"{player}: `losses` gives nothing")
    return torch.stack(list(losses.values())).sum()
